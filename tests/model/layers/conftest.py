"""A network of a model that lies in memory, for the tests of layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
from support import networks

from onnxdissect.model import Network


@pytest.fixture
def load(tmp_path: Path) -> Any:
    def from_proto(model: onnx.ModelProto, **options: Any) -> Network:
        return networks.load(model, tmp_path, **options)

    return from_proto
