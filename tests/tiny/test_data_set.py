"""The drawn data set: its files in the Broden layout, and how they are made."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.tiny_set import SOME, decoded, label_map, table

from onnxdissect.data import open_dataset
from onnxdissect.errors import OutputError, ParameterError
from onnxdissect.tiny import BumpMaps, cache_folder, draw, ensure_tiny, generate, make_tiny
from onnxdissect.tiny.concepts import CATEGORIES, NAMES, NUMBERS


def fingerprint(folder: Path) -> str:
    """Hash of names, tables and decoded pixels; how PNG files are compressed does not count."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(decoded(path).tobytes() if path.suffix == ".png" else path.read_bytes())
    return digest.hexdigest()


# ---------------------------------------------------------------------------------------- the Broden layout


def test_the_tables_agree_with_the_files(made: Path) -> None:
    rows = table(made / "index.csv")
    assert list(rows[0]) == ["image", "split", "ih", "iw", "sh", "sw", *CATEGORIES]
    assert len(rows) == SOME
    assert {row["split"] for row in rows} == {"train", "val"}
    labels = {int(row["number"]): row for row in table(made / "label.csv")}
    listed: set[str] = set()
    images: Counter[tuple[str, int]] = Counter()
    pixels: Counter[tuple[str, int]] = Counter()
    for row in rows:
        assert decoded(made / "images" / row["image"]).shape == (112, 112, 3)
        assert (row["ih"], row["iw"], row["sh"], row["sw"]) == ("112", "112", "56", "56")
        listed.add(row["image"])
        assert bool(row["scene"]) != bool(row["texture"])
        for category in CATEGORIES:
            found: Counter[int] = Counter()
            for entry in filter(None, row[category].split(";")):
                if entry.isdigit():
                    found[int(entry)] = 56 * 56
                    continue
                listed.add(entry)
                numbers = label_map(made / "images" / entry)
                assert numbers.shape == (56, 56)
                assert numbers.any()
                assert category != "color" or numbers.all()
                found.update(numbers[numbers > 0].tolist())
            for number, count in found.items():
                assert f"{category}(" in labels[number]["category"]
                images[category, number] += 1
                pixels[category, number] += count
    on_disk = {path.relative_to(made / "images").as_posix() for path in (made / "images").rglob("*.png")}
    assert on_disk == listed
    for category in CATEGORIES:
        entries = table(made / f"c_{category}.csv")
        assert [int(line["code"]) for line in entries] == list(range(1, len(NAMES[category]) + 1))
        frequencies = [int(line["frequency"]) for line in entries]
        assert frequencies == sorted(frequencies, reverse=True)
        for line in entries:
            key = category, int(line["number"])
            assert labels[key[1]]["name"] == line["name"]
            assert int(line["frequency"]) == images[key]
            assert float(line["coverage"]) == pixels[key] / 56**2
    for group in table(made / "category.csv"):
        mine = [NUMBERS[name] for name in NAMES[group["name"]]]
        assert (int(group["first"]), int(group["last"]), int(group["count"])) == (
            min(mine),
            max(mine),
            len(mine),
        )
        assert int(group["frequency"]) == sum(images[group["name"], number] for number in mine)
    for number, about in labels.items():
        told = {category: int(count) for category, count in re.findall(r"(\w+)\((\d+)\)", about["category"])}
        assert told == {c: images[c, number] for c in CATEGORIES if about["name"] in NAMES[c]}
        assert int(about["frequency"]) == sum(told.values())


def test_the_layout_has_its_quirks(made: Path) -> None:
    rows = table(made / "index.csv")
    assert any(";" in row["part"] for row in rows)  # two part layers in one cell
    assert any(not row["object"] for row in rows)  # empty cells
    assert any(";" in row["category"] for row in table(made / "label.csv"))  # a label in two categories


def test_the_reader_gives_back_what_was_drawn(made: Path, bump_maps: BumpMaps) -> None:
    dataset = open_dataset(made)
    assert len(dataset) == SOME
    assert set(dataset.vocabulary.categories) == set(CATEGORIES)
    names = [concept.name for concept in dataset.vocabulary.concepts]
    for index in (0, 3, 7, 12, 40):
        drawing = draw(7, index, bump_maps)
        assert np.array_equal(dataset.read_image(index), drawing.image)
        expected: Counter[str] = Counter()
        covered: dict[str, NDArray[np.bool_]] = {}
        for plane, codes in drawing.planes.items():
            for code in np.unique(codes[codes > 0]).tolist():
                name = NAMES["part" if plane == "nested" else plane][code - 1]
                covered[name] = covered.get(name, np.zeros(codes.shape, bool)) | (codes == code)
        for name, where in covered.items():
            expected[name] = int(where.sum())
        for category, position in (("scene", drawing.scene), ("texture", drawing.texture)):
            if position is not None:
                expected[NAMES[category][position]] = 56 * 56
        truth = dataset.read_annotation(index).truth(len(names))
        assert {names[i]: int(n) for i, n in enumerate(truth.tolist()) if n} == dict(expected)


# ---------------------------------------------------------------------------------------- generate


