"""Receptive fields of every spatial operator of onnxruntime, against a numeric probe of the real thing."""

from __future__ import annotations

import tempfile
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from support.models import Builder, save
from support.probing import assert_exact, impulses, inspect, reaches, refusal

from onnxdissect.errors import ModelRuntimeError
from onnxdissect.model import ReceptiveField, load_network
from onnxdissect.model.operators.rules import Axes, Places
from onnxdissect.model.operators.table import BUILT_IN

SIZE = (47, 41)
OPSET = 19
WINDOWS = ("Conv", "GroupConv", "FusedConv", "MaxPool", "AveragePool", "LpPool", "MaxpoolWithMask")
CUTS = ("CenterCropPad", "Flip", "Gather", "Pad", "Slice", "Split")


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


STEPS = st.fixed_dictionaries(
    {
        "op": st.sampled_from([*WINDOWS, *CUTS, "ChannelsLast", "SpaceToDepth"]),
        "kernel": pairs(1, 4),
        "stride": pairs(1, 3),
        "dilation": pairs(1, 3),
        "pads": st.one_of(
            st.lists(st.integers(0, 3), min_size=4, max_size=4),
            st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]),
        ),
        "ceil": st.booleans(),
        "first": pairs(0, 5),
        "frame": st.tuples(*[st.integers(-3, 2)] * 4),
        "mode": st.sampled_from(["constant", "edge", "reflect"]),
    }
)


