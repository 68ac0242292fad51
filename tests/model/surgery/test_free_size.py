"""Images of another size than the file declares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from support import models
from support.models import Builder, save

from onnxdissect.errors import ImageInputError
from onnxdissect.model import load_network, open_session

SHAPE = (1, 3, 32, 32)


def test_a_declared_size_that_is_not_needed_is_freed(tmp_path: Path) -> None:
    free = load_network(save(models.residual(), tmp_path / "free.onnx"), image_size=(48, 64))
    path = save(models.residual(shape=SHAPE), tmp_path / "fixed.onnx")
    assert load_network(path).size == (32, 32)
    freed = load_network(path, image_size=(48, 64))
    assert freed.size == (48, 64)
    assert [(x.name, x.grid, x.receptive_field) for x in freed.layers] == [
        (x.name, x.grid, x.receptive_field) for x in free.layers
    ]
    images = models.images(free)
    for one, other in zip(
        open_session(free, free.layers, provider="cpu", verify=images)(images),
        open_session(freed, freed.layers, provider="cpu", verify=images)(images),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_the_data_s_own_size_frees_nothing(tmp_path: Path) -> None:
    path = save(models.plain(shape=SHAPE), tmp_path / "m.onnx")
    assert load_network(path, default_size=(48, 64)).size == (32, 32)
    assert load_network(path, image_size=(32, 32)).size == (32, 32)


def flattened() -> onnx.ModelProto:
    b = Builder(SHAPE)
    x = b.relu(b.conv("image", 4, stride=4))
    flat = b.node("Reshape", x, b.constant([1, 4 * 8 * 8], np.int64))
    return b.model(b.node("MatMul", flat, b.weight((256, 5))))


def resized() -> onnx.ModelProto:
    b = Builder(SHAPE)
    x = b.relu(b.conv("image", 4, stride=4))
    x = b.node("Resize", x, "", "", b.constant([1, 4, 16, 16], np.int64), mode="nearest")
    return b.model(b.head(b.relu(b.conv(x, 4), name="r2")))


def cropped() -> onnx.ModelProto:
    b = Builder(SHAPE)
    x = b.relu(b.conv("image", 4, stride=2))
    starts, ends, axes = (b.constant(n, np.int64) for n in ([0, 0], [14, 14], [2, 3]))
    return b.model(b.head(b.relu(b.conv(b.node("Slice", x, starts, ends, axes), 4), name="r2")))


@pytest.mark.parametrize(
    ("model", "reason"),
    [(flattened(), "another one fails in it"), (resized(), "16 x 16"), (cropped(), "14 x 14")],
    ids=["flattened", "resized", "cropped"],
)
def test_a_size_that_is_needed_is_kept(tmp_path: Path, model: onnx.ModelProto, reason: str) -> None:
    path = save(model, tmp_path / "m.onnx")
    with pytest.raises(ImageInputError, match=r"takes images of 32 x 32 pixels, not 64 x 64") as found:
        load_network(path, image_size=(64, 64))
    assert reason in found.value.message
    assert found.value.hint is not None and "--image-size" in found.value.hint
    assert load_network(path).size == (32, 32)


def test_what_keeps_its_size_is_said_to_keep_it(tmp_path: Path) -> None:
    path = save(resized(), tmp_path / "m.onnx")
    with pytest.raises(ImageInputError) as caught:
        load_network(path, image_size=(64, 64))
    assert "keeps its 16 x 16 cells whatever the image's size" in str(caught.value)
    assert "should follow" not in str(caught.value)
