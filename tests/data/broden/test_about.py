"""Where a data set comes from: told beside its tables, and no part of what it is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.commands import called
from support.datasets import street, write_broden

from onnxdissect.data import (
    About,
    ArrayDataset,
    Part,
    about_of,
    describe,
    open_data,
    open_dataset,
    write_about,
)
from onnxdissect.data.broden.about import one_line, read_about
from onnxdissect.data.limits import LONGEST_ABOUT
from onnxdissect.errors import DataFormatError

STREET = About(
    "Street, corrected",
    licence="CC BY 4.0",
    homepage="example.org/street",
    citation="A. Author, Streets, 2020",
    made="import voc --size 224",
    from_=(Part("Lanes", "CC0", "5f" * 32, 3), Part("Größe", homepage="example.org/groesse")),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_broden(tmp_path / "street", street())


def test_what_is_written_is_read(folder: Path) -> None:
    assert open_dataset(folder).about is None
    before = open_dataset(folder).fingerprint
    write_about(folder, STREET)
    dataset = open_dataset(folder)
    assert dataset.about == about_of(dataset) == STREET
    assert dataset.subset(split="val").about == STREET
    assert dataset.fingerprint == before
    said = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    assert (said["format_version"], said["licence"]) == (1, "CC BY 4.0")
    assert said["from"][1] == {"name": "Größe", "homepage": "example.org/groesse"}
    write_about(folder, About("only a name"))
    assert open_dataset(folder).about == About("only a name")


def test_data_sets_need_not_tell(folder: Path) -> None:
    class Told(ArrayDataset):
        about = STREET

    class Mistold(ArrayDataset):
        about = "CC BY 4.0"

    whole = open_dataset(folder)
    images = [whole.read_image(i) for i in range(3)]
    assert about_of(ArrayDataset(images, whole.vocabulary)) is None
    assert about_of(Mistold(images, whole.vocabulary)) is None
    told: Any = Told(images, whole.vocabulary)
    assert about_of(open_data(told).subset(limit=1)) == STREET


def test_info_tells(folder: Path) -> None:
    said = called(folder, "data", "info", ".")
    assert said.returncode == 0
    assert f"fingerprint:  {open_dataset(folder).fingerprint}\n" in said.stdout
    assert "licence" not in said.stdout
    write_about(folder, STREET)
    lines = called(folder, "data", "info", ".").stdout.splitlines()
    for line in (
        "called:       Street, corrected",
        "licence:      CC BY 4.0",
        "homepage:     example.org/street",
        "citation:     A. Author, Streets, 2020",
        "made by:      import voc --size 224",
        "from:         Lanes (3 images, licence: CC0, fingerprint 5f5f5f5f5f5f)",
        "from:         Größe (licence: not known, example.org/groesse)",
    ):
        assert line in lines, line
    facts = json.loads(called(folder, "data", "info", ".", "--json").stdout)
    assert facts["about"]["from"][0]["images"] == 3
    (folder / "images" / "three.jpg").unlink()
    assert describe(open_dataset(folder)).fingerprint is None
    assert "fingerprint:  none, as files are missing" in called(folder, "data", "info", ".").stdout


def test_tiny_tells_also_where_an_earlier_version_drew_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onnxdissect.tiny import generate, source

    generate.make_tiny(tmp_path / "drawn", images=2)
    told = read_about(tmp_path / "drawn")
    assert told is not None
    assert told.name == "tiny"
    (tmp_path / "drawn" / "about.json").unlink()
    monkeypatch.setattr(source, "ensure_tiny", lambda progress: tmp_path / "drawn")
    assert about_of(source.open_tiny("")) == told


def changed(**fields: Any) -> str:
    return json.dumps({"format_version": 1, **STREET.to_json(), **fields})


MALFORMED: dict[str, tuple[str, str]] = {
    "nothing": ("", "about.json: "),
    "no JSON": ("{", "about.json: "),
    "a list": ("[]", "is a list of 0, not a record"),
    "no version": ('{"name": "a"}', "format_version is null, not 1"),
    "another version": (changed(format_version=2), "format_version is 2, not 1"),
    "no name": ('{"format_version": 1}', "name is missing"),
    "a blank name": (changed(name=" "), "name is ' ', not a name"),
    "a number": (changed(licence=3), "licence is 3, not a text"),
    "two lines": (changed(licence="MIT\nor not"), r"licence holds the character '\n'"),
    "an escape": (changed(made="\x1b[2J"), r"made holds the character '\x1b'"),
    "half a pair": (changed(made="\ud800"), "half of a pair"),
    "no UTF-8": (changed(made="\udc80"), r"made holds the character '\udc80'"),
    "too long": (changed(citation="x" * (LONGEST_ABOUT + 1)), "citation is 'xxx"),
    "no list": (changed(**{"from": {}}), "from is a record, not a list"),
    "a part without a name": (changed(**{"from": [{}]}), "from[0].name is missing"),
    "a share of images": (changed(**{"from": [{"name": "a", "images": 0.5}]}), "from[0].images is 0.5"),
    "fewer than none": (changed(**{"from": [{"name": "a", "images": -1}]}), "from[0].images is -1"),
    "twice": ('{"format_version": 1, "name": "a", "name": "b"}', "name is there twice"),
    "endless": (changed(citation="x" * (1 << 20)), "at most 1,048,576 are read"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_files_are_refused(folder: Path, case: str) -> None:
    content, said = MALFORMED[case]
    (folder / "about.json").write_text(content, encoding="utf-8")
    for command in ("info", "check"):
        done = called(folder.parent, "data", command, "street")
        assert done.returncode == 2
        assert "about.json" in done.stderr
        assert said in done.stderr.replace("\n", " ")
        assert "hint:" in done.stderr


SPECIAL: dict[str, tuple[Callable[[Path], None], str]] = {
    "a folder": (lambda path: path.mkdir(), "a folder"),
    "out of the folder": (lambda path: path.symlink_to("../elsewhere.json"), "leads out"),
    "to nothing": (lambda path: path.symlink_to("nothing.json"), "leads nowhere"),
    "a pipe": (lambda path: os.mkfifo(path), "a named pipe"),
}


@pytest.mark.parametrize("case", SPECIAL)
def test_only_regular_files_of_the_folder_are_read(folder: Path, case: str) -> None:
    make, said = SPECIAL[case]
    (folder.parent / "elsewhere.json").write_text(changed())
    make(folder / "about.json")
    with pytest.raises(DataFormatError, match=said):
        open_dataset(folder)


def test_links_out_are_followed_where_that_is_asked_for(folder: Path) -> None:
    (folder.parent / "elsewhere.json").write_text(changed())
    (folder / "about.json").symlink_to("../elsewhere.json")
    assert open_dataset(folder, follow_links=True).about == STREET


@pytest.mark.parametrize(
    ("about", "said"),
    [
        (About(""), "name is ''"),
        (About("a", licence="two\nlines"), "licence holds"),
        (About("a", from_=(Part("b", images=-1),)), r"from\[0\].images"),
        (About("a", from_=(Part("b", "x" * 4096),) * 300), "would have 1,2"),
    ],
)
def test_what_could_not_be_read_is_not_written(folder: Path, about: About, said: str) -> None:
    with pytest.raises(DataFormatError, match=said):
        write_about(folder, about)
    assert not (folder / "about.json").exists()


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=30))
def test_any_text_can_be_made_a_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    about = About("a", made=one_line(text, 20))
    write_about(folder, about)
    assert read_about(folder) == about
    assert len(about.made) <= 20
