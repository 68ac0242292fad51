"""What reading changes in a graph are passes on a clone, and say what they need."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from onnx_ir import passes
from support import models
from support.models import Builder, save

from onnxdissect.model import load_network
from onnxdissect.model.layout.quantised import AddDequantised
from onnxdissect.model.reading.batch_axis import AddBatchAxis
from onnxdissect.model.reading.bfloat16 import WidenBfloat16, WidenFloat16
from onnxdissect.model.reading.bound_inputs import BindInputs
from onnxdissect.model.surgery.free_size import FreeSize


def test_passes_refuse_graphs_that_they_have_nothing_to_do_with(tmp_path: Path) -> None:
    network = load_network(save(models.plain(), tmp_path / "model.onnx"))
    elsewhere = BindInputs({"elsewhere": np.zeros(1)})
    for one in (WidenBfloat16(), WidenFloat16(), AddDequantised(), AddBatchAxis("image"), elsewhere):
        with pytest.raises(passes.PreconditionError):
            one(network.model)


def unread(tmp_path: Path, kind: str) -> tuple[ir.Model, passes.FunctionalPass]:
    """A graph as its file has it, and what is to be done to it."""
    b = Builder((3, 32, 32) if kind == "picture" else ("N", 3, 32, 32))
    x = b.image
    if kind == "picture":
        x = b.node("Unsqueeze", x, b.constant([0], np.int64))
        b.units[x] = 3
    if kind == "integers":
        x = b.node("QuantizeLinear", b.relu(b.conv(x, 4)), b.constant(0.1), b.constant(0, np.uint8))
        x = b.node("MaxPool", x, kernel_shape=(2, 2))
        model = ir.from_proto(b.model(x))
    else:
        model = ir.from_proto(b.model(b.relu(b.conv(x, 4))))
    if kind in ("bfloat16", "float16"):
        half = ir.DataType[kind.upper()]
        for value in [*model.graph.inputs, *model.graph.initializers.values()]:
            if value.const_value is not None:
                wide = value.const_value.numpy()
                value.const_value = ir.Tensor(wide.astype(half.numpy()), dtype=half, name=value.name)
            value.dtype = half
    made: dict[str, passes.FunctionalPass] = {
        "picture": AddBatchAxis("image"),
        "integers": AddDequantised(),
        "bfloat16": WidenBfloat16(),
        "float16": WidenFloat16(),
        "bound": BindInputs({"image": np.zeros((1, 3, 32, 32), np.float32)}),
    }
    if kind == "size":
        network = load_network(save(models.plain(), tmp_path / "model.onnx"))
        return network.model, FreeSize(network.input)
    return model, made[kind]


@pytest.mark.parametrize("kind", ["picture", "integers", "bfloat16", "float16", "bound", "size"])
def test_passes_leave_their_model_alone(tmp_path: Path, kind: str) -> None:
    model, change = unread(tmp_path, kind)
    before = ir.to_proto(model).SerializeToString()
    result = change(model)
    assert result.modified
    assert ir.to_proto(model).SerializeToString() == before
    assert ir.to_proto(result.model).SerializeToString() != before
