"""`data import voc`: Pascal VOC's masks, by index whatever their colours, and the parts of Pascal-Part."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from support.commands import Called, called
from support.import_counts import Counts, add_up, counts, splits
from support.masked import coloured, grey, palette, save
from support.samples import voc

from onnxdissect.data.importers.formats.voc.classes import CLASSES
from onnxdissect.data.importers.formats.voc.classes import palette as published_palette
from onnxdissect.data.importers.formats.voc.part_names import part_name

ROOT = Path("VOCdevkit") / "VOC2012"
MASKS, PARTS = ROOT / "SegmentationClass", ROOT / "Annotations_Part"
NAMES = {1: "aeroplane", 12: "dog", 15: "person", 20: "tvmonitor"}
PART = {
    "lwing": "wing",
    "rwing": "wing",
    "engine_1": "engine",
    "engine_2": "engine",
    "head": "head",
    "lear": "ear",
}
PART |= {"rfho": "hoof", "llarm": "arm"}


def import_voc(place: Path, *options: object) -> Called:
    return called(place, "data", "import", "voc", "out", "--root", "VOCdevkit", *options)


def refused(place: Path, *options: object) -> str:
    done = import_voc(place, *options)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert not (place / "out").exists() and done.stderr.count("error:") == 1 and done.stdout == ""
    return " ".join(done.stderr.split())


def objects(*stems: str) -> Counts:
    return add_up(
        *(("object", name, voc.mask_of(stem) == index) for stem in stems for index, name in NAMES.items())
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    voc.make(tmp_path, parts=False)
    return tmp_path


@pytest.fixture
def with_parts(tmp_path: Path) -> Path:
    voc.make(tmp_path)
    return tmp_path


def unlike(mask: Any) -> Image.Image:
    """A palette that says nothing of the index, as programs make them."""
    return palette(mask, {0: (1, 2, 3), 1: (0, 0, 0)})


def in_colours(mask: Any) -> Image.Image:
    return coloured(mask, voc.colours())


@pytest.mark.parametrize("kind", [lambda mask: palette(mask, voc.colours()), unlike, grey, in_colours])
def test_pixels_per_class_are_those_of_the_indices(place: Path, kind: Callable[[Any], Image.Image]) -> None:
    for stem in (*voc.TRAIN, *voc.VAL):
        save(place / MASKS / f"{stem}.png", kind(voc.mask_of(stem)))
    done = import_voc(place)
    assert done.returncode == 0, done.stderr
    assert counts(place / "out") == objects(*voc.TRAIN, *voc.VAL)
    assert splits(place / "out") == {
        **{f"{stem}.jpg": "train" for stem in voc.TRAIN},
        **{f"{stem}.jpg": "val" for stem in voc.VAL},
    }
    assert called(place, "data", "check", "out").returncode == 0


def test_the_palette_is_the_published_one() -> None:
    table = published_palette()
    assert [tuple(row) for row in table.tolist()] == list(voc.colours().values())
    assert table[[1, 15, 20, 255]].tolist() == [[128, 0, 0], [192, 128, 128], [0, 64, 128], [224, 224, 192]]
    assert len(CLASSES) == 20 and CLASSES[14] == "person"


def test_parts_are_drawn_over_the_objects(with_parts: Path) -> None:
    done = import_voc(with_parts)
    assert done.returncode == 0, done.stderr
    masks: list[tuple[str, str, Any]] = []
    for stem, listed in voc.OBJECTS.items():
        for name in sorted({PART[part] for _, parts in listed for part in parts}):
            # parts of one name are one, over all objects of an image
            union = np.any(
                [
                    voc.part_mask(stem, i, j)
                    for i, (_, parts) in enumerate(listed)
                    for j, part in enumerate(parts)
                    if PART[part] == name
                ],
                axis=0,
            )
            masks.append(("part", name, union))
    bare = [
        ("object", name, voc.object_mask(voc.BARE, i) > 0)
        for i, (name, _) in enumerate(voc.OBJECTS[voc.BARE])
    ]
    want = dict(objects(*voc.TRAIN, *voc.VAL))
    for key, pixels in add_up(*bare).items():
        want[key] = want.get(key, 0) + pixels
    assert counts(with_parts / "out") == want | add_up(*masks)
    assert "2 images without parts" in done.stdout
    assert splits(with_parts / "out")[f"{voc.BARE}.jpg"] == "train"


def test_parts_may_lie_elsewhere_and_masks_be_missing(with_parts: Path) -> None:
    (with_parts / PARTS).rename(with_parts / "parts")
    assert "part" not in {category for category, _ in _imported(with_parts)}
    assert ("part", "wing") in _imported(with_parts, "--parts", "parts")


def _imported(place: Path, *options: object) -> Counts:
    folder = f"out{len(options)}"
    done = called(place, "data", "import", "voc", folder, "--root", str(ROOT), *options)
    assert done.returncode == 0, done.stderr
    return counts(place / folder)


def test_only_parts(with_parts: Path) -> None:
    (with_parts / MASKS).rename(with_parts / "moved")
    done = import_voc(with_parts)
    assert done.returncode == 0 and "there is no SegmentationClass" in done.stdout
    assert set(splits(with_parts / "out")) == {f"{stem}.jpg" for stem in voc.OBJECTS}


def test_every_part_of_the_published_list_has_a_name() -> None:
    animal = "head leye reye lear rear nose muzzle torso neck tail lhorn rhorn beak lwing rwing lleg rleg"
    legs = [f"{s}{e}{k}" for s in "lr" for e in "fb" for k in ("leg", "pa", "uleg", "lleg", "ho")]
    human = "lebrow rebrow mouth hair llarm luarm lhand rlarm ruarm rhand llleg luleg rlleg ruleg lfoot rfoot"
    cars = "frontside leftside rightside backside roofside leftmirror rightmirror fliplate bliplate door_1"
    trains = "hfrontside hleftside hrightside hbackside hroofside coach_1 cfrontside_1 cleftside_2"
    things = "body stern engine_1 wheel_3 fwheel bwheel saddle handlebar chainwheel headlight_2 cap window_9"
    things += f" pot plant screen crightside_3 cbackside_1 croofside_4 {cars} {trains}"
    for name in [*animal.split(), *legs, *human.split(), *things.split()]:
        assert part_name(name), name
    assert part_name("lfuleg") == "leg" and part_name("fliplate") == "license plate"
    assert part_name("lightsabre") is None and part_name("wheel_") is None


def test_without_lists_all_images_with_masks_are_taken(place: Path) -> None:
    (place / ROOT / "ImageSets").rename(place / "moved")
    done = import_voc(place)
    assert "there are no lists in ImageSets/Segmentation" in done.stdout
    assert set(splits(place / "out").values()) == {"train"} and len(splits(place / "out")) == 3


def test_images_that_are_tested_without_masks_are_told_of(place: Path) -> None:
    lists = place / ROOT / "ImageSets" / "Segmentation"
    (lists / "test.txt").write_text(f"{voc.BARE}\n", encoding="utf-8")
    done = import_voc(place)
    assert done.returncode == 0 and "1 image of the split test without a mask, and left out" in done.stdout


def test_a_table_is_a_dining_table(with_parts: Path) -> None:
    with_objects(lambda one: one.update({"class": "table"}))(with_parts)
    (with_parts / MASKS).rename(with_parts / "moved")
    assert import_voc(with_parts).returncode == 0
    assert counts(with_parts / "out")["object", "diningtable"] == 24 * 32


def test_several_years_are_asked_for_one(place: Path) -> None:
    (place / "VOCdevkit" / "VOC2007" / "JPEGImages").mkdir(parents=True)
    told = refused(place)
    assert "holds 2 data sets of Pascal VOC candidates: VOCdevkit/VOC2007, VOCdevkit/VOC2012" in told


def spoil(mask: Any) -> Any:
    mask[:2, :3] = 21
    return mask


def stem_file(name: str) -> Path:
    return MASKS / f"{voc.TRAIN[0]}.png" if name == "mask" else PARTS / f"{voc.TRAIN[0]}.mat"


BROKEN: list[tuple[Callable[[Path], object], str]] = [
    (
        lambda p: save(p / stem_file("mask"), grey(spoil(voc.mask_of(voc.TRAIN[0]).copy()))),
        "holds the index 21 at 6 pixels; the classes of Pascal VOC are 1 to 20, and 255 the border",
    ),
    (
        lambda p: save(p / stem_file("mask"), Image.new("RGB", (32, 24), (9, 8, 7))),
        "has colours instead of a palette, and #090807 at 768 pixels is none of Pascal VOC's",
    ),
    (
        lambda p: save(p / stem_file("mask"), Image.new("P", (24, 24))),
        "2007_000032.png is 24x24, of another aspect",
    ),
    (lambda p: (p / stem_file("mask")).write_bytes(b""), "2007_000032.png is an empty file"),
    (lambda p: (p / stem_file("mask")).write_bytes(b"no image"), "2007_000032.png is no image, or damaged"),
    (lambda p: (p / stem_file("mask")).unlink(), "SegmentationClass has no '2007_000032.png'"),
    (
        lambda p: (p / ROOT / "JPEGImages" / "2007_000032.jpg").unlink(),
        "has no '2007_000032.jpg', which is annotated",
    ),
    (lambda p: _bare(p), "has no annotated image"),
    (lambda p: (p / ROOT / "JPEGImages").rename(p / "moved"), "is no folder of Pascal VOC"),
    (lambda p: (p / MASKS).rename(p / "moved"), "has no folder SegmentationClass"),
    (lambda p: (p / "VOCdevkit").rename(p / "moved"), "there is no folder VOCdevkit"),
    (lambda p: _list(p, "val", voc.TRAIN[0]), "'2007_000032', which is of the split train already"),
    (
        lambda p: _list(p, "val", "../../x"),
        "names the file 'JPEGImages/../../x.jpg', which is no path inside",
    ),
    (lambda p: _list(p, "val", b"\xff"), "is not UTF-8 text"),
]


def _bare(place: Path) -> None:
    for split in ("train", "val", "trainval"):
        _list(place, split, "")
    for path in (place / MASKS).iterdir():
        path.unlink()


def _list(place: Path, split: str, line: str | bytes) -> None:
    content = line if isinstance(line, bytes) else f"{line}\n".encode()
    (place / ROOT / "ImageSets" / "Segmentation" / f"{split}.txt").write_bytes(content)


@pytest.mark.parametrize(("change", "said"), BROKEN)
def test_files_that_are_wrong_are_refused(place: Path, change: Callable[[Path], object], said: str) -> None:
    change(place)
    assert said in refused(place)


def with_objects(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """A file of Pascal-Part whose only object, with one part, was changed."""

    def apply(place: Path) -> None:
        part = {"part_name": "tail", "mask": np.ones((24, 32), np.uint8)}
        one = {
            "class": "cat",
            "class_ind": 1,
            "mask": np.ones((24, 32), np.uint8),
            "parts": voc.structures([part]),
        }
        change(one)
        annotation = {"imname": "x", "objects": voc.structures([one])}
        savemat(place / stem_file("mat"), {"anno": annotation})

    return apply


BROKEN_PARTS: list[tuple[Callable[[Path], object], str]] = [
    (
        with_objects(lambda o: o.update({"class": "unicorn"})),
        "the class of an object is 'unicorn', which Pascal VOC has not",
    ),
    (
        with_objects(lambda o: o.update({"class": 3.0})),
        "the class of an object is an object of the type ndarray",
    ),
    (
        with_objects(lambda o: o["parts"][0, 0].__setitem__("part_name", "tial")),
        "a cat has the part 'tial', which Pascal-Part has not candidates: tail",
    ),
    (
        with_objects(lambda o: o.update(mask=np.ones((24, 31), np.uint8))),
        "the mask of the cat is 24 x 31, and the image 24 x 32",
    ),
    (
        with_objects(lambda o: o["parts"][0, 0].__setitem__("mask", np.zeros((2, 2)))),
        "the mask of the part 'tail' is 2 x 2, and the image 24 x 32",
    ),
    (with_objects(lambda o: o.update(parts="none")), "objects and parts are lists of structures, not 'none'"),
    (
        lambda p: savemat(p / stem_file("mat"), {"other": 3}),
        "holds no annotation of Pascal-Part, a structure anno",
    ),
    (lambda p: (p / stem_file("mat")).write_bytes(b""), "2007_000032.mat is an empty file"),
    (lambda p: (p / stem_file("mat")).write_bytes(b"x" * 300), "is no file of MATLAB's version 5"),
]


@pytest.mark.parametrize(("change", "said"), BROKEN_PARTS)
def test_parts_that_are_wrong_are_refused(
    with_parts: Path, change: Callable[[Path], object], said: str
) -> None:
    change(with_parts)
    assert said in refused(with_parts)


def test_a_link_out_of_the_folder_is_not_followed(
    place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mask = place / stem_file("mask")
    mask.symlink_to(mask.rename(tmp_path_factory.mktemp("elsewhere") / "mask.png"))
    assert "names the file 'SegmentationClass/2007_000032.png': it leads out of" in refused(place)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_in_the_place_of_a_list_is_not_waited_for(place: Path) -> None:
    path = place / ROOT / "ImageSets" / "Segmentation" / "train.txt"
    path.unlink()
    os.mkfifo(path)
    assert import_voc(place).returncode in (0, 2)
