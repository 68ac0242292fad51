"""Networks of small models, and layers of them by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from onnxdissect.model import Layer, Network, load_network
from support.models import save


def load(model: onnx.ModelProto, folder: Path, **options: Any) -> Network:
    return load_network(save(model, folder / "model.onnx"), **options)


def named(network: Network, name: str) -> Layer:
    (layer,) = network.select([name])
    return layer


def stages(network: Network) -> list[str]:
    return [layer.name for layer in network.select(["stages"])]
