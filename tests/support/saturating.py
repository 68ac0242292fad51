"""A network of which a unit saturates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 12


def saturating(path: Path, largest: float = 6.0) -> Path:
    """Four units of the pixels' first channel: dead, saturated often, seldom, and the same everywhere."""
    slope = np.array([0, 0.06, 5 / 255, 0], np.float32)
    bias = np.array([-1, -6, 0, largest + 1], np.float32)
    weight = np.zeros((4, 3, 1, 1), np.float32)
    weight[:, 0, 0, 0] = slope
    stored = [
        numpy_helper.from_array(weight, "w"),
        numpy_helper.from_array(bias, "b"),
        numpy_helper.from_array(np.array(0, np.float32), "low"),
        numpy_helper.from_array(np.array(largest, np.float32), "high"),
    ]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "w", "b"], ["c"], kernel_shape=[1, 1]),
            helper.make_node("Clip", ["c", "low", "high"], ["r"]),
        ],
        "saturating",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("r", TensorProto.FLOAT, None)],
        stored,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path
