"""An index of ten thousand rows with every quirk of the layout: read as the formula says, written back."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from naive.index import NaiveRow, read_index
from support.datasets import encoded, label_png

from onnxdissect.data import BrodenDataset, ImageRecord, LabelEntry, open_dataset, write_tables

ROWS = 10_000
CATEGORIES = ["color", "object", "part", "material", "scene", "texture"]
# A gap in the numbers, numbers above 255 and the highest, a label in two categories, one without a name, one
# that no row holds, and names with what tables quote.
LABELS: dict[int, tuple[str, tuple[str, ...]]] = {
    1: ("red-c", ("color",)),
    2: ('straße, "wet"', ("object",)),
    7: ("wheel", ("object", "part")),
    255: ("door", ("part", "object")),
    256: ("metal", ("material",)),
    300: ("night", ("scene",)),
    301: ("beach; sunny", ("scene",)),
    302: ("", ("texture",)),
    999: ("never seen", ("texture",)),
    65535: ("last", ("scene", "object")),
}
SPLITS = ["train", "val", "train ", "", " test"]
GRIDS = [(112, 112), (113, 113), (6, 8), (1, 1)]


@dataclass
class Drawn:
    folder: Path
    dataset: BrodenDataset
    rows: list[NaiveRow]


def cell(random: np.random.Generator, stem: str, category: str) -> str:
    """A cell of any of the forms that there are: empty, numbers, paths, both, several, blanks, repeats."""
    numbers = [str(n) for n in LABELS if n != 999]
    kind = random.integers(9)
    png, number = f"{stem}_{category}.png", numbers[random.integers(len(numbers))]
    layers = [f"{stem}_{category}_{n}.png" for n in range(1, random.integers(2, 5))]
    return [
        "",
        png,
        number,
        ";".join(layers),
        f"{png};{number}",
        f" {number} ; {layers[0]} ;{number}",
        f";{png};;{png};",
        f"00{number}",
        "  ; ",
    ][kind]


def index_text(random: np.random.Generator) -> str:
    """CRLF line ends, columns in another order, nameless ones, quotes, blank lines, blanks around cells."""
    columns = ["scene", "color", "texture", "object", "material", "part"]
    text = io.StringIO()
    plain = csv.writer(text, lineterminator="\r\n")
    quoted = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    plain.writerow(["sh", " image", "split ", "ih", "iw", "sw", "", *columns, "group", ""])
    for i in range(ROWS):
        name = f"{['ade20k/', 'dtd/', '', 'pascal, context/'][i % 4]}{['img', 'ö é', 'its'][i % 3]}_{i:05}"
        sh, sw = GRIDS[random.integers(len(GRIDS))]
        cells = [cell(random, name, column) for column in columns]
        row = [
            sh,
            f"{name}.jpg" + " " * (i % 5 == 0),
            SPLITS[random.integers(len(SPLITS))],
            f" {224 + i % 3}",
            "00224",
            sw,
            "",
            *cells,
            ["", "film, 1", 'film "2"'][i % 3],
            "",
        ]
        (quoted if i % 7 == 0 else plain).writerow(row)
        if i % 1000 == 0:
            text.write("\r\n" + "," * (len(row) - 1) + "\r\n")
    return text.getvalue()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    folder = tmp_path_factory.mktemp("index")
    (folder / "images").mkdir()
    (folder / "index.csv").write_bytes(index_text(np.random.default_rng(3)).encode("utf-8-sig"))
    names = "".join(f"{category},1,1,1,1\r\n" for category in CATEGORIES)
    (folder / "category.csv").write_bytes(f"name,first,last,count,frequency\r\n{names}".encode())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["number", "name", "category", "frequency", "coverage", "syns"])
    for number, (name, belongs) in LABELS.items():
        writer.writerow([number, f"{name} ", ";".join(f"{one}(1)" for one in belongs), 1, 0.5, ""])
    (folder / "label.csv").write_bytes(text.getvalue().encode("utf-8-sig"))
    return Drawn(folder, open_dataset(folder), read_index(folder, CATEGORIES))


def told(dataset: BrodenDataset) -> list[tuple[object, ...]]:
    """All that an index says of each image, but for its line."""
    return [tuple(entry._replace(line=0)) for entry in dataset.entries]


def test_every_row_is_read_as_the_formula_says(drawn: Drawn) -> None:
    expected = [
        (
            *(0, row.image, row.split, row.size, row.grid, tuple(row.maps), tuple(row.numbers)),
            *(tuple(CATEGORIES.index(category) for category in row.cells), row.group),
        )
        for row in drawn.rows
    ]
    assert len(expected) == ROWS
    assert told(drawn.dataset) == expected
    # all of what is drawn does occur
    numbers = {number for row in drawn.rows for number in row.numbers}
    assert numbers == LABELS.keys() - {999}
    assert max(len(row.maps) for row in drawn.rows) > 8 and any(not row.cells for row in drawn.rows)


def test_written_by_our_writer_it_reads_the_same(drawn: Drawn, tmp_path: Path) -> None:
    records = [
        ImageRecord(
            image=row.image,
            split=row.split,
            size=row.size,
            grid=row.grid,
            cells={category: ";".join(map(str, cell)) for category, cell in row.cells.items()},
            group=row.group,
        )
        for row in drawn.rows
    ]
    labels = [LabelEntry(number, name, belongs) for number, (name, belongs) in LABELS.items()]
    write_tables(tmp_path, CATEGORIES, labels, records)
    written = open_dataset(tmp_path)
    assert told(written) == told(drawn.dataset)
    assert written.splits == drawn.dataset.splits and written.grouped_by == drawn.dataset.grouped_by
    names = [(one.number, one.name, one.categories) for one in written.vocabulary.concepts]
    assert names == [(one.number, one.name, one.categories) for one in drawn.dataset.vocabulary.concepts]
    # and again: what our writer wrote, it writes to the same bytes
    (tmp_path / "again").mkdir()
    write_tables(tmp_path / "again", CATEGORIES, labels, records)
    for path in tmp_path.glob("*.csv"):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_images_of_such_rows_are_read(drawn: Drawn) -> None:
    random = np.random.default_rng(5)
    images = drawn.folder / "images"
    chosen = [i for i, row in enumerate(drawn.rows) if row.grid == (6, 8) and row.maps and row.numbers][:4]
    for i in chosen:
        row = drawn.rows[i]
        target = images / row.image
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encoded(random.integers(0, 256, (*row.size, 3)).astype(np.uint8), ".jpg"))
        maps = [random.choice([0, *LABELS], row.grid) for _ in row.maps]
        for path, numbers in zip(row.maps, maps, strict=True):
            (images / path).write_bytes(label_png(numbers))
        assert drawn.dataset.read_image(i).shape == (*row.size, 3)
        truth = drawn.dataset.read_annotation(i).truth(len(drawn.dataset.vocabulary.concepts))
        for concept in drawn.dataset.vocabulary.concepts:
            held = np.any([numbers == concept.number for numbers in maps], axis=0)
            count = held.size if concept.number in row.numbers else held.sum()
            assert truth[concept.index] == count, concept
