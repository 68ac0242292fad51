"""`data import ade20k`: the full set with parts, and scene parsing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from support.commands import Called, called
from support.import_counts import Counts, add_up, counts, rows, splits
from support.masked import grey, palette, save
from support.samples import ade20k

from onnxdissect.data import open_dataset

ONE = "images/training/b/bedroom/ADE_train_00000001"


def import_ade20k(root: Path) -> Called:
    return called(root.parent, "data", "import", "ade20k", "out", "--root", root.name)


def refused(root: Path) -> str:
    done = import_ade20k(root)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert not (root.parent / "out").exists() and done.stderr.count("error:") == 1 and done.stdout == ""
    return " ".join(done.stderr.split())


def full_counts() -> Counts:
    masks: list[tuple[str, str, Any]] = []
    for name, levels in ade20k.FULL.items():
        of_parts: dict[str, Any] = {}
        for level in range(len(levels)):
            mask = ade20k.codes(name, level)
            for code, called_ in ade20k.NAMES.items():
                first = called_.split(",")[0]
                if level:
                    of_parts[first] = of_parts.get(first, False) | (mask == code)
                else:
                    masks.append(("object", first, mask == code))
        masks += [("part", first, mask) for first, mask in of_parts.items()]
    whole = np.ones((24, 32), bool)
    return add_up(*masks, ("scene", "bedroom-s", whole), ("scene", "bus_station-indoor-s", whole))


@pytest.mark.parametrize("index", [True, False])
def test_objects_and_parts_are_those_of_the_masks(tmp_path: Path, index: bool) -> None:
    root = ade20k.make_full(tmp_path, index=index)
    done = import_ade20k(root)
    assert done.returncode == 0, done.stderr
    assert counts(tmp_path / "out") == full_counts()
    assert sorted(splits(tmp_path / "out").values()) == ["train", "train", "val"]
    parts = next(row for row in rows(tmp_path / "out") if "bedroom" in row["image"])["part"]
    assert parts.count(".png") == 2
    assert "1 name of several classes, which become one each: door" in done.stdout
    assert ("there is no index_ade20k.mat" in done.stdout) != index
    assert called(tmp_path, "data", "check", "out").returncode == 0


def test_the_first_name_is_the_name_and_the_others_are_synonyms(tmp_path: Path) -> None:
    assert import_ade20k(ade20k.make_full(tmp_path)).returncode == 0
    lines = (tmp_path / "out" / "label.csv").read_text(encoding="utf-8").splitlines()
    building = next(line for line in lines if ",building," in line)
    assert building.endswith(",edifice")
    doors = [one for one in open_dataset(tmp_path / "out").vocabulary.concepts if one.name == "door"]
    assert [one.categories for one in doors] == [("object", "part")]


def test_an_image_without_a_mask_is_told_of(tmp_path: Path) -> None:
    root = ade20k.make_full(tmp_path)
    save(root / "images" / "training" / "a" / "attic" / "x.jpg", Image.new("RGB", (32, 24)))
    done = import_ade20k(root)
    assert done.returncode == 0 and "1 image without a mask *_seg.png, and left out" in done.stdout


def test_instances_that_nobody_sees_do_not_name_others(tmp_path: Path) -> None:
    root = ade20k.make_full(tmp_path, index=False)
    attributes = root / f"{ONE}_atr.txt"
    # the first of the list is hidden: every instance behind it would be called like the one before
    text = attributes.read_text(encoding="utf-8")
    attributes.write_text('000 # 0 # 1 # ghost # ghost # ""\n' + text, encoding="utf-8")
    done = import_ade20k(root)
    assert done.returncode == 0 and counts(tmp_path / "out") == full_counts()


def test_classes_without_a_name_are_none_as_long_as_no_mask_holds_them(tmp_path: Path) -> None:
    root = ade20k.make_full(tmp_path)
    names = np.array(
        [ade20k.NAMES.get(code, "" if code % 2 else " ") for code in range(1, ade20k.LAST + 1)], object
    ).reshape(1, -1)
    savemat(root / "index_ade20k.mat", {"index": {"objectnames": names}})
    done = import_ade20k(root)
    assert done.returncode == 0 and counts(tmp_path / "out") == full_counts(), done.stderr
    names[0, 773] = ""
    savemat(root / "index_ade20k.mat", {"index": {"objectnames": names}})
    done = called(tmp_path, "data", "import", "ade20k", "other", "--root", root.name)
    assert "holds the class 774" in done.stderr and "which has no name" in done.stderr


def recoloured(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def apply(root: Path) -> None:
        path = root / f"{ONE}_seg.png"
        save(path, Image.fromarray(change(np.asarray(Image.open(path)).copy())))

    return apply


def spoiled(pixels: Any) -> Any:
    pixels[:2, :5] = (250, 9, 0)
    return pixels


def uneven(pixels: Any) -> Any:
    pixels[0, 0, 0] = 33
    return pixels


def remove(folder: Path, pattern: str) -> None:
    for path in folder.rglob(pattern):
        path.unlink()


BROKEN: list[tuple[Callable[[Path], object], str]] = [
    (recoloured(uneven), "is no mask of ADE20K: red is a multiple of 10 there, and 33 here"),
    (recoloured(spoiled), "holds the class 6409 at 10 pixels, which has no name"),
    (recoloured(lambda pixels: pixels[:, :20]), "of another aspect"),
    (lambda root: (root / f"{ONE}_seg.png").write_bytes(b""), "ADE_train_00000001_seg.png is an empty file"),
    (lambda root: (root / f"{ONE}_parts_1.png").write_bytes(b"nothing"), "_parts_1.png cannot be decoded"),
    (lambda root: (root / "index_ade20k.mat").write_bytes(b"x" * 200), "is no file of MATLAB's version 5"),
    (lambda root: (root / "images").rename(root / "moved"), "is no folder of ADE20K"),
    (lambda root: root.rename(root.with_name("moved")), "there is no folder ADE20K_2016_07_26"),
    (lambda root: (root / f"{ONE}_parts_1.png").unlink(), "_parts_2.png is there, and the mask of parts of"),
    (lambda root: remove(root, "*_seg.png"), "has no image with a mask *_seg.png"),
    (lambda root: remove(root, "*.jpg"), "holds no file that ends in .jpg"),
]


@pytest.mark.parametrize(("change", "said"), BROKEN)
def test_files_that_are_wrong_are_refused(
    tmp_path: Path, change: Callable[[Path], object], said: str
) -> None:
    root = ade20k.make_full(tmp_path)
    change(root)
    assert said in refused(root)


def test_lists_of_instances_that_are_wrong_are_refused(tmp_path: Path) -> None:
    root = ade20k.make_full(tmp_path, index=False)
    attributes = root / f"{ONE}_atr.txt"
    text = attributes.read_text(encoding="utf-8")
    attributes.write_text(text.replace("# wall #", "# fence #"), encoding="utf-8")
    assert "instances of the class 2978 are called 'wall' and 'fence'" in refused(root)
    attributes.write_text("wall\n", encoding="utf-8")
    assert "ADE_train_00000001_atr.txt, line 1, is not INSTANCE # LEVEL OF PART" in refused(root)
    for path in root.rglob("*_atr.txt"):
        path.unlink()
    assert "which has no name" in refused(root)


def parsing_counts(*, scenes: bool) -> Counts:
    masks: list[tuple[str, str, Any]] = []
    for name, scene in ade20k.PARSING.items():
        mask = ade20k.parsing_mask(name)
        masks += [
            ("object", called_.split(",")[0], mask == index)
            for index, called_ in enumerate(ade20k.CLASSES, 1)
        ]
        if scenes:
            masks.append(("scene", f"{scene}-s", np.ones(mask.shape, bool)))
    return add_up(*masks)


@pytest.mark.parametrize("scenes", [True, False])
@pytest.mark.parametrize("kind", [grey, palette])
def test_scene_parsing_is_that_of_the_masks(tmp_path: Path, kind: Any, scenes: bool) -> None:
    root = ade20k.make_parsing(tmp_path, scenes=scenes)
    for name in ade20k.PARSING:
        save(root / "annotations" / f"{name}.png", kind(ade20k.parsing_mask(name)))
    done = import_ade20k(root)
    assert done.returncode == 0, done.stderr
    assert counts(tmp_path / "out") == parsing_counts(scenes=scenes)
    assert sorted(splits(tmp_path / "out").values()) == ["train", "train", "val"]
    assert ("there is no sceneCategories.txt" in done.stdout) != scenes


MASK = "annotations/training/ADE_train_00000001.png"
BROKEN_PARSING: list[tuple[Callable[[Path], object], str]] = [
    (
        lambda root: save(root / MASK, Image.new("L", (32, 24), 5)),
        "holds the number 5 at 768 pixels; objectInfo150.txt",
    ),
    (
        lambda root: save(root / MASK, Image.new("RGB", (32, 24))),
        "holds colours, and masks of scene parsing are grey",
    ),
    (lambda root: save(root / MASK, Image.new("L", (32, 32))), "of another aspect"),
    (
        lambda root: _names(root, "Idx\tName\n1\twall\n3\tsky\n"),
        "line 3: Idx 2 was expected, and there is '3'",
    ),
    (lambda root: _names(root, "Idx\tName\n1\twall\n2\n"), "line 3: Idx 2 was expected"),
    (lambda root: _names(root, "Idx\tName\n1\twall\n2\twall, b\n"), "line 3: 'wall' is the class 1 already"),
    (lambda root: _names(root, "Idx\tName\n"), "objectInfo150.txt names no class"),
    (lambda root: _names(root, "1 wall\n"), "has no columns Idx and Name between tabs"),
    (lambda root: _names(root, ""), "has no columns Idx and Name between tabs"),
    (lambda root: _scenes(root, "a b c\n"), "an image and its scene were expected, and there is 'a b c'"),
    (lambda root: _scenes(root, "a b\na c\n"), "line 2: 'a' has another scene above"),
    (lambda root: remove(root, "*.png"), "holds no file that ends in .png"),
]


def _names(root: Path, text: str) -> None:
    (root / "objectInfo150.txt").write_text(text, encoding="utf-8")


def _scenes(root: Path, text: str) -> None:
    (root / "sceneCategories.txt").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("change", "said"), BROKEN_PARSING)
def test_scene_parsing_that_is_wrong_is_refused(
    tmp_path: Path, change: Callable[[Path], object], said: str
) -> None:
    root = ade20k.make_parsing(tmp_path)
    change(root)
    assert said in refused(root)


def test_a_folder_that_holds_both_sets_is_refused(tmp_path: Path) -> None:
    (tmp_path / "both").mkdir()
    full, parsing = ade20k.make_full(tmp_path / "both"), ade20k.make_parsing(tmp_path / "both")
    said = refused(tmp_path / "both")
    assert "both holds the full set and scene parsing" in said
    assert full.name in said and parsing.name in said