class Chain:
    """A graph that grows step by step; once cells were cut off, nothing may pad.

    Padding beside a cut stands for pixels that are there, so the probe would miss what is derived.
    """

    def __init__(self) -> None:
        self.b = Builder(("N", 1, *SIZE), positive=True, opset=OPSET)
        self.x = self.b.conv(self.b.image, 2, 1)
        self.cut = False
        self.flipped = False

    def cells(self) -> int:
        """How many there are by now; none where onnxruntime refuses."""
        model = self.b.model(self.x, domains=[("com.microsoft", 1)])
        with tempfile.TemporaryDirectory() as folder:
            try:
                network = load_network(save(model, Path(folder) / "m.onnx"))
            except ModelRuntimeError:
                return 0
        return prod(network.listing.shapes[self.x])

    def cut_out(self, *inputs: str) -> str:
        # onnxruntime aborts the whole process where it slices what has no cells
        assume(self.cells())
        return self.b.node("Slice", self.x, *inputs)

    def numbers(self, *values: int) -> str:
        return self.b.constant(values, np.int64)

    def step(self, step: dict[str, Any]) -> None:
        op = step["op"]
        self.x = self.window(op, step) if op in WINDOWS else getattr(self, op.lower())(step)
        self.cut |= op in ("CenterCropPad", "Gather", "Slice", "Split")

    def window(self, op: str, step: dict[str, Any]) -> str:
        b, x, kernel = self.b, self.x, step["kernel"]
        pads: Any = [0] * 4 if self.cut else step["pads"]
        dilation = step["dilation"]
        attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": step["stride"]}
        convolution = op.endswith("Conv")
        if isinstance(pads, str):
            attributes["auto_pad"] = pads
            if convolution and pads != "VALID":
                dilation = (1, 1)  # onnxruntime pads no dilated convolution
        elif convolution:
            attributes["pads"] = pads
        else:
            # a pool's padding is smaller than its window
            attributes["pads"] = [min(p, k - 1) for p, k in zip(pads, (*kernel, *kernel), strict=True)]
        if op == "MaxpoolWithMask":
            attributes.pop("auto_pad", None)
            ones = numpy_helper.from_array(np.ones(1, np.int32))
            mask = b.node("ConstantOfShape", b.node("Shape", x), value=ones)
            return b.node(op, x, mask, domain="com.microsoft", **attributes)
        attributes["dilations"] = dilation
        if not convolution:
            ceil = step["ceil"] and not self.cut and not isinstance(pads, str)
            if ceil:
                # onnxruntime infers another shape than it computes where a window starts behind the end
                attributes["pads"][2:] = 0, 0
                attributes["strides"] = [min(s, k) for s, k in zip(step["stride"], kernel, strict=True)]
            return b.node(op, x, ceil_mode=int(ceil), **attributes)
        group = 2 if op == "GroupConv" else 1
        if op == "FusedConv":
            attributes |= {"domain": "com.microsoft", "activation": "Relu"}
        else:
            op = "Conv"
        y = b.node(op, x, b.weight((2, 2 // group, *kernel)), group=group, **attributes)
        b.units[y] = 2
        return y

    def pad(self, step: dict[str, Any]) -> str:
        frame = [min(n, 0) for n in step["frame"]] if self.cut else list(step["frame"])
        self.cut |= min(frame) < 0
        # onnxruntime cuts in the constant mode only
        mode = "constant" if min(frame) < 0 else step["mode"]
        return self.b.node("Pad", self.x, self.numbers(*frame), "", self.numbers(-2, -1), mode=mode)

    def slice(self, step: dict[str, Any]) -> str:
        first, far = step["first"], 2**60
        inputs = [self.numbers(*v) for v in (first, (-1, far), (2, -1), step["stride"])]
        return self.cut_out(*inputs)

    def flip(self, step: dict[str, Any]) -> str:
        self.flipped = not self.flipped
        inputs = [self.numbers(*v) for v in ((-1, 2**60), (-(2**60), -(2**60)), (-2, 3), (-1, -1))]
        return self.cut_out(*inputs)

    def split(self, step: dict[str, Any]) -> str:
        # halves of an even number of rows, the second one
        self.x = self.b.node("CenterCropPad", self.x, self.numbers(18), axes=[2])
        names = [f"half{len(self.b.nodes_written)}_{i}" for i in range(2)]
        return self.b.nodes("Split", self.x, names=names, axis=2, num_outputs=2)[1]

    def gather(self, step: dict[str, Any]) -> str:
        return self.b.node("Gather", self.x, self.numbers(*range(1, 8, step["stride"][0])), axis=-1)

    def centercroppad(self, step: dict[str, Any]) -> str:
        return self.b.node("CenterCropPad", self.x, self.numbers(9, 8), axes=[2, 3])

    def channelslast(self, step: dict[str, Any]) -> str:
        y = self.b.relu(self.b.node("Transpose", self.x, perm=(0, 2, 3, 1)))
        return self.b.node("Transpose", y, perm=(0, 3, 1, 2))

    def spacetodepth(self, step: dict[str, Any]) -> str:
        if not self.cut:
            even = [self.numbers(*v) for v in ((0, 0), (32, 24), (2, 3))]
            self.x, self.cut = self.cut_out(*even), True
        y = self.b.node("SpaceToDepth", self.x, blocksize=2)
        self.b.units[y] = 8
        return self.b.conv(y, 2, 1)


def one(op: str) -> dict[str, Any]:
    """A step that a chain of its own leaves out."""
    return {"op": op}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.lists(STEPS, min_size=1, max_size=4))
def test_chains_of_operators_see_what_the_probe_sees(steps: list[dict[str, Any]]) -> None:
    chain = Chain()
    for step in steps:
        crops = step["op"] in ("CenterCropPad", "Split")
        # cropping to a fixed size pads what is smaller
        assume(not (crops and chain.cut))
        chain.step(step)
    if chain.flipped:
        chain.step(one("Flip"))
    model = chain.b.model(chain.b.node("Identity", chain.x), domains=[("com.microsoft", 1)])
    try:
        assert_exact(model, chain.x, some=False)
    except ModelRuntimeError:
        assume(False)  # no cell is left
    except StopIteration:
        assume(False)  # a single cell is no layer


RESAMPLINGS = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["Resize", "Resize", "ConvTranspose", "DepthToSpace"]),
        "kernel": st.integers(1, 5),
        "stride": st.integers(1, 3),
        "dilation": st.integers(1, 3),
        "pads": st.tuples(*[st.integers(0, 2)] * 4),
        "extra": st.integers(0, 2),
        "auto_pad": st.sampled_from([None, None, "SAME_UPPER", "SAME_LOWER", "VALID"]),
        "scale": st.sampled_from([0.3, 0.5, 2 / 3, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0]),
        "given": st.sampled_from(["scales", "sizes", "axes", "not_larger", "not_smaller"]),
        "coordinates": st.sampled_from(
            [
                "half_pixel",
                "asymmetric",
                "align_corners",
                "pytorch_half_pixel",
                "half_pixel_symmetric",
                "tf_crop_and_resize",
            ]
        ),
        "mode": st.sampled_from(["nearest", "linear", "cubic"]),
        "nearest": st.sampled_from(["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]),
        "antialias": st.booleans(),
    }
)


def resampled(b: Builder, x: str, shape: tuple[int, int], how: dict[str, Any]) -> str:
    units = b.units[x]
    if how["op"] == "DepthToSpace":
        mode = "CRD" if how["antialias"] else "DCR"
        y = b.node("DepthToSpace", b.conv(x, 4 * units, 1), blocksize=2, mode=mode)
        b.units[y] = units
        return y
    if how["op"] == "ConvTranspose":
        padding = {"pads": how["pads"]} if how["auto_pad"] is None else {"auto_pad": how["auto_pad"]}
        return b.node(
            "ConvTranspose",
            x,
            b.weight((units, units, how["kernel"], how["kernel"])),
            strides=(how["stride"],) * 2,
            dilations=(how["dilation"],) * 2,
            output_padding=(min(how["extra"], how["stride"] - 1),) * 2,
            **padding,
        )
    scale, given_as = how["scale"], how["given"]
    sizes = [max(1, int(n * scale)) for n in shape]
    attributes: dict[str, Any] = {
        "mode": how["mode"],
        "coordinate_transformation_mode": how["coordinates"],
    }
    if how["mode"] == "nearest":
        attributes["nearest_mode"] = how["nearest"]
    elif how["antialias"] and how["coordinates"] != "tf_crop_and_resize":
        attributes["antialias"] = 1
    region = ""
    if how["coordinates"] == "tf_crop_and_resize":
        given_as = "scales"
        region = b.constant([0, 0, 0.25, 0.125, 1, 1, 0.875, 0.75], np.float32)
    if given_as == "scales":
        inputs = [x, region, b.constant([1, 1, scale, scale], np.float32)]
    elif given_as == "axes":
        inputs = [x, region, b.constant([scale, scale], np.float32)]
        attributes["axes"] = [-1, 2]
    else:
        inputs = [x, region, "", b.constant([sizes[0], sizes[1] + 3], np.int64)]
        attributes["axes"] = [2, 3]
        if given_as != "sizes":
            attributes["keep_aspect_ratio_policy"] = given_as
    return b.node("Resize", *inputs, **attributes)


@settings(max_examples=150, deadline=None)
@given(st.booleans(), RESAMPLINGS, st.booleans())
def test_resampling_lies_within_a_cell_of_the_probe(
    pooled: bool, how: dict[str, Any], convolved: bool
) -> None:
    """Neighbouring results hear different cells, so one centre and one size fit them within a cell."""
    shape = (37, 31)
    b = Builder(("N", 1, *shape), positive=True, opset=OPSET)
    x = b.conv(b.image, 2, 1)
    if pooled:
        x = b.node("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2))
        shape = (shape[0] // 2, shape[1] // 2)
    x = resampled(b, x, shape, how)
    b.units[x] = 2
    if convolved:
        x = b.conv(x, 2, 3)
    model = b.model(b.node("Identity", x))
    try:
        layer = inspect(model, x)
    except ModelRuntimeError:
        assume(False)
    field = layer.receptive_field
    assert field is not None
    cell = 1.01 * (2 if pooled else 1)
    assert field.size is not None
    for axis, moved in enumerate(impulses(x, model)):
        assert moved.shape[1] == layer.grid[axis]
        found = [(low, high, *seen) for _, low, high, seen in reaches(moved, field, axis) if seen]
        for low, high, first, last in found:
            assert first >= low - cell and last <= high + cell
        if len(found) > 6:
            middles = [(first + last - low - high) / 2 for low, high, first, last in found]
            assert abs(np.mean(middles)) < 0.6 * cell
            assert max(last - first + 1 for _, _, first, last in found) >= field.size[axis] - 1.5 * cell


def test_windows_over_integers_in_both_layouts() -> None:
    """onnxruntime's own channels-last operators, between a QuantizeLinear and a DequantizeLinear."""
    b = Builder(("N", 1, 29, 31), positive=True, opset=OPSET)
    scale, zero = b.constant(0.05), b.constant(0, np.uint8)
    same = (scale, zero, scale, zero)
    weight = b.constant(np.full((4, 1, 3, 3), 40), np.int8)
    own: dict[str, Any] = {"domain": "com.microsoft"}
    last: dict[str, Any] = {**own, "channels_last": 1}
    x = b.node("Transpose", b.node("QuantizeLinear", b.image, scale, zero), perm=(0, 2, 3, 1))
    weights = (weight, b.constant(0.02), b.constant(0, np.int8))
    x = b.node(
        "QLinearConv", x, scale, zero, *weights, scale, zero, pads=(1, 1, 1, 1), strides=(2, 2), **last
    )
    x = b.node("NhwcMaxPool", x, kernel_shape=(3, 2), strides=(1, 1), **own)
    x = b.node("QLinearAveragePool", x, *same, kernel_shape=(2, 2), **last)
    y = b.node("QLinearLeakyRelu", x, *same, alpha=0.1, **own)
    y = b.node("QLinearAdd", x, scale, zero, y, *same, **own)
    y = b.node("QLinearConcat", scale, zero, y, scale, zero, x, scale, zero, axis=3, **own)
    y = b.node("Transpose", y, perm=(0, 3, 1, 2))
    y = b.node("DequantizeLinear", y, scale, zero, name="out")
    model = b.model(b.node("Identity", y), domains=[("com.microsoft", 1)])
    field = assert_exact(model, "out")
    assert field == ReceptiveField((3.0, 2.0), (2.0, 2.0), (9.0, 7.0))


def test_unpooling_puts_cells_back() -> None:
    b = Builder(("N", 1, 32, 32), positive=True)
    x = b.conv(b.image, 2, 3)
    pooled, where = b.nodes("MaxPool", x, names=["pooled", "where"], kernel_shape=(2, 2), strides=(2, 2))
    y = b.node("MaxUnpool", pooled, where, kernel_shape=(2, 2), strides=(2, 2), name="unpooled")
    field = inspect(b.model(b.node("Identity", y)), "unpooled").receptive_field
    assert field == ReceptiveField((0.0, 0.0), (1.0, 1.0), (4.0, 4.0))


@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 0, 1, 2)])
def test_a_transposed_convolution_told_its_pads_late(pads: tuple[int, ...]) -> None:
    b = Builder(("N", 1, 20, 20), positive=True)
    x = b.conv(b.image, 2, 3)
    weight = b.weight((2, 2, 4, 4))
    late = b.node("Identity", b.constant(pads, np.int64))
    y = b.node(
        "ConvTransposeWithDynamicPads", x, weight, late, strides=(2, 2), domain="com.microsoft", name="late"
    )
    z = b.node("ConvTranspose", x, weight, strides=(2, 2), pads=pads, name="at_once")
    model = b.model(b.node("Identity", y), b.node("Identity", z), domains=[("com.microsoft", 1)])
    field = inspect(model, "at_once").receptive_field
    assert field is not None
    assert inspect(model, "late").receptive_field == field


