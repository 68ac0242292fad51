"""Small networks and data sets with whole-number weights and pixels, and whole runs on them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from hypothesis import strategies as st
from naive import method as naive
from onnx import TensorProto, helper, numpy_helper

import onnxdissect

SIZE = 12


@dataclass
class Convolution:
    units: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pads: tuple[int, int, int, int]


def network(path: Path, convolutions: list[Convolution], pool: bool, seed: int) -> None:
    """A chain of Conv and Relu, with a max-pool after the first if asked; all weights in -1..1."""
    random = np.random.default_rng(seed)
    nodes, weights, value, channels = [], [], "image", 3
    for i, conv in enumerate(convolutions):
        shape = (conv.units, channels, *conv.kernel)
        weights.append(numpy_helper.from_array(random.integers(-1, 2, shape).astype(np.float32), f"w{i}"))
        nodes.append(
            helper.make_node(
                "Conv", [value, f"w{i}"], [f"conv{i}"], strides=list(conv.stride), pads=list(conv.pads)
            )
        )
        nodes.append(helper.make_node("Relu", [f"conv{i}"], [f"relu{i}"]))
        value, channels = f"relu{i}", conv.units
        if pool and i == 0:
            nodes.append(
                helper.make_node(
                    "MaxPool", [value], ["pool"], kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 1, 1]
                )
            )
            value = "pool"
    nodes.append(helper.make_node("GlobalAveragePool", [value], ["out"]))
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def geometry(convolutions: list[Convolution], pool: bool) -> naive.Field:
    """Offset and stride of the last layer's receptive fields, composed by hand."""
    offset, stride = [0.0, 0.0], [1.0, 1.0]
    for i, conv in enumerate(convolutions):
        for axis in (0, 1):
            offset[axis] += ((conv.kernel[axis] - 1) / 2 - conv.pads[axis]) * stride[axis]
            stride[axis] *= conv.stride[axis]
            if pool and i == 0 and len(convolutions) > 1:  # the pool comes after the layer otherwise
                offset[axis] += 0.5 * stride[axis]
    return (offset[0], offset[1]), (stride[0], stride[1])


def broden(folder: Path, images: int, seed: int) -> None:
    """Random labels over three categories: maps, two maps in a cell, image labels, a gap, a shared label."""
    random = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    rows = []
    for i in range(images):
        sh, sw = (6, 6) if i % 3 else (5, 7)
        cv2.imwrite(
            str(folder / "images" / f"{i}.png"), random.integers(0, 4, (SIZE, SIZE, 3)).astype(np.uint8)
        )
        cells = {}
        for category, numbers in {"color": [0, 1, 2], "object": [0, 3, 4, 7], "part": [0, 4, 300]}.items():
            names = []
            for j in range(random.integers(0, 3)):
                if random.random() < 0.2:
                    names.append(str(random.choice(numbers[1:])))
                    continue
                label = random.choice(numbers, (sh, sw))
                png = np.stack([np.zeros_like(label), label // 256, label % 256], axis=-1).astype(np.uint8)
                cv2.imwrite(str(folder / "images" / f"{i}_{category}_{j}.png"), png)
                names.append(f"{i}_{category}_{j}.png")
            cells[category] = ";".join(names)
        rows.append([f"{i}.png", "train", SIZE, SIZE, sh, sw, *cells.values()])
    header = ["code", "number", "name", "frequency", "coverage"]
    tables: dict[str, list[list[Any]]] = {
        "index": [["image", "split", "ih", "iw", "sh", "sw", "color", "object", "part"], *rows],
        "category": [
            ["name", "first", "last", "count", "frequency"],
            ["color", 1, 2, 2, 9],
            ["object", 3, 7, 3, 9],
            ["part", 4, 300, 2, 9],
        ],
        "label": [
            ["number", "name", "category", "frequency", "coverage", "syns"],
            [1, "red-c", "color(9)", 9, 3.0, ""],
            [2, "blue-c", "color(9)", 9, 3.0, ""],
            [3, "cat", "object(9)", 9, 3.0, ""],
            [4, "wheel", "object(4);part(5)", 9, 3.0, ""],
            [7, "", "object(9)", 9, 3.0, ""],
            [300, "leg", "part(9)", 9, 3.0, ""],
        ],
        "c_color": [
            header,
            [1, 1, "red-c", 9, 3.0],
            [2, 2, "blue-c", 9, 3.0],
        ],
        "c_object": [
            header,
            [1, 3, "cat", 9, 3.0],
            [2, 4, "wheel", 4, 1.0],
            [3, 7, "", 9, 3.0],
        ],
        "c_part": [
            header,
            [1, 4, "wheel", 5, 2.0],
            [2, 300, "leg", 9, 3.0],
        ],
    }
    for name, lines in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(lines)


@st.composite
def convolutions(draw: st.DrawFn) -> list[Convolution]:
    kernels = st.integers(1, 3)
    chain = []
    for _ in range(draw(st.integers(1, 2))):
        kernel = (draw(kernels), draw(kernels))
        chain.append(
            Convolution(
                units=draw(st.integers(1, 4)),
                kernel=kernel,
                stride=(draw(st.integers(1, 2)), draw(st.integers(1, 2))),
                pads=tuple(draw(st.integers(0, kernel[i % 2] - 1)) for i in range(4)),  # type: ignore[arg-type]
            )
        )
    return chain


def dissect(world: Path, **given: Any) -> onnxdissect.Dissection:
    options: dict[str, Any] = {"preset": "raw", "quantiles": [0.1], "out": world / "run"} | given
    return onnxdissect.dissect(world / "net.onnx", world / "data", **options)


def contents(run: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }
