"""Receptive fields against a numeric probe: perturb one input row or column, see which cells move."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.models import Builder
from support.probing import assert_exact, impulses, inspect, reaches

from onnxdissect.errors import ModelRuntimeError
from onnxdissect.model import ReceptiveField

SIZE = 41


WINDOWS = st.fixed_dictionaries(
    {
        "kernel": st.tuples(st.integers(1, 4), st.integers(1, 4)),
        "stride": st.integers(1, 2),
        "dilation": st.integers(1, 2),
        "pads": st.one_of(
            st.lists(st.integers(0, 2), min_size=4, max_size=4),
            st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]),
        ),
        "op": st.sampled_from(["Conv", "Conv", "AveragePool", "MaxPool", "Pad", "Scale"]),
    }
)


def window(b: Builder, x: str, step: dict[str, Any]) -> str:
    kernel, stride, dilation, pads = step["kernel"], step["stride"], step["dilation"], step["pads"]
    if step["op"] == "Scale":
        return b.node("Mul", x, b.constant(np.full((b.units[x], 1, 1), 0.5)))
    if step["op"] == "Pad":
        begin = [0, 0, *(pads[:2] if isinstance(pads, list) else (1, 0))]
        return b.node("Pad", x, b.constant([*begin, 0, 0, 1, 2], np.int64))
    padding: dict[str, Any] = {"auto_pad": pads} if isinstance(pads, str) else {}
    if padding:
        dilation = 1  # onnxruntime has no automatic padding of dilated windows
    if step["op"] == "Conv":
        return b.conv(
            x,
            2,
            kernel,
            stride=stride,
            dilation=dilation,
            **(padding or {"pads": pads}),
        )
    if not padding:
        # a pool's padding is smaller than its window
        limits = [*kernel, *kernel]
        padding = {"pads": [min(p, k - 1) for p, k in zip(pads, limits, strict=True)]}
    if isinstance(pads, str):
        stride = min(stride, *kernel)  # onnxruntime works out negative padding otherwise
    dilations: dict[str, Any] = {"dilations": (dilation, dilation)} if step["op"] == "MaxPool" else {}
    return b.node(step["op"], x, kernel_shape=kernel, strides=(stride, stride), **padding, **dilations)


@settings(max_examples=120, deadline=None)
@given(st.lists(WINDOWS, min_size=1, max_size=4))
def test_chains_reach_what_the_probe_reaches(steps: list[dict[str, Any]]) -> None:
    b = Builder(("N", 1, SIZE, SIZE), positive=True)
    x = b.conv(b.image, 2, 1)
    for step in steps:
        x = window(b, x, step)
    try:
        assert_exact(b.model(b.node("Identity", x)), x, some=False)
    except (ModelRuntimeError, StopIteration):
        assume(False)  # no cell is left, or a single one, which is no layer


@settings(max_examples=80, deadline=None)
@given(
    st.lists(WINDOWS, max_size=1),
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2)), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2)), min_size=1, max_size=3),
    st.integers(1, 2),
    st.sampled_from(["Add", "Concat"]),
)
def test_the_largest_field_wins_where_branches_meet(
    stem: list[dict[str, Any]],
    left: list[tuple[int, int]],
    right: list[tuple[int, int]],
    stride: int,
    meeting: str,
) -> None:
    b = Builder(("N", 1, SIZE, SIZE), positive=True)
    x = b.conv(b.image, 2, 1)
    for step in stem:
        x = window(b, x, step)
    ends = []
    for branch in (left, right):
        y = x
        for i, (half, dilation) in enumerate(branch):
            y = b.conv(y, 2, 2 * half + 1, dilation=dilation, stride=stride if i == 0 else 1)
        ends.append(y)
    joined = b.node("Add", *ends) if meeting == "Add" else b.node("Concat", *ends, axis=1)
    field = assert_exact(b.model(b.node("Identity", joined)), joined, some=False)
    sizes = [2 * sum(half * dilation for half, dilation in branch[1:]) for branch in (left, right)]
    assert field.stride[0] >= 1 and min(sizes) >= 0


def test_known_numbers() -> None:
    """AlexNet's first layers, worked out by hand: 11 taps by 4, pool 3 by 2, 5 taps padded by 2."""
    b = Builder(("N", 3, 227, 227))
    x = b.node(
        "MaxPool", b.conv(b.image, 2, 11, stride=4, pads=(0, 0, 0, 0)), kernel_shape=(3, 3), strides=(2, 2)
    )
    x = b.conv(x, 2, 5, pads=(2, 2, 2, 2), name="conv2")
    field = inspect(b.model(x), "conv2").receptive_field
    assert field == ReceptiveField((9.0, 9.0), (8.0, 8.0), (51.0, 51.0))


