"""What cannot be joined is refused with one message, and nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.commands import called
from support.datasets import Broden, Label, Listed, Picture, random_broden, write_broden
from support.named_labels import Draw, draw_labels

from onnxdissect.data import ArrayDataset, JoinOptions, join_datasets, open_dataset
from onnxdissect.errors import ParameterError

ROAD = {"object": ["road"]}


def no_index(place: Path) -> None:
    (place / "b" / "index.csv").unlink()


def damaged(name: str, content: bytes) -> Callable[[Path], None]:
    def damage(place: Path) -> None:
        (place / "b" / "images" / name).write_bytes(content)

    return damage


def truncated(name: str) -> Callable[[Path], None]:
    def damage(place: Path) -> None:
        path = place / "b" / "images" / name
        path.write_bytes(path.read_bytes()[:-20])

    return damage


def filled(place: Path) -> None:
    (place / "out").mkdir()
    (place / "out" / "thesis.tex").write_text("ten years")


def replaced(table: str, before: str, after: str) -> Callable[[Path], None]:
    def damage(place: Path) -> None:
        path = place / "b" / table
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    return damage


def linked_out(place: Path) -> None:
    image = place / "b" / "images" / "b0.png"
    image.unlink()
    image.symlink_to(place / "a" / "images" / "a0.png")


def bracketed(place: Path) -> None:
    for table in ("index.csv", "category.csv"):
        replaced(table, "object", "ob)ject")(place)
    replaced("label.csv", "object(2)", "")(place)
    (place / "b" / "c_object.csv").rename(place / "b" / "c_ob)ject.csv")


def written(name: str) -> Callable[[Path], None]:
    def write(place: Path) -> None:
        (place / name).write_text("mine")

    return write


def link(place: Path) -> None:
    (place / "link").symlink_to("a", target_is_directory=True)


def missing(place: Path) -> None:
    (place / "b" / "images" / "b1.png").unlink()


def nothing(place: Path) -> None:
    pass


WRONG: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "no folder": (nothing, "a missing --out out", "there is no folder missing"),
    "no Broden folder": (no_index, "a b --out out", "b is no Broden folder: it holds no index.csv"),
    "a file": (written("f"), "a f --out out", "f is a file"),
    "the same twice": (nothing, "a b a --out out", "the data set a was given twice: its images"),
    "the same by a link": (link, "a link --out out", "the data set link was given twice, as a:"),
    "the same by another path": (nothing, "a ./b/../a --out out", "was given twice, as a:"),
    "into itself": (nothing, "a b --out a", "it is not empty, and nothing was written"),
    "inside itself": (nothing, "a b --out a/images/new", "it lies inside the data set"),
    "inside by a link": (link, "a b --out link/new", "it lies inside the data set"),
    "a filled folder": (filled, "a b --out out", "out: it is not empty, and nothing was written"),
    "a file in the place": (written("out"), "a b --out out", "is there already, and is no folder"),
    "a damaged image": (truncated("b1.png"), "a b --out out", "b: image b1.png (index.csv, line 3) "),
    "no image": (damaged("b1.png", b"text"), "a b --out out", "b: image b1.png (index.csv, line 3) "),
    "an empty image": (damaged("b1.png", b""), "a b --out out", "is an empty file"),
    "a damaged label map": (
        truncated("b1_object_0.png"),
        "a b --out out",
        "label map b1_object_0.png of image b1.png",
    ),
    "a missing image": (missing, "a b --out out", "b: image b1.png (index.csv, line 3) is missing"),
    "an image out of the folder": (linked_out, "a b --out out", "leads out of b"),
    "a stray number": (
        replaced("label.csv", "1,road", "2,road"),
        "a b --out out",
        "holds the label number 1",
    ),
    "a malformed table": (
        replaced("label.csv", "number", "nombre"),
        "a b --out out",
        "lacks the column number",
    ),
    "a category with brackets": (bracketed, "a b --out out", "'ob)ject' cannot be a category's name"),
    "nothing left": (
        nothing,
        "a b --out out --min-images 5",
        "1 concepts is in fewer than 5 images: none is left",
    ),
    "fewer than none": (nothing, "a b --out out --min-images -1", "fewer than -1 images"),
    "splits of words": (nothing, "a b --out out --splits train", "splits are given as NAME=SHARE"),
    "splits of too much": (nothing, "a b --out out --splits train=0.7,val=0.7", "together are 1.4, not 1"),
    "splits of too little": (nothing, "a b --out out --splits train=0.5", "together are 0.5, not 1"),
    "splits twice": (nothing, "a b --out out --splits a=0.5,a=0.5", "the split 'a' is given twice"),
    "splits of nothing": (nothing, "a b --out out --splits a=1,b=0", "share of 0"),
    "splits without a name": (nothing, "a b --out out --splits =1", "'=1' is neither"),
    "splits that are no numbers": (nothing, "a b --out out --splits a=nan", "share of nan of the images"),
    "no synonyms": (nothing, "a b --out out --synonyms none.csv", "there is no file none.csv"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_joined(tmp_path: Path, draw: Draw, case: str) -> None:
    damage, words, said = WRONG[case]
    draw("a", ROAD)
    draw("b", ROAD)
    damage(tmp_path)
    before = set(tmp_path.rglob("*"))
    done = called(tmp_path, "data", "join", *words.split())
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    problems = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(problems) == 1
    assert said in problems[0]
    assert set(tmp_path.rglob("*")) == before


def test_one_alone_can_be_joined_and_none_cannot(tmp_path: Path, draw: Draw) -> None:
    assert join_datasets([draw("a", ROAD)], tmp_path / "out").images == 2
    with pytest.raises(ParameterError, match="no data set was given"):
        join_datasets([], tmp_path / "none")
    with pytest.raises(ParameterError, match="workers"):
        JoinOptions(workers=0)


def test_what_lies_in_no_folder_cannot_be_joined(tmp_path: Path, draw: Draw) -> None:
    whole = open_dataset(draw("a", ROAD))
    arrays = ArrayDataset([whole.read_image(0)], whole.vocabulary)
    with pytest.raises(ParameterError, match="lie in no Broden folder"):
        join_datasets([whole, arrays], tmp_path / "out")  # type: ignore[list-item]


def test_more_concepts_than_numbers(tmp_path: Path) -> None:
    place = tmp_path
    for name in ("a", "b"):
        labels = [Label(number, f"{name}{number}", {"object": Listed(0, 0)}) for number in range(1, 32770)]
        write_broden(place / name, Broden(("object",), labels, [Picture("one.png", {"object": [1]})]))
    done = called(place, "data", "join", "a", "b", "--out", "out", "--min-images", "0")
    assert done.returncode == 2
    assert "have 65,538 concepts together; label maps hold 65,535 numbers" in done.stderr
    assert not (place / "out").exists()
    assert "hint: --min-images N drops those in fewer than N images" in done.stderr


def test_a_data_set_with_the_highest_number(tmp_path: Path) -> None:
    plane = np.full((2, 2), 65535)
    folders = [
        write_broden(
            tmp_path / name,
            Broden(
                ("object",),
                [Label(65535, name, {"object": Listed(1, 1)})],
                [Picture("one.png", {"object": [plane]}, grid=(2, 2))],
            ),
        )
        for name in ("a", "b")
    ]
    report = join_datasets(folders, tmp_path / "out")
    assert [(c.number, c.name) for c in report.concepts] == [(1, "a"), (2, "b")]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("at", ["start", "written"])
def test_an_interrupt_leaves_nothing(tmp_path: Path, at: str) -> None:
    draw_labels(tmp_path, "a", ROAD)
    write_broden(tmp_path / "b", random_broden(1, pictures=600))
    before = set(tmp_path.iterdir())
    process = subprocess.Popen(
        [sys.executable, "-m", "onnxdissect", "data", "join", "a", "b", "--out", "deep/out"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    wanted = "deep" if at == "start" else "deep/*.partial/images/a/a1.png"
    until = time.monotonic() + 60
    while not list(tmp_path.glob(wanted)) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, ""), stderr
    assert stderr.splitlines()[-1] == "interrupted; nothing was written to deep/out"
    assert set(tmp_path.iterdir()) == before
