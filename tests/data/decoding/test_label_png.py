"""The decoder of common label maps: OpenCV's numbers for what it takes, and nothing else is taken."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive.png import CHANNELS, filtered, label_numbers
from numpy.typing import NDArray
from support import datasets
from support.datasets import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, chunk

from onnxdissect.data.decoding.inflate import inflate
from onnxdissect.data.decoding.label_png import decode_label_png
from onnxdissect.data.decoding.pixels import decode_label_map
from onnxdissect.errors import ImageFileError

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def codes(missing: tuple[int, ...] = ()) -> NDArray[np.int32]:
    """Concepts of all numbers, each another one than the number; those of the missing are none."""
    table = np.random.default_rng(0).permutation(2**16).astype(np.int32)
    table[list(missing)] = -1
    table.setflags(write=False)
    return table


CODES = codes()


def png(
    samples: NDArray[np.uint8], colours: int, filters: list[int], *, between: bytes = b"", parts: int = 1
) -> bytes:
    """A PNG with a filter for each row, pixels in several chunks, and chunks between header and pixels."""
    height, width = samples.shape[:2]
    above, stored = [0] * (width * CHANNELS[colours]), b""
    for kind, line in zip(filters, samples.reshape(height, -1).tolist(), strict=True):
        stored += bytes([kind]) + filtered(kind, line, above, CHANNELS[colours])
        above = line
    deflated = zlib.compress(stored)
    size = -(-len(deflated) // parts)
    pixels = [chunk(b"IDAT", deflated[at : at + size]) for at in range(0, len(deflated), size)]
    header = struct.pack(">2I5B", width, height, 8, colours, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", header) + between + b"".join(pixels) + chunk(b"IEND", b"")


@st.composite
def pngs(draw: st.DrawFn) -> bytes:
    colours = draw(st.sampled_from([GREY, RGB, PALETTE, GREY_ALPHA, RGBA]))
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 12))
    # Few values, so that neighbours are often equal, and all values.
    values = draw(st.sampled_from([[0, 1], [0, 7, 255], [1, 128, 129], list(range(256))]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    samples = random.choice(values, (height, width, CHANNELS[colours])).astype(np.uint8)
    samples[1:][random.random(height - 1) < draw(st.sampled_from([0, 0.5]))] = samples[0]
    between = b""
    if colours == PALETTE:
        palette = random.integers(0, 256, (int(samples.max()) + 1, 3), np.uint8)
        between += chunk(b"PLTE", palette.tobytes())
        if draw(st.booleans()):
            between += chunk(b"tRNS", bytes(random.integers(0, 256, 1, np.uint8)))
    elif draw(st.booleans()):
        between += chunk(b"tEXt", b"Software\0by hand") + chunk(b"gAMA", struct.pack(">I", 100000))
    filters = draw(st.lists(st.integers(0, 4), min_size=height, max_size=height))
    return png(samples, colours, filters, between=between, parts=draw(st.integers(1, 3)))


def decoded(content: bytes, table: NDArray[np.int32] = CODES) -> NDArray[np.uint16] | None:
    width, height = struct.unpack_from(">2I", content, 16)
    plane = np.full((height, width), 7, np.uint16)
    return plane if decode_label_png(content, table, plane) else None


@settings(deadline=None, max_examples=300)
@given(content=pngs())
def test_what_opencv_and_the_specification_give(content: bytes) -> None:
    numbers = decode_label_map(content, "map")
    np.testing.assert_array_equal(numbers, label_numbers(content))
    plane = decoded(content)
    assert plane is not None
    np.testing.assert_array_equal(plane, CODES[numbers])


@settings(deadline=None, max_examples=50)
@given(content=pngs(), which=st.integers(0, 2**16))
def test_a_number_that_is_not_listed_is_left_to_opencv(content: bytes, which: int) -> None:
    numbers = np.unique(decode_label_map(content, "map"))
    assert decoded(content, codes((int(numbers[which % numbers.size]),))) is None
    absent = next(number for number in range(2**16) if number not in numbers)
    assert decoded(content, codes((absent,))) is not None


def test_a_map_as_opencv_writes_it() -> None:
    numbers = np.random.default_rng(1).choice([0, 3, 300, 65535], (40, 56))
    plane = decoded(
        datasets.encoded(np.dstack([numbers % 256, numbers // 256, numbers % 5]).astype(np.uint8), ".png")
    )
    np.testing.assert_array_equal(plane, CODES[numbers])


NUMBERS = np.arange(12).reshape(3, 4) % 2
PLAIN = datasets.label_png(NUMBERS, GREY, 8)
SAMPLES = NUMBERS[:, :, None].astype(np.uint8)


def changed(at: int, to: int) -> bytes:
    """The plain map with another byte in its header, whose checksum is that of the new one."""
    content = bytearray(PLAIN)
    content[at] = to
    return bytes(content[:8]) + chunk(b"IHDR", bytes(content[16:29])) + bytes(content[33:])


@pytest.mark.parametrize(
    "content",
    [
        datasets.label_png(NUMBERS, GREY, 1),
        datasets.label_png(NUMBERS, GREY, 4),
        datasets.label_png(NUMBERS, PALETTE, 4),
        datasets.label_png(NUMBERS, GREY, 16),
        datasets.label_png(NUMBERS, GREY_ALPHA, 16),
        changed(25, 5),  # no such colour type
        changed(26, 1),  # compressed in a way that there is not
        changed(28, 1),  # interlaced
        changed(23, 5),  # of more rows than there are
        changed(23, 2),  # of fewer
        PLAIN[:-1],
        PLAIN[:20],
        PLAIN[:-12],
        PLAIN[:40] + bytes([PLAIN[40] ^ 1]) + PLAIN[41:],
        PLAIN[:30] + bytes([PLAIN[30] ^ 1]) + PLAIN[31:],
        b"\xff\xd8\xff" + PLAIN[3:],
        PLAIN[:33] + PLAIN[-12:],  # no pixels
        png(SAMPLES, GREY, [0, 0, 0], between=chunk(b"acTL", struct.pack(">2I", 1, 0))),
        png(SAMPLES, PALETTE, [0, 0, 0]),  # no palette
        png(SAMPLES, PALETTE, [0, 0, 0], between=chunk(b"PLTE", bytes(3))),  # a palette that is too short
        PLAIN[:33]
        + chunk(b"IDAT", zlib.compress(bytes([5, 0, 0, 0, 0] * 3)))
        + PLAIN[-12:],  # no such filter
        PLAIN[:33] + chunk(b"IDAT", zlib.compress(bytes(15))[:-2]) + PLAIN[-12:],  # breaks off
        png(SAMPLES, PALETTE, [0, 0, 0], between=chunk(b"PLTE", bytes(3 * 257))),  # more colours than numbers
        png(SAMPLES, PALETTE, [0, 0, 0], between=chunk(b"PLTE", bytes(8))),  # two colours and two thirds
        png(SAMPLES, GREY, [0, 0, 0], between=chunk(b"PLTE", bytes(6))),  # a grey one has none
        png(SAMPLES.repeat(3, 2), RGB, [0, 0, 0], between=chunk(b"PLTE", b"")),
        png(SAMPLES.repeat(4, 2), RGBA, [0, 0, 0], between=chunk(b"PLTE", b"")),
        # larger than libpng reads
        png(SAMPLES, GREY, [0, 0, 0], between=chunk(b"zTXt", b"a\0\0" + bytes(9 << 20))),
        png(SAMPLES, GREY, [0, 0, 0], between=chunk(b"tIME", bytes(7)) * (1 << 18)),
    ],
)
def test_what_is_left_to_opencv(content: bytes) -> None:
    assert not decode_label_png(content, CODES, np.empty(NUMBERS.shape, np.uint16))


def test_a_map_of_another_size_is_left_to_opencv() -> None:
    assert decoded(PLAIN) is not None
    assert not decode_label_png(PLAIN, CODES, np.empty((4, 3), np.uint16))


@pytest.mark.parametrize("size", [(1_000_001, 1), (1, 1_000_001)])
def test_a_side_that_libpng_does_not_read_is_left_to_it(size: tuple[int, int]) -> None:
    rows = np.zeros((size[0], size[1] + 1), np.uint8)
    header = struct.pack(">2I5B", *size[::-1], 8, GREY, 0, 0, 0)
    content = (
        SIGNATURE
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 1))
        + chunk(b"IEND", b"")
    )
    assert not decode_label_png(content, CODES, np.empty(size, np.uint16))
    with pytest.raises(ImageFileError):
        decode_label_map(content, "map")


@pytest.mark.parametrize("window", range(8, 16))
def test_a_stream_that_reaches_back_behind_its_window_is_left_to_opencv(window: int) -> None:
    """Whether it is damaged libraries do not agree on; OpenCV's says so."""
    samples = np.random.default_rng(0).integers(0, 2, (40, 1000, 1), np.uint8)
    samples[20:] = samples[:20]
    content = bytearray(png(samples, GREY, [0] * 40))
    begin = content.index(b"IDAT") + 4
    content[begin] = (window - 8) << 4 | 8
    content[begin + 1] = 31 - (content[begin] << 8) % 31
    stored = bytes(content[begin:-16])
    whole = bytes(content[: begin - 8]) + chunk(b"IDAT", stored) + bytes(content[-12:])
    plane = decoded(whole)
    assert (plane is not None) == (window == 15)
    try:
        numbers = decode_label_map(whole, "map")
    except ImageFileError:
        assert plane is None
    else:
        assert plane is None or np.array_equal(plane, CODES[numbers])


