"""ONNX files of small plain networks, spelled out node by node: legible names, free batch dimension.

The networks that are trained here are known, so that nothing is traced. `train_tiny.py` and the scripts of
`findings/` write their files with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

__all__ = ["MEAN", "SIZE", "STD", "PlainGraph"]

SIZE = 112
MEAN, STD = (0.45, 0.45, 0.45), (0.25, 0.25, 0.25)

Weights = NDArray[np.float32]


class PlainGraph:
    """A graph with one image input and one path through it, to which node after node is added.

    Parameters
    ----------
    half : bool
        Keep weights as float16, each of them followed by a cast: half the file, and a network that still
        computes in float32.

    Attributes
    ----------
    value : str
        The value that the next node takes.
    size : int
        Height and width of its maps, as long as it has any.
    """

    def __init__(self, *, half: bool = False) -> None:
        self.value, self.size = "image", SIZE
        self._half = half
        self._nodes: list[NodeProto] = []
        self._weights: list[TensorProto] = []
        self._infos: list[ValueInfoProto] = []

    def _weight(self, name: str, array: Weights) -> str:
        if not self._half:
            self._weights.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
            return name
        stored = f"{name}.half"
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float16), stored))
        self._nodes.append(
            helper.make_node("Cast", [stored], [name], name=f"{name}.cast", to=TensorProto.FLOAT)
        )
        return name

    def add(
        self, operator: str, name: str, weights: Mapping[str, Weights] | None = None, **attributes: Any
    ) -> None:
        """Add a node; its output bears its name.

        Parameters
        ----------
        operator : str
            ONNX operator.
        name : str
            Of the node and its output.
        weights : mapping of str to ndarray of float32, optional
            Its further inputs, each called ``<name>.<key>``.
        **attributes
            Of the node.
        """
        further = [self._weight(f"{name}.{key}", array) for key, array in (weights or {}).items()]
        self._nodes.append(
            helper.make_node(operator, [self.value, *further], [name], name=name, **attributes)
        )
        self.value = name

    def convolve(self, name: str, weight: Weights, bias: Weights, stride: int) -> None:
        """Add a convolution whose padding is half of its kernel.

        Parameters
        ----------
        name : str
            Of the node and its output.
        weight : ndarray of float32, shape (units, channels, kernel, kernel)
        bias : ndarray of float32, shape (units,)
        stride : int
        """
        kernel = weight.shape[2]
        pad = kernel // 2
        self.add(
            "Conv",
            name,
            {"weight": weight, "bias": bias},
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[pad] * 4,
        )
        self.size = (self.size + 2 * pad - kernel) // stride + 1

    def rectify(self, name: str, units: int) -> None:
        """Add a ReLU, and say what shape it has.

        Parameters
        ----------
        name : str
            Of the node and its output.
        units : int
            How many maps there are.
        """
        self.add("Relu", name)
        shape: list[str | int | None] = ["batch", units, self.size, self.size]
        self._infos.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def write(
        self,
        path: Path,
        title: str,
        note: str,
        classes: Sequence[str],
        *,
        producer: str,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        """Write the graph; its last value is the output. The file appears under its name when it is complete.

        Parameters
        ----------
        path : Path
            The file.
        title : str
            Name of the graph.
        note : str
            What the network is, in a sentence.
        classes : sequence of str
            Names of the scores; kept in the metadata, as the preprocessing is.
        producer : str
            What made the file.
        properties : mapping of str to str, optional
            Further metadata.
        """
        graph = helper.make_graph(
            self._nodes,
            title,
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIZE, SIZE])],
            [helper.make_tensor_value_info(self.value, TensorProto.FLOAT, ["batch", len(classes)])],
            self._weights,
            doc_string=note,
            value_info=self._infos,
        )
        model = helper.make_model(
            graph,
            producer_name=producer,
            opset_imports=[helper.make_opsetid("", 17)],
            ir_version=8,
            doc_string=note,
        )
        preprocessing = {"mean": list(MEAN), "std": list(STD), "scale": 1 / 255, "channels": "rgb"}
        helper.set_model_props(
            model,
            {
                "onnxdissect.preprocessing": json.dumps(preprocessing),
                "classes": json.dumps(list(classes)),
                **(properties or {}),
            },
        )
        onnx.checker.check_model(model, full_check=True)
        partial = path.with_name(path.name + ".partial")
        onnx.save_model(model, partial)
        partial.replace(path)
