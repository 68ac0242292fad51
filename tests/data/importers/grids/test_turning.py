"""How EXIF data turn an image, against Pillow; and whatever such data may hold."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from PIL import Image, ImageOps
from support.masked import photograph

from onnxdissect.data.importers.grids.turning import UPRIGHT, orientation, turned, turned_back


def jpeg(way: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = way
    exif[0x010F] = "a camera"
    stream = io.BytesIO()
    Image.fromarray(photograph(1)).save(stream, "JPEG", exif=exif)
    return stream.getvalue()


@pytest.mark.parametrize("way", range(1, 9))
def test_images_are_turned_as_pillow_turns_them(way: int) -> None:
    with Image.open(io.BytesIO(jpeg(way))) as image:
        stored, upright = np.asarray(image), np.asarray(ImageOps.exif_transpose(image))
    assert orientation(jpeg(way)) == way
    assert np.array_equal(turned(stored, way), upright)
    assert np.array_equal(turned_back(upright, way), stored)


def test_what_tells_no_way_stays_as_it_is() -> None:
    stream = io.BytesIO()
    Image.fromarray(photograph(1)).save(stream, "PNG")
    assert {orientation(one) for one in (b"", stream.getvalue(), jpeg(0), jpeg(9))} == {UPRIGHT}


@pytest.mark.parametrize("seed", range(20))
def test_damaged_exif_data_turn_nothing_or_something_known(seed: int) -> None:
    dice = random.Random(seed)
    whole = jpeg(6)
    begin = whole.index(b"Exif")
    for _ in range(50):
        content = bytearray(whole[: dice.randrange(begin, len(whole))] if dice.random() < 0.3 else whole)
        for _ in range(dice.randrange(1, 5)):
            content[min(begin + dice.randrange(80), len(content) - 1)] = dice.randrange(256)
        assert orientation(bytes(content)) in range(1, 9)
