"""Little understood is said; networks that are understood are silent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models import Builder, channels_last, encoder_decoder, inception, plain, quantised, residual, save
from onnxdissect.errors import LayerNotFoundError
from onnxdissect.model import load_network
from onnxdissect.model.coverage import Coverage, measure_coverage
from onnxdissect.model.understood import coverage_warnings


@pytest.mark.parametrize("make", [plain, residual, channels_last, quantised, inception, encoder_decoder])
def test_networks_that_are_understood_are_silent(tmp_path: Path, make: object) -> None:
    network = load_network(save(make(), tmp_path / "m.onnx"))  # type: ignore[operator]
    assert coverage_warnings(measure_coverage(network), network.listing) == []


def test_exports_of_vision_transformers_are_silent() -> None:
    for name in ("pytorch_vit.onnx", "pytorch_vit_torchscript.onnx"):
        network = load_network(Path(__file__).parent / "exports" / name)
        assert coverage_warnings(measure_coverage(network), network.listing) == []


def lost(tmp_path: Path, *, layers: bool = True) -> Path:
    """Pixels shuffled through six axes, in an order that no layout has."""
    b = Builder((1, 3, 8, 8))
    x = b.conv("image", 4, name="c1") if layers else "image"
    units = 4 if layers else 3
    x = b.node("Reshape", x, b.constant((1, units * 64), "i8"), name="flat")
    x = b.node("Reshape", x, b.constant((1, 8, units * 2, 4), "i8"), name="other")
    for i in range(5):
        x = b.node("Relu", x, name=f"r{i}")
    return save(b.model(x), tmp_path / "lost.onnx")


def test_the_open_values_are_counted_named_and_the_command_states_them(tmp_path: Path) -> None:
    path = lost(tmp_path)
    network = load_network(path)
    coverage = measure_coverage(network)
    (warning,) = coverage_warnings(coverage, network.listing)
    assert f"the layouts of {coverage.open_values} of {coverage.values} values are open, Reshape" in warning
    stated = re.search(r"--layout (\S+)=NCHW states it", warning)
    assert stated is not None
    again = load_network(path, layouts={stated[1]: "NCHW"})
    assert coverage_warnings(measure_coverage(again), again.listing) == []


def test_little_compute_is_said(tmp_path: Path) -> None:
    network = load_network(save(plain(), tmp_path / "m.onnx"))
    (warning,) = coverage_warnings(Coverage(0.3, 0, 10, "", ""), network.listing)
    assert warning == "little of the network was understood: the layers found reach 30% of its compute"


def test_without_any_layer_the_error_says_who_left_the_values_open(tmp_path: Path) -> None:
    network = load_network(lost(tmp_path, layers=False))
    with pytest.raises(LayerNotFoundError, match="values are open, Reshape") as caught:
        network.select(["stages"])
    assert "--layout other=NCHW" in str(caught.value.hint)
