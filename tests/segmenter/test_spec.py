"""SPECs are read strictly, and written so that they are read as the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxdissect.errors import ParameterError
from onnxdissect.segmenter.percent_coding import decoded, encoded
from onnxdissect.segmenter.spec import ClassFile, SegmenterSpec, parse_spec

PLAIN = "m.onnx?images=photos&classes=c.txt"
NAMES = st.text(
    st.characters(exclude_characters="\x00/", exclude_categories=["Cs"]), min_size=1, max_size=8
).filter(lambda text: text == text.strip() and text not in (".", ".."))


def read(text: str) -> SegmenterSpec:
    return parse_spec(text.removeprefix("segmenter:"))


def test_the_arguments_of_a_spec() -> None:
    spec = read(
        f"segmenter:{PLAIN}&output=out&confidence=0.5&scores=logits&ignore=0,void&grid=112x56&size=64"
        "&mean=1,2,3&std=2&scale=0.5&channels=bgr&layout=in=NHWC,out=NCHW&provider=cuda&links=follow"
    )
    assert spec == SegmenterSpec(
        model=Path("m.onnx"),
        images=Path("photos"),
        classes=(ClassFile("", Path("c.txt")),),
        output="out",
        confidence=0.5,
        scores="logits",
        ignore=("0", "void"),
        grid=(112, 56),
        size=(64, 64),
        mean=(1, 2, 3),
        std=(2,),
        scale=0.5,
        channels="bgr",
        layout=(("in", "NHWC"), ("out", "NCHW")),
        provider="cuda",
        links="follow",
    )
    assert read(spec.text()) == spec


def test_characters_with_a_meaning_are_written_as_percent_codes() -> None:
    spec = read("a%3Fb.onnx?images=x%26y%3D1&classes=d%25/c.txt")
    assert (spec.model, spec.images) == (Path("a?b.onnx"), Path("x&y=1"))
    assert spec.classes[0].path == Path("d%/c.txt")


def test_heads_each_have_their_classes() -> None:
    spec = read("m.onnx?images=p&heads=object:a:0,part:b&classes=part:q.txt,object:c%3A.txt")
    assert spec.heads == (("object", "a:0"), ("part", "b"))
    assert spec.classes == (ClassFile("object", Path("c:.txt")), ClassFile("part", Path("q.txt")))
    assert read(spec.text()) == spec
    one = read("m.onnx?images=p&heads=part:b&classes=q.txt")
    assert one.classes == (ClassFile("", Path("q.txt")),)


@settings(max_examples=40, deadline=None)
@given(NAMES, NAMES, st.lists(NAMES, min_size=1, max_size=3, unique=True), NAMES)
def test_any_names_come_back(model: str, images: str, ignore: list[str], output: str) -> None:
    spec = SegmenterSpec(
        Path(model), Path(images), (ClassFile("", Path("c")),), output=output, ignore=tuple(ignore)
    )
    text = spec.text()
    assert text.isascii()
    assert read(text) == spec


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_coding_is_undone(text: str) -> None:
    assert decoded(encoded(text)) == text


def test_bytes_that_are_no_text_come_back() -> None:
    spec = replace(read(PLAIN), images=Path("a\udcff"))
    assert "images=a%FF" in spec.text()
    assert read(spec.text()) == spec


def test_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spec = read(PLAIN).absolute()
    assert (spec.model, spec.images) == (tmp_path / "m.onnx", tmp_path / "photos")
    assert spec.classes[0].path == tmp_path / "c.txt"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "none was given"),
        ("m.onnx", "without images and classes"),
        ("?images=a&classes=b", "labels images by a network"),
        ("m.onnx?images=a", "without classes="),
        ("m.onnx?classes=a", "without images="),
        (f"{PLAIN}&", "name=value between &, not ''"),
        (f"{PLAIN}&grid", "not 'grid'"),
        (f"{PLAIN}&grid=", "not 'grid='"),
        (f"{PLAIN}&gird=5", "no argument 'gird'"),
        (f"{PLAIN}&images=b", "images= is given twice"),
        (f"{PLAIN}&grid=0", "grid= takes height x width, 1 to 1,000,000 each, not '0'"),
        (f"{PLAIN}&size=9x", "size= takes height x width"),
        (f"{PLAIN}&confidence=1.5", "confidence= is the least probability"),
        (f"{PLAIN}&confidence=0", "above 0 and at most 1, not 0"),
        (f"{PLAIN}&confidence=nan", "confidence= is the least probability"),
        (f"{PLAIN}&confidence=high", "confidence= takes a number, not 'high'"),
        (f"{PLAIN}&mean=1,,2", "mean= takes numbers between commas"),
        (f"{PLAIN}&scores=log", "scores= cannot be 'log'"),
        (f"{PLAIN}&provider=auto", "provider= cannot be 'auto'"),
        (f"{PLAIN}&ignore=0,,1", "ignore= takes names between commas"),
        (f"{PLAIN}&layout=NHWC", "layout= takes pairs like a=b"),
        (f"{PLAIN}&heads=object:a,object:b", "heads= names 'object' twice"),
        (f"{PLAIN}&heads=object:a,part:b", "classes= takes pairs like a:b"),
        (f"{PLAIN}&heads=object:a&output=b", "both say which outputs"),
        ("m.onnx?images=p&heads=o:a,p:b&classes=o:x", "'p' has no file of classes"),
        ("m.onnx?images=p&heads=o:a,p:b&classes=o:x,p:y,q:z", "'q' is none of the heads"),
        ("m.onnx?images=100%&classes=c", "'100%' has a percent sign without"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, said: str) -> None:
    with pytest.raises(ParameterError) as caught:
        read(text)
    assert said in caught.value.message
    assert caught.value.hint or caught.value.candidates


def test_the_nearest_argument_comes_first() -> None:
    with pytest.raises(ParameterError) as caught:
        read(f"{PLAIN}&confidance=0.5")
    assert caught.value.candidates[0] == "confidence"
