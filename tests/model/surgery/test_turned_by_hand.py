"""All bases in one pass give what dissecting files gives that were rotated by hand, one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from support import models
from support.datasets import random_broden, write_broden
from support.models import save

from onnxdissect import Dissection, dissect
from onnxdissect.model import load_network
from onnxdissect.model.bases.basis import Basis

COUNTS = ("intersection", "activation", "activation_overlap", "activation_total")


def turned(model: onnx.ModelProto, value: str, basis: Basis, channels_last: bool) -> onnx.ModelProto:
    """The file with the product behind one of its values, written node by node."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    matrix = basis.matrix.T if channels_last else basis.matrix[:, :, np.newaxis, np.newaxis]
    made.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(matrix), "by hand/matrix"))
    inputs = [value, "by hand/matrix"]
    if channels_last:
        made.graph.node.append(helper.make_node("MatMul", inputs, ["by hand/product"]))
        if basis.bias is not None:
            made.graph.initializer.append(numpy_helper.from_array(basis.bias, "by hand/bias"))
            made.graph.node.append(
                helper.make_node("Add", ["by hand/product", "by hand/bias"], ["by hand/biased"])
            )
    else:
        if basis.bias is not None:
            made.graph.initializer.append(numpy_helper.from_array(basis.bias, "by hand/bias"))
            inputs.append("by hand/bias")
        made.graph.node.append(helper.make_node("Conv", inputs, ["by hand/product"], kernel_shape=[1, 1]))
    before = made.graph.node[-1].output[0]
    if basis.activation == "relu":
        made.graph.node.append(helper.make_node("Relu", [before], ["by hand"]))
    else:
        made.graph.node.append(helper.make_node("Identity", [before], ["by hand"]))
    made.graph.output.append(onnx.ValueInfoProto(name="by hand"))
    return made


@pytest.mark.parametrize(
    ("make", "layout"), [(models.plain, "NCHW"), (models.channels_last, "NHWC")], ids=["NCHW", "NHWC"]
)
def test_one_pass_is_all_of_them_one_by_one(
    tmp_path: Path, make: Callable[[], onnx.ModelProto], layout: str
) -> None:
    channels_last = layout == "NHWC"
    data = write_broden(tmp_path / "data", random_broden(5, pictures=24, size=(32, 32)))

    def dissected(path: Path, layer: str, under: Sequence[Basis] = ()) -> Dissection:
        return dissect(
            path,
            data,
            [layer],
            quantiles=[0.05, 0.2],
            preset="raw",
            provider="cpu",
            batch_size=4,
            bootstrap=0,
            null=0,
            bases=under,
            out=path.parent / "run",
        )

    path = save(make(), tmp_path / "model.onnx")
    layer = [one for one in load_network(path).layers if one.layout == layout and min(one.grid) > 1][-1]
    value, units = layer.name, layer.units
    rng = np.random.default_rng(1)
    bases = [
        *Basis.rotations(units, 3, [0, 0.5, 1]),
        Basis.permutation(units, 4),
        Basis.of("sae", rng.normal(size=(9, units)), rng.normal(size=9), "relu"),
    ]
    together = dissected(path, value, bases)
    plain, *found = (together.counts(info.name) for info in together.layers)
    assert len(found) == len(bases) == 5
    seen = set()
    for basis, one in zip(bases, found, strict=True):
        work = tmp_path / basis.digest
        work.mkdir()
        by_hand = save(turned(make(), value, basis, channels_last), work / "model.onnx")
        alone = dissected(by_hand, "by hand").counts("by hand")
        scale = np.abs(alone.thresholds).max()
        np.testing.assert_allclose(one.thresholds, alone.thresholds, rtol=1e-5, atol=1e-6 * scale)
        for kind in COUNTS:
            got, expected = (getattr(counts, kind) for counts in (one, alone))
            if channels_last:
                # a product of matrices adds up in another order than a convolution: a pixel may change sides
                np.testing.assert_allclose(got, expected, rtol=0.02, atol=4, err_msg=f"{basis.name} {kind}")
            else:
                np.testing.assert_array_equal(got, expected, err_msg=f"{basis.name} {kind}")
        assert one.intersection.any()
        seen.add(one.intersection.tobytes())
    # the identity is the layer, the permutation its units in another order
    for basis, one in ((bases[0], found[0]), (bases[3], found[3])):
        order = basis.nearest_units()[0]
        np.testing.assert_array_equal(one.thresholds, plain.thresholds[:, order])
        for kind in COUNTS:
            np.testing.assert_array_equal(getattr(one, kind), getattr(plain, kind)[:, order])
    assert len(seen) == 5
