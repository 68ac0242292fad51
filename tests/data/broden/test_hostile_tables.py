"""Tables that claim, repeat or never end: each is one message, soon."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from support.datasets import Damage

from onnxdissect.data import check_folder, open_dataset
from onnxdissect.errors import DataError, DataFormatError, ParameterError

LONG = "9" * 5000
# Table, what stands there, what is put in its place, and what the message says.
HOSTILE: dict[str, tuple[str, str, str, str]] = {
    "grid of a billion": (
        "index.csv",
        "24,24,6,8",
        "24,24,1000000000,8",
        r"sh must be .* up to 1,048,576, not",
    ),
    "grid of 10^30": ("index.csv", "24,24,6,8", f"24,24,6,1{'0' * 30}", r"sw must be .* up to 1,048,576"),
    "grid of 5,000 digits": ("index.csv", "24,24,6,8", f"24,24,{LONG},8", r"sh must .*\(5,000 characters\)"),
    "image of 10^30": ("index.csv", "24,24,6,8", f"1{'0' * 30},24,6,8", r"ih must be .* up to 1,048,576"),
    "grid too large as a whole": (
        "index.csv",
        "24,24,6,8",
        "24,24,11586,11586",
        r"sh and sw ask for 11,586 x 11,586 pixels; at most 134,217,728",
    ),
    "size in other digits": ("index.csv", "24,24,6,8", "24,٢٤,6,8", r"iw must be"),
    "size with a sign": ("index.csv", "24,24,6,8", "24,+24,6,8", r"iw must be .* not '\+24'"),
    "label of 5,000 digits": ("index.csv", ",300\n", f",{LONG}\n", r"label number '9+'\.\.\. \(5,000 char"),
    "label in other digits": ("index.csv", ",300\n", ",٣٠٠\n", r"neither a label number nor"),
    "number of 5,000 digits": ("label.csv", "\n2,", f"\n{LONG},", r"number must be .*\(5,000 characters\)"),
    "frequency of 5,000 digits": ("label.csv", "(2),2,", f"(2),{LONG},", r"frequency must be"),
    "count of 5,000 digits": (
        "label.csv",
        "object(2)",
        f"object({LONG})",
        r"there is no category 'object\(9",
    ),
    "coverage of 1e400": ("c_object.csv", "road,2,1.0", "road,2,1e400", r"coverage must be"),
    "coverage of 1e300": ("c_object.csv", "road,2,1.0", "road,2,1e300", r"coverage must be"),
    "coverage with underscores": ("c_object.csv", "road,2,1.0", "road,2,1_0", r"coverage must be"),
    "category longer than a file's name": (
        "category.csv",
        "\nscene",
        f"\n{'s' * 300}",
        r"longer than 200 bytes",
    ),
    "category of letters of three bytes": (
        "category.csv",
        "\nscene",
        f"\n{'景' * 80}",
        r"longer than 200 bytes",
    ),
    "category with a line end": (
        "category.csv",
        "\nscene",
        '\n"a\nb"',
        r"'a\\nb' cannot be a category's name",
    ),
    "category with a NUL": ("category.csv", "\nscene", "\nsc\0ne", r"cannot be a category's name"),
    "image with a line end": (
        "index.csv",
        "three.jpg",
        '"th\nree.jpg"',
        r"'th\\nree.jpg' cannot be a file name",
    ),
    "image of a long path": (
        "index.csv",
        "three.jpg",
        "a/" * 2500 + "b.jpg",
        r"\(5,005 characters\) cannot be",
    ),
    "image deep outside": ("index.csv", "three.jpg", "a/../" * 900 + "b.jpg", r"\.\.\. \(4,505 characters\)"),
    "cell above the limit": ("label.csv", "road", "r" * 200_000, r"field larger than field limit"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_table(damage: Damage, case: str) -> None:
    table, old, new, message = HOSTILE[case]
    damage.replace(table, old, new)
    with pytest.raises(DataFormatError, match=message) as caught:
        open_dataset(damage.folder)
    assert len(str(caught.value)) < 2000


def test_numbers_with_blanks_and_zeros_are_numbers(damage: Damage) -> None:
    damage.replace("index.csv", "24,24,6,8", "024, 24 ,6,00008")
    assert open_dataset(damage.folder).entries[0].size == (24, 24)
    assert open_dataset(damage.folder).entries[0].grid == (6, 8)


@pytest.mark.parametrize(
    "blanks", [" " * 100_000, "(" * 100_000, "object" + " " * 100_000, "object (" + " " * 100_000]
)
def test_a_row_of_blanks_is_read_in_no_time(damage: Damage, blanks: str) -> None:
    damage.replace("label.csv", "object(2)", f"{blanks}x")
    began = time.process_time()
    with pytest.raises(DataFormatError, match="there is no category"):
        open_dataset(damage.folder)
    assert time.process_time() - began < 2


def test_long_names_are_not_compared_letter_by_letter(damage: Damage) -> None:
    damage.replace("label.csv", "object(2)", "objec" * 20_000)
    began = time.process_time()
    with pytest.raises(DataFormatError, match="there is no category"):
        open_dataset(damage.folder)
    damage.replace("label.csv", "objec" * 20_000, "object(2)")
    damage.replace("index.csv", "material,", "m" * 100_000 + ",")
    with pytest.raises(DataFormatError, match=r"has the column 'mmm"):
        open_dataset(damage.folder)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("table", ["index.csv", "label.csv", "category.csv", "c_object.csv"])
def test_more_columns_than_a_table_has(damage: Damage, table: str) -> None:
    path = damage.folder / table
    content = path.read_text(encoding="utf-8")
    path.write_text(content.replace("\n", "," * 1_000_000 + "\n", 1), encoding="utf-8")
    with pytest.raises(DataFormatError, match=r"has 1,000,\d+ columns; at most 4,096"):
        open_dataset(damage.folder)
    header, rest = content.split("\n", 1)
    path.write_text(f"{header}\n{',x' * 1_000_000}\n{rest}", encoding="utf-8")
    with pytest.raises(DataFormatError, match=r"line 2: the row has 1,000,001 cells, and the header "):
        open_dataset(damage.folder)
    path.write_text(",".join([header, *map(str, range(3000))]), encoding="utf-8")
    if table == "index.csv":
        with pytest.raises(
            DataFormatError, match=r"38, 39 and 2,960 more, and category.csv lists no such"
        ) as caught:
            open_dataset(damage.folder)
        assert len(str(caught.value)) < 2000


def test_more_rows_than_a_table_has(damage: Damage) -> None:
    for table, row, words in (
        ("label.csv", "1,a,object(1),1,1,\n", "more than 65,536 rows"),
        ("c_object.csv", "1,1,a,1,1\n", "more than 65,536 rows"),
        ("category.csv", "a,1,1,1,1\n", "more than 1,024 rows"),
    ):
        path = damage.folder / table
        content = path.read_text(encoding="utf-8")
        path.write_text(content.split("\n", 1)[0] + "\n" + row * 70_000, encoding="utf-8")
        with pytest.raises(DataFormatError, match=words):
            open_dataset(damage.folder)
        path.write_text(content, encoding="utf-8")


def test_a_table_above_the_limit_is_not_read(damage: Damage) -> None:
    with (damage.folder / "label.csv").open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(
        DataFormatError, match=r"cannot read .*1,099,511,627,776 bytes or more; at most 268,435,456"
    ):
        open_dataset(damage.folder)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp037"])
def test_other_encodings(damage: Damage, encoding: str) -> None:
    path = damage.folder / "label.csv"
    path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    with pytest.raises(DataFormatError) as caught:
        open_dataset(damage.folder)
    assert "\0" not in str(caught.value)


def test_an_image_has_only_so_many_label_maps(damage: Damage) -> None:
    path = damage.folder / "index.csv"
    content = path.read_text(encoding="utf-8")
    many = ";".join(f"{i}.png" for i in range(1025))
    path.write_text(content.replace("a/one_object_0.png", many), encoding="utf-8")
    with pytest.raises(DataFormatError, match=r"the image has 1,025 label maps; at most 1,024"):
        open_dataset(damage.folder)
    many = ";".join(f"x{i}.png" for i in range(100))
    damaged = content.replace("a/one_object_0.png", many).replace("24,24,6,8", "24,24,5000,5000")
    path.write_text(damaged, encoding="utf-8")
    with pytest.raises(DataFormatError, match=r"100 label maps of 5,000 x 5,000 pixels; at most 134,217,728"):
        open_dataset(damage.folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes and devices of Unix")
@pytest.mark.parametrize("table", ["index.csv", "label.csv", "category.csv", "c_object.csv"])
def test_tables_that_never_end_or_never_come(damage: Damage, table: str) -> None:
    path = damage.folder / table
    for words in ("a named pipe", "leads out of", "a folder"):
        path.unlink(missing_ok=True)
        if words == "a named pipe":
            os.mkfifo(path)
        elif words == "a folder":
            path.mkdir()
        else:
            path.symlink_to("/dev/zero")
        for open_it in (open_dataset, check_folder):
            with pytest.raises(DataFormatError, match=words):
                open_it(damage.folder)


def test_groups_of_5_000_digits(damage: Damage) -> None:
    with pytest.raises(ParameterError, match=r"prefix:N groups images"):
        open_dataset(damage.folder, groups=f"prefix:{LONG}")


def test_a_name_that_the_file_system_does_not_take(damage: Damage) -> None:
    damage.replace("index.csv", "three.jpg", "t" * 300 + ".jpg")
    dataset = open_dataset(damage.folder)
    with pytest.raises(DataError, match="File name too long"):
        assert dataset.fingerprint
    report = check_folder(Path(damage.folder))
    assert any("File name too long" in problem.message for problem in report.problems)


def test_a_long_name_is_cut_short_in_messages(damage: Damage) -> None:
    damage.replace("index.csv", "three.jpg", "1" + "t" * 4000 + ".jpg")
    with pytest.raises(DataError, match="4,005 characters") as caught:
        assert open_dataset(damage.folder).fingerprint
    assert len(caught.value.message) < 1000
    report = check_folder(Path(damage.folder))
    assert all(len(problem.message) < 1000 for problem in report.problems)
