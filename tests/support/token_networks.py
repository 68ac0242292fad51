"""Small networks over tokens, and what must hold of their layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnxdissect.model import Layer, Network, ReceptiveField, load_network, open_session
from support.models import Builder, images, run_whole, save

MICROSOFT = [("com.microsoft", 1)]


PLACED = ReceptiveField((3.5, 3.5), (8.0, 8.0), None)


LENGTH, WIDTH = 16, 16

EMBEDDING = LENGTH * 3 * 64 * WIDTH


def load(b: Builder, *outputs: str, folder: Path) -> Network:
    return load_network(save(b.model(*outputs, domains=MICROSOFT), folder / "model.onnx"))


def named(network: Network, name: str) -> Layer:
    (layer,) = network.select([name])
    return layer


def tokens(opset: int = 17, units: int = WIDTH) -> tuple[Builder, str]:
    """Sixteen patches of eight by eight pixels, as (N, T, C)."""
    b = Builder(("N", 3, 32, 32), opset=opset)
    x = b.conv("image", units, 8, stride=8, pads=(0, 0, 0, 0))
    return b, b.node("Transpose", b.node("Reshape", x, b.constant([0, 0, -1], np.int64)), perm=[0, 2, 1])


def check_tokens(network: Network, name: str, units: int, macs: int) -> None:
    layer = named(network, name)
    assert (layer.layout, layer.units, layer.grid) == ("NTC", units, (4, 4))
    assert layer.receptive_field == PLACED
    assert layer.macs == EMBEDDING + macs
    batch = images(network, 2)
    (expected,) = run_whole(network.path, [name], batch)
    (maps,) = open_session(network, [layer], verify=batch)(batch)
    np.testing.assert_allclose(maps, expected.transpose(0, 2, 1).reshape(2, units, 4, 4), atol=1e-4)


PROJECTIONS = 3 * LENGTH * WIDTH * WIDTH


LOOKING = 2 * LENGTH * LENGTH * WIDTH