def test_pixels_are_the_same_on_every_machine(made: Path) -> None:
    digest = hashlib.sha256()
    for row in table(made / "index.csv")[:24]:
        digest.update(decoded(made / "images" / row["image"]).tobytes())
        for category in CATEGORIES:
            for entry in filter(None, row[category].split(";")):
                if not entry.isdigit():
                    digest.update(decoded(made / "images" / entry).tobytes())
    # a change here means another data set: raise generate.VERSION and train the shipped networks again
    assert digest.hexdigest() == "d7a53968aed23d8ea8d24b351363c5f961cbc7f928283e63a56d807b801db6b6"


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    images = 2 * generate._WORTH_A_WORKER
    seen: list[tuple[int, int]] = []
    make_tiny(tmp_path / "one", images=images, seed=1, workers=1)
    make_tiny(tmp_path / "two", images=images, seed=1, workers=2, progress=lambda *at: seen.append(at))
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")
    assert seen == [(done, images) for done in range(images + 1)]


def test_an_application_draws_the_images_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would start a second time if it were taken for Python."""
    application = tmp_path / "app"
    application.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    application.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(application))
    make_tiny(tmp_path / "tiny", images=2 * generate._WORTH_A_WORKER, seed=1, workers=2)
    assert not (tmp_path / "started").exists()
    assert (tmp_path / "tiny" / "index.csv").exists()


def test_another_seed_is_another_data_set(made: Path, tmp_path: Path) -> None:
    make_tiny(tmp_path / "same", images=8, seed=7, workers=1)
    make_tiny(tmp_path / "other", images=8, seed=8, workers=1)
    name = "images/scenes/00000.png"
    assert np.array_equal(decoded(tmp_path / "same" / name), decoded(made / name))
    assert not np.array_equal(decoded(tmp_path / "other" / name), decoded(made / name))


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_making_leaves_nothing(tmp_path: Path, workers: int) -> None:
    def interrupt(done: int, _: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_tiny(tmp_path / "tiny", images=2 * generate._WORTH_A_WORKER, workers=workers, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


ENSURE = (
    "import sys; from pathlib import Path; from onnxdissect.tiny import generate; "
    "generate.IMAGES = int(sys.argv[2]); print(generate.ensure_tiny(Path(sys.argv[1])))"
)


def test_the_cache_is_filled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "IMAGES", 16)
    seen: list[tuple[int, int]] = []
    folder = ensure_tiny(tmp_path / "cache", progress=lambda *at: seen.append(at))
    assert folder == tmp_path / "cache" / "tiny-v1"
    assert seen == [(done, 16) for done in range(17)]
    before = fingerprint(folder)
    seen.clear()
    assert ensure_tiny(tmp_path / "cache", progress=lambda *at: seen.append(at)) == folder
    assert seen == []
    assert fingerprint(folder) == before


def test_what_a_killed_making_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ENSURE, str(tmp_path), "190"], stdout=subprocess.DEVNULL)
    while not list(tmp_path.glob("*.partial/images/scenes/*.png")):
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert list(tmp_path.glob("*.partial"))
    assert not (tmp_path / "tiny-v1").exists()
    monkeypatch.setattr(generate, "IMAGES", 8)
    assert len(table(ensure_tiny(tmp_path) / "index.csv")) == 8
    assert {path.name for path in tmp_path.iterdir()} == {"tiny-v1", "tiny-v1.lock"}


def test_two_processes_may_make_it_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENSURE, str(tmp_path), "40"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert {process.communicate(timeout=120)[0].strip() for process in both} == {str(tmp_path / "tiny-v1")}
    assert [process.returncode for process in both] == [0, 0]
    assert len(table(tmp_path / "tiny-v1" / "index.csv")) == 40
    assert not list(tmp_path.glob("*.partial"))


def test_making_it_again_does_nothing(made: Path) -> None:
    before = (made / "index.csv").stat().st_mtime_ns
    make_tiny(made, images=SOME, seed=7, workers=1)
    assert (made / "index.csv").stat().st_mtime_ns == before


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    make_tiny(tmp_path, images=3, workers=1)
    assert len(table(tmp_path / "index.csv")) == 3


def test_what_is_not_ours_is_left_alone(tmp_path: Path, made: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(OutputError, match="is no data set tiny"):
        make_tiny(tmp_path, images=3)
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]
    with pytest.raises(OutputError, match="it is a file"):
        make_tiny(tmp_path / "diary.txt", images=3)
    with pytest.raises(OutputError, match="cannot write the data set tiny to"):
        make_tiny(tmp_path / "diary.txt" / "tiny", images=3)
    with pytest.raises(OutputError, match="was asked for"):
        make_tiny(made, images=SOME, seed=8)
    with pytest.raises(OutputError, match="cannot write the data set tiny to"):
        ensure_tiny(tmp_path / "diary.txt")


@pytest.mark.parametrize("wrong", [{"images": 0}, {"seed": -1}, {"seed": 2**32}, {"workers": 0}])
def test_parameters_out_of_range(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(ParameterError):
        make_tiny(tmp_path / "tiny", **wrong)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_the_cache_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "onnxdissect"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")  # to be ignored, says the specification
    assert cache_folder().is_relative_to(Path.home() if os.name != "nt" else Path(cache_folder().anchor))
