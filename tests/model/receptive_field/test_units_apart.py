"""Maps of several resolutions laid behind each other, against the measured centres."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.models import Builder, save
from support.probing import inspect

from onnxdissect.model import ReceptiveField, choose_preprocessing, load_network
from onnxdissect.model.receptive_field.effective import rule_distance
from onnxdissect.model.receptive_field.probe import measure_layers


def resolutions(levels: int, units: list[int], mode: str = "linear") -> tuple[Builder, str, list[str]]:
    """Strides 2, 4, 8, ... side by side; all spread out to the finest and concatenated."""
    b = Builder((1, 3, 96, 128), positive=True)
    x = b.conv(b.image, 4, stride=2)
    spread = []
    for level in range(levels):
        y = b.conv(x, units[level], 1)
        scales = b.constant((1, 1, 2**level, 2**level), np.float32)
        if level:
            y = b.node("Resize", y, "", scales, mode=mode)
            b.units[y] = units[level]
        spread.append(y)
        x = b.conv(x, 4, stride=2)
    y = b.node("Concat", *spread, axis=1, name="together")
    b.units[y] = sum(units[:levels])
    return b, y, spread


@pytest.mark.parametrize(
    ("levels", "units"), [(3, [4, 4, 4]), (4, [2, 4, 8, 16]), (4, [16, 8, 4, 2]), (4, [3, 3, 3, 3])]
)
def test_a_concatenation_lies_where_its_units_do_on_average(
    tmp_path: Path, levels: int, units: list[int]
) -> None:
    b, x, _ = resolutions(levels, units)
    x = b.node("Mul", b.relu(x, name="bent"), b.constant(np.ones((sum(units[:levels]), 1, 1))), name="scaled")
    network = load_network(save(b.model(x), tmp_path / "m.onnx"))
    layers = network.select(["together", "bent", "scaled"])
    for layer, centre in zip(
        layers, measure_layers(network, layers, choose_preprocessing(network)), strict=True
    ):
        apart = rule_distance(layer, centre)
        assert apart is not None
        assert max(map(abs, apart)) <= 0.5, (layer.name, apart)
    # a map of 2^k strides spread out by half pixels lies half its cell less half a fine one before the finest
    places = [-(2**level - 1) for level in range(levels)]
    mean = np.average(places, weights=units[:levels])
    field = layers[0].receptive_field
    assert field is not None
    np.testing.assert_allclose(field.offset, 0 if abs(mean) <= 1 else mean)


def test_what_is_computed_from_it_lies_where_the_finest_does() -> None:
    b, x, _ = resolutions(4, [2, 4, 8, 16])
    depthwise = b.conv(x, b.units[x], 3, group=b.units[x], name="depthwise")
    mixed = b.conv(x, 30, 1, name="mixed")
    part = b.node("Slice", x, *(b.constant([n], np.int64) for n in (0, 2, 1)), name="part")
    model = b.model(depthwise, mixed, part)
    together = inspect(model, "together").receptive_field
    assert together is not None and together.offset[0] < -2
    for name, offset in (("depthwise", together.offset), ("mixed", (0, 0)), ("part", (0, 0))):
        field = inspect(model, name).receptive_field
        assert field is not None
        np.testing.assert_allclose(field.offset, offset)


def test_a_skip_beside_a_coarse_map_keeps_its_place() -> None:
    """Within half a cell the finest decides, as it does for what follows."""
    b, _, _ = resolutions(2, [4, 4])
    field = inspect(b.model("together"), "together").receptive_field
    assert field == ReceptiveField((0.0, 0.0), (2.0, 2.0), field.size if field else None)
