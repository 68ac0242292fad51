"""Decoding: every kind of PNG a label map may be, and files that are not what they seem."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import datasets
from support.datasets import GREY, GREY_ALPHA, PALETTE, RGB, RGBA

from onnxdissect.data.decoding.pixels import read_image, read_label_map
from onnxdissect.errors import ImageFileError

PHOTO = datasets.Picture("photo", {}, size=(40, 52)).pixels()


def save(folder: Path, content: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path


def with_exif_orientation(jpeg: bytes, thumbnail: bytes = b"") -> bytes:
    tags = struct.pack("<H", 1) + struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack("<I", 0)
    body = b"Exif\0\0" + b"II*\0" + struct.pack("<I", 8) + tags + thumbnail
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize(
    ("colours", "depth", "highest"),
    [
        (RGB, 8, 65535),
        (RGBA, 8, 65535),
        (PALETTE, 8, 65535),
        (PALETTE, 4, 65535),
        (GREY, 1, 1),
        (GREY, 2, 3),
        (GREY, 4, 15),
        (GREY, 8, 255),
        (GREY, 16, 65535),
        (GREY_ALPHA, 8, 255),
        (GREY_ALPHA, 16, 65535),
    ],
)
@pytest.mark.parametrize("stray", [0, 255])
def test_label_maps_of_every_kind(tmp_path: Path, colours: int, depth: int, highest: int, stray: int) -> None:
    numbers = np.random.default_rng(depth).choice(np.linspace(0, highest, 9).astype(int), (5, 11))
    path = save(tmp_path, datasets.label_png(numbers, colours, depth, stray))
    read = read_label_map(path, "map")
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, numbers)


def test_label_map_with_transparent_colour_key(tmp_path: Path) -> None:
    # A tRNS chunk makes OpenCV add an alpha channel to a grey PNG.
    numbers = np.arange(12).reshape(3, 4)
    content = datasets.label_png(numbers, GREY, 8)
    header_end = 8 + 25
    keyed = content[:header_end] + datasets.chunk(b"tRNS", b"\0\3") + content[header_end:]
    np.testing.assert_array_equal(read_label_map(save(tmp_path, keyed), "map"), numbers)


def test_label_map_of_16_bit_colours_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, datasets.label_png(np.ones((3, 3), int), RGB, 16))
    with pytest.raises(ImageFileError, match="16 bits a channel"):
        read_label_map(path, "map")


def test_label_map_must_be_png(tmp_path: Path) -> None:
    path = save(tmp_path, datasets.encoded(PHOTO, ".jpg"))
    with pytest.raises(ImageFileError, match=r"the map is not a PNG file"):
        read_label_map(path, "the map")


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg", ".webp"])
def test_images_are_rgb(tmp_path: Path, suffix: str) -> None:
    read = read_image(save(tmp_path, datasets.encoded(PHOTO, suffix)), "photo")
    assert read.dtype == np.uint8
    assert read.shape == PHOTO.shape
    assert np.abs(read.astype(int) - PHOTO).mean() < (0.01 if suffix in (".png", ".bmp") else 6)


def test_grey_image_has_three_channels(tmp_path: Path) -> None:
    ok, data = cv2.imencode(".jpg", PHOTO[:, :, 0])
    assert ok
    read = read_image(save(tmp_path, data.tobytes()), "photo")
    assert read.shape == PHOTO.shape
    assert (read == read[:, :, :1]).all()


def test_exif_orientation_is_not_applied(tmp_path: Path) -> None:
    jpeg = datasets.encoded(PHOTO, ".jpg")
    turned = read_image(save(tmp_path, with_exif_orientation(jpeg)), "photo")
    np.testing.assert_array_equal(turned, read_image(save(tmp_path, jpeg), "photo"))


def test_name_outside_ascii(tmp_path: Path) -> None:
    path = tmp_path / "größe 写真.png"
    path.write_bytes(datasets.encoded(PHOTO, ".png"))
    np.testing.assert_array_equal(read_image(path, "photo"), PHOTO)


@pytest.mark.parametrize("progressive", [False, True])
def test_truncated_jpeg(tmp_path: Path, progressive: bool) -> None:
    ok, data = cv2.imencode(".jpg", PHOTO, [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)])
    assert ok
    jpeg = data.tobytes()
    # the whole file's own end marker, as a thumbnail holds it, must not pass for the photograph's
    for whole in (jpeg, with_exif_orientation(jpeg, thumbnail=jpeg)):
        assert read_image(save(tmp_path, whole), "photo").shape == PHOTO.shape
        assert read_image(save(tmp_path, whole + b"appended"), "photo").shape == PHOTO.shape
        for length in (3, 20, len(whole) - len(jpeg) + 200, len(whole) - 40, len(whole) - 1):
            with pytest.raises(ImageFileError, match="photo is truncated"):
                read_image(save(tmp_path, whole[:length]), "photo")


@settings(deadline=None, max_examples=50)
@given(share=st.floats(0.001, 0.999))
def test_truncated_png(share: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("png")
    content = datasets.label_png(np.arange(400).reshape(20, 20))
    path = save(folder, content[: max(8, int(len(content) * share))])
    with pytest.raises(ImageFileError, match="map is truncated"):
        read_label_map(path, "map")
    with pytest.raises(ImageFileError, match="photo is truncated"):
        read_image(path, "photo")


def test_damaged_png(tmp_path: Path) -> None:
    content = bytearray(datasets.label_png(np.arange(400).reshape(20, 20)))
    content[len(content) // 2] ^= 1
    with pytest.raises(ImageFileError, match="map is damaged: the checksum of its IDAT chunk"):
        read_label_map(save(tmp_path, bytes(content)), "map")
    headless = datasets.png(np.zeros((2, 2, 1), int), GREY, 8)
    headless = headless[:8] + datasets.chunk(b"tEXt", b"a\0b") + headless[8:]
    with pytest.raises(ImageFileError, match="begins with its header"):
        read_label_map(save(tmp_path, headless), "map")


def test_sound_chunks_around_nothing(tmp_path: Path) -> None:
    header = struct.pack(">2I5B", 4, 4, 8, GREY, 0, 0, 0)
    hollow = b"\x89PNG\r\n\x1a\n" + datasets.chunk(b"IHDR", header) + datasets.chunk(b"IEND", b"")
    with pytest.raises(ImageFileError, match="map cannot be decoded"):
        read_label_map(save(tmp_path, hollow), "map")


@pytest.mark.parametrize("read", [read_image, read_label_map])
def test_no_image_at_all(tmp_path: Path, read: type) -> None:
    with pytest.raises(ImageFileError, match="it is missing: there is no file"):
        read(tmp_path / "nowhere.png", "it")
    with pytest.raises(ImageFileError, match="it is an empty file"):
        read(save(tmp_path, b""), "it")
    with pytest.raises(ImageFileError, match="it cannot be read: it is a folder"):
        read(tmp_path, "it")
    with pytest.raises(ImageFileError, match=r"it (cannot be decoded|is not a PNG file)"):
        read(save(tmp_path, b"<html>404 not found</html>"), "it")
