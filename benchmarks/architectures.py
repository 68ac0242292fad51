"""Small networks of the families that maps come from, with drawn weights, as ONNX graphs.

Each is the family's wiring with few units: how branches go down, up and across, where windows are cut and
put back. Weights have a gain of about one, so that no branch is loud because it is deep.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

UNITS = 6


class Wiring:
    """A graph as it grows; values are handed around by name, and known by units and grid.

    `positive` weights cannot cancel. `same` pads as TensorFlow does, more below and to the right.
    """

    def __init__(self, size: tuple[int, int], seed: int, *, positive: bool, same: bool) -> None:
        self.size, self.positive, self.same = size, positive, same
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.units = {"image": 3}
        self.grids = {"image": size}

    def add(
        self, op: str, *inputs: str, units: int = 0, grid: tuple[int, int] | None = None, **given: object
    ) -> str:
        name = f"{op}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **given))
        self.units[name] = units or self.units.get(inputs[0], 0)
        self.grids[name] = grid or self.grids.get(inputs[0], (1, 1))
        return name

    def constant(self, values: NDArray[np.generic] | Sequence[float]) -> str:
        name = f"constant{len(self.weights)}"
        array = np.asarray(values)
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, shape: tuple[int, ...], heard: int) -> str:
        drawn = self.random.uniform(0.5, 1.5, shape) / heard
        if self.positive and len(shape) == 4:
            # kernels that weigh both sides alike move nothing
            drawn = (drawn + np.flip(drawn, 2) + np.flip(drawn, 3) + np.flip(drawn, (2, 3))) / 4
        if not self.positive:
            drawn = self.random.normal(0, math.sqrt(2 / heard), shape)
        return self.constant(drawn.astype(np.float32))

    def conv(
        self, x: str, units: int = UNITS, side: int = 3, stride: int = 1, dilation: int = 1, group: int = 1
    ) -> str:
        heard = self.units[x] // group
        given: dict[str, object] = {"strides": [stride] * 2, "dilations": [dilation] * 2, "group": group}
        weight = self.weight((units, heard, side, side), heard * side * side)
        grid = tuple(-(-cells // stride) for cells in self.grids[x])
        if self.same and dilation == 1:
            given["auto_pad"] = "SAME_UPPER"
        elif self.same:
            # onnxruntime takes no dilation with it; converters write out the numbers
            reach = (side - 1) * dilation + 1
            missing = [(n - 1) * stride + reach - m for n, m in zip(grid, self.grids[x], strict=True)]
            given["pads"] = [*(n // 2 for n in missing), *(n - n // 2 for n in missing)]
        else:
            given["pads"] = [(side - 1) * dilation // 2] * 4
        return self.add("Relu", self.add("Conv", x, weight, units=units, grid=grid, **given))

    def pool(self, x: str) -> str:
        h, w = self.grids[x]
        # which cell is the largest is chance, and moves centres; their mean is in the middle
        op = "AveragePool" if self.positive else "MaxPool"
        return self.add(op, x, kernel_shape=[2, 2], strides=[2, 2], grid=(h // 2, w // 2))

    def up(self, x: str, times: int = 2, how: str = "nearest") -> str:
        h, w = self.grids[x]
        grid = h * times, w * times
        if how == "transposed":
            units = self.units[x]
            weight = self.weight((units, units, times, times), units)
            return self.add("ConvTranspose", x, weight, strides=[times] * 2, grid=grid)
        coordinates = {"nearest": "asymmetric", "linear": "half_pixel", "corners": "align_corners"}[how]
        given = {"coordinate_transformation_mode": coordinates, "nearest_mode": "floor"}
        mode = "nearest" if how == "nearest" else "linear"
        scales = self.constant(np.array([1, 1, times, times], np.float32))
        return self.add("Resize", x, "", scales, mode=mode, grid=grid, **given)

    def concat(self, *parts: str) -> str:
        return self.add("Concat", *parts, axis=1, units=sum(self.units[part] for part in parts))

    def sum(self, *parts: str) -> str:
        x = parts[0]
        for part in parts[1:]:
            x = self.add("Add", x, part)
        return x

    def reshape(self, x: str, *shape: int) -> str:
        return self.add("Reshape", x, self.constant(np.array(shape, np.int64)))

    def turn(self, x: str, *order: int) -> str:
        return self.add("Transpose", x, perm=order)

    def dense(self, x: str, units: int) -> str:
        return self.add("MatMul", x, self.weight((self.units[x], units), self.units[x]), units=units)

    def down(self, levels: int, stem: int = 1) -> list[str]:
        found = [self.conv("image", stride=stem)]
        for _ in range(levels):
            found.append(self.conv(self.conv(found[-1], stride=2)))
        return found

    def save(self, output: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "family",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, *self.size])],
            [onnx.ValueInfoProto(name=output)],
            self.weights,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def u_net(how: str) -> Callable[[Wiring], str]:
    def build(g: Wiring) -> str:
        *skips, x = g.down(3)
        for skip in reversed(skips):
            x = g.conv(g.concat(g.up(x, how=how), skip))
        return x

    return build


def u_net_plus_plus(g: Wiring) -> str:
    column = g.down(3)
    rows = [[x] for x in column]
    for step in range(1, len(column)):
        for level in range(len(column) - step):
            below = g.up(rows[level + 1][step - 1])
            rows[level].append(g.conv(g.concat(*rows[level], below)))
    return rows[0][-1]


def fpn(g: Wiring) -> str:
    *skips, x = g.down(3)
    for skip in reversed(skips[1:]):
        x = g.sum(g.conv(skip, side=1), g.up(x))
    return g.conv(x)


def pan(g: Wiring) -> str:
    _, fine, middle, coarse = g.down(3)
    middle = g.conv(g.concat(middle, g.up(coarse)))
    fine = g.conv(g.concat(fine, g.up(middle)))
    for level in (middle, coarse):
        fine = g.conv(g.concat(g.conv(fine, stride=2), level))
    return fine


def nested_u_net(g: Wiring) -> str:
    """U2-Net: every stage is a small U-Net with a residual, the deepest one dilated in its place."""

    def stage(x: str, levels: int) -> str:
        start = g.conv(x)
        way = [g.conv(start)]
        for _ in range(levels):
            way.append(g.conv(g.pool(way[-1])))
        y = g.conv(way[-1], dilation=2)
        y = g.conv(g.concat(y, way.pop()))
        while way:
            y = g.conv(g.concat(g.up(y, how="linear"), way.pop()))
        return g.sum(y, start)

    first = stage("image", 3)
    second = stage(g.pool(first), 2)
    third = g.conv(g.pool(second))
    dilated = [g.conv(third)]
    for dilation in (2, 4):
        dilated.append(g.conv(dilated[-1], dilation=dilation))
    third = g.sum(g.conv(g.concat(*dilated)), third)
    back = stage(g.concat(g.up(third, how="linear"), second), 2)
    front = stage(g.concat(g.up(back, how="linear"), first), 3)
    sides = [
        g.conv(front, 1),
        g.up(g.conv(back, 1), 2, "linear"),
        g.up(g.conv(third, 1), 4, "linear"),
    ]
    return g.conv(g.concat(*sides), 1, 1)


def deeplab(how: str) -> Callable[[Wiring], str]:
    """Atrous rates side by side with the mean of the image, and a decoder with one skip."""

    def build(g: Wiring) -> str:
        _, skip, x = g.down(2)
        x = g.conv(x, dilation=2)
        pooled = g.conv(g.add("GlobalAveragePool", x, grid=(1, 1)), side=1)
        size = g.constant(np.array([1, 1, *g.grids[x]], np.float32))
        mean = g.add("Resize", pooled, "", size, mode="linear", grid=g.grids[x])
        rates = [g.conv(x, side=1), *(g.conv(x, dilation=rate) for rate in (1, 2, 3))]
        x = g.conv(g.concat(*rates, mean), side=1)
        x = g.conv(g.concat(g.up(x, 2, how), g.conv(skip, 3, 1)))
        return g.up(g.conv(x, 3, 1), 2, how)

    return build


def hrnet(g: Wiring) -> str:
    """Three resolutions at once, each the sum of all after every module."""
    streams = [g.conv(g.conv("image", stride=2))]
    for _ in range(2):
        streams.append(g.conv(streams[-1], stride=2))
        streams = [g.conv(x) for x in streams]
        fused = []
        for level in range(len(streams)):
            parts = []
            for other, x in enumerate(streams):
                y = g.conv(x, side=1) if other > level else x
                for _ in range(level - other):
                    y = g.conv(y, stride=2)
                parts.append(g.up(y, 2 ** (other - level)) if other > level else y)
            fused.append(g.sum(*parts))
        streams = fused
    return g.concat(streams[0], g.up(streams[1], 2, "linear"), g.up(streams[2], 4, "linear"))


def hourglass(g: Wiring) -> str:
    """Two of them behind each other, two levels deep, with a residual on every level."""

    def glass(x: str, levels: int) -> str:
        if not levels:
            return g.conv(x)
        return g.sum(g.conv(x), g.up(g.conv(glass(g.conv(g.pool(x)), levels - 1))))

    x = g.conv("image", stride=2)
    for _ in range(2):
        x = g.sum(x, g.conv(glass(x, 2)))
    return x


def attend(g: Wiring, x: str) -> str:
    """One head over (groups, tokens, units), with its residual."""
    normed = normalise(g, x)
    units = g.units[x]
    key = g.turn(g.dense(normed, units), 0, 2, 1)
    scores = g.add("Softmax", g.add("MatMul", g.dense(normed, units), key), axis=-1)
    heard = g.add("MatMul", scores, g.dense(normed, units), units=units)
    return g.sum(x, g.dense(heard, units))


def normalise(g: Wiring, x: str) -> str:
    gain = g.constant(np.ones(g.units[x], np.float32))
    return g.add("LayerNormalization", x, gain, axis=-1)


def perceptron(g: Wiring, x: str) -> str:
    units = g.units[x]
    return g.sum(x, g.dense(g.add("Relu", g.dense(normalise(g, x), 2 * units)), units))


def windows(g: Wiring, x: str, side: int, *, spread: bool = False) -> str:
    """Attention within blocks of a map (N, H, W, C), or within cells that are spread evenly over it."""
    (h, w), units = g.grids[x], g.units[x]
    if spread:
        cut, order, back = (side, h // side, side, w // side), (0, 2, 4, 1, 3, 5), (0, 3, 1, 4, 2, 5)
    else:
        cut, order = (h // side, side, w // side, side), (0, 1, 3, 2, 4, 5)
        back = order
    y = g.turn(g.reshape(x, -1, *cut, units), *order)
    y = attend(g, g.reshape(y, -1, side * side, units))
    y = g.turn(g.reshape(y, -1, h // side, w // side, side, side, units), *back)
    return g.reshape(y, -1, h, w, units)


def roll(g: Wiring, x: str, by: int) -> str:
    for axis in (1, 2):
        ends = [(by, 2**31 - 1), (0, by)]
        parts = [g.add("Slice", x, *(g.constant(np.array([n])) for n in (*pair, axis))) for pair in ends]
        grid = g.grids[x]
        x = g.add("Concat", *parts, axis=axis)
        g.grids[x] = grid
    return x


def swin(g: Wiring) -> str:
    """Shifted windows of four cells, and a merging of patches between two stages."""
    x = g.turn(g.conv("image", 8, 4, 4), 0, 2, 3, 1)
    for stage in range(2):
        x = perceptron(g, windows(g, x, 4))
        x = perceptron(g, roll(g, windows(g, roll(g, x, 2), 4), -2))
        if not stage:
            (h, w), units = g.grids[x], g.units[x]
            x = g.turn(g.reshape(x, -1, h // 2, 2, w // 2, 2, units), 0, 1, 3, 4, 2, 5)
            x = g.reshape(x, -1, h // 2, w // 2, 4 * units)
            g.units[x], g.grids[x] = 4 * units, (h // 2, w // 2)
            x = g.dense(normalise(g, x), 12)
    return x


def maxvit(g: Wiring) -> str:
    """Gated convolutions, then attention within blocks, then over a coarse grid."""
    x = g.conv("image", 8, 3, 2)
    for _ in range(2):
        y = g.conv(g.conv(x, 16, 1), 16, 3, 2, group=16)
        gate = g.conv(g.add("GlobalAveragePool", y, grid=(1, 1)), 16, 1)
        x = g.conv(g.add("Mul", y, g.add("Sigmoid", gate)), 8, 1)
        y = perceptron(g, windows(g, g.turn(x, 0, 2, 3, 1), 4))
        x = g.turn(perceptron(g, windows(g, y, 4, spread=True)), 0, 3, 1, 2)
    return x


def mobilevit(g: Wiring) -> str:
    """Attention among the first cells of all patches of 2x2, among the second ones, and so on."""
    x = g.conv(g.conv("image", 8, 3, 2), 8, 3, 2)
    for _ in range(2):
        (h, w), units = g.grids[x], g.units[x]
        y = g.turn(g.reshape(g.conv(g.conv(x, units), units, 1), -1, 2, w // 2, 2), 0, 2, 1, 3)
        y = g.turn(g.reshape(y, -1, units, h * w // 4, 4), 0, 3, 2, 1)
        y = perceptron(g, attend(g, g.reshape(y, -1, h * w // 4, units)))
        y = g.turn(g.reshape(y, -1, 4, h * w // 4, units), 0, 3, 2, 1)
        y = g.turn(g.reshape(y, -1, w // 2, 2, 2), 0, 2, 1, 3)
        y = g.conv(g.reshape(y, -1, units, h, w), units, 1)
        x = g.conv(g.conv(g.concat(x, y), units), units, stride=2)
    return x


def vit(g: Wiring) -> str:
    """Patches of eight pixels in a row behind a class token."""
    x = g.conv("image", 8, 8, 8)
    (h, w), units = g.grids[x], g.units[x]
    x = g.turn(g.reshape(x, 0, units, h * w), 0, 2, 1)
    zeros = g.add("ReduceSum", x, g.constant(np.array([1])), keepdims=1)
    zeros = g.add("Mul", zeros, g.constant(np.zeros((1, 1, units), np.float32)))
    x = g.add("Concat", g.sum(zeros, g.constant(np.ones((1, 1, units), np.float32))), x, axis=1)
    x = g.sum(x, g.constant(g.random.normal(0, 0.1, (1, h * w + 1, units)).astype(np.float32)))
    return perceptron(g, attend(g, perceptron(g, attend(g, x))))


FAMILIES: dict[str, Callable[[Wiring], str]] = {
    **{f"U-Net, {how}": u_net(how) for how in ("nearest", "linear", "transposed")},
    "U-Net++": u_net_plus_plus,
    "FPN": fpn,
    "PAN": pan,
    "U2-Net": nested_u_net,
    **{f"DeepLab, {how}": deeplab(how) for how in ("linear", "corners")},
    "HRNet": hrnet,
    "hourglass": hourglass,
    "Swin": swin,
    "MaxViT": maxvit,
    "MobileViT": mobilevit,
    "ViT": vit,
}


SQUARE = ("MaxViT",)
"""Which side of a grid of unequal sides is its height is lost in the row that attention over it needs."""


def draw(
    family: str,
    seed: int,
    *,
    positive: bool = False,
    same: bool = False,
    size: tuple[int, int] | None = None,
) -> onnx.ModelProto:
    """Build a family with weights drawn from a seed."""
    size = size or ((64, 64) if family in SQUARE else (64, 96))
    g = Wiring(size, seed, positive=positive, same=same)
    return g.save(FAMILIES[family](g))
