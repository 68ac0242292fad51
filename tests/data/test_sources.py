"""From a SPEC to a data set."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.datasets import random_broden, write_broden

from onnxdissect.data import (
    ArrayDataset,
    Dataset,
    Source,
    Sources,
    installed_sources,
    make_vocabulary,
    open_data,
)
from onnxdissect.data import sources as module
from onnxdissect.data.groups import group_rule
from onnxdissect.data.opening import recorded_spec
from onnxdissect.data.sources import GROUP
from onnxdissect.errors import DataNotFoundError, InstallationError, ParameterError

ROOT = Path(__file__).parents[2]


def flat(argument: str, *, groups: str | None, progress: Callable[[int, int], None] | None) -> Dataset:
    images = np.zeros((int(argument or 1), 4, 4, 3), np.uint8)
    return ArrayDataset(images, make_vocabulary({"object": {1: "dog"}}), name=f"flat{groups}")


def test_a_source_can_be_registered() -> None:
    none = Sources()
    sources = none.register("flat", flat)
    assert not none.known
    assert len(open_data("flat:3", sources=sources)) == 3
    assert open_data("flat", groups="none", sources=sources).name == "flatnone"
    assert sources.find("flat:a:b") == ("flat", "a:b")
    assert sources.find("./flat") is None
    for wrong in ("", "c", "fl at", "flat:", "a/b", "1a"):
        with pytest.raises(ParameterError, match="a source cannot be called"):
            none.register(wrong, flat)


def test_a_data_set_is_given_back() -> None:
    dataset = flat("2", groups=None, progress=None)
    assert open_data(dataset) is dataset
    assert open_data(dataset, groups="none") is dataset


def test_folders_are_meant_by_their_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = Sources().register("flat", flat)
    monkeypatch.chdir(tmp_path)
    write_broden(Path("flat"), random_broden(1))
    write_broden(Path("other:one"), random_broden(1))
    assert open_data("flat", sources=sources).source == {}
    assert open_data("./flat", sources=sources).source == {"folder": str(tmp_path / "flat")}
    assert open_data("other:one", sources=sources).source == {"folder": str(tmp_path / "other:one")}
    with pytest.raises(DataNotFoundError) as caught:
        open_data("falt:2", sources=sources)
    assert caught.value.candidates[0] == "flat:2"
    assert caught.value.hint == "--data flat:2"


def test_what_a_run_was_made_on_is_found_again(tmp_path: Path) -> None:
    def recognise(record: Any) -> str | None:
        return "flat:9" if record.get("name") == "flat nine" else None

    def fails(record: Any) -> str | None:
        raise ValueError("not mine")

    broken = {"broken": EntryPoint("broken", "onnxdissect.nowhere:x", GROUP)}
    sources = Sources(broken).register("fails", Source(flat, fails)).register("flat", Source(flat, recognise))
    here = write_broden(tmp_path / "here", random_broden(1))
    gone = str(tmp_path / "gone")
    assert recorded_spec({"name": "flat nine", "folder": str(here)}, sources) == str(here)
    assert recorded_spec({"name": "flat nine", "folder": gone}, sources) == "flat:9"
    assert recorded_spec({"name": "other", "folder": gone}, sources) == gone
    assert recorded_spec({"name": "other", "spec": "flat:2"}, sources) == "flat:2"
    assert recorded_spec({"name": "other", "spec": "fails:2"}, sources) == "fails:2"
    assert recorded_spec({"name": "other"}, sources) is None
    with pytest.raises(InstallationError, match="does not load"):
        open_data("broken", sources=sources)
    for value in ("onnxdissect.errors:__all__", "onnxdissect.errors:nothing"):
        with pytest.raises(InstallationError, match=r"neither a function|does not load"):
            Sources({"wrong": EntryPoint("wrong", value, GROUP)}).load("wrong")


def test_tiny_registers_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = installed_sources().load("tiny")
    assert source.recognise({"name": "tiny-v1"}) == "tiny"
    assert source.recognise({"name": "my-tiny"}) is None
    from onnxdissect.tiny import generate

    monkeypatch.setattr(generate, "IMAGES", 8)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    told: list[tuple[int, int]] = []
    dataset = open_data("tiny", progress=lambda *at: told.append(at))
    assert (dataset.name, len(dataset), told[-1]) == ("tiny-v1", 8, (8, 8))


def test_nobody_else_imports_tiny() -> None:
    package = ROOT / "onnxdissect"
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] != "tiny"
        and "onnxdissect.tiny" in path.read_text(encoding="utf-8")
    }
    # the table for trees that are not installed; the commands that draw it and look for its cache
    assert found == {"data/sources.py", "cli/data/tiny.py", "cli/doctor.py"}


def test_a_spec_is_recorded_with_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = Sources().register("flat", flat)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "3").touch()
    assert sources.absolute("flat:3") == f"flat:{tmp_path / '3'}"
    assert sources.absolute(f"flat:{tmp_path / '3'}") == f"flat:{tmp_path / '3'}"
    for same in ("flat:4", "flat", "flat:", "3", "other:3"):
        assert sources.absolute(same) == same


def test_a_source_is_asked_where_its_data_lies_now() -> None:
    sources = Sources().register("flat", Source(flat, lambda record: f"flat:{record['images']}"))
    assert recorded_spec({"spec": "flat:2", "images": 5}, sources) == "flat:5"
    assert recorded_spec({"spec": "other:2", "images": 5}, sources) == "other:2"


def test_a_source_groups_images_as_it_is_asked() -> None:
    def grouped(argument: str, *, groups: str | None, progress: object) -> Dataset:
        rule, group_of = group_rule(groups or "folder", {}, ())
        names = ["a/1.png", "a/2.png", "b/1.png"]
        return ArrayDataset(
            np.zeros((3, 4, 4, 3), np.uint8),
            make_vocabulary({"object": {1: "dog"}}),
            names=names,
            groups=[group_of((), name) for name in names] if argument != "none" else None,
            grouped_by=("group" if argument == "wrong" else rule) or "group",
        )

    sources = Sources().register("films", grouped)
    for asked in (None, "folder"):
        opened = open_data("films", groups=asked, sources=sources)
        assert opened.grouped_by == "folder"
        assert opened.groups().tolist() == [0, 0, 1]  # type: ignore[union-attr]
    with pytest.raises(ParameterError, match="there is no table with a column 'film'"):
        open_data("films", groups="film", sources=sources)
    with pytest.raises(ParameterError, match="grouped by folder, and gives them grouped by group"):
        open_data("films:wrong", groups="folder", sources=sources)
    with pytest.raises(ParameterError, match="gives them grouped by none"):
        open_data("films:none", groups="folder", sources=sources)


def test_a_name_that_two_packages_register_belongs_to_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [EntryPoint("tiny", value, GROUP) for value in ("onnxdissect.tiny:SOURCE", "other:open")]
    monkeypatch.setattr(module, "entry_points", lambda group: entries[:1])
    assert installed_sources().load("tiny").recognise({"name": "tiny-v1"}) == "tiny"
    monkeypatch.setattr(module, "entry_points", lambda group: entries)
    with pytest.raises(InstallationError, match=r"'tiny': onnxdissect\.tiny:SOURCE, other:open"):
        open_data("tiny")
