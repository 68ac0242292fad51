"""Lists of classes as people and programs write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnxdissect.data.importers.reading.class_list import ListedClass, parse_ignored, read_class_list
from onnxdissect.errors import DataError, DataFormatError, DataNotFoundError, ParameterError


def listed(folder: Path, content: str | bytes) -> tuple[ListedClass, ...]:
    path = folder / "list.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_class_list(path, "object").classes


@pytest.mark.parametrize(
    ("content", "classes"),
    [
        ("0,sky\n1,road\n", [ListedClass(0, "sky"), ListedClass(1, "road")]),
        ("7,brick,material\n", [ListedClass(7, "brick", "material")]),
        ("7,brick,10,20,30\n", [ListedClass(7, "brick", "", (10, 20, 30))]),
        ("7,brick,material,10,20,30\n", [ListedClass(7, "brick", "material", (10, 20, 30))]),
        ("name,index\nsky,3\n", [ListedClass(3, "sky")]),
        (
            "Index,R,G,B,Name\n3,1,2,3,sky\n4,,,,road\n",
            [ListedClass(3, "sky", "", (1, 2, 3)), ListedClass(4, "road")],
        ),
        (
            "\ufeff0,sky\r\n\r\n# a remark\r\n , \r\n1, road \r\n",
            [ListedClass(0, "sky"), ListedClass(1, "road")],
        ),
        ('0,"roof, flat"\n', [ListedClass(0, "roof, flat")]),
        ("0,cafe\u0301\n", [ListedClass(0, "caf\u00e9")]),
        (
            "0,grey,object\n0001,wall,object\n",
            [ListedClass(0, "grey", "object"), ListedClass(1, "wall", "object")],
        ),
    ],
)
def test_what_is_read(tmp_path: Path, content: str, classes: list[ListedClass]) -> None:
    assert list(listed(tmp_path, content)) == classes


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("0,sky\n0,road\n", "list.csv lists the index 0 twice: for 0,sky and 0,road"),
        ("0,sky\n1,sky\n", "list.csv lists the name 'sky' twice: for 0,sky and 1,sky"),
        ("0,caf\u00e9\n1,cafe\u0301\n", "lists the name 'caf\u00e9' twice"),
        ("0,sky,1,2,3\n1,road,1,2,3\n", "list.csv lists the colour #010203 twice: for 0,sky and 1,road"),
        ("", "list.csv lists no class"),
        ("index,name\n# nothing\n", "list.csv lists no class"),
        ("sky\n", "list.csv, line 1: 1 cell between commas"),
        ("0,sky\n1;road\n", "list.csv, line 2: 1 cell between commas"),
        ("0,sky,1,2\n", "list.csv, line 1: 4 cells between commas"),
        ("index,name,category\n0,sky\n", "list.csv, line 2: 2 cells between commas"),
        (
            "index,name,name\n0,sky,sky\n",
            "names the columns 'index', 'name', 'name'; a list of classes has",
        ),
        ("x,sky\n", "an index is a whole number, 0 to 2,147,483,647, not 'x'"),
        ("-1,sky\n", "an index is a whole number"),
        ("2147483648,sky\n", "an index is a whole number"),
        ("0,\n", "'' is no name of a class"),
        ('0,"a\nb"\n', "is no name of a class"),
        ("0,sky,1,2,256\n", "a colour is three whole numbers, 0 to 255, not '1,2,256'"),
        ("0,sky,a/b\n", "'a/b' cannot be a category's name"),
        ('0,"sky\n', "is not readable"),
        (b"0,\xff\xfe\n", "list.csv is not UTF-8 text"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(DataError) as caught:
        listed(tmp_path, content)
    assert said in caught.value.message


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match="there is no list of classes"):
        read_class_list(tmp_path / "list.csv", "object")
    with pytest.raises(DataFormatError, match="it is a folder, and only regular files are read"):
        read_class_list(tmp_path, "object")
    with pytest.raises(DataFormatError, match="'split' cannot be a category's name"):
        listed_path = tmp_path / "list.csv"
        listed_path.write_text("0,sky\n", encoding="utf-8")
        read_class_list(listed_path, "split")


def test_categories_and_labels_are_those_of_the_list(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("0,sky\n5,brick,material\n9,sky,object\n", encoding="utf-8")
    found = read_class_list(tmp_path / "list.csv", "thing")
    assert found.categories == ("thing", "material", "object")
    assert [(one.number, one.name, one.categories) for one in found.labels] == [
        (1, "sky", ("thing", "object")),
        (2, "brick", ("material",)),
    ]
    assert found.numbers == (1, 2, 1)


def test_categories_are_composed(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("0,a,e\u0301\n1,b,\u00e9\n2,c\n", encoding="utf-8")
    listed = read_class_list(tmp_path / "list.csv", "e\u0301")
    assert listed.categories == ("\u00e9",)


def test_what_is_ignored() -> None:
    assert parse_ignored(None) == (frozenset(), frozenset())
    assert parse_ignored("0, 255,#0aFF00") == (frozenset([0, 255]), frozenset([(10, 255, 0)]))
    for wrong in ("x", "0,,1", "#12345", "-1", "1.0"):
        with pytest.raises(ParameterError, match="--ignore takes indices, and colours as #rrggbb"):
            parse_ignored(wrong)
