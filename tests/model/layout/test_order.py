"""Cells that are not in the order of the picture are refused, and layers again once they are put back."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from support.models import Builder
from support.probing import inspect, refusal

from onnxdissect.model import ReceptiveField


def reshaped(b: Builder, x: str, *target: int) -> str:
    return b.node("Reshape", x, b.constant(target, np.int64))


def roll(b: Builder, x: str, by: int, name: str) -> str:
    """Move a map of (N, H, W, C) up and to the left, as torch.roll is exported."""
    for axis in (1, 2):
        ends = [
            b.node("Slice", x, *(b.constant([v], np.int64) for v in span))
            for span in ((by, 2**60, axis), (0, by, axis))
        ]
        x = b.node("Concat", *ends, axis=axis, name=f"{name}{axis}")
    return x


def shifted_windows(back: tuple[int, ...], *, looks: bool = False, wide: int = 16) -> onnx.ModelProto:
    """A map of 16 cells a side, rolled, cut into windows of 4, put together in some order, rolled back."""
    b = Builder((1, 1, 32, 2 * wide), positive=True)
    x = b.conv(b.image, 4, 2, stride=2, pads=(0, 0, 0, 0))
    x = b.node("Transpose", x, perm=(0, 2, 3, 1), name="before")
    y = reshaped(b, roll(b, x, 2, "rolled"), 1, 4, 4, wide // 4, 4, 4)
    y = b.node("Transpose", y, perm=(0, 1, 3, 2, 4, 5))
    y = reshaped(b, reshaped(b, y, -1, 4, 4, 4), -1, 16, 4)
    if looks:
        keys = b.node("Transpose", y, perm=(0, 2, 1))
        y = b.node("MatMul", b.node("Softmax", b.node("MatMul", y, keys), axis=-1), y)
    y = b.node("MatMul", y, b.weight((4, 4)), name="windows")
    y = reshaped(b, reshaped(b, y, -1, 4, 4, 4), 1, 4, wide // 4, 4, 4, 4)
    y = reshaped(b, b.node("Transpose", y, perm=back), 1, 16, wide, 4)
    y = b.node("Identity", y, name="put_together")
    y = roll(b, y, -2, "returned")
    return b.model(b.relu(y, name="out"), b.node("Add", x, y, name="sum"), "put_together")


RIGHT = (0, 1, 3, 2, 4, 5)
WRONG = {
    "rows for columns": (0, 1, 4, 2, 3, 5),
    "rows within first": (0, 3, 1, 2, 4, 5),
    "columns within first": (0, 1, 3, 4, 2, 5),
    "both within first": (0, 3, 1, 4, 2, 5),
}


def peaks(model: onnx.ModelProto, name: str) -> NDArray[Any]:
    """Which cell of a map (N, H, W, C) changes most when a patch of 2x2 pixels is raised: (h, w, 2)."""
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    del probed.graph.output[:]
    probed.graph.output.extend([onnx.ValueInfoProto(name=name)])
    session = onnxruntime.InferenceSession(probed.SerializeToString(), providers=["CPUExecutionProvider"])
    _, _, height, width = (d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)
    base = np.random.default_rng(0).random((1, 1, height, width), np.float32)
    (before,) = session.run([name], {"image": base})
    found = np.zeros((height // 2, width // 2, 2), int)
    for row in range(height // 2):
        for column in range(width // 2):
            raised = base.copy()
            raised[..., 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] += 1
            change = np.abs(session.run([name], {"image": raised})[0] - before).sum(axis=-1)[0]
            found[row, column] = np.unravel_index(change.argmax(), change.shape)
    return found


@pytest.mark.parametrize("wide", [16, 24])
def test_shifted_windows_are_put_back(wide: int) -> None:
    model = shifted_windows(RIGHT, wide=wide)
    for name in ("rolled1", "rolled2", "windows", "put_together", "returned1"):
        assert "not in the order of the picture" in refusal(model, name), name
    here = np.moveaxis(np.indices((16, wide)), 0, -1)
    for name in ("returned2", "out", "sum"):
        field = inspect(model, name).receptive_field
        assert field == ReceptiveField((0.5, 0.5), (2.0, 2.0), (2.0, 2.0))
        np.testing.assert_array_equal(peaks(model, name), here)
    # and what is refused really lies elsewhere
    assert (peaks(model, "put_together") != here).any()


def test_attention_within_shifted_windows_stays_in_its_place() -> None:
    model = shifted_windows(RIGHT, looks=True)
    for name in ("returned2", "out", "sum"):
        assert inspect(model, name).receptive_field == ReceptiveField((0.5, 0.5), (2.0, 2.0), None)
    for name in ("windows", "put_together"):
        assert "not in the order of the picture" in refusal(model, name)


@pytest.mark.parametrize("way", list(WRONG))
def test_windows_put_together_in_another_order_are_no_map(way: str) -> None:
    model = shifted_windows(WRONG[way])
    here = np.moveaxis(np.indices((16, 16)), 0, -1)
    assert (peaks(model, "out") != here).any()
    for name in ("put_together", "returned2", "out"):
        assert refusal(model, name)


@pytest.mark.parametrize("first", ["parts", "units"])
@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize(
    ("rows", "columns"), [("Hh", "Ww"), ("hH", "wW"), ("Hh", "wW"), ("hH", "Ww")], ids=lambda v: str(v)
)
def test_units_that_become_cells(rows: str, columns: str, last: bool, first: str) -> None:
    """A shuffle of pixels by reshapes lies where DepthToSpace puts it, and is refused in any other order."""
    b = Builder((1, 1, 12, 16), positive=True)
    x = b.conv(b.image, 8, 3)
    names = {"parts": "hwC", "units": "Chw"}[first]
    names = f"NHW{names}" if last else f"N{names}HW"
    lengths = {"N": 1, "h": 2, "w": 2, "C": 2, "H": 12, "W": 16}
    source = b.node("Transpose", x, perm=(0, 2, 3, 1)) if last else x
    order = f"N{rows}{columns}C" if last else f"NC{rows}{columns}"
    y = reshaped(b, source, *(lengths[letter] for letter in names))
    y = b.node("Transpose", y, perm=[names.index(letter) for letter in order])
    y = b.node("Identity", reshaped(b, y, *((1, 24, 32, 2) if last else (1, 2, 24, 32))), name="grown")
    like = b.node("DepthToSpace", x, blocksize=2, mode="DCR" if first == "parts" else "CRD", name="like")
    model = b.model(y, like)
    a, b_ = run_both(model, "grown", "like")
    same = np.array_equal(a.transpose(0, 3, 1, 2) if last else a, b_)
    assert same == (rows + columns == "HhWw")
    if same:
        assert inspect(model, "grown").layout == ("NHWC" if last else "NCHW")
        assert inspect(model, "grown").receptive_field == inspect(model, "like").receptive_field
    else:
        assert "not in the order of the picture" in refusal(model, "grown")


def run_both(model: onnx.ModelProto, *names: str) -> list[NDArray[Any]]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    _, _, height, width = (d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)
    image = np.random.default_rng(0).random((1, 1, height, width), np.float32)
    found: list[NDArray[Any]] = session.run(list(names), {"image": image})
    return found
