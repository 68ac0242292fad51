"""Images that claim more than they hold, or make a decoder work for ever: refused before they are decoded."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from onnxdissect.data.decoding.image_headers import find_format
from onnxdissect.data.decoding.pixels import read_image, read_label_map
from onnxdissect.errors import ImageFileError

PICTURE = np.random.default_rng(0).integers(0, 255, (37, 53, 3), np.uint8)
SUFFIXES = [
    "png",
    "jpg",
    "bmp",
    "gif",
    "webp",
    "tiff",
    "jp2",
    "avif",
    "pbm",
    "pgm",
    "ppm",
    "pam",
    "hdr",
    "ras",
    "pfm",
]
HUGE = [
    (50_000, 50_000),
    (2**31 - 1, 2**31 - 1),
    (2**31 - 1, 1),
    (1, 2**20 + 1),
    (11_586, 11_586),
    (0, 5),
    (5, 0),
]


def encoded(suffix: str) -> bytes:
    picture = PICTURE.astype(np.float32) if suffix in ("hdr", "pfm") else PICTURE
    if suffix in ("pbm", "pgm"):
        picture = PICTURE[:, :, 0]
    done, content = cv2.imencode(f".{suffix}", picture)
    assert done
    return content.tobytes()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(height: int, width: int, *pixels: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"".join(chunk(b"IDAT", one) for one in pixels)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


def deflated(mebibytes: int) -> bytes:
    deflater = zlib.compressobj(9)
    pieces = [deflater.compress(bytes(1 << 20)) for _ in range(mebibytes)]
    return b"".join([*pieces, deflater.flush()])


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(ImageFileError) as caught:
        read_image(path, "it")
    return caught.value.message


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_header_tells_the_size_of_each_format(tmp_path: Path, suffix: str) -> None:
    content = encoded(suffix)
    found = find_format(content)
    assert found is not None
    assert found.size(content) == (37, 53)
    (tmp_path / f"a.{suffix}").write_bytes(content)
    assert read_image(tmp_path / f"a.{suffix}", "it").shape == (37, 53, 3)


def test_lossless_webp_tells_its_size_too() -> None:
    _, content = cv2.imencode(".webp", PICTURE, [cv2.IMWRITE_WEBP_QUALITY, 30])
    assert content.tobytes()[12:16] != b"VP8L"
    found = find_format(content.tobytes())
    assert found is not None
    assert found.size(content.tobytes()) == (37, 53)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_cut_headers_end_in_messages(tmp_path: Path, suffix: str) -> None:
    content = encoded(suffix)
    for length in range(1, min(len(content), 64)):
        (tmp_path / "a").write_bytes(content[:length])
        try:
            read_image(tmp_path / "a", "it")
        except ImageFileError as error:
            assert error.message.startswith("it ")


@pytest.mark.parametrize(("height", "width"), HUGE)
def test_claims_of_headers_are_held_to_the_limit(tmp_path: Path, height: int, width: int) -> None:
    files = {
        "png": png(height, width, zlib.compress(bytes(4))),
        "bmp": encoded("bmp")[:18] + struct.pack("<ii", width, -height) + encoded("bmp")[26:],
        "ppm": b"P6\n# words\n%d %d\n255\n" % (width, height) + bytes(100),
        "pam": b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 3\nMAXVAL 255\nENDHDR\n" % (width, height),
        "hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n" % (height, width),
        "ras": encoded("ras")[:4] + struct.pack(">II", width, height) + encoded("ras")[12:],
    }
    for suffix, content in files.items():
        message = refusal(tmp_path / f"a.{suffix}", content)
        if min(height, width) < 1:
            assert message == f"it is damaged: by its header it has {height} x {width} pixels"
        else:
            assert message.startswith(
                f"it has {height:,} x {width:,} pixels by its header; at most 134,217,728"
            )
    with pytest.raises(ImageFileError, match="by its header"):
        read_label_map(tmp_path / "a.png", "it")


def test_a_jpeg_of_two_gigapixels_is_refused(tmp_path: Path) -> None:
    content = bytearray(encoded("jpg"))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", 50_000, 50_000)
    assert "it has 50,000 x 50,000 pixels by its header" in refusal(tmp_path / "a.jpg", bytes(content))


@pytest.mark.parametrize("marker", [b"\xff\x01", b"\xff\xd0", b"\xff\xd7", b"\xff\xff\x01", b"\xff\x00"])
def test_a_jpeg_that_shows_its_decoder_another_size(tmp_path: Path, marker: bytes) -> None:
    """No length follows such a marker, so what lies where one would lead to is not the header."""
    jpeg = encoded("jpg")
    at = jpeg.index(b"\xff\xc0")
    behind = marker + jpeg[2 : at + 5] + struct.pack(">HH", 50_000, 50_000) + jpeg[at + 9 :]
    shown = len(marker) + int.from_bytes(behind[len(marker) : len(marker) + 2], "big")
    assert shown > len(behind)
    message = refusal(tmp_path / "a.jpg", jpeg[:2] + behind.ljust(shown, b"\0") + jpeg[at:])
    assert "50,000 x 50,000 pixels by its header" in message or "truncated" in message


def test_a_marker_without_a_length_is_no_damage(tmp_path: Path) -> None:
    jpeg = encoded("jpg")
    (tmp_path / "a.jpg").write_bytes(jpeg)
    plain = read_image(tmp_path / "a.jpg", "it")
    (tmp_path / "a.jpg").write_bytes(jpeg[:2] + b"\xff\x01" + jpeg[2:])
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg", "it"), plain)


def test_one_pixel_is_an_image(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(1, 1, zlib.compress(bytes(4))))
    assert read_image(tmp_path / "a.png", "it").shape == (1, 1, 3)
    assert read_label_map(tmp_path / "a.png", "it").shape == (1, 1)


def test_pixels_that_inflate_to_more_than_there_are(tmp_path: Path) -> None:
    bomb = deflated(1100)
    assert len(bomb) > 1 << 20
    for pixels in ([bomb], [bomb[i : i + 1000] for i in range(0, len(bomb), 1000)]):
        began = time.process_time()
        assert "inflates to more than its 1 x 1 pixels" in refusal(tmp_path / "a.png", png(1, 1, *pixels))
        assert time.process_time() - began < 5
    assert "do not inflate" in refusal(tmp_path / "a.png", png(1, 1, bytes(2 << 20)))


@pytest.mark.parametrize("interlaced", [False, True])
def test_a_large_honest_png_is_read(tmp_path: Path, interlaced: bool) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (701, 903, 3), np.uint8)
    content = cv2.imencode(".png", picture)[1].tobytes()
    if interlaced:
        content = png_interlaced(picture)
    assert len(content) > 1 << 20
    (tmp_path / "a.png").write_bytes(content)
    assert np.array_equal(read_image(tmp_path / "a.png", "it"), picture[:, :, ::-1])


def png_interlaced(picture: np.ndarray) -> bytes:
    """In the seven passes of Adam7."""
    rows = []
    passes = (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    )
    for top, left, down, right in passes:
        rows += [b"\0" + row.tobytes() for row in picture[top::down, left::right, ::-1]]
    header = struct.pack(">IIBBBBB", picture.shape[1], picture.shape[0], 8, 2, 0, 0, 1)
    data = chunk(b"IDAT", zlib.compress(b"".join(rows), 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


def test_files_that_make_a_walk_long(tmp_path: Path) -> None:
    jpeg = encoded("jpg")
    scan = jpeg.index(b"\xff\xda")
    without_end = b"\xff\xd8" + b"\xff\xda\x00\x02" * 500_000
    files = {
        "chunks": (png(1, 1, *[b""] * 70_000), "more than 65,536 chunks"),
        "fill bytes": (b"\xff\xd8" + b"\xff" * 3_000_000, "truncated"),
        "scans without an end": (without_end, "truncated"),
        "segments of no length": (b"\xff\xd8" + b"\xff\xe0\x00\x00" * 500_000, "truncated"),
        "scans": (jpeg[:-2] + jpeg[scan:-2] * 300 + jpeg[-2:], "has 301 scans; at most 200"),
    }
    for content, words in files.values():
        began = time.process_time()
        assert words in refusal(tmp_path / "a", content)
        assert time.process_time() - began < 5


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory is Linux's")
def test_memory_that_is_not_there_is_asked_for_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.bmp").write_bytes(
        encoded("bmp")[:18] + struct.pack("<ii", 10_000, 10_000) + encoded("bmp")[26:]
    )
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from onnxdissect.data.decoding.pixels import read_image; import cv2\n"
        "from onnxdissect.errors import OutOfMemoryError\n"
        "used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (100 << 20),) * 2)\n"
        "try: read_image(Path(sys.argv[1]), 'it')\n"
        "except OutOfMemoryError as error: print(error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a.bmp")], capture_output=True, text=True, timeout=120
    )
    assert (
        "memory: it cannot be decoded: Failed to allocate 300000000 bytes; this process may" in done.stdout
    ), done.stderr
