"""Removing each unit of a layer by itself, against running the head once and the tail once for each unit.

    python benchmarks/ablation.py [--images N] [--units N] [--classes N] [--grid N] [--tail pooled|deep]
        [--provider cpu|cuda]

The network is drawn at random: a head of strided convolutions, the layer with so many units on so many
rows and columns, and a tail, which is a mean and a linear classifier (`pooled`) or has a convolution before
(`deep`). What it is measured against computes nothing but the network: the head on every image, and the tail
on the same activations as often as there are units, in the same batches, its results dropped. Both take turns
chunk by chunk, so that other work on the machine slows both. Once no unit is zero anywhere, so that nothing
is skipped; once each unit is so in two thirds of the images.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from onnxdissect.experiments.ablation.predicting.activations import chunk_size
from onnxdissect.experiments.ablation.predicting.removal import predict_without
from onnxdissect.experiments.ablation.variants import single_units
from onnxdissect.model import load_network
from onnxdissect.model.runtime.parts.network_parts import NetworkParts
from onnxdissect.model.runtime.parts.opening import open_parts

SILENT = 2 / 3  # of the images, for each unit

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--images", type=int, default=1000)
parser.add_argument("--units", type=int, default=512)
parser.add_argument("--classes", type=int, default=365)
parser.add_argument("--grid", type=int, default=7, help="rows and columns of the layer")
parser.add_argument("--tail", choices=("pooled", "deep"), default="pooled")
parser.add_argument("--provider", default="cpu", help="where both run")


def draw(path: Path, units: int, classes: int, grid: int, tail: str) -> None:
    """A network of the wanted sizes; its weights are noise."""
    rng = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []

    def product(op: str, value: str, shape: tuple[int, ...], name: str, **attributes: Any) -> str:
        drawn = rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)
        weights.append(numpy_helper.from_array(drawn, f"{name}/weight"))
        nodes.append(helper.make_node(op, [value, f"{name}/weight"], [name], **attributes))
        return name

    def conv(value: str, before: int, behind: int, name: str, stride: int) -> str:
        shape = (behind, before, 3, 3)
        made = product("Conv", value, shape, f"{name}/conv", strides=[stride] * 2, pads=[1] * 4)
        nodes.append(helper.make_node("Relu", [made], [name]))
        return name

    value, channels = "image", 3
    for i, width in enumerate((32, 64, 128, units)):
        value = conv(value, channels, width, "layer" if width == units and i == 3 else f"stage{i}", 2)
        channels = width
    if tail == "deep":
        value = conv(value, units, 64, "behind", 1)
        channels = 64
    nodes.append(helper.make_node("GlobalAveragePool", [value], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"]))
    scores = product("Gemm", "flat", (channels, classes), "scores")
    graph = helper.make_graph(
        nodes,
        "drawn",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 16 * grid, 16 * grid])],
        [helper.make_tensor_value_info(scores, TensorProto.FLOAT, ["N", classes])],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


class Clock:
    """Sums seconds, and processor seconds of all threads, of what is run in between."""

    def __init__(self) -> None:
        self.wall = self.processor = 0.0

    def run(self, work: Callable[[], Any]) -> Any:
        wall, processor = time.perf_counter(), time.process_time()
        found = work()
        self.wall += time.perf_counter() - wall
        self.processor += time.process_time() - processor
        return found


def activations_of(parts: NetworkParts, images: NDArray[Any], silent: float, seed: int) -> NDArray[Any]:
    """What the head gives, with each unit zero everywhere in some images, and in all others nowhere."""
    found = parts.activations(images) + np.float32(0.01)
    view = parts.units_first(found)
    view[np.random.default_rng(seed).random(view.shape[:2]) < silent] = 0
    return found


def chunks(images: int, size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, images, size):
        yield start, min(size, images - start)


def measure(parts: NetworkParts, shape: tuple[int, ...], images: int, classes: int, silent: float) -> None:
    units = parts.layer.units
    size = chunk_size(parts)
    singles = single_units(units).removed[1:]
    ours, bare = Clock(), Clock()
    rng = np.random.default_rng(1)
    tails = 0
    for start, count in chunks(images, size):
        batch = rng.random((count, *shape[1:]), np.float32)
        truth = rng.integers(0, classes, count)
        given = activations_of(parts, batch, silent, start)

        def remove(batch: Any = batch, given: Any = given, truth: Any = truth) -> int:
            parts.activations(batch)
            return predict_without(parts, given, truth, singles).tails

        def run_tails(batch: Any = batch, given: Any = given) -> None:
            parts.activations(batch)
            for _ in range(units):
                parts.run_tail(given)

        work = [(ours, remove), (bare, run_tails)]
        for clock, one in work if (start // size) % 2 else reversed(work):
            found = clock.run(one)
            tails += found or 0
    told = f"units silent in {silent:.0%} of images" if silent else "no unit silent"
    print(
        f"{told:<32} {ours.wall:7.1f} s of {bare.wall:7.1f} s: {ours.wall / bare.wall:.2f}   "
        f"processor {ours.processor:7.1f} s of {bare.processor:7.1f} s: "
        f"{ours.processor / bare.processor:.2f}   tails {tails:,} of {units * images:,}"
    )


def main() -> None:
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "drawn.onnx")
        draw(path, given.units, given.classes, given.grid, given.tail)
        network = load_network(path)
        (layer,) = network.select(["layer"])
        parts = open_parts(network, layer, provider=given.provider)
        shape = network.input.shape(1, network.size)
        parts.run_tail(parts.activations(np.zeros(shape, np.float32)))
        cells = f"{layer.grid[0]} x {layer.grid[1]}"
        print(f"{given.images} images, {layer.units} units of {cells}, {given.tail} tail")
        for silent in (0.0, SILENT):
            measure(parts, shape, given.images, given.classes, silent)


if __name__ == "__main__":
    main()
