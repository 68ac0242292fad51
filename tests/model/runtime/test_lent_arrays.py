"""Large matrices are handed to onnxruntime where they lie, and give the same bits as in the file's format."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from support import models
from support.models import images, save

from onnxdissect.model import load_network
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.layers.basis import basis_layers
from onnxdissect.model.runtime import lent_arrays
from onnxdissect.model.runtime.inference import OPTIMISATIONS, open_runtime
from onnxdissect.model.runtime.lent_arrays import lend_arrays
from onnxdissect.model.surgery.layer_outputs import expose_layers
from onnxdissect.storage.memory import trim_memory


@pytest.mark.parametrize("optimise", OPTIMISATIONS)
def test_the_same_bits(tmp_path: Path, optimise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    b = models.Builder(("N", 3, 12, 12))
    wide = b.relu(b.conv(b.image, 700, stride=4), name="wide")
    network = load_network(save(b.model(b.head(wide)), tmp_path / "model.onnx"))
    (layer,) = network.select(["wide"])
    under = basis_layers(
        layer,
        [*Basis.rotations(700, 1, [0.5, 1]), Basis.of("sae", np.ones((800, 700)), np.ones(800), "topk:9")],
    )
    model = expose_layers(network.model, [layer, *under], prune=True)
    before = ir.to_proto(model).SerializeToString()
    written, arrays = lend_arrays(model)
    assert list(arrays) == [f"{one.name}/matrix" for one in under]
    lent_bytes = sum(array.nbytes for array in arrays.values())
    assert len(ir.to_proto(written).SerializeToString()) < len(before) - lent_bytes + 1000
    assert ir.to_proto(model).SerializeToString() == before
    feed = {"image": images(network, 2)}
    lent = open_runtime(model, folder=tmp_path, optimise=optimise, threads=1)
    assert len(lent.lent) == len(arrays)
    monkeypatch.setattr(lent_arrays, "_LEAST_BYTES", 2**40)
    stored = open_runtime(model, folder=tmp_path, optimise=optimise, threads=1)
    assert not stored.lent
    del model, written, arrays, under
    gc.collect()
    for _ in range(2):
        for got, expected in zip(lent(feed), stored(feed), strict=True):
            np.testing.assert_array_equal(got, expected)
            assert got.any()


def test_weights_of_the_file_stay_in_it(tmp_path: Path) -> None:
    b = models.Builder(("N", 3, 8, 8))
    wide = b.conv(b.conv(b.image, 600), 600, 1, name="wide")
    network = load_network(save(b.model(b.head(wide)), tmp_path / "model.onnx"))
    assert sum(value.const_value is not None for value in network.model.graph.initializers.values()) > 2
    assert lend_arrays(network.model) == (network.model, {})


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted as Linux does")
@pytest.mark.parametrize("optimise", OPTIMISATIONS)
def test_a_session_holds_no_copy(tmp_path: Path, optimise: str) -> None:
    b = models.Builder(("N", 3, 12, 12))
    wide = b.relu(b.conv(b.image, 700, stride=4), name="wide")
    network = load_network(save(b.model(b.head(wide)), tmp_path / "model.onnx"))
    (layer,) = network.select(["wide"])
    numbers = np.random.default_rng(0).normal(size=(20_000, 700))
    (under,) = basis_layers(layer, [Basis.of("large", numbers)])
    del numbers
    model = expose_layers(network.model, [layer, under], prune=True)
    feed = {"image": images(network, 1)}
    # whatever a first session loads for good is loaded
    open_runtime(network.model, folder=tmp_path, optimise=optimise, threads=1)
    before = anonymous_bytes()
    runtime = open_runtime(model, folder=tmp_path, optimise=optimise, threads=1)
    runtime(feed)
    assert anonymous_bytes() - before < under.basis.nbytes / 2


def anonymous_bytes() -> int:
    """What this process holds in memory that is of no file."""
    gc.collect()
    trim_memory()
    told = Path("/proc/self/status").read_text(encoding="ascii").split("RssAnon:")[1]
    return int(told.split()[0]) << 10
