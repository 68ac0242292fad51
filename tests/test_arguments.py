"""Arguments of other types than a public call takes are refused by name; all that it takes goes through."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from support.comparisons import comparison, made_sides

import onnxdissect
from onnxdissect.arguments import checked_arguments
from onnxdissect.core.progress import Progress, Silent
from onnxdissect.errors import ParameterError
from onnxdissect.experiments.matching.match import match_units

# What says itself what it takes, in words of its own.
OWN = {
    "dissect": {"data", "bases"},
    "explain": {"images"},
    "rotate": {"data", "alphas", "seeds"},
}
PUBLIC = ["compare", "dissect", "explain", "import_netdissect", "load", "load_comparison", "load_rotation"]
PUBLIC += ["load_explanations", "rotate"]


@checked_arguments(but=("own",))
def call(
    path: str | Path = "",
    *,
    names: Sequence[str] | str = (),
    numbers: Sequence[float] | float = (),
    paths: Iterable[str | Path] = (),
    count: int | None = None,
    flag: bool = False,
    size: tuple[int, int] | None = None,
    either: int | Literal["auto"] = "auto",
    mapped: Mapping[str, str] | None = None,
    told: Callable[[str], None] | None = None,
    progress: Progress | None = None,
    anything: Any = None,
    own: int = 0,
) -> str:
    """Give the names of all that was given."""
    return " ".join(name for name, value in locals().items() if value is not None)


@pytest.mark.parametrize(
    "given",
    [
        {"path": Path("a"), "names": "last", "numbers": 1, "count": 3, "flag": True},
        {"names": ["a", "b"], "numbers": [0.5, 1], "paths": {"a": 1}.keys(), "size": [3, 4], "either": 5},
        {"numbers": np.array([0.5, 0.1], np.float32), "count": np.int64(3), "flag": np.bool_(True)},
        {"numbers": np.float32(0.5), "size": (np.int32(1), 2), "mapped": {"a": "b"}, "told": print},
        {"progress": Silent(), "anything": object(), "own": "whatever"},
    ],
)
def test_what_is_taken_goes_through(given: dict[str, Any]) -> None:
    assert set(given) <= set(call(**given).split())


def test_what_is_read_only_once_is_left_to_the_function() -> None:
    once = (path for path in ("a", 5))
    call(paths=once)  # type: ignore[arg-type]
    assert list(once) == ["a", 5]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"path": 5}, "path of call takes a text or a path, not 5"),
        ({"path": b"a"}, "path of call takes a text or a path, not an object of the type bytes"),
        ({"path": None}, "path of call takes a text or a path, not None"),
        ({"names": 5}, "names of call takes a sequence of texts or a text, not 5"),
        ({"names": ["a", 5]}, "names of call takes a sequence of texts or a text, not 5 among them"),
        ({"numbers": "a"}, "numbers of call takes a sequence of numbers or a number, not 'a'"),
        ({"numbers": [True]}, "numbers of call takes a sequence of numbers or a number, not True among them"),
        ({"numbers": np.array(0.5)}, "a number, not an object of the type ndarray"),
        ({"paths": {"a": "b"}}, "paths of call takes a sequence of texts or paths, not an object of the"),
        ({"count": 2.5}, "count of call takes a whole number or None, not 2.5"),
        ({"count": True}, "count of call takes a whole number or None, not True"),
        ({"flag": "x"}, "flag of call takes True or False, not 'x'"),
        ({"flag": 1}, "flag of call takes True or False, not 1"),
        ({"size": 3}, "size of call takes 2 whole numbers or None, not 3"),
        ({"size": ("a", 4)}, "size of call takes 2 whole numbers or None, not an object of the type tuple"),
        ({"either": 2.5}, "either of call takes a whole number or 'auto', not 2.5"),
        (
            {"mapped": ["a"]},
            "mapped of call takes a mapping of texts or None, not an object of the",
        ),
        ({"mapped": {1: "a"}}, "mapped of call takes a mapping of texts or None, not an object"),
        ({"told": "x"}, "told of call takes a function or None, not 'x'"),
        ({"progress": 5}, "progress of call takes an object of the type Progress or None, not 5"),
    ],
)
def test_what_is_not_taken_is_refused_by_name(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError) as caught:
        call(**given)
    assert said in caught.value.message


def test_numbers_of_numpy_are_handed_on_as_pythons() -> None:
    @checked_arguments()
    def given(count: int, *, share: float = 0.5, flag: bool = False) -> list[type]:
        return [type(one) for one in (count, share, flag)]

    assert given(np.int64(3), share=np.float32(0.25), flag=np.bool_(True)) == [int, float, bool]  # type: ignore[arg-type]


def test_arguments_that_are_missing_or_unknown_are_told_by_python() -> None:
    with pytest.raises(TypeError, match=r"load\(\) missing 1 required positional argument: 'run'"):
        onnxdissect.load()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'layer'"):
        onnxdissect.compare("a", layer="b")  # type: ignore[call-arg]


@pytest.mark.parametrize("name", PUBLIC)
def test_public_calls_refuse_other_types(name: str, tmp_path: Path) -> None:
    function = getattr(onnxdissect, name)
    parameters = inspect.signature(function).parameters
    needed = {one.name: str(tmp_path / one.name) for one in parameters.values() if one.default is one.empty}
    for one in parameters:
        if one not in OWN.get(name, ()):
            with pytest.raises(ParameterError, match=f"^{one} of {name} takes .*, not 3j"):
                function(**needed | {one: 3j})
    for one in OWN.get(name, ()):
        with pytest.raises(onnxdissect.OnnxDissectError):
            function(**needed | {one: 3j})
    assert not list(tmp_path.iterdir())


def test_what_is_made_of_open_runs_wants_them_open() -> None:
    for asked in (
        lambda: onnxdissect.threshold_sweep("runs/a"),  # type: ignore[arg-type]
        lambda: match_units("runs/a", "last", "runs/b", "last"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ParameterError, match="takes an object of the type Dissection, not 'runs/a'"):
            asked()


def test_a_comparison_is_asked_by_names() -> None:
    result = comparison(*made_sides())
    for asked in (lambda: result.layer(5), lambda: result.to_pandas(["layers"]), lambda: result.pair(1)):  # type: ignore[arg-type]
        with pytest.raises(ParameterError, match="takes a text, not"):
            asked()
