"""Label maps lie over images: of their aspect, and turned where EXIF data turn these."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from support.imported_data import LABELS, Array, imported, maps_of, write
from support.masked import photograph, save_photograph

from onnxdissect.data import open_dataset
from onnxdissect.data.importers.imported import ImportedData, ImportedImage
from onnxdissect.errors import DataFormatError


def test_label_maps_of_another_aspect(tmp_path: Path) -> None:
    for shape, shown in (((32, 24), "32x24"), ((24, 24), "24x24")):
        data = imported(tmp_path, ["1.png"], {"1.png": {"object": [np.ones(shape, int)]}})
        with pytest.raises(DataFormatError) as caught:
            write(data, tmp_path / "out", size=16)
        message = caught.value.message
        assert "0.png is 24x32 (height x width), and its label map of object is" in message
        assert shown in message and "another aspect" in message
    fits = imported(tmp_path, ["1.png"], {"1.png": {"object": [np.ones((12, 17), int)]}})
    write(fits, tmp_path / "out")


def turned_photograph(path: Path, way: int, height: int = 24, width: int = 32) -> Array:
    """A JPEG that EXIF turns; its pixels upright, as Pillow shows them."""
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = way
    save_photograph(path, photograph(3, height, width), exif=exif, quality=95)
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image))


@pytest.mark.parametrize("way", range(1, 9))
@pytest.mark.parametrize("options", [{}, {"size": 24}, {"size": 24, "link": True}])
def test_annotations_of_turned_images_lie_over_what_is_read(
    tmp_path: Path, way: int, options: dict[str, Any]
) -> None:
    """The label map is what is bright of the upright image, and lies there whatever was turned."""
    upright = turned_photograph(tmp_path / "photos" / "0.jpg", way)
    bright = (upright[:, :, 0] > 150).astype(int)
    image = ImportedImage("0.jpg", tmp_path / "photos" / "0.jpg", lambda size: {"object": [bright]})
    data = ImportedData(("object", "part"), LABELS, [image])
    report = write(data, tmp_path / "out", upright=True, **options)
    pixels = open_dataset(tmp_path / "out", follow_links=True).read_image(0)
    [label_map] = maps_of(tmp_path / "out", "object")
    if options.get("size") and not options.get("link"):
        pixels = cv2.resize(upright, (24, 24), interpolation=cv2.INTER_AREA).astype(np.uint8)
    rows, columns = (
        [
            (2 * i + 1) * pixels.shape[axis] // (2 * label_map.shape[axis])
            for i in range(label_map.shape[axis])
        ]
        for axis in (0, 1)
    )
    at_centres = pixels[np.array(rows)[:, None], columns]
    # means of pixels, and centres of cells of a turned image, differ by up to half a pixel
    agreed = np.mean((at_centres[:, :, 0] > 150) == (label_map > 0))
    assert agreed == 1 if not options else agreed > 0.75
    assert len(report.notes) == (2 if way != 1 else 1)


def test_images_that_exif_turns_are_told(tmp_path: Path) -> None:
    turned_photograph(tmp_path / "photos" / "0.jpg", 6)
    stored = np.ones((24, 32), int)
    image = ImportedImage("0.jpg", tmp_path / "photos" / "0.jpg", lambda size: {"object": [stored]})
    report = write(ImportedData(("object", "part"), LABELS, [image]), tmp_path / "out")
    assert any(
        note.startswith("1 image is turned by EXIF data: label maps were taken") for note in report.notes
    )
    image = ImportedImage("0.jpg", image.file, lambda size: {"object": [stored.T]})
    with pytest.raises(DataFormatError) as caught:
        write(ImportedData(("object", "part"), LABELS, [image]), tmp_path / "other")
    assert caught.value.hint is not None and "--upright" in caught.value.hint
