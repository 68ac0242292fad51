"""A pytest plugin: ``assert_dissection(model, baseline)`` and the marker ``dissection``.

Nothing of onnxdissect's work is imported before a test asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from onnxdissect.check.gate import ModelOptions
    from onnxdissect.check.verdict import Verdict

__all__ = ["assert_dissection", "dissection_check", "pytest_configure"]

_MARKER = "dissection"
_DEFAULTS = ("baseline", "config", "data", "options")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known.

    Parameters
    ----------
    config : pytest.Config
    """
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(baseline, config, data, options): holds a model against a dissection baseline; "
        "what it names is what assert_dissection takes where the test names none",
    )


def assert_dissection(
    model: str | Path,
    baseline: str | Path = "baseline.json",
    *,
    config: str | Path | None = None,
    data: str | None = None,
    options: ModelOptions | None = None,
) -> Verdict:
    """Fail the test if the model has lost what the baseline had.

    Parameters
    ----------
    model : str or Path
        An ONNX file.
    baseline : str or Path
        A run directory, a ``baseline.json``, or another ONNX file.
    config : str or Path, optional
        Rules; by default ``onnxdissect.toml`` or ``pyproject.toml`` of the working directory.
    data : str, optional
        Where the baseline's data lies.
    options : ModelOptions, optional
        How the file is to be read.

    Returns
    -------
    Verdict
        For further assertions.

    Raises
    ------
    OnnxDissectError
        If no check can be made of it: that is no verdict on the model.
    """
    __tracebackhide__ = True
    from onnxdissect.check.gate import check_model
    from onnxdissect.check.rules.config_file import read_config
    from onnxdissect.storage.characters import printable

    rules = read_config(None if config is None else Path(config))
    verdict = check_model(model, baseline, rules, data=data, options=options)
    if not verdict.passed:
        reasons = [
            "\n  - ".join([f"{f.outcome}: {f.rule}: {f.place}: {f.message}", *f.evidence])
            for f in verdict.errors
        ]
        pytest.fail(printable("\n".join([verdict.headline, *reasons, *verdict.statements])), pytrace=False)
    return verdict


@pytest.fixture(name="assert_dissection")
def dissection_check(request: pytest.FixtureRequest) -> Callable[..., Verdict]:
    """Give `assert_dissection` to a test, with what its marker names as defaults.

    Parameters
    ----------
    request : pytest.FixtureRequest

    Returns
    -------
    callable
    """
    marker = request.node.get_closest_marker(_MARKER)
    if marker is None:
        return assert_dissection
    unknown = sorted(set(marker.kwargs) - set(_DEFAULTS))
    if unknown or marker.args:
        found = [*unknown, *map(repr, marker.args)]
        pytest.fail(
            f"the marker {_MARKER} takes {', '.join(_DEFAULTS)} by name, not {', '.join(found)}",
            pytrace=False,
        )

    def with_defaults(model: str | Path, *baseline: str | Path, **named: Any) -> Verdict:
        __tracebackhide__ = True
        positional = dict(zip(("baseline",), baseline, strict=True)) if baseline else {}
        return assert_dissection(model, **marker.kwargs | positional | named)

    return with_defaults
