"""Frames of a map's own opposite border: harmless around it, a roll where they are cut off elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from support.models import Builder
from support.probing import inspect, refusal

from onnxdissect.model import ReceptiveField

CELLS = 12
PLACES = ReceptiveField((0.5, 0.5), (2.0, 2.0), (2.0, 2.0))


def ints(b: Builder, *values: int) -> str:
    return b.constant(values, np.int64)


def cut(b: Builder, x: str, first: int, last: int, axis: int = 3, name: str | None = None) -> str:
    return b.node("Slice", x, ints(b, first), ints(b, last), ints(b, axis), name=name)


def framed(
    b: Builder, x: str, before: int, behind: int, way: str, name: str | None = None, cells: int = CELLS
) -> str:
    """Lay so many columns of the other side before and behind a map."""
    if way == "Gather":
        return b.node("Gather", x, ints(b, *np.arange(-before, cells + behind) % cells), axis=3, name=name)
    if way == "Pad":
        return b.node("Pad", x, ints(b, 0, 0, 0, before, 0, 0, 0, behind), mode="wrap", name=name)
    left = [cut(b, x, -before, 2**40)] if before else []
    right = [cut(b, x, 0, behind)] if behind else []
    return b.node("Concat", *left, x, *right, axis=3, name=name)


def swapped(b: Builder, x: str, by: int, name: str | None = None) -> str:
    """Roll to the right by swapping two slices."""
    return b.node("Concat", cut(b, x, -by, 2**40), cut(b, x, 0, -by), axis=3, name=name)


def start() -> tuple[Builder, str]:
    b = Builder((1, 1, 2 * CELLS, 2 * CELLS), opset=19, positive=True)
    return b, b.conv(b.image, 4, 2, stride=2, pads=(0, 0, 0, 0), name="before")


def columns(model: onnx.ModelProto, name: str) -> NDArray[np.int64]:
    """Which column of a map changes most when a column of patches is raised."""
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    probed.graph.output.append(onnx.ValueInfoProto(name=name))
    session = onnxruntime.InferenceSession(probed.SerializeToString(), providers=["CPUExecutionProvider"])
    base = np.random.default_rng(0).random((1, 1, 2 * CELLS, 2 * CELLS), np.float32)
    (before,) = session.run([name], {"image": base})
    found = []
    for column in range(CELLS):
        raised = base.copy()
        raised[..., 2 * column : 2 * column + 2] += 1
        (after,) = session.run([name], {"image": raised})
        found.append(np.abs(after - before).sum(axis=(0, 1, 2)).argmax())
    return np.array(found)


@pytest.mark.parametrize("way", ["Pad", "Concat", "Gather"])
@pytest.mark.parametrize("by", [1, 3, -2, 7])
def test_a_frame_cut_off_at_another_place_is_a_roll(way: str, by: int) -> None:
    b, x = start()
    y = framed(b, x, max(by, 0), max(-by, 0), way, name="framed")
    y = cut(b, y, 0, CELLS, name="rolled") if by > 0 else cut(b, y, -by, 2**40, name="rolled")
    y = b.conv(y, 4, 1, name="looked")
    model = b.model(b.relu(y, name="out"))
    np.testing.assert_array_equal(columns(model, "out"), (np.arange(CELLS) + by) % CELLS)
    for name in ("rolled", "looked", "out"):
        assert "not in the order of the picture since operator Slice" in refusal(model, name), name


BACK: dict[str, Callable[[Builder, str], str]] = {
    "Pad": lambda b, y: cut(b, framed(b, y, 0, 3, "Pad"), 3, 2**40, name="back"),
    "Concat": lambda b, y: cut(b, framed(b, y, 0, 3, "Concat"), 3, 2**40, name="back"),
    "swapped": lambda b, y: swapped(b, y, CELLS - 3, name="back"),
    "swapped slices": lambda b, y: b.node(
        "Concat", cut(b, y, 3, 2**40), cut(b, y, 0, 3), axis=3, name="back"
    ),
}


@pytest.mark.parametrize("there", ["Pad", "Concat", "Gather", "swapped"])
@pytest.mark.parametrize("back", list(BACK))
def test_rolled_back_it_is_a_map_again(there: str, back: str) -> None:
    b, x = start()
    y = swapped(b, x, 3) if there == "swapped" else cut(b, framed(b, x, 3, 0, there), 0, CELLS)
    y = BACK[back](b, b.conv(y, 4, 1, name="looked"))
    model = b.model(b.relu(y, name="out"), b.node("Add", x, y, name="sum"))
    for name in ("back", "out", "sum"):
        np.testing.assert_array_equal(columns(model, name), np.arange(CELLS))
        assert inspect(model, name).receptive_field == PLACES, name
    assert "not in the order of the picture" in refusal(model, "looked")


def test_rolled_back_too_far_it_is_none() -> None:
    b, x = start()
    y = cut(b, framed(b, x, 3, 0, "Pad"), 0, CELLS)
    y = cut(b, framed(b, y, 0, 5, "Pad"), 5, 2**40, name="back")
    model = b.model(b.conv(y, 4, 1, name="out"), b.node("Add", x, y, name="sum"))
    np.testing.assert_array_equal(columns(model, "out"), (np.arange(CELLS) - 2) % CELLS)
    for name in ("back", "out", "sum"):
        assert "not in the order of the picture" in refusal(model, name), name


def test_sums_of_maps_that_were_rolled() -> None:
    b, x = start()
    y = cut(b, framed(b, x, 3, 0, "Pad"), 0, CELLS, name="rolled")
    alike = b.node("Add", y, b.conv(y, 4, 1), name="alike")
    z = cut(b, framed(b, alike, 0, 3, "Pad"), 3, 2**40, name="back")
    model = b.model(b.relu(z, name="out"), b.node("Add", x, alike, name="mixed"))
    np.testing.assert_array_equal(columns(model, "out"), np.arange(CELLS))
    assert inspect(model, "out").receptive_field == PLACES
    for name in ("alike", "mixed"):
        assert "not in the order of the picture" in refusal(model, name), name


@pytest.mark.parametrize("way", ["Pad", "Concat", "Gather"])
@pytest.mark.parametrize("stride", [1, 2])
def test_circular_padding_is_no_roll(way: str, stride: int) -> None:
    b, x = start()
    y = b.conv(framed(b, x, 1, 1, way), 4, stride=stride, pads=(1, 0, 1, 0), name="seen")
    y = b.conv(framed(b, y, 2, 2, way, cells=CELLS // stride), 4, 5, pads=(2, 0, 2, 0), name="again")
    model = b.model(b.relu(y, name="out"))
    for name, size in (("seen", 6.0), ("out", 6.0 + 8.0 * stride)):
        field = ReceptiveField((0.5, 0.5), (2.0 * stride,) * 2, (size, size))
        assert inspect(model, name).receptive_field == field


def test_a_frame_that_is_cut_off_again_leaves_the_map() -> None:
    b, x = start()
    y = b.conv(framed(b, x, 4, 4, "Pad"), 4, 3, pads=(1, 1, 1, 1))
    model = b.model(b.relu(cut(b, y, 4, 4 + CELLS), name="out"))
    assert inspect(model, "out").receptive_field == ReceptiveField((0.5, 0.5), (2.0, 2.0), (6.0, 6.0))


def test_mirrored_borders_are_no_roll() -> None:
    b, x = start()
    y = b.node("Pad", x, ints(b, 0, 0, 0, 2, 0, 0, 0, 2), mode="reflect")
    model = b.model(b.conv(y, 4, 5, pads=(2, 0, 2, 0), name="out"))
    assert inspect(model, "out").receptive_field == ReceptiveField((0.5, 0.5), (2.0, 2.0), (10.0, 10.0))


def windowed(b: Builder, x: str, name: str) -> str:
    """Work on windows of 3 columns of (N, C, H, W), and put them together again."""
    y = b.node("Reshape", x, ints(b, 0, 4, CELLS, CELLS // 3, 3))
    y = b.node("Reshape", b.node("Transpose", y, perm=(0, 3, 2, 4, 1)), ints(b, -1, 3 * CELLS, 4))
    y = b.node("MatMul", y, b.weight((4, 4)))
    y = b.node("Reshape", y, ints(b, -1, CELLS // 3, CELLS, 3, 4))
    y = b.node("Reshape", b.node("Transpose", y, perm=(0, 4, 2, 1, 3)), ints(b, -1, 4, CELLS, CELLS))
    return b.node("Identity", y, name=name)


def doubled(b: Builder, x: str, by: int, name: str | None = None) -> str:
    """Roll to the left by a cut out of the map laid behind itself."""
    return cut(b, b.node("Concat", x, x, axis=3), by, by + CELLS, name=name)


def padded(b: Builder, x: str, by: int, name: str | None = None) -> str:
    return cut(b, framed(b, x, 0, by, "Pad"), by, by + CELLS, name=name)


@pytest.mark.parametrize("roll", [doubled, padded], ids=["doubled", "padded"])
@pytest.mark.parametrize("by", [1, 2, 7])
def test_windows_of_a_map_rolled_by_its_own_frame(roll: Callable[..., str], by: int) -> None:
    b, x = start()
    y = windowed(b, roll(b, x, by, "rolled"), "together")
    back, wrong = roll(b, y, CELLS - by, "back"), roll(b, y, CELLS - by - 1, "wrong")
    model = b.model(b.relu(back, name="out"), b.relu(wrong, name="off"), b.relu(y, name="away"))
    for name in ("rolled", "together", "away", "wrong", "off"):
        assert "not in the order of the picture" in refusal(model, name), name
    assert inspect(model, "out").receptive_field == PLACES
    np.testing.assert_array_equal(columns(model, "out"), np.arange(CELLS))
    assert (columns(model, "away") != np.arange(CELLS)).all()


def test_a_map_beside_itself_is_no_map() -> None:
    b, x = start()
    both = b.node("Concat", x, x, axis=3, name="both")
    model = b.model(b.relu(both, name="out"), b.relu(cut(b, both, 0, CELLS), name="first"))
    assert "not in the order of the picture" in refusal(model, "both")
    assert "not in the order of the picture" in refusal(model, "out")
    assert inspect(model, "first").receptive_field == PLACES
