"""Image files of every kind become the pixels that a person sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from onnxdissect.data.decoding.pixels import read_image
from onnxdissect.experiments.class_scores.picture import read_picture


def gradient() -> NDArray[np.uint8]:
    """Red grows to the right, green downwards: every turn shows."""
    rows, columns = np.mgrid[0:40, 0:64]
    return np.stack([columns * 4, rows * 6, np.full_like(rows, 30)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_files_are_turned_as_their_exif_data_say(tmp_path: Path, orientation: int, suffix: str) -> None:
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{suffix}"
    Image.fromarray(gradient()).save(path, exif=exif, quality=100)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"), int)
    found = read_picture(path)
    assert found.shape == expected.shape == ((64, 40, 3) if orientation > 4 else (40, 64, 3))
    assert np.abs(found - expected).max() <= 4
    # a data set's are not, since label maps lie over the pixels as stored
    assert read_image(path, "it").shape == (40, 64, 3)


def test_grey_and_palettes_have_three_channels(tmp_path: Path) -> None:
    grey = gradient()[:, :, 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "grey.png"), np.repeat(grey[:, :, None], 3, 2))
    palette = Image.fromarray(gradient()).quantize(16)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "palette.png"), np.asarray(palette.convert("RGB")))


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    import cv2

    wide = gradient().astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / "wide.png"), wide[:, :, ::-1])
    assert np.abs(read_picture(tmp_path / "wide.png").astype(int) - gradient()).max() <= 1
    cv2.imwrite(str(tmp_path / "grey.png"), wide[:, :, 0])
    assert np.abs(read_picture(tmp_path / "grey.png")[:, :, 1].astype(int) - gradient()[:, :, 0]).max() <= 1


def test_transparency_is_dropped(tmp_path: Path) -> None:
    alpha = np.full((40, 64, 1), 7, np.uint8)
    Image.fromarray(np.concatenate([gradient(), alpha], 2)).save(tmp_path / "clear.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "clear.png"), gradient())


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    inks = Image.fromarray(gradient()).convert("CMYK")
    inks.save(tmp_path / "inks.jpg", quality=100)
    found = read_picture(tmp_path / "inks.jpg").astype(int)
    assert found.shape == (40, 64, 3)
    assert np.abs(found - gradient()).mean() < 6


def test_pixels_are_taken_as_they_are() -> None:
    np.testing.assert_array_equal(read_picture(gradient()), gradient())