def test_branches_of_different_strides_have_no_common_geometry() -> None:
    b = Builder(("N", 1, 32, 32))
    fine = b.conv(b.image, 2, 1, stride=2, pads=(0, 0, 0, 0))
    coarse = b.node("DepthToSpace", b.conv(fine, 8, 1, stride=2, pads=(0, 0, 0, 0)), blocksize=2)
    refilter = b.node("Slice", b.conv(b.image, 2, 1), *(b.constant(v, np.int64) for v in ([0], [16], [2])))
    refilter = b.node("Slice", refilter, *(b.constant(v, np.int64) for v in ([0], [16], [3])))
    b.units[coarse] = b.units[refilter] = 2
    same = b.node("Add", fine, coarse, name="same")
    mixed = b.node("Add", fine, refilter, name="mixed")
    model = b.model(same, mixed)
    assert inspect(model, "same").receptive_field is not None
    assert inspect(model, "mixed").receptive_field is None


def test_a_gate_of_one_cell_places_nothing() -> None:
    b = Builder(("N", 1, SIZE, SIZE), positive=True)
    x = b.conv(b.image, 2, 3, stride=2)
    gate = b.node("Sigmoid", b.conv(b.node("GlobalAveragePool", x), 2, 1))
    weighed = b.node("Mul", gate, x, name="weighed")
    field = inspect(b.model(weighed), "weighed").receptive_field
    assert field == ReceptiveField((0.0, 0.0), (2.0, 2.0), None)


def test_a_pooled_and_stretched_branch_places_nothing() -> None:
    b = Builder(("N", 1, SIZE, SIZE))
    x = b.conv(b.image, 2, 3)
    pooled = b.conv(b.node("ReduceMean", x, axes=(2, 3), keepdims=1), 2, 1)
    sizes = b.constant((1, 2, SIZE, SIZE), np.int64)
    stretched = b.node("Resize", pooled, "", "", sizes, mode="linear")
    both = b.node("Concat", stretched, x, axis=1, name="both")
    alone, field = (inspect(b.model(both), name).receptive_field for name in (x, "both"))
    assert alone is not None and field == ReceptiveField(alone.offset, alone.stride, None)


@pytest.mark.parametrize("how", ["nearest", "linear", "ConvTranspose", "DepthToSpace"])
def test_a_decoder_lies_on_its_finest_skip(how: str) -> None:
    """A U-Net of four stages: the coarse branches are spread out again, the skip says where things are."""
    b = Builder(("N", 1, 64, 64), positive=True)
    skips = [b.conv(b.image, 2, 3)]
    for _ in range(4):
        skips.append(b.conv(skips[-1], 2, 3, stride=2))
    x = skips.pop()
    for number, skip in enumerate(reversed(skips)):
        if how == "ConvTranspose":
            x = b.node("ConvTranspose", x, b.weight((2, 2, 2, 2)), strides=(2, 2))
        elif how == "DepthToSpace":
            x = b.node("DepthToSpace", b.conv(x, 8, 1), blocksize=2)
        else:
            scales = b.constant((1, 1, 2, 2), np.float32)
            x = b.node("Resize", x, "", scales, mode=how, nearest_mode="floor")
        b.units[x] = 2
        x = b.node("Concat", x, skip, axis=1)
        b.units[x] = 4
        x = b.conv(x, 2, 3, name=f"up{number}")
    model = b.model(b.node("Identity", x))
    for number, stride in enumerate((8.0, 4.0, 2.0, 1.0)):
        field = inspect(model, f"up{number}").receptive_field
        assert field is not None
        assert (field.offset, field.stride) == ((0.0, 0.0), (stride, stride))


@pytest.mark.parametrize("block", [2, 3])
def test_space_to_depth(block: int) -> None:
    b = Builder(("N", 1, 36, 36), positive=True)
    x = b.conv(b.image, 2, 3)
    x = b.node("SpaceToDepth", x, blocksize=block, name="folded")
    model = b.model(b.node("Identity", x))
    layer = inspect(model, "folded")
    assert layer.units == 2 * block**2
    assert layer.receptive_field is not None
    for axis, moved in enumerate(impulses("folded", model)):
        found = reaches(moved, layer.receptive_field, axis)
        assert found and all(seen == (low, high) for _, low, high, seen in found)


