"""How much of a network is understood: open values, who opened them, and the compute that layers reach."""

from __future__ import annotations

from pathlib import Path

import onnx

from onnxdissect.model.layers.coverage import measure_coverage
from onnxdissect.model.network import load_network


def _network(tmp_path: Path, mixing: str) -> Path:
    path = tmp_path / "net.onnx"
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17]>
        net (float[N, 3, 8, 8] x) => (float y)
        <float[4, 3, 1, 1] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
         int64[3] rows = {0, -1, 4}, int64[4] map = {-1, 4, 4, 16}> {
            c = Conv(x, w)
            r = Relu(c)
        """
        + mixing
        + "}"
    )
    onnx.save(model, path)
    return path


def test_everything_followed(tmp_path: Path) -> None:
    coverage = measure_coverage(load_network(_network(tmp_path, "y = Relu(r)")).listing)
    assert (coverage.share, coverage.open_values, coverage.values) == (1.0, 0, 3)
    assert (coverage.culprit, coverage.first_open) == ("", "")


def test_the_operator_that_mixed_is_named(tmp_path: Path) -> None:
    mixing = "m = Reshape(r, rows)  s = Sigmoid(m)  b = Reshape(s, map)  y = Abs(b)"
    path = _network(tmp_path, mixing)
    coverage = measure_coverage(load_network(path).listing)
    assert (coverage.open_values, coverage.values) == (4, 6)
    assert (coverage.culprit, coverage.first_open) == ("Reshape", "m")
    assert coverage.share == 1.0
