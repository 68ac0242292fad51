"""Lists of classes, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnxdissect.errors import DataError
from onnxdissect.segmenter.class_list import read_class_list


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_each_line_names_a_class(tmp_path: Path, end: str, last: bool, mark: str) -> None:
    text = mark + end.join(["background", " traffic light ", "x,y"]) + end * last
    found = read_class_list(written(tmp_path, "c.txt", text))
    assert found.names == ("background", "traffic light", "x,y")
    assert found.categories == ("", "", "")


def test_a_table_may_be_in_any_order(tmp_path: Path) -> None:
    text = "category,name,index\nobject,dog,1\n,sky,0\r\nmaterial,wood,2\n"
    found = read_class_list(written(tmp_path, "c.CSV", text))
    assert found.names == ("sky", "dog", "wood")
    assert found.categories == ("", "object", "material")


def test_rows_need_neither_a_header_nor_an_ending(tmp_path: Path) -> None:
    found = read_class_list(written(tmp_path, "c.txt", "1,dog,object\n0,sky\n"))
    assert (found.names, found.categories) == (("sky", "dog"), ("", "object"))


def test_names_are_composed(tmp_path: Path) -> None:
    assert read_class_list(written(tmp_path, "c.txt", "cafe\u0301\n")).names == ("caf\u00e9",)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("c.txt", "", "names no class"),
        ("c.txt", "a\n\nb\n", "line 2, is empty: it should name class 1"),
        ("c.txt", "a\nb\n\n", "line 3, is empty"),
        ("c.txt", "a\nb\na\n", "line 3: 'a' is there already, in line 1"),
        ("c.txt", "caf\u00e9\ncafe\u0301\n", "line 2: 'café' is there already, in line 1"),
        ("c.txt", "a\nb\tc\n", "line 2: 'b\\tc' cannot be a name"),
        ("c.txt", b"a\n\xff\n", "is not UTF-8"),
        ("c.txt", "\n".join(map(str, range(65_536))), "names 65,536 classes"),
        ("c.csv", "index,name\n", "names no class"),
        ("c.csv", "index,name\n0,a\n2,b\n5,c\n", "names classes up to 5, and not 1, 3, 4"),
        ("c.csv", "index,name\n0,a\n1,b\n1,c\n", "line 4: class 1 is there already, in line 3"),
        ("c.csv", "index,name\n0,a\n1,\n", "line 3: '' is no name of a class"),
        ("c.csv", "index,name\n0,a\n1,a\n", "line 3: 'a' is there already, in line 2"),
        ("c.csv", "index,name\n0,a\n-1,b\n", "line 3: an index is a whole number"),
        ("c.csv", "index,name\n0,a\n99999999999,b\n", "0 to 2,147,483,647, not '99999999999'"),
        ("c.csv", "number,name\n0,a\n", "names the columns 'number', 'name'"),
        ("c.csv", "index,label\n0,a\n", "names the columns 'index', 'label'"),
        ("c.csv", "index,name,name\n0,a,b\n", "each once"),
        ("c.csv", 'index,name\n0,"a\n', "is not readable"),
        ("c.csv", "index,name\n0,a\n2147483647,b\n", "and not 1, 2, 3"),
        ("c.txt", "0,a\n2,b\n", "names classes up to 2, and not 1"),
        ("c.csv", "index,name,category\n0,a,x;y\n", "'x;y' cannot be a category's name"),
    ],
)
def test_what_is_wrong_is_told_with_the_line(tmp_path: Path, name: str, content: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_class_list(written(tmp_path, name, content))
    assert said in caught.value.message
    assert name in caught.value.message or "category" in said


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no list of classes"):
        read_class_list(tmp_path / "no.txt")
    with pytest.raises(DataError, match="only regular files are read"):
        read_class_list(tmp_path)