def test_operators_that_onnx_gave_up() -> None:
    b = Builder(("N", 1, 30, 30), positive=True, opset=7)
    x = b.node("ImageScaler", b.image, bias=[0.5], scale=2.0)
    b.units[x] = 1
    x = b.node("Crop", b.conv(x, 2, 3), border=[1, 2, 3, 4])
    b.units[x] = 2
    x = b.node("ScaledTanh", b.conv(x, 2, 3, pads=(0, 0, 0, 0)), alpha=1.0, beta=1.0, name="old")
    b.units[x] = 2
    field = assert_exact(b.model(b.node("Identity", x)), "old")
    assert field.offset == (3.0, 2.0)


def test_what_is_seen_depends_on_the_image() -> None:
    b = Builder((1, 1, 16, 16), positive=True, opset=OPSET)
    x = b.conv(b.image, 2, 3)
    grid = b.constant(np.zeros((1, 8, 8, 2)))
    y = b.node("GridSample", x, grid, name="sampled")
    b.units[y] = 2
    z = b.conv(y, 2, 3, name="after")
    model = b.model(b.node("Identity", z))
    for name in ("sampled", "after"):
        assert "order of the picture since operator GridSample ('sampled')" in refusal(model, name)


def test_every_operator_over_a_window_is_tried_here() -> None:
    """An entry of the table whose cells see a window is named in a test above, which calls it."""
    here = Path(__file__).read_text(encoding="utf-8")
    # The first two run on GPUs alone, or in half precision on ARM. Where the third looks, the image decides.
    # The last takes integers, see ../stages/test_stages.py; those of a single cell are in test_geometry.py.
    exempt = {"NhwcConv", "NhwcFusedConv", "DeformConv", "ConvInteger"}
    spatial = [entry for entry in BUILT_IN.entries if entry.axes is Axes.SPATIAL]
    tried = [entry.name for entry in spatial if entry.places is not Places.WHOLE and entry.name not in exempt]
    assert [name for name in tried if f'"{name}"' not in here] == [], "test their receptive fields here"
    assert len(tried) > 10
