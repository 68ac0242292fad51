"""Whole runs on real files against the twin that runs onnxruntime and then nothing but NumPy loops.

Weights and pixels are small integers, so float32 arithmetic is exact in whatever order an implementation
adds: every count must agree to the last pixel.
"""

from __future__ import annotations

import csv
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import naive
import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import onnxdissect
from onnxdissect.errors import NonFiniteError, RunIncompleteError, RunMismatchError

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


@given(
    convolutions(),
    st.booleans(),
    st.integers(0, 2**32),
    st.sampled_from(["receptive-field", "resize"]),
    st.sampled_from([(0.05,), (0.3, 0.02)]),
    st.integers(1, 5),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_run_equals_the_formulas(
    chain: list[Convolution],
    pool: bool,
    seed: int,
    upsample: str,
    quantiles: tuple[float, ...],
    batch_size: int,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        network(folder / "net.onnx", chain, pool, seed)
        broden(folder / "data", 5, seed)
        layer = f"relu{len(chain) - 1}"
        result = onnxdissect.dissect(
            folder / "net.onnx",
            folder / "data",
            [layer],
            preset="raw",
            upsample=upsample,
            quantiles=quantiles,
            batch_size=batch_size,
            top=3,
            out=folder / "run",
        )
        data = naive.read_broden(folder / "data")
        expected = naive.dissect(
            naive.activations_of(folder / "net.onnx", layer, data.pictures),
            data.images,
            [(number, category) for number, _, category in data.concepts],
            len(data.categories),
            list(quantiles),
            (SIZE, SIZE),
            geometry(chain, pool) if upsample == "receptive-field" else None,
            3,
        )
        counts = result.counts(layer)
    for field in ("thresholds", "intersection", "activation", "activation_overlap", "activation_total"):
        np.testing.assert_array_equal(getattr(counts, field), getattr(expected, field), err_msg=field)
    np.testing.assert_array_equal(counts.truth, expected.truth)
    np.testing.assert_array_equal(counts.top_images, expected.top_images)
    np.testing.assert_array_equal(counts.top_values, expected.top_values)
    assert [c.images for c in result.concepts] == expected.concept_images.tolist()
    for unit in result.units():
        assert_labelled_as_the_formula_says(unit, data, expected)


def assert_labelled_as_the_formula_says(
    unit: onnxdissect.results.Unit, data: naive.NaiveData, counts: naive.NaiveCounts
) -> None:
    q = next(i for i, t in enumerate(counts.thresholds[:, unit.unit]) if t == np.float32(unit.threshold))
    best, label = 0.0, ""
    for c, (_, name, category) in enumerate(data.concepts):
        both = int(counts.intersection[q, unit.unit, c])
        union = int(counts.activation[q, unit.unit, category]) + int(counts.truth[c]) - both
        if union and both / union > best:
            best, label = both / union, name
    assert (unit.label, unit.iou) == (label, best)
    assert unit.detector == (best > 0.04)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 7, seed=2)
    return tmp_path


def dissect(world: Path, **given: Any) -> onnxdissect.Dissection:
    options: dict[str, Any] = {"preset": "raw", "quantiles": [0.1], "out": world / "run"} | given
    return onnxdissect.dissect(world / "net.onnx", world / "data", **options)


def contents(run: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }


def test_two_runs_leave_the_same_bytes(world: Path) -> None:
    dissect(world, workers=1)
    dissect(world, workers=3, out=world / "again")
    assert contents(world / "run") == contents(world / "again")
    assert not (world / "run" / "work").exists()


def test_the_same_command_again_returns_the_finished_run(world: Path) -> None:
    first = dissect(world)
    before = (world / "run" / "manifest.json").read_bytes()
    said: list[str] = []
    again = dissect(world, notify=said.append)
    assert again.summary() == first.summary()
    assert (world / "run" / "manifest.json").read_bytes() == before
    assert any("already holds this run" in line for line in said)


def test_another_run_in_the_directory_is_refused_unless_fresh(world: Path) -> None:
    dissect(world)
    with pytest.raises(RunMismatchError, match=r"parameters\.quantiles"):
        dissect(world, quantiles=[0.2])
    assert dissect(world, quantiles=[0.2], fresh=True).quantiles == (0.2,)


def test_a_failed_run_is_no_result_and_can_be_repeated(world: Path) -> None:
    label = world / "data" / "images" / "6.png"
    whole = label.read_bytes()
    label.write_bytes(whole[:-20])
    with pytest.raises(onnxdissect.OnnxDissectError, match=r"6\.png"):
        dissect(world)
    with pytest.raises(RunIncompleteError):
        onnxdissect.load(world / "run")
    label.write_bytes(whole)
    assert dissect(world).manifest["status"] == "complete"


def test_weights_that_are_not_finite_end_the_run(world: Path) -> None:
    model = onnx.load(world / "net.onnx")
    weights: NDArray[np.float32] = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weights[2] = np.nan
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "w0"))
    onnx.save(model, world / "net.onnx")
    with pytest.raises(NonFiniteError, match=r"'relu0', unit 2, image 0\.png"):
        dissect(world)


def test_the_manifest_says_what_was_done(world: Path) -> None:
    dissect(world, upsample="resize", layers="relu0")
    manifest = json.loads((world / "run" / "manifest.json").read_text())
    assert manifest["status"] == "complete"
    assert manifest["parameters"]["upsample"] == "resize"
    assert manifest["layers"][0]["upsample"] == "resize"
    assert manifest["layers"][0]["geometry"] == {"offset": [0, 0], "stride": [2, 2], "size": [3, 3]}
    assert manifest["preprocessing"]["source"] == "asked for"
    assert manifest["data"]["images"] == 7
    assert {"start", "pass", "tally"} <= manifest["timing"].keys()


def test_the_stated_memory_does_not_grow_with_the_images(world: Path) -> None:
    few = dissect(world, limit=2, top=2, out=world / "few").manifest["memory"]
    assert few == dissect(world, limit=7, top=2).manifest["memory"]
    # At least the thresholds' bins of four units, and both within the budget of 1 GiB above the bare loop.
    assert 4 * 2**14 * 4 < few["pass"] < 2**30
    assert 0 < few["tally"] < 2**30


def test_limit_and_split_choose_the_images(world: Path) -> None:
    assert len(dissect(world, limit=3).images) == 3
    assert len(dissect(world, split="train", out=world / "train").images) == 7
