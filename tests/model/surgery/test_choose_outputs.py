"""Other outputs are chosen on a clone, and nothing else is lost."""

from __future__ import annotations

from pathlib import Path

import onnx_ir as ir
import pytest
from onnx_ir.passes import PreconditionError
from support import models
from support.models import save

from onnxdissect.model import load_network
from onnxdissect.model.surgery.choose_outputs import ChooseOutputs


def test_values_become_the_only_outputs_and_all_nodes_stay(tmp_path: Path) -> None:
    network = load_network(save(models.plain(), tmp_path / "model.onnx"))
    before = ir.to_proto(network.model).SerializeToString()
    changed = ChooseOutputs(["relu3", "relu1"])(network.model).model
    assert [value.name for value in changed.graph.outputs] == ["relu3", "relu1"]
    assert len(changed.graph) == len(network.model.graph)
    assert set(changed.graph.initializers) == set(network.model.graph.initializers)
    assert ir.to_proto(network.model).SerializeToString() == before


def test_a_value_that_nothing_computes_is_refused(tmp_path: Path) -> None:
    network = load_network(save(models.plain(), tmp_path / "model.onnx"))
    for name in ("nowhere", "image"):
        with pytest.raises(PreconditionError, match=f"no node computes \\['{name}'\\]"):
            ChooseOutputs([name])(network.model)