@pytest.mark.parametrize(
    ("stride", "kernel", "pad"),
    [(1, 1, 0), (1, 2, 0), (1, 3, 1), (2, 2, 0), (2, 2, 1), (2, 3, 1), (2, 4, 1), (3, 3, 0), (3, 4, 1)],
)
def test_transposed_convolution_covers_what_each_cell_hears(stride: int, kernel: int, pad: int) -> None:
    b = Builder(("N", 1, 30, 30), positive=True)
    x = b.conv(b.image, 2, 1, stride=2, pads=(0, 0, 0, 0))
    x = b.node(
        "ConvTranspose",
        x,
        b.weight((2, 2, kernel, kernel)),
        strides=(stride, stride),
        pads=(pad,) * 4,
        name="grown",
    )
    model = b.model(b.node("Identity", x))
    layer = inspect(model, "grown")
    field = layer.receptive_field
    assert field is not None and field.stride == (2 / stride, 2 / stride)
    moved, _ = impulses("grown", model)
    middles, reaches = [], []
    for cell in range(5, 11 if stride == 1 else 17):
        rows = np.flatnonzero(moved[:, cell])
        middles.append((rows[0] + rows[-1]) / 2 - (field.offset[0] + cell * field.stride[0]))
        reaches.append(rows[-1] - rows[0] + 1)
    # neighbouring results hear different taps, so one centre fits them on average only
    assert abs(float(np.mean(middles))) < 0.5
    assert field.size is not None and max(reaches) == field.size[0]


@pytest.mark.parametrize("coordinates", ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resized_ramps_lie_where_the_geometry_says(coordinates: str, mode: str) -> None:
    b = Builder(("N", 1, 12, 12))
    x = b.node("Conv", b.image, b.constant(np.ones((1, 1, 1, 1))), name="same")
    x = b.node(
        "Resize",
        x,
        "",
        b.constant((1, 1, 2, 2), np.float32),
        mode=mode,
        coordinate_transformation_mode=coordinates,
        nearest_mode="floor",
        name="grown",
    )
    model = b.model(x)
    field = inspect(model, "grown").receptive_field
    assert field is not None
    ramp = np.broadcast_to(np.arange(12, dtype=np.float32)[:, None], (1, 1, 12, 12)).copy()
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (grown,) = session.run(["grown"], {"image": ramp})
    cells = np.arange(4, 20)
    expected = field.offset[0] + cells * field.stride[0]
    assert np.abs(np.mean(grown[0, 0, 4:20, 0] - expected)) < 0.1
    assert np.abs(grown[0, 0, 4:20, 0] - expected).max() <= (0.51 if mode == "nearest" else 1e-4)


def test_computed_pads_are_read_from_the_probe() -> None:
    """Pads that the graph works out from the shape of its input, as TensorFlow ports do."""
    b = Builder(("N", 1, SIZE, SIZE), positive=True)
    x = b.conv(b.image, 2, 1)
    shape = b.node("Shape", x)
    height = b.node("Gather", shape, b.constant([2], np.int64), axis=0)
    one = b.node("Sub", height, b.constant([SIZE - 1], np.int64))
    zero = b.node("Sub", one, one)
    pads = b.node("Concat", zero, zero, one, zero, zero, zero, one, one, axis=0)
    x = b.node("Pad", x, pads)
    x = b.conv(x, 2, 3, stride=2, pads=(0, 0, 0, 0))
    field = assert_exact(b.model(b.node("Identity", x)), x)
    assert field.offset == (0.0, 1.0)


def test_slices_and_splits_move_the_first_cell() -> None:
    b = Builder(("N", 1, SIZE, SIZE), positive=True)
    x = b.conv(b.image, 2, 3)
    x = b.node("Slice", x, *(b.constant(v, np.int64) for v in ([-36, 3], [SIZE, 40], [2, 3], [2, 3])))
    x = b.conv(x, 2, 2, pads=(0, 0, 0, 0))
    # 18 rows from the slice, 17 from the window
    first, second = b.nodes("Split", x, b.constant([4, 13], np.int64), names=["first", "second"], axis=2)
    model = b.model(b.node("Identity", first), b.node("Identity", second))
    for name in (first, second):
        assert_exact(model, name)
