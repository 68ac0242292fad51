"""ONNX's own test models: each loads and lists its layers, or says why not; none ends in a traceback."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx.backend import test as backend
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests
from support.models import save
from support.probing import impulses, inspect, reaches

from onnxdissect.errors import ImageInputError, ModelRuntimeError, OnnxDissectError
from onnxdissect.model import load_network, open_session
from onnxdissect.model.runtime.inference import random_images

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")
LIGHT = sorted((Path(backend.__file__).parent / "data" / "light").glob("*.onnx"))

# these weigh every cell by all others, which places nothing
STATISTICS = {"GroupNormalization", "InstanceNormalization", "LayerNormalization"}


@cache
def cases(kind: str) -> tuple[TestCase, ...]:
    # the tests' own arithmetic divides by zero and overflows on purpose
    with warnings.catch_warnings(action="ignore"):
        return tuple(load_model_tests(kind=kind))


def path_of(case: TestCase, folder: Path) -> Path:
    if case.model is None:
        assert case.model_dir is not None
        return Path(case.model_dir) / "model.onnx"
    return save(case.model, folder / "model.onnx")


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_loads_or_says_why_not(tmp_path: Path, kind: str) -> None:
    said: Counter[str] = Counter()
    for case in cases(kind):
        try:
            network = load_network(path_of(case, tmp_path))
        except OnnxDissectError as error:
            assert error.message and "Traceback" not in error.message
            said[type(error).__name__] += 1
        else:
            listing = network.listing
            values = {v.name for node in network.model.graph for v in node.outputs if v.name}
            assert values <= {*listing.order, *listing.refusals}, f"{case.name}: a value is passed over"
            said["loaded"] += 1
    assert said.keys() <= {"loaded", "ImageInputError", "ModelRuntimeError"}
    assert said["loaded"] >= {"node": 50, "simple": 0, "pytorch-converted": 15, "pytorch-operator": 2}[kind]


@pytest.mark.parametrize("path", LIGHT, ids=lambda p: p.stem)
def test_published_networks_list_their_layers(path: Path) -> None:
    """The graphs of the model zoo, with weights that the graph fills in itself."""
    network = load_network(path)
    assert len(network.layers) > 10
    maps = [layer for layer in network.layers if layer.layout != "NC"]
    assert all(layer.receptive_field is not None and layer.macs for layer in maps)
    stages = network.select(["stages"])
    grids = [layer.grid for layer in stages]
    assert len(stages) >= 3 and grids == sorted(set(grids), reverse=True)
    if path.stem not in ("light_vgg19", "light_densenet121"):  # seconds each
        batch = random_images(network.input.shape(1, network.size), network.input.dtype)
        found = open_session(network, stages, provider="cpu")(batch)
        assert [a.shape[2:] for a in found] == grids


def bound(case: TestCase) -> onnx.ModelProto | None:
    """A node test as a network: its first input is computed from an image, the others are stored."""
    if case.model is None or not case.data_sets or not case.model.graph.input:
        return None
    values = case.data_sets[0][0]
    first = values[0]
    if not isinstance(first, np.ndarray) or first.ndim != 4 or first.dtype != np.float32:
        return None
    if min(first.shape[2:]) < 2 or len(case.model.graph.input) != len(values):
        return None
    if not all(isinstance(value, np.ndarray) for value in values):
        return None
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    graph = model.graph
    names = [value.name for value in graph.input]
    stored: list[tuple[str, Any]] = [*zip(names[1:], values[1:], strict=True)]
    stored.append(("stem/weight", np.ones((first.shape[1], 1, 1, 1), np.float32)))
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in stored)
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info("stem/image", 1, ["N", 1, *first.shape[2:]]))
    graph.node.insert(0, helper.make_node("Conv", ["stem/image", "stem/weight"], [names[0]]))
    return model


def networks() -> Iterator[tuple[str, onnx.ModelProto]]:
    for case in cases("node"):
        model = bound(case)
        if model is not None:
            model.ir_version = min(model.ir_version, 10)
            yield case.name, model


def test_receptive_fields_of_onnx_own_operators() -> None:
    """Every node test with a map for its first input, behind a convolution of one pixel."""
    compared: set[str] = set()
    for name, model in networks():
        out = model.graph.output[0].name
        try:
            layer = inspect(model, out)
            moved = impulses(out, model)
        except (ModelRuntimeError, ImageInputError, StopIteration):
            continue  # of another rank, or with a batch of its own
        except Exception as error:
            # the test's own session, at a batch that a stored input does not fit
            assert "onnxruntime" in type(error).__module__
            continue
        if layer.grid == (1, 1):
            continue
        field = layer.receptive_field
        spelled_out = "normalization" in name and "_expanded" in name
        if field is None or layer.op in STATISTICS or spelled_out:
            assert field is not None or layer.op in ("GridSample", "Tile"), name
            continue
        for axis in (0, 1):
            for cell, low, high, seen in reaches(moved[axis], field, axis):
                # one centre fits neighbouring results of a resampling within a pixel
                assert seen is None or (abs(seen[0] - low) <= 1 and abs(seen[1] - high) <= 1), (name, cell)
        compared.add(layer.op)
    assert {"AveragePool", "ConvTranspose", "LpPool", "MaxPool", "Resize", "Upsample"} <= compared
