"""The decoder of common photographs: the pixels that OpenCV gives, and nothing of what is damaged."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from support import datasets

from onnxdissect.data.decoding.jpeg import decode_jpeg
from onnxdissect.data.decoding.pixels import read_image

PHOTO = datasets.Picture("photo", {}, size=(40, 52)).pixels()
installed = pytest.mark.skipif(not find_spec("simplejpeg"), reason="simplejpeg is not installed")
SAMPLINGS = [getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{name}") for name in (411, 420, 422, 440, 444)]


def by_opencv(jpeg: bytes) -> NDArray[np.uint8]:
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert bgr is not None
    return np.ascontiguousarray(bgr[:, :, ::-1]).astype(np.uint8)


@st.composite
def jpegs(draw: st.DrawFn) -> bytes:
    height, width = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    small = random.integers(0, 256, (-(-height // 4), -(-width // 4), 3), np.uint8)
    photo = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    noisy = np.clip(photo + random.normal(0, draw(st.sampled_from([0, 20])), photo.shape), 0, 255)
    pixels = noisy.astype(np.uint8)
    how = {
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR: draw(st.sampled_from(SAMPLINGS)),
        cv2.IMWRITE_JPEG_PROGRESSIVE: draw(st.integers(0, 1)),
        cv2.IMWRITE_JPEG_QUALITY: draw(st.sampled_from([20, 75, 95, 100])),
        cv2.IMWRITE_JPEG_RST_INTERVAL: draw(st.sampled_from([0, 2])),
    }
    options = [number for pair in how.items() for number in pair]
    ok, data = cv2.imencode(".jpg", pixels[:, :, 0] if draw(st.booleans()) else pixels, options)
    assert ok
    return data.tobytes()


@installed
@settings(deadline=None, max_examples=200)
@given(jpeg=jpegs())
def test_the_pixels_are_those_of_opencv(jpeg: bytes) -> None:
    decoded = decode_jpeg(jpeg)
    assert decoded is not None
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, by_opencv(jpeg))


@settings(deadline=None, max_examples=200)
@given(jpeg=jpegs(), changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=2))
def test_damaged_ones_are_left_to_opencv_or_decoded_as_it_does(
    jpeg: bytes, changes: list[tuple[float, int]]
) -> None:
    content = bytearray(jpeg)
    for place, byte in changes:
        content[int(place * len(content))] = byte
    decoded = decode_jpeg(bytes(content))
    if decoded is not None:
        np.testing.assert_array_equal(decoded, by_opencv(bytes(content)))


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9])
def test_truncated_ones_are_left_to_opencv(share: float) -> None:
    jpeg = datasets.encoded(PHOTO, ".jpg")
    assert decode_jpeg(jpeg[: int(share * len(jpeg))]) is None
    assert decode_jpeg(jpeg[:-1]) is None


def test_a_sampling_that_the_library_has_no_name_for_is_left_to_opencv(tmp_path: Path) -> None:
    """4:4:1, which a photograph of 4:1:1 becomes where it is turned by a quarter without loss."""
    photo = cv2.resize(PHOTO, (32, 32))
    jpeg = bytearray(
        cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLINGS[0]])[1].tobytes()
    )
    factors = jpeg.index(b"\xff\xc0") + 11
    assert jpeg[factors] == 0x41
    jpeg[factors] = 0x14
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg)
    np.testing.assert_array_equal(read_image(path, "photo"), by_opencv(bytes(jpeg)))


def test_without_the_library_opencv_decodes(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(datasets.encoded(PHOTO, ".jpg"))
    program = (
        "import sys; sys.modules['simplejpeg'] = None\n"
        "from pathlib import Path\n"
        "from onnxdissect.data.decoding.jpeg import decode_jpeg\n"
        "from onnxdissect.data.decoding.pixels import read_image\n"
        "path = Path(sys.argv[1])\n"
        "assert decode_jpeg(path.read_bytes()) is None\n"
        "sys.stdout.buffer.write(read_image(path, 'photo').tobytes())\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=True, capture_output=True)
    assert done.stdout == read_image(path, "photo").tobytes()
