"""Small synthetic data sets in the Broden layout, with as many of its quirks as a test asks for.

::

    folder = write_broden(tmp_path / "small", random_broden(seed=3, pictures=5))
    folder = write_broden(tmp_path / "windows", random_broden(seed=3), Quirks(bom=True, crlf=True))
    broden = Broden(("object",), [Label(1, "dog", {"object": Listed(1, 0.5)})],
                    [Picture("a.jpg", {"object": [np.ones((4, 4), int)]}, grid=(4, 4), size=(8, 8))])
"""

from __future__ import annotations

import csv
import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]

CATEGORIES = ("color", "object", "part", "material", "scene", "texture")
GRID = (6, 8)  # of the label maps of a street
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6


class Listed(NamedTuple):
    """What a category's own table says of a label."""

    frequency: int
    coverage: float


@dataclass
class Label:
    """A row of label.csv; a label without a name is no concept."""

    number: int
    name: str
    listed: dict[str, Listed]


@dataclass
class Picture:
    """A row of index.csv; a cell holds label maps of numbers (sh, sw) and image-level numbers."""

    name: str
    cells: dict[str, list[Array | int]]
    split: str = "train"
    size: tuple[int, int] = (24, 24)
    grid: tuple[int, int] = (12, 12)

    @property
    def maps(self) -> list[Array]:
        return [item for cell in self.cells.values() for item in cell if isinstance(item, np.ndarray)]

    @property
    def whole(self) -> list[int]:
        return [item for cell in self.cells.values() for item in cell if isinstance(item, int)]

    def pixels(self) -> NDArray[np.uint8]:
        """The photograph before JPEG: RGB (ih, iw, 3), smooth, decided by the name."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        coarse = rng.integers(0, 256, (3, 3, 3), np.uint8)
        return cv2.resize(coarse, self.size[::-1], interpolation=cv2.INTER_LINEAR).astype(np.uint8)


@dataclass
class Broden:
    """A whole data set."""

    categories: tuple[str, ...]
    labels: list[Label]
    pictures: list[Picture]


@dataclass
class Quirks:
    """How the files are written."""

    bom: bool = False
    crlf: bool = False
    quoted: bool = False
    blank_lines: bool = False
    extra_columns: bool = False
    listings: bool = True  # c_<category>.csv
    column_order: Sequence[int] | None = None  # of index.csv's category columns
    colours: int = RGB  # PNG colour type of the label maps
    depth: int = 8
    stray: int = 0  # blue and alpha, which say nothing
    spaces: bool = False  # around the items of a cell


def write_broden(folder: Path, broden: Broden, quirks: Quirks | None = None) -> Path:
    """Write a data set; returns the folder."""
    quirks = quirks or Quirks()
    images = folder / "images"
    images.mkdir(parents=True)
    order = quirks.column_order or range(len(broden.categories))
    columns = [broden.categories[i] for i in order]
    rows: list[list[object]] = []
    for picture in broden.pictures:
        target = images / picture.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encoded(picture.pixels(), target.suffix))
        cells = []
        for category in columns:
            items = []
            for i, item in enumerate(picture.cells.get(category, [])):
                if isinstance(item, int):
                    items.append(str(item))
                    continue
                path = f"{Path(picture.name).with_suffix('')}_{category}_{i}.png"
                (images / path).write_bytes(label_png(item, quirks.colours, quirks.depth, quirks.stray))
                items.append(path)
            cells.append((" ; " if quirks.spaces else ";").join(items))
        rows.append([picture.name, picture.split, *picture.size, *picture.grid, *cells])
    _write_table(
        folder / "index.csv", ["image", "split", "ih", "iw", "sh", "sw", *columns], rows, quirks, extra=False
    )
    _write_table(folder / "category.csv", *_category_table(broden), quirks)
    _write_table(folder / "label.csv", *_label_table(broden), quirks)
    if quirks.listings:
        for category in broden.categories:
            _write_table(folder / f"c_{category}.csv", *_listing(broden, category), quirks)
    return folder


def random_broden(
    seed: int | np.random.Generator = 0,
    *,
    pictures: int = 4,
    labels: int = 12,
    categories: int = 6,
    grids: Sequence[tuple[int, int]] = ((12, 12),),
    size: tuple[int, int] = (24, 24),
    nameless: bool = False,
    highest: int = 700,
) -> Broden:
    """A data set of blocky label maps, image-level labels, empty cells and numbers with gaps."""
    rng = np.random.default_rng(seed)
    names = CATEGORIES[:categories]
    numbers = sorted(rng.choice(np.arange(1, highest + 1), labels, replace=False).tolist())
    chosen = []
    for position, number in enumerate(numbers):
        belongs = rng.permutation(categories)[: 1 + int(rng.random() < 0.3)]
        # halves, so that ties occur
        listed = {
            names[g]: Listed(int(rng.integers(1, 4)), int(rng.integers(0, 4)) / 2) for g in sorted(belongs)
        }
        chosen.append(Label(number, "" if nameless and position == 0 else f"label{number}", listed))
    made = [
        Picture(
            name=f"{'ab'[i % 2]}/picture{i}.{'jpg' if i % 3 else 'png'}",
            cells={category: _random_cell(rng, numbers, grids[i % len(grids)]) for category in names},
            split="val" if i % 3 == 2 else "train",
            size=size,
            grid=grids[i % len(grids)],
        )
        for i in range(pictures)
    ]
    return Broden(names, chosen, made)


def street() -> Broden:
    """Two categories, a label in both, a gap in the numbers, a number above 255, an image without labels."""
    labels = [
        Label(1, "road", {"object": Listed(2, 1.0)}),
        Label(2, "metal", {"object": Listed(1, 0.5), "material": Listed(3, 0.25)}),
        Label(300, "night", {"scene": Listed(1, 1.0)}),
    ]
    cells = np.array([[0, 1], [2, 300]]).repeat(3, axis=0).repeat(4, axis=1)
    pictures = [
        Picture("a/one.jpg", {"object": [cells], "scene": [300]}, grid=GRID),
        Picture("a/two.png", {"object": [cells, cells.T[::-1].reshape(GRID)]}, split="val", grid=GRID),
        Picture("three.jpg", {}, grid=GRID),
    ]
    return Broden(("object", "material", "scene"), labels, pictures)


@st.composite
def brodens(draw: st.DrawFn) -> Broden:
    """Any small data set, its label maps full of repeats between planes."""
    return random_broden(
        draw(st.integers(0, 2**32 - 1)),
        pictures=draw(st.integers(1, 4)),
        labels=draw(st.integers(1, 8)),
        categories=draw(st.integers(1, 6)),
        grids=draw(st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), min_size=1, max_size=2)),
        nameless=draw(st.booleans()),
        highest=draw(st.sampled_from([8, 300, 65535])),
    )


@st.composite
def quirks(draw: st.DrawFn, categories: int) -> Quirks:
    """Any way of writing it."""
    flag = st.booleans()
    colours, depth = draw(st.sampled_from([(RGB, 8), (RGBA, 8), (GREY, 16), (GREY_ALPHA, 16)]))
    return Quirks(
        bom=draw(flag),
        crlf=draw(flag),
        quoted=draw(flag),
        blank_lines=draw(flag),
        extra_columns=draw(flag),
        listings=draw(flag),
        column_order=draw(st.permutations(range(categories))),
        colours=colours,
        depth=depth,
        stray=draw(st.sampled_from([0, 17, 255])),
        spaces=draw(flag),
    )


def _random_cell(
    rng: np.random.Generator, numbers: Sequence[int], grid: tuple[int, int]
) -> list[Array | int]:
    kind = rng.integers(5)
    cell: list[Array | int] = []
    for _ in range([0, 1, 2, 0, 1][kind]):
        coarse = rng.choice([0, 0, *numbers], (3, 3))
        rows, columns = (np.arange(n) * 3 // n for n in grid)
        cell.append(coarse[rows][:, columns])
    if kind >= 3:
        cell.insert(int(rng.integers(len(cell) + 1)), int(rng.choice(numbers)))
    return cell


def _category_table(broden: Broden) -> tuple[list[str], list[list[object]]]:
    rows: list[list[object]] = []
    for category in broden.categories:
        members = [label for label in broden.labels if category in label.listed]
        numbers = [label.number for label in members] or [0]
        frequency = sum(label.listed[category].frequency for label in members)
        rows.append([category, min(numbers), max(numbers), len(members), frequency])
    return ["name", "first", "last", "count", "frequency"], rows


def _label_table(broden: Broden) -> tuple[list[str], list[list[object]]]:
    rows: list[list[object]] = [
        [
            label.number,
            label.name,
            ";".join(f"{category}({listed.frequency})" for category, listed in label.listed.items()),
            sum(listed.frequency for listed in label.listed.values()),
            sum(listed.coverage for listed in label.listed.values()),
            "",
        ]
        for label in broden.labels
    ]
    return ["number", "name", "category", "frequency", "coverage", "syns"], rows


def _listing(broden: Broden, category: str) -> tuple[list[str], list[list[object]]]:
    members = [label for label in broden.labels if category in label.listed]
    rows: list[list[object]] = [
        [code, label.number, label.name, *label.listed[category]] for code, label in enumerate(members, 1)
    ]
    return ["code", "number", "name", "frequency", "coverage"], rows


def _write_table(
    path: Path,
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    quirks: Quirks,
    *,
    extra: bool = True,
) -> None:
    if quirks.extra_columns:
        # in index.csv a named column would be a category
        header = ["made by", *header, ""] if extra else [*header, ""]
        rows = [["hand", *row, ""] if extra else [*row, ""] for row in rows]
    text = io.StringIO(newline="")
    writer = csv.writer(
        text,
        lineterminator="\r\n" if quirks.crlf else "\n",
        quoting=csv.QUOTE_ALL if quirks.quoted else csv.QUOTE_MINIMAL,
    )
    writer.writerow(header)
    writer.writerows(rows)
    content = text.getvalue()
    if quirks.blank_lines:
        content += writer.dialect.lineterminator * 3 + "," * (len(header) - 1) + writer.dialect.lineterminator
    path.write_bytes(content.encode("utf-8-sig" if quirks.bom else "utf-8"))


def encoded(rgb: NDArray[np.uint8], suffix: str) -> bytes:
    """A photograph as a file."""
    ok, data = cv2.imencode(suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    assert ok
    return data.tobytes()


def label_png(numbers: Array, colours: int = RGB, depth: int = 8, stray: int = 0) -> bytes:
    """A label map as a PNG of any colour type: R + 256 * G in colours, the number itself in grey."""
    if colours in (GREY, GREY_ALPHA):
        assert numbers.max(initial=0) < 2**depth
        channels = [numbers] + [np.full_like(numbers, stray)] * (colours == GREY_ALPHA)
        return png(np.stack(channels, axis=-1), colours, depth)
    red, green = numbers % 256, numbers // 256
    if colours == PALETTE:
        known, indices = np.unique(numbers, return_inverse=True)
        palette = np.stack([known % 256, known // 256, np.full_like(known, stray)], axis=-1)
        return png(indices.reshape(*numbers.shape, 1), colours, depth, palette)
    channels = [red, green, np.full_like(red, stray)] + [np.full_like(red, stray)] * (colours == RGBA)
    return png(np.stack(channels, axis=-1), colours, depth)


def png(samples: Array, colours: int, depth: int, palette: Array | None = None) -> bytes:
    """Encode samples (h, w, channels) as they are, unfiltered: OpenCV writes only some kinds of PNG."""
    height, width = samples.shape[:2]
    chunks = [(b"IHDR", struct.pack(">2I5B", width, height, depth, colours, 0, 0, 0))]
    if palette is not None:
        chunks.append((b"PLTE", palette.astype(np.uint8).tobytes()))
    if depth < 8:
        bits = (samples.reshape(height, -1, 1) >> np.arange(depth)[::-1]) & 1
        lines = [np.packbits(line.astype(np.uint8)).tobytes() for line in bits.reshape(height, -1)]
    else:
        lines = [line.astype(">u2" if depth == 16 else "u1").tobytes() for line in samples]
    chunks += [(b"IDAT", zlib.compress(b"".join(b"\0" + line for line in lines))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, body) for kind, body in chunks)


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@dataclass
class Damage:
    """Edits to a written data set, for tests of bad input."""

    folder: Path
    edits: list[str] = field(default_factory=list)

    def replace(self, table: str, old: str, new: str) -> None:
        """Exchange the first occurrence of a text in a table."""
        path = self.folder / table
        content = path.read_text(encoding="utf-8")
        assert old in content
        path.write_text(content.replace(old, new, 1), encoding="utf-8")
        self.edits.append(f"{table}: {old!r} -> {new!r}")

    def truncate(self, image: str, share: float = 0.5) -> None:
        """Cut the end of a file in the images folder off."""
        path = self.folder / "images" / image
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        self.edits.append(f"{image}: cut to {share}")
