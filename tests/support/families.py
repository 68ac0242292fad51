"""Small networks of well-known families, and the stages chosen of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from onnxdissect.model import Network
from support.models import Builder

Model = onnx.ModelProto


def grow(b: Builder, x: str, *others: str) -> str:
    b.units[x] = sum(b.units[other] for other in others)
    return x


def depthwise(b: Builder, x: str, stride: int = 1) -> str:
    y = b.conv(x, b.units[x], stride=stride, group=b.units[x])
    return b.relu(y)


def up(b: Builder, x: str, **options: Any) -> str:
    return b.node("Resize", x, "", b.constant((1, 1, 2, 2), np.float32), mode="nearest", **options)


def chosen(network: Network, selector: str) -> list[str]:
    return [layer.name for layer in network.select([selector])]
