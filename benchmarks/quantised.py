"""Candidates with fewer bits: float16, and what `onnxruntime.quantization` makes of the shipped network."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import onnx
from candidates import MODEL, Candidate
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static

from onnxdissect.data import open_dataset
from onnxdissect.model import Preparer, choose_preprocessing, load_network
from onnxdissect.tiny import ensure_tiny

__all__ = ["dynamic", "half", "quantised", "static"]

CALIBRATION = 64


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


class _Calibration(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is not followed
    """Images of the drawn data set, as the network takes them, or as it does not: merely divided by 255."""

    def __init__(self, *, prepared: bool) -> None:
        dataset = open_dataset(ensure_tiny()).subset(limit=CALIBRATION)
        network = load_network(MODEL, image_size=dataset.image_size)
        plain = choose_preprocessing(network, mean=0.0, std=1.0, scale=1 / 255, channels="rgb")
        chosen = choose_preprocessing(network) if prepared else plain
        preparer = Preparer(chosen, network.input, network.size)
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


def static(path: Path, *, prepared: bool = True, per_channel: bool = False, sixteen: bool = False) -> None:
    """Weights in int8 and activations in 8 or 16 bits, with operators that quantise around every operator.

    Parameters
    ----------
    path : Path
    prepared : bool
        Whether the images of the calibration are prepared as the network takes them.
    per_channel : bool
        Whether every unit's weights have a scale of their own.
    sixteen : bool
        Whether activations have 16 bits.
    """
    quantize_static(
        MODEL,
        path,
        _Calibration(prepared=prepared),
        per_channel=per_channel,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt16 if sixteen else QuantType.QUInt8,
    )


def quantised() -> list[Candidate]:
    """List the candidates.

    Returns
    -------
    list of Candidate
    """
    return [
        Candidate("fp16", "passes", half),
        Candidate("int8, dynamic", "passes", dynamic),
        Candidate("int8, static QDQ", "passes", static),
        Candidate("int8, static QDQ, per channel", "passes", partial(static, per_channel=True)),
        Candidate(
            "int8 weights, 16 bit activations, QDQ, per channel",
            "passes",
            partial(static, per_channel=True, sixteen=True),
        ),
        Candidate(
            "int8, static QDQ, calibrated on unprepared images", "fails", partial(static, prepared=False)
        ),
    ]
