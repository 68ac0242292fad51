"""Real gates: the shipped network against what exports, quantisation and damage make of it.

    python benchmarks/gates.py [--limit N]

A baseline is made of the shipped network on the drawn data set; each candidate is held against it with the
default rules. Prints the verdict, the rules that were not met, and the first reason.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static

import onnxdissect
from onnxdissect.check.baseline import open_baseline, write_baseline
from onnxdissect.check.gate import check_model
from onnxdissect.data import open_dataset
from onnxdissect.data.tiny import ensure_tiny
from onnxdissect.model import Preparer, choose_preprocessing, load_network

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "models/tiny_scenes.onnx"
UNTRAINED = ROOT / "models/tiny_scenes_untrained.onnx"
CALIBRATION = 64

Weights = dict[str, NDArray[np.float32]]
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--limit", type=int, help="so many images; all by default")


def half(path: Path) -> None:
    """Weights and arithmetic in float16, inputs and outputs as they were."""
    model = onnx.load(MODEL)
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    source, sink = graph.input[0].name, graph.output[0].name
    for node in graph.node:
        for names, old in ((node.input, source), (node.output, sink)):
            for i, name in enumerate(names):
                if name == old:
                    names[i] = f"{old}_half"
    graph.node.insert(0, helper.make_node("Cast", [source], [f"{source}_half"], to=TensorProto.FLOAT16))
    graph.node.append(helper.make_node("Cast", [f"{sink}_half"], [sink], to=TensorProto.FLOAT))
    del graph.value_info[:]
    onnx.save(model, path)


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self) -> None:
        dataset = open_dataset(ensure_tiny()).subset(limit=CALIBRATION)
        network = load_network(MODEL, image_size=dataset.image_size)
        preparer = Preparer(choose_preprocessing(network), network.input, network.size)
        self._batches = []
        for i in range(len(dataset)):
            batch = np.empty((1, *preparer.shape), preparer.dtype)
            preparer(dataset.read_image(i), batch[0])
            self._batches.append({network.input.name: batch})
        self._next = iter(self._batches)

    def get_next(self) -> dict[str, NDArray[np.generic]] | None:
        return next(self._next, None)


def dynamic(path: Path) -> None:
    """Weights in int8, activations quantised as they come."""
    quantize_dynamic(MODEL, path, weight_type=QuantType.QUInt8)


def static(path: Path) -> None:
    """Weights and activations in int8, QuantizeLinear and DequantizeLinear around every operator."""
    quantize_static(MODEL, path, _Calibration(), weight_type=QuantType.QInt8)


def changed(change: Callable[[Weights, list[list[str]]], None]) -> Callable[[Path], None]:
    """A candidate whose weights were changed; the names of each convolution's weights are given in order."""

    def write(path: Path) -> None:
        model = onnx.load(MODEL)
        weights = {t.name: numpy_helper.to_array(t).copy() for t in model.graph.initializer}
        change(weights, [list(node.input[1:]) for node in model.graph.node if node.op_type == "Conv"])
        for tensor in model.graph.initializer:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
        onnx.save(model, path)

    return write


def shuffled(weights: Weights, convolutions: list[list[str]]) -> None:
    order = np.random.default_rng(0).permutation(len(weights[convolutions[-1][0]]))
    for name in convolutions[-1]:
        weights[name][:] = weights[name][order]


def zeroed(weights: Weights, convolutions: list[list[str]]) -> None:
    weights[convolutions[-1][0]][:] = 0


def less_trained(weights: Weights, convolutions: list[list[str]]) -> None:
    """Halfway, in a straight line, from where training began."""
    start = {t.name: numpy_helper.to_array(t) for t in onnx.load(UNTRAINED).graph.initializer}
    for name, values in weights.items():
        if values.dtype == np.float32:
            values[:] = (values + start[name]) / 2


def nudged(weights: Weights, convolutions: list[list[str]]) -> None:
    """As after a few steps of further training: every weight moved by about two per cent."""
    random = np.random.default_rng(0)
    for name, *_ in convolutions:
        weights[name] *= 1 + 0.02 * random.standard_normal(weights[name].shape).astype(np.float32)


def main() -> None:
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = onnxdissect.dissect(MODEL, "tiny", limit=given.limit, null=0, out=folder / "run")
        baseline = folder / "baseline.json"
        size = write_baseline(baseline, open_baseline(folder / "run"))
        print(f"baseline: {len(run.images)} images, {len(run.units())} units, {size / 1024:.0f} KiB")
        last = run.layers[-1].name
        detectors = [unit for unit in run.units(last) if unit.detector]
        destroyed = [u.unit for u in sorted(detectors, key=lambda u: -u.iou)][::10]

        def destroy(weights: Weights, convolutions: list[list[str]]) -> None:
            random = np.random.default_rng(1)
            kernel = weights[convolutions[-1][0]]
            for unit in destroyed:
                kernel[unit] = random.permutation(kernel[unit].ravel()).reshape(kernel[unit].shape)

        candidates: dict[str, Callable[[Path], None]] = {
            "itself": lambda path: path.write_bytes(MODEL.read_bytes()) and None,
            "fp16": half,
            "int8, dynamic": dynamic,
            "int8, static QDQ": static,
            "weights moved by 2 %": changed(nudged),
            "channels of the last layer shuffled": changed(shuffled),
            "last layer zeroed": changed(zeroed),
            f"{len(destroyed)} of {len(detectors)} detectors of the last layer destroyed": changed(destroy),
            "half trained": changed(less_trained),
            "untrained": lambda path: path.write_bytes(UNTRAINED.read_bytes()) and None,
        }
        for title, write in candidates.items():
            path = folder / "candidate.onnx"
            write(path)
            verdict = check_model(path, baseline)
            print(f"\n{title}: {'passed' if verdict.passed else 'FAILED'}")
            for finding in (*verdict.errors, *verdict.warnings):
                print(f"  {finding.outcome:<9} {finding.rule:<12} {finding.layer:<8} {finding.message}")
                for line in finding.evidence[:2]:
                    print(f"    {line}")


if __name__ == "__main__":
    main()
