"""`data import camvid` and `cityscapes`: as published, and damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.commands import Called, called
from support.importing import counted_masks, index_rows, pixels_by_name
from support.masked import blocks, save
from support.samples import camvid, cityscapes

from onnxdissect.data import open_dataset
from onnxdissect.data.importers.formats.streets.camvid_classes import CAMVID_11, CAMVID_32
from onnxdissect.data.importers.formats.streets.cityscapes_classes import CITYSCAPES


def import_camvid(place: Path, *options: object) -> Called:
    return called(place, "data", "import", "camvid", "out", "--root", "CamVid", *options)


def import_cityscapes(place: Path, *options: object) -> Called:
    return called(place, "data", "import", "cityscapes", "out", "--root", "cityscapes", *options)


def test_camvid_in_colours(tmp_path: Path) -> None:
    camvid.make(tmp_path)
    done = import_camvid(tmp_path)
    assert done.returncode == 0, done.stderr
    names = {code: name for code, (name, _) in camvid.COLORS.items()}
    masks = [camvid.mask(seed) for _, _, seed in camvid.frames()]
    assert pixels_by_name(tmp_path / "out") == counted_masks(masks, names)
    rows = index_rows(tmp_path / "out")
    assert {row["image"]: (row["split"], row["group"]) for row in rows} == {
        f"{split}/{name}.png": (split, name.partition("_")[0]) for split, name, _ in camvid.frames()
    }
    groups = open_dataset(tmp_path / "out").groups()
    assert groups is not None and np.unique(groups).size == 4


def test_camvid_in_one_folder_each_with_the_names_of_the_first_release(tmp_path: Path) -> None:
    camvid.make(tmp_path)
    for part, folder in (("", "701_StillsRaw_full"), ("_labels", "LabeledApproved_full")):
        (tmp_path / "CamVid" / folder).mkdir()
        for split in camvid.FRAMES:
            for file in (tmp_path / "CamVid" / f"{split}{part}").iterdir():
                file.rename(tmp_path / "CamVid" / folder / file.name)
    assert import_camvid(tmp_path).returncode == 0
    rows = index_rows(tmp_path / "out")
    assert [row["split"] for row in rows] == ["train"] * 6
    assert rows[0]["image"] == "701_StillsRaw_full/0001TP_006690.png"


def test_camvid_of_eleven_classes(tmp_path: Path) -> None:
    camvid.make_eleven(tmp_path)
    done = import_camvid(tmp_path)
    assert done.returncode == 0, done.stderr
    masks = [blocks(seed, tuple(range(12))) for _, _, seed in camvid.frames()]
    assert pixels_by_name(tmp_path / "out") == counted_masks(masks, dict(enumerate(camvid.ELEVEN)))
    assert [row["split"] for row in index_rows(tmp_path / "out")].count("test") == 2


def test_a_colour_in_no_table_is_told_with_its_count_and_the_nearest(tmp_path: Path) -> None:
    camvid.make(tmp_path)
    path = tmp_path / "CamVid" / "val_labels" / "0016E5_07959_L.png"
    pixels = np.asarray(Image.open(path)).copy()
    pixels[3, 4:7] = (128, 60, 128)
    save(path, Image.fromarray(pixels))
    done = import_camvid(tmp_path)
    assert done.returncode == 2 and not (tmp_path / "out").exists()
    assert "0016E5_07959_L.png holds the colour #803c80 (3 pixels)" in done.stderr
    assert "nearest to the first is #804080, road" in done.stderr
    assert "hint: --ignore '#803c80' leaves" in done.stderr
    assert import_camvid(tmp_path, "--ignore", "#803c80").returncode == 0


def test_a_folder_without_masks_of_camvid(tmp_path: Path) -> None:
    camvid.make(tmp_path)
    for split in camvid.FRAMES:
        shutil.rmtree(tmp_path / "CamVid" / f"{split}_labels")
    done = import_camvid(tmp_path)
    assert done.returncode == 2 and "holds no masks of CamVid: none is called NAME_L" in done.stderr


def test_masks_of_camvid_without_frames(tmp_path: Path) -> None:
    camvid.make(tmp_path)
    for split in camvid.FRAMES:
        shutil.rmtree(tmp_path / "CamVid" / split)
    done = import_camvid(tmp_path)
    assert done.returncode == 2 and "and no images beside them" in done.stderr


@pytest.mark.parametrize("numbers", [True, False])
def test_cityscapes(tmp_path: Path, numbers: bool) -> None:
    cityscapes.make(tmp_path)
    if not numbers:
        for path in (tmp_path / "cityscapes" / "gtFine").rglob("*_labelIds.png"):
            path.unlink()
    done = import_cityscapes(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "note: 1 image of the split test left out, whose labels are not public" in done.stdout
    masks = [cityscapes.mask(split, seed) for split, _, seed in cityscapes.frames() if split != "test"]
    names = {number: name for number, (name, _) in cityscapes.CLASSES.items()}
    assert pixels_by_name(tmp_path / "out") == counted_masks(masks, names)
    rows = index_rows(tmp_path / "out")
    assert [(row["image"], row["split"], row["group"]) for row in rows] == [
        ("train/aachen/aachen_000000_000019.png", "train", "aachen"),
        ("train/aachen/aachen_000001_000019.png", "train", "aachen"),
        ("train/hamburg/hamburg_000000_000042.png", "train", "hamburg"),
        ("val/frankfurt/frankfurt_000000_000294.png", "val", "frankfurt"),
    ]


def test_coarse_annotations_of_cityscapes(tmp_path: Path) -> None:
    cityscapes.make(tmp_path)
    assert "gtCoarse" in import_cityscapes(tmp_path, "--coarse").stderr
    fine = tmp_path / "cityscapes" / "gtFine"
    for path in fine.rglob("*.png"):
        path.rename(path.with_name(path.name.replace("gtFine", "gtCoarse")))
    fine.rename(fine.with_name("gtCoarse"))
    done = import_cityscapes(tmp_path, "--coarse")
    assert done.returncode == 0 and len(index_rows(tmp_path / "out")) == 4
    done = called(tmp_path, "data", "import", "cityscapes", "other", "--root", "cityscapes")
    assert done.returncode == 2 and "cityscapes holds no folder gtFine" in done.stderr
    (tmp_path / "above").mkdir()
    (tmp_path / "cityscapes").rename(tmp_path / "above" / "cityscapes")
    done = called(tmp_path, "data", "import", "cityscapes", "other", "--root", "above")
    assert "candidates: above/cityscapes\n" in done.stderr.replace("\\", "/")


def test_numbers_and_folders_that_cityscapes_does_not_have(tmp_path: Path) -> None:
    cityscapes.make(tmp_path)
    path = next((tmp_path / "cityscapes" / "gtFine" / "val").rglob("*_labelIds.png"))
    save(path, Image.fromarray(np.full((24, 32), 77, np.uint8)))
    done = import_cityscapes(tmp_path)
    assert done.returncode == 2
    assert "holds the number 77 (768 pixels), for which the table of Cityscapes lists no class" in done.stderr
    path.unlink()
    done = import_cityscapes(tmp_path)
    assert (
        "note: 1 image without mask is left out: 'val/frankfurt/frankfurt_000000_000294.png'" in done.stdout
    )
    done = called(tmp_path, "data", "import", "cityscapes", "other", "--root", "cityscapes/leftImg8bit")
    assert done.returncode == 2 and "cityscapes/leftImg8bit holds no folder leftImg8bit" in done.stderr


def test_the_tables_have_the_published_numbers_of_classes() -> None:
    assert (len(CAMVID_32.classes), len(CAMVID_11.classes), len(CITYSCAPES.classes)) == (31, 11, 27)
    for listed in (CAMVID_32, CAMVID_11, CITYSCAPES):
        colors = [one.color for one in listed.classes if one.color is not None]
        names = [one.name for one in listed.classes]
        assert len({*colors}) == len(colors) and len({*names}) == len(names)
