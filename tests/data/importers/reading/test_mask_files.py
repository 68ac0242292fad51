"""Masks made to break their decoder are refused, each by one message."""

from __future__ import annotations

import io
import random
import warnings

import numpy as np
import pytest
from PIL import Image
from support.datasets import GREY, PALETTE, RGB, png
from support.hostile_images import hostile_image

from onnxdissect.data.importers.reading.mask_files import decode_mask
from onnxdissect.errors import ImageFileError

CONTENTS = (
    png(np.arange(24 * 24).reshape(24, 24, 1) % 256, GREY, 8),
    png(np.arange(24 * 24).reshape(24, 24, 1) % 3, PALETTE, 8, np.eye(3, dtype=int) * 255),
    png(np.arange(24 * 24 * 3).reshape(24, 24, 3) % 256, RGB, 8),
)


@pytest.mark.parametrize("seed", range(33))
def test_whatever_a_file_claims(seed: int) -> None:
    dice = random.Random(seed)
    content, said = hostile_image(dice.choice(CONTENTS), dice)
    with warnings.catch_warnings():
        # Pillow warns of damage in what it then decodes
        warnings.simplefilter("ignore")
        try:
            pixels = decode_mask(content, "mask.png")
        except ImageFileError as error:
            assert error.message.startswith("mask.png"), said
        else:
            assert pixels.dtype == (np.int32 if pixels.ndim == 2 else np.uint8)


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("kind", ["TIFF", "GIF", "BMP"])
def test_other_formats_with_bytes_changed(seed: int, kind: str) -> None:
    dice = random.Random(seed)
    stream = io.BytesIO()
    Image.fromarray(np.arange(24 * 24, dtype=np.uint8).reshape(24, 24)).save(stream, kind)
    content = bytearray(stream.getvalue())
    for _ in range(dice.randrange(1, 6)):
        content[dice.randrange(len(content))] = dice.randrange(256)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            decode_mask(bytes(content), "mask")
        except ImageFileError as error:
            assert error.message.startswith("mask")


def test_tiff_of_bits_that_would_be_stretched_is_refused() -> None:
    stream = io.BytesIO()
    Image.fromarray(np.eye(8, dtype=np.uint8)).save(stream, "TIFF")
    content = stream.getvalue()
    # the entry of bits a sample: tag 258, a short, one of them
    entry = bytes([2, 1, 3, 0, 1, 0, 0, 0])
    assert content.count(entry + bytes([8, 0])) == 1
    with pytest.raises(ImageFileError, match="mask has 4 bits a channel"):
        decode_mask(content.replace(entry + bytes([8, 0]), entry + bytes([4, 0])), "mask")


@pytest.mark.parametrize(("compression", "kept"), [("jpeg", False), ("tiff_lzw", True), ("packbits", True)])
def test_tiff_that_is_compressed_with_loss_is_refused(compression: str, kept: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 4, (16, 24)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "TIFF", compression=compression)
    if kept:
        assert np.array_equal(decode_mask(stream.getvalue(), "mask"), pixels)
        return
    with pytest.raises(ImageFileError, match="mask is compressed as jpeg, which changes pixels' numbers"):
        decode_mask(stream.getvalue(), "mask")


def test_tiff_that_is_to_be_turned_is_refused() -> None:
    stream = io.BytesIO()
    Image.fromarray(np.eye(8, dtype=np.uint8)).save(stream, "TIFF", tiffinfo={274: 6})
    with pytest.raises(ImageFileError, match=r"mask is to be turned \(orientation 6\)"):
        decode_mask(stream.getvalue(), "mask")
