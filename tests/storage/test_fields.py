from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnxdissect.storage.fields import (
    Choice,
    Either,
    Field,
    FieldError,
    Integer,
    Listed,
    Mapped,
    Number,
    OrNull,
    Record,
    Text,
    expect_distinct,
    shown,
)
from onnxdissect.storage.json_file import json_bytes, json_text, parse_json, read_json


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (Integer(1, 5), [1, 5], [0, 6, True, 1.0, "1", None, 10**400]),
        (Number(0, 1), [0, 1, 0.5], [-0.1, 1.1, float("nan"), float("inf"), True, "0", None, 10**400]),
        (Number(0, 1, open=True), [0.5], [0, 1]),
        (Number(-1, 1, nonzero=True), [-1, 1], [0, 0.0]),
        (Text(3), ["", "abc"], ["abcd", 1, None]),
        (Choice(("a", "b")), ["a"], ["c", None, []]),
        (OrNull(Integer()), [None, 1], ["x"]),
        (Listed(Integer(), 1, 2, distinct=True), [[1], [1, 2]], [[], [1, 2, 3], [1, 1], ["x"], {}, "ab"]),
        (Mapped(Integer()), [{}, {"a": 1}], [{"a": "b"}, [], None]),
        (Record({"a": Integer()}, {"b": Text()}), [{"a": 1}, {"a": 1, "c": []}], [{}, {"a": 1, "b": 1}, []]),
        (Either((Integer(), Listed(Integer()))), [1, [1]], ["x", ["x"], {}]),
    ],
)
def test_rules(rule: Field, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        rule.check(value, "place")
    for value in bad:
        with pytest.raises(FieldError, match=r"place|document"):
            rule.check(value, "place")


def test_the_innermost_place_is_named() -> None:
    rule = Record({"layers": Listed(Record({"shape": OrNull(Listed(Integer(1, 9), 2, 2))}))})
    with pytest.raises(FieldError, match=r"^layers\[1\]\.shape\[0\] is 10, not a whole number from 1 to 9$"):
        rule.check({"layers": [{"shape": None}, {"shape": [10, 1]}]}, "")
    with pytest.raises(FieldError, match=r"^layers\[0\]\.shape is missing$"):
        rule.check({"layers": [{}]}, "")
    with pytest.raises(FieldError, match=r"^x\[2\]\.name is 'a', and so is that of x\[0\]$"):
        expect_distinct([{"name": "a"}, {"name": "b"}, {"name": "a"}], "name", "x")


def test_long_values_are_cut_short_in_messages() -> None:
    assert shown("x" * 1000) == "'" + "x" * 59 + "... (1,002 characters)"
    values: list[Any] = [None, True, [1, 2], {}]
    assert [shown(value) for value in values] == ["null", "true", "a list of 2", "a record"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": [1, 1e400]}', r"^a\[1\] is inf, which is no finite number"),
        ('{"a": {"b": NaN}}', r"^a\.b is nan"),
        ('{"a": -' + "7" * 5000 + "}", r"^a is a number of 5,000 digits"),
        ('{"a": 9223372036854775808}', r"^a is 9223372036854775808, which 64 bits do not hold"),
        ('{"a": 1, "a": 1}', r"^a is there twice"),
        ('{"a": [1, "x\\ud800"]}', r"^a\[1\] holds '\\ud800', half of a pair"),
        ('{"a": {"x\\udfff": 1}}', r"^a holds '\\udfff', half of a pair"),
        ("[" * 62 + "]" * 62, "nested more than 60 levels"),
        ("[" * 10**6 + "]" * 10**6, "nested more than 60 levels"),
        ("[" * 10**6, "nested more than 60 levels"),
        ("{", "Expecting"),
        ("", "Expecting value"),
    ],
)
def test_json_that_is_refused(content: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_json(content.encode())


@pytest.mark.parametrize("write", [json_bytes, lambda value: json_text(value).encode()])
def test_json_holds_nothing_that_is_not_seen(write: Callable[[Any], bytes]) -> None:
    unseen = [chr(i) for i in range(0x110000) if unicodedata.category(chr(i)) in ("Cc", "Cf", "Zl", "Zp")]
    value = {"é中😀" + "".join(unseen): ["".join(unseen), "\N{LATIN SMALL LETTER U WITH DIAERESIS} plain"]}
    content = write(value)
    text = content.decode()
    assert not set(unseen).intersection(text.removesuffix("\n"))
    assert "é中😀" in text and "ü plain" in text
    assert json.loads(text) == parse_json(content) == value


def test_json_that_is_read(tmp_path: Path) -> None:
    content = '{"a": [1, -9223372036854775808, 1.5e300, null, true, "\\udcff ü"], "b": {"a": {}}}'
    (tmp_path / "file.json").write_text(content, encoding="utf-8")
    value = {"a": [1, -(2**63), 1.5e300, None, True, "\udcff ü"], "b": {"a": {}}}
    assert read_json(tmp_path / "file.json", 1000) == value
    (tmp_path / "file.json").write_bytes(json_bytes(value))
    assert read_json(tmp_path / "file.json", 1000) == value
    assert json_bytes({"a": "ü\N{GRINNING FACE}"}, separators=(",", ":")) == '{"a":"ü😀"}\n'.encode()
    with pytest.raises(OSError, match="at most 10 are read"):
        read_json(tmp_path / "file.json", 10)
