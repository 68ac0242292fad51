"""Files that are no results, or results that cannot be: one message with the place, and nothing written."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from support.result_files import draw_units, result_file, table, text_of, write

from onnxdissect import import_netdissect
from onnxdissect.errors import OnnxDissectError, ParameterError, ResultFileError

Rows = list[list[str]]


def cell(line: int, column: str, value: str) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        rows[line - 1][rows[0].index(column)] = value

    return change


def without_line(line: int) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        del rows[line - 1]

    return change


def without(*columns: str) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        for column in columns:
            place = rows[0].index(column)
            for row in rows:
                del row[place]

    return change


def renamed(column: str, name: str) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        rows[0][rows[0].index(column)] = name

    return change


def last_cells_cut(rows: Rows) -> None:
    rows[-1] = rows[-1][:7]


def a_unit_twice(rows: Rows) -> None:
    rows[3][0] = rows[1][0]


def a_cell_too_many(rows: Rows) -> None:
    rows[2].append("1")


def intersection_above_truth(rows: Rows) -> None:
    place = rows[0].index("part-intersect")
    (row,) = [row for row in rows[1:] if row[place - 3]][:1]
    row[place] = str(int(row[place - 2]) + 1)


def other_truth(rows: Rows) -> None:
    """Of a concept for one of the units that have it, with the IoU that it gives."""
    label, truth = rows[0].index("object-label"), rows[0].index("object-truth")
    row = next(row for row in rows[1:] if [one[label] for one in rows].count(row[label]) > 1 and row[label])
    row[truth] = str(int(row[truth]) + 1)
    counts = [float(value) for value in row[truth : truth + 3]]
    row[truth + 3] = repr(counts[2] / (counts[1] + counts[0] - counts[2]))
    best = max((i for i, name in enumerate(rows[0]) if name.endswith("-iou")), key=lambda i: float(row[i]))
    row[1:4] = [rows[0][best].removesuffix("-iou"), row[best - 4], row[best]]


NO_COUNT = "not a whole number of pixels from 0 to 9,007,199,254,740,992"
CASES: list[tuple[Callable[[Rows], None], str]] = [
    (last_cells_cut, "line 13: 7 cells where there are 19 columns: the file is cut short"),
    (a_cell_too_many, "line 3: 20 cells where there are 19 columns"),
    (a_unit_twice, "is there twice, on lines 2 and 4"),
    (without_line(5), "there are units up to 12, and unit "),
    (cell(3, "unit", "0"), "line 3: unit is 0, and units count from 1 in this format"),
    (cell(3, "unit", "x"), "line 3: unit is 'x', not a whole number from 1 to 16,777,216"),
    (cell(3, "unit", "-1"), "line 3: unit is '-1', not a whole number from 1"),
    (cell(3, "unit", "2.5"), "line 3: unit is '2.5', not a whole number from 1"),
    (cell(3, "unit", "9" * 5000), "unit is '99999"),
    (cell(3, "unit", "16777216"), "there are units up to 16,777,216, and units "),
    (cell(2, "object-truth", "12.5"), f"line 2: object-truth is '12.5', {NO_COUNT}"),
    (cell(2, "object-truth", "-3"), f"object-truth is '-3', {NO_COUNT}"),
    (cell(2, "object-truth", "nan"), f"object-truth is 'nan', {NO_COUNT}"),
    (cell(2, "object-activation", "inf"), f"object-activation is 'inf', {NO_COUNT}"),
    (cell(2, "object-activation", ""), f"object-activation is '', {NO_COUNT}"),
    (cell(2, "object-activation", "1e30"), f"object-activation is '1e30', {NO_COUNT}"),
    (cell(2, "object-intersect", "1_0"), f"object-intersect is '1_0', {NO_COUNT}"),
    (cell(2, "object-intersect", "٣"), f"object-intersect is '٣', {NO_COUNT}"),
    (cell(2, "object-truth", "7" * 5000), "(5,000 characters), not a whole number of pixels"),
    (cell(2, "part-iou", "1.01"), "line 2: part-iou is '1.01', not a number from 0 to 1"),
    (cell(2, "part-iou", "-0.1"), "part-iou is '-0.1', not a number from 0 to 1"),
    (cell(2, "part-iou", "nan"), "part-iou is 'nan', not a number from 0 to 1"),
    (cell(2, "part-iou", "0,1"), "part-iou is '0,1', not a number from 0 to 1"),
    (cell(2, "part-iou", "1e999"), "part-iou is '1e999', not a number from 0 to 1"),
    (cell(2, "part-iou", "0e999"), "part-iou is 0, and its counts give 0."),
    (cell(2, "part-iou", "0.987"), "part-iou is 0.987, and its counts give 0."),
    (cell(2, "score", "0.987"), "line 2: score is 0.987, and the best IoU of the row 0."),
    (cell(2, "label", "mouse"), "line 2: label is 'mouse', and the best IoU of the row is that of '"),
    (cell(2, "category", "scene"), "line 2: category is 'scene', and the best IoU of the row is that of '"),
    (intersection_above_truth, "a part of it"),
    (other_truth, "a concept has as many pixels for every unit"),
    (without("unit"), "it has no column called unit; its first line is 'category,label,score,"),
    (without("object-iou"), "it has a column object-label and none called object-iou"),
    (without("object-label", "part-label", "texture-label"), "it tells of no category"),
    (renamed("object-truth", "object-iou"), "it has two columns called 'object-iou'"),
]


@pytest.mark.parametrize(("change", "said"), CASES, ids=[said[:50] for _, said in CASES])
def test_what_cannot_be_is_told_with_its_place(
    tmp_path: Path, change: Callable[[Rows], None], said: str
) -> None:
    rows = table(draw_units(12))
    change(rows)
    path = write(tmp_path / "conv5.csv", rows)
    with pytest.raises(ResultFileError) as caught:
        import_netdissect(path, tmp_path / "run")
    assert caught.value.message.startswith(f"{path}")
    assert said in caught.value.message
    assert len(str(caught.value)) < 1000
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"\xef\xbb\xbf", "it is empty"),
        (b"\n\n \n", "it is empty"),
        (text_of(table([])).encode(), "it has a header and no rows: there are no units in it"),
        (text_of(table(draw_units(3))).encode("utf-16"), "it is written in UTF-16, and UTF-8 is read"),
        (text_of(table(draw_units(12))).encode("latin-1"), ": it is not UTF-8: byte 0xfc"),
        (text_of(table(draw_units(3)), separator="|").encode(), "its columns are separated by '|'"),
        (text_of(table(draw_units(3)), separator=" ").encode(), "its columns are separated by blanks"),
        (b"PK\x03\x04\x00\x00", "it holds NUL characters and is no table"),
        (b"<!doctype html><title>404</title>", "it has no column called unit; its first line is '<!doctype"),
        (b'unit,a-label,a-iou\n1,"cat,0.1\n', "line 2: it is no table: unexpected end of data"),
        (b'unit,a-label,a-iou\n1,"cat"x,0.1\n', "line 2: it is no table: ',' expected after"),
        (b"unit,a-label,a-iou\n1," + b"c" * 200_000 + b",0.1\n", "field larger than field limit"),
        (b"unit\n1\n", "it has no column called unit"),
    ],
)
def test_files_that_are_no_tables_of_results(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "conv5.csv"
    path.write_bytes(content)
    with pytest.raises(ResultFileError) as caught:
        import_netdissect(path, tmp_path / "run")
    assert said in caught.value.message
    assert len(caught.value.message) < 500


def test_a_cut_short_download_is_refused_or_says_nothing_else(tmp_path: Path) -> None:
    """A file may end behind any line, or within the last IoU of one, which its counts tell as well."""
    content = result_file(tmp_path / "whole.csv", count=4).read_bytes()
    whole = [
        (unit.label, unit.iou) for unit in import_netdissect(tmp_path / "whole.csv", tmp_path / "run").units()
    ]
    path, read = tmp_path / "conv5.csv", 0
    for end in range(len(content) - 2):
        path.write_bytes(content[:end])
        try:
            run = import_netdissect(path, tmp_path / str(end))
        except ResultFileError:
            continue
        read += 1
        assert [(unit.label, unit.iou) for unit in run.units()] == whole[: len(run.units())]
    assert read < len(content) / 10


def test_files_that_are_none(tmp_path: Path) -> None:
    result_file(tmp_path / "conv5.csv")
    with pytest.raises(ResultFileError, match="there is no file") as missing:
        import_netdissect(tmp_path / "conv4.csv", tmp_path / "run")
    assert missing.value.candidates == (str(tmp_path / "conv5.csv"),)
    with pytest.raises(ResultFileError, match="it is a folder, and only regular files are read"):
        import_netdissect(tmp_path, tmp_path / "run")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ResultFileError, match="it is a named pipe, and only regular files are read"):
        import_netdissect(tmp_path / "pipe.csv", tmp_path / "run")
    with pytest.raises(ResultFileError, match="no file can have this name"):
        import_netdissect(Path("a\0b"), tmp_path / "run")
    with pytest.raises(ParameterError, match="there is no file to import"):
        import_netdissect([], tmp_path / "run")


def test_layers_of_numbers_and_names_are_refused(tmp_path: Path) -> None:
    one, other = (table(draw_units(3, seed), layer=name) for seed, name in enumerate(("5", "conv5")))
    path = write(tmp_path / "all.csv", [*one, *other[1:]])
    with pytest.raises(ResultFileError) as caught:
        import_netdissect(path, tmp_path / "run")
    said = "the column layer holds numbers and names: '5' on line 2, 'conv5' on line 5"
    assert said in caught.value.message
    one[2][0] = " "
    with pytest.raises(ResultFileError, match="line 3: layer is empty"):
        import_netdissect(write(path, one), tmp_path / "run")
    one[2][0] = "5"
    one[3][1] = one[1][1]
    with pytest.raises(ResultFileError, match="of layer '5' is there twice, on lines 2 and 4"):
        import_netdissect(write(path, one), tmp_path / "run")


def test_one_number_written_in_two_ways_is_refused(tmp_path: Path) -> None:
    one, other = (table(draw_units(3, seed), layer=name) for seed, name in enumerate(("1", "1.0")))
    said = "one number written in two ways: '1' on line 2, '1.0' on line 5"
    with pytest.raises(ResultFileError, match=said):
        import_netdissect(write(tmp_path / "all.csv", [*one, *other[1:]]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    files = [tmp_path / "conv4.csv", tmp_path / "conv5.csv"]
    write(files[0], table(draw_units(6, data=1)))
    write(files[1], table(draw_units(6, data=2)))
    with pytest.raises(ResultFileError, match="the files are of different data"):
        import_netdissect(files, tmp_path / "run")
    write(files[1], table(draw_units(6, data=1), lite=True))
    with pytest.raises(ResultFileError, match=r"conv5\.csv looks like a file of NetDissect-Lite and .*conv4"):
        import_netdissect(files, tmp_path / "run")
    assert import_netdissect(files, tmp_path / "run", scoring="lite").scoring == "lite"
    rows = table(draw_units(6, data=1))
    without(*(name for name in rows[0] if name.startswith("texture-")), "score", "label", "category")(rows)
    write(files[1], rows)
    with pytest.raises(ResultFileError, match="its categories are object, part, and those of "):
        import_netdissect(files, tmp_path / "another")


@pytest.mark.parametrize(
    "options",
    [
        {"quantile": 0},
        {"quantile": 1.5},
        {"quantile": float("nan")},
        {"iou_threshold": 1},
        {"iou_threshold": -0.1},
        {"scoring": "papers"},
    ],
)
def test_parameters_out_of_range_are_refused(tmp_path: Path, options: dict[str, object]) -> None:
    path = result_file(tmp_path / "conv5.csv")
    with pytest.raises(ParameterError):
        import_netdissect(path, tmp_path / "run", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_nothing_that_is_changed_at_random_is_a_bug(tmp_path: Path) -> None:
    content = text_of(table(draw_units(6), layer="conv5")).encode()
    path, read = tmp_path / "conv5.csv", 0
    for seed in range(150):
        dice = random.Random(seed)
        changed = bytearray(content)
        for _ in range(dice.choice((1, 1, 3, 20))):
            place = dice.randrange(len(changed))
            changed[place : place + dice.randrange(3)] = bytes(
                dice.choices(b',;"\n\r\t0.9e-\x00\xff', k=dice.randrange(3))
            )
        path.write_bytes(bytes(changed))
        try:
            run = import_netdissect(path, tmp_path / f"run{seed}")
        except OnnxDissectError:
            continue
        read += 1
        assert all(0 <= unit.iou <= 1 for unit in run.units())
    assert 0 < read < 150