def test_a_small_window_is_enough_for_a_small_map() -> None:
    """As encoders promise that save memory."""
    deflater = zlib.compressobj(wbits=9)
    stored = deflater.compress(bytes([0, *NUMBERS[0], 0, *NUMBERS[1], 0, *NUMBERS[2]])) + deflater.flush()
    assert stored[0] == 0x18
    content = PLAIN[:33] + chunk(b"IDAT", stored) + PLAIN[-12:]
    np.testing.assert_array_equal(decoded(content), CODES[NUMBERS])


@pytest.mark.parametrize(
    ("damage", "size"),
    [
        (lambda stream: stream[:-1], 1000),
        (lambda stream: stream[: len(stream) // 2], 1000),
        (lambda stream: stream[:-4] + b"\0\0\0\0", 1000),
        (lambda stream: b"", 1000),
        (lambda stream: stream, 999),
        (lambda stream: stream, 1001),
        (lambda stream: zlib.compress(bytes(10**7)), 1000),
    ],
)
def test_streams_that_are_not_inflated(damage: Callable[[bytes], bytes], size: int) -> None:
    content = np.random.default_rng(0).integers(0, 4, 1000, np.uint8).tobytes()
    stream = zlib.compress(content)
    assert inflate(stream, 1000) == content
    assert inflate(stream + b"more", 1000) == content
    assert inflate(damage(stream), size) is None


def test_without_the_faster_library_zlib_inflates() -> None:
    program = (
        "import sys; sys.modules['zlib_ng'] = None\n"
        "import zlib\n"
        "from onnxdissect.data.decoding import inflate\n"
        "assert inflate.fast is zlib\n"
        "assert inflate.inflate(zlib.compress(b'ab'), 2) == b'ab'\n"
        "assert inflate.inflate(zlib.compress(b'ab'), 1) is None\n"
        "assert inflate.inflate(zlib.compress(b'ab')[:-1], 2) is None\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
