"""Data sets of one's own: what they must give, and that looking at it changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.small_runs import Convolution, contents, network

import onnxdissect
from onnxdissect.data import Annotation, ArrayDataset, annotate, make_vocabulary, open_data
from onnxdissect.data.checked_dataset import CheckedDataset
from onnxdissect.data.sources import Sources
from onnxdissect.errors import DataError, DataFormatError, EmptyDataError, ImageFileError, ParameterError

VOCABULARY = make_vocabulary({"object": {1: "cat", 2: "dog"}, "scene": {5: "street"}})
GRID = (6, 5)


class Own:
    """Another class with the attributes of a data set, each of which a test can replace."""

    def __init__(self, images: int = 12, **replaced: Any) -> None:
        random = np.random.default_rng(0)
        self._images: NDArray[np.uint8] = random.integers(0, 256, (images, 24, 20, 3)).astype(np.uint8)
        self._maps = random.integers(0, 3, (images, *GRID)).astype(np.uint16)
        self._replaced = replaced

    def __getattribute__(self, name: str) -> Any:
        replaced = object.__getattribute__(self, "__dict__").get("_replaced", {})
        return replaced[name] if name in replaced else object.__getattribute__(self, name)

    name = "own"
    source: dict[str, str] = {}  # noqa: RUF012
    vocabulary = VOCABULARY
    image_size = (24, 20)
    grouped_by: str | None = None

    @property
    def fingerprint(self) -> str:
        return self.whole().fingerprint

    def whole(self) -> ArrayDataset:
        streets = [5 * (i % 2) for i in range(len(self._images))]
        return ArrayDataset(self._images, VOCABULARY, {"object": self._maps}, {"scene": streets}, name="own")

    def __len__(self) -> int:
        return len(self._images)

    def image_name(self, i: int) -> str:
        return str(i)

    def split(self, i: int) -> str:
        return "train"

    def grid(self, i: int) -> tuple[int, int]:
        return GRID

    def groups(self) -> NDArray[np.int64] | None:
        return None

    def read_image(self, i: int) -> NDArray[np.uint8]:
        image: NDArray[np.uint8] = self._images[i]
        return image

    def read_annotation(self, i: int) -> Annotation:
        return annotate(GRID, [self._maps[i]], [2] if i % 2 else [])

    def subset(self, *, split: str | None = None, limit: int | None = None) -> Own:
        return Own(min(limit or len(self), len(self)), **self._replaced)


def test_a_class_of_ones_own_gives_the_run_of_the_same_arrays(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    for name, data in (("own", Own()), ("arrays", Own().whole())):
        onnxdissect.dissect(
            tmp_path / "net.onnx", data, "all", preset="raw", bootstrap=20, null=2, out=tmp_path / name
        )
    assert contents(tmp_path / "own") == contents(tmp_path / "arrays")


def test_only_classes_that_are_not_ours_are_looked_at() -> None:
    own, arrays = open_data(Own()), Own().whole()
    assert isinstance(own, CheckedDataset)
    assert open_data(own) is own
    assert open_data(arrays) is arrays
    given = open_data("own:", sources=Sources().register("own", lambda argument, **asked: Own()))
    assert isinstance(given, CheckedDataset)
    assert len(given.subset(limit=5)) == 5


def plane(*rows: tuple[int, int]) -> NDArray[np.uint16]:
    """A plane of zeros but for one row each: its number, and the code in it."""
    made = np.zeros(GRID, np.uint16)
    for row, code in rows:
        made[row] = code
    return made


def annotation(planes: Any, labels: Any = (), grid: tuple[int, int] = GRID) -> Callable[[int], Any]:
    labels = labels if isinstance(labels, np.ndarray) else np.array(labels, np.int64)
    stacked = planes if isinstance(planes, np.ndarray) else np.array(planes, np.uint16).reshape(-1, *GRID)
    given = Annotation(grid, stacked, labels)
    return lambda i: given if i == 7 else annotate(GRID, [], [])


IMAGE = np.zeros((24, 20, 3), np.uint8)


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (IMAGE[:, :, 0], r"uint8 \(24, 20\)"),
        (IMAGE.astype(np.float32), "float32"),
        (IMAGE[:0], r"\(0, 20, 3\)"),
        (IMAGE.tolist(), "is list"),
        (None, "is None"),
    ],
)
def test_an_image_of_another_kind_is_named(what: Any, told: str) -> None:
    dataset = open_data(Own(read_image=lambda i: what if i == 7 else IMAGE))
    assert dataset.read_image(6) is IMAGE
    with pytest.raises(DataFormatError, match=f"image 7 of own is .*{told}|image 7 of own {told}"):
        dataset.read_image(7)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (lambda i: None, "is None"),
        (annotation([plane((0, 1))], grid=(5, 6)), "on the grid"),
        (annotation([plane((0, 4))]), "the code 4, and the vocabulary has 3 concepts"),
        (annotation([plane((0, 1)), plane()]), "a plane without any label"),
        (annotation([plane((0, 1), (1, 2)), plane((1, 2), (2, 1))]), "twice in one pixel"),
        (annotation([plane((0, 1))], [0]), "which its image labels hold too"),
        (annotation([], [-1]), r"image labels \[-1\]"),
        (annotation([], [3]), r"image labels \[3\]"),
        (annotation([], [1, 1]), r"image labels \[1, 1\]"),
        (annotation([], np.array([1], np.int32)), "int32"),
        (annotation(np.zeros((1, *GRID), np.int64)), "int64"),
        (annotation(np.zeros(GRID, np.uint16)), r"uint16 \(6, 5\)"),
    ],
)
def test_an_annotation_that_breaks_the_rules_is_named(given: Callable[[int], Any], told: str) -> None:
    dataset = open_data(Own(read_annotation=given))
    with pytest.raises(DataFormatError, match=f"annotation of image 7 of own .*{told}"):
        dataset.read_annotation(7)


def test_every_annotation_that_annotate_makes_is_taken() -> None:
    random = np.random.default_rng(3)
    for _ in range(200):
        maps = random.integers(0, 4, (random.integers(0, 4), *GRID))
        given = annotate(GRID, list(maps), random.integers(0, 3, random.integers(0, 3)).tolist())
        assert open_data(Own(read_annotation=lambda i, given=given: given)).read_annotation(0) is given


def test_what_a_class_raises_is_told_with_the_image() -> None:
    def fails(i: int) -> Any:
        raise (ImageFileError("4.png is damaged") if i == 4 else ZeroDivisionError("no light"))

    dataset = open_data(Own(read_image=fails, read_annotation=fails))
    for read in (dataset.read_image, dataset.read_annotation):
        with pytest.raises(
            DataFormatError, match="image 5 of own cannot be read: ZeroDivisionError: no light"
        ):
            read(5)
        with pytest.raises(ImageFileError, match="damaged"):
            read(4)
    with pytest.raises(DataFormatError, match=r"grid\(0\) .* fails: ZeroDivisionError"):
        open_data(Own(grid=fails))


@pytest.mark.parametrize(
    ("replaced", "told"),
    [
        ({"name": ""}, "name of"),
        ({"source": {"folder": Path("x")}}, "source of"),
        ({"vocabulary": {}}, "vocabulary of"),
        ({"image_size": (24.0, 20)}, "image_size of"),
        ({"image_name": lambda i: i}, r"image_name\(0\) of .* is 0"),
        ({"image_name": lambda i: str(i // 2)}, "2 images of own are called '0'"),
        ({"split": lambda i: None}, r"split\(0\)"),
        ({"grid": lambda i: (6.0, 5.0)}, r"grid\(0\)"),
        ({"grid": lambda i: (0, 5)}, r"grid\(0\)"),
        ({"grouped_by": "film"}, "in accord with grouped_by, which is 'film'"),
        ({"grouped_by": "film", "groups": lambda: np.zeros(3, np.int64)}, "12 whole numbers"),
        ({"grouped_by": "film", "groups": lambda: np.zeros(12)}, "12 whole numbers"),
        ({"grouped_by": "film", "groups": lambda: np.arange(12) * 10**9}, "without gaps"),
        ({"grouped_by": "film", "groups": lambda: np.arange(12) - 1}, "without gaps"),
    ],
)
def test_what_is_told_of_all_images_is_looked_at_once(replaced: dict[str, Any], told: str) -> None:
    with pytest.raises(DataFormatError, match=told):
        open_data(Own(**replaced))


def test_parts_are_held_to_what_was_asked_for() -> None:
    with pytest.raises(EmptyDataError, match="own has no image"):
        open_data(Own(0))
    with pytest.raises(DataFormatError, match=r"fingerprint of .* is 5"):
        _ = open_data(Own(fingerprint=5)).fingerprint
    for part, told in ((None, "subset of .* is None"), (Own(), "at most 3 images; it has 12")):
        with pytest.raises(DataFormatError, match=told):
            open_data(Own(subset=lambda part=part, **asked: part)).subset(limit=3)
    with pytest.raises(DataFormatError, match="only images of this split"):
        open_data(Own()).subset(split="val")
    with pytest.raises(ParameterError, match="1 or more"):
        open_data(Own()).subset(limit=0)


def test_a_source_that_fails_is_named() -> None:
    def boom(argument: str, **asked: Any) -> Any:
        raise RuntimeError("boom!")

    def poor(argument: str) -> Any:
        return Own()

    sources = Sources().register("boom", boom).register("poor", poor)  # type: ignore[arg-type]
    for name, told in (("boom", "RuntimeError: boom!"), ("poor", "TypeError: .*groups")):
        with pytest.raises(DataError, match=f"the data source '{name}' cannot open 'x': {told}"):
            open_data(f"{name}:x", sources=sources)
