"""Rows of a thousand copies, and weights computed from themselves: no walk is recursive or doubles."""

from __future__ import annotations

from pathlib import Path

from onnx import helper
from support.hostile_networks import convolution, network, save

from onnxdissect.model import load_network


def test_a_row_of_copies_longer_than_the_stack(tmp_path: Path) -> None:
    nodes = [convolution(), helper.make_node("Relu", ["c"], ["v0"])]
    nodes += [helper.make_node("Identity", [f"v{i}"], [f"v{i + 1}"]) for i in range(1500)]
    nodes += [helper.make_node("Neg", ["v1500"], ["y"])]
    stages = [layer.name for layer in load_network(save(network(nodes), tmp_path)).select(["stages"])]
    assert len(stages) == 1


def test_weights_that_double_sixty_times(tmp_path: Path) -> None:
    nodes = [helper.make_node("Mul", ["w", "w"], ["w0"])]
    nodes += [helper.make_node("Mul", [f"w{i}", f"w{i}"], [f"w{i + 1}"]) for i in range(60)]
    nodes += [convolution(stored="w60"), helper.make_node("Relu", ["c"], ["y"])]
    assert load_network(save(network(nodes), tmp_path)).layers
