"""Effective centres, measured on networks of which it is known where their cells respond."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from support.models import Builder, quantised, save

from onnxdissect.errors import LayerLayoutError
from onnxdissect.model import Layer, ReceptiveField, load_network, open_session
from onnxdissect.model.receptive_field.effective import EffectiveCentre, even_spread, measure_centres

SIZE = 64

Made = tuple[Layer, EffectiveCentre]


def noise(shape: tuple[int, ...], dtype: str = "float32", seed: int = 0) -> NDArray[Any]:
    values = np.random.default_rng(seed).integers(0, 256, shape)
    return (values if np.dtype(dtype).kind in "iu" else values / 255).astype(dtype)


def measure(
    model: onnx.ModelProto,
    folder: Path,
    *names: str,
    count: int = 8,
    images: NDArray[Any] | None = None,
    **stated: Any,
) -> dict[str, Made]:
    """Each layer's record and its measured centre, by onnxruntime."""
    network = load_network(save(model, folder / "m.onnx"), **stated)
    layers = network.select(names)
    session = open_session(network, layers, provider="cpu")
    if images is None:
        images = noise(network.input.shape(count, network.size), network.input.dtype)
    found = measure_centres(session, layers, network.input, images)
    return {layer.name: (layer, centre) for layer, centre in zip(layers, found, strict=True)}


def box(b: Builder, x: str, units: int, kernel: int, stride: int, pads: list[int] | str, name: str) -> str:
    """A convolution all of whose weights are the same: its response is symmetric about its centre."""
    weight = b.constant(np.full((units, b.units[x], kernel, kernel), 0.1))
    padding: dict[str, Any] = {"auto_pad": pads} if isinstance(pads, str) else {"pads": pads}
    b.node("Conv", x, weight, name=name, strides=(stride,) * 2, kernel_shape=(kernel,) * 2, **padding)
    b.units[name] = units
    return name


def assert_at_theory(made: Made, cells: float = 0.1) -> None:
    layer, centre = made
    field = layer.receptive_field
    assert field is not None and centre.offset is not None, centre.reason
    assert centre.stride == field.stride
    for axis in (0, 1):
        assert centre.offset[axis] == pytest.approx(field.offset[axis], abs=cells * field.stride[axis])


@pytest.mark.parametrize("pads", [[1, 1, 1, 1], [0, 0, 1, 1], [1, 0, 0, 1], [0, 0, 0, 0], "SAME_UPPER"])
def test_symmetric_kernels_respond_at_the_theoretical_centre(pads: list[int] | str, tmp_path: Path) -> None:
    b = Builder((1, 3, SIZE, SIZE))
    x = box(b, b.image, 2, 3, 2, pads, "first")
    x = box(b, x, 2, 3, 2, pads, "second")
    b.node("Relu", box(b, x, 2, 3, 1, pads, "third"), name="third_relu")
    found = measure(b.model("third_relu"), tmp_path, "first", "second", "third", "third_relu")
    assert len(found) == 4
    for made in found.values():
        assert_at_theory(made)


def test_a_centre_that_is_not_the_middle_of_the_field_is_found(tmp_path: Path) -> None:
    b = Builder((1, 3, SIZE, SIZE))
    weight = np.zeros((1, 3, 5, 5), np.float32)
    weight[:, :, 4, 1] = 1  # of a field of five pixels the last row and the second column
    b.node("Conv", b.image, b.constant(weight), name="one", pads=[2, 2, 2, 2])
    ((layer, centre),) = measure(b.model("one"), tmp_path, "one").values()
    field = layer.receptive_field
    assert field is not None
    assert field.offset == pytest.approx((0, 0))
    assert centre.offset == pytest.approx((2, -1), abs=0.02)
    assert centre.spread == pytest.approx((0, 0), abs=1.0)
    assert centre.stride == (1, 1)


@pytest.mark.parametrize(
    "up",
    [
        lambda b, x: b.node("Resize", x, "", b.constant([1, 1, 2, 2], np.float32), mode="nearest"),
        lambda b, x: b.node("ConvTranspose", x, b.constant(np.ones((2, 2, 2, 2))), strides=(2, 2)),
    ],
)
def test_a_decoder_lies_on_its_skip(up: Callable[[Builder, str], str], tmp_path: Path) -> None:
    b = Builder((1, 3, SIZE, SIZE))
    skip = box(b, b.image, 2, 3, 1, [1, 1, 1, 1], "skip")
    raised = up(b, box(b, skip, 2, 2, 2, [0, 0, 0, 0], "down"))
    joined = b.node("Concat", raised, skip, axis=1, name="joined")
    b.units[joined] = 4
    box(b, joined, 2, 3, 1, [1, 1, 1, 1], "out")
    found = measure(b.model("out"), tmp_path, "joined", "out")
    for name in ("joined", "out"):
        centre = found[name][1]
        assert centre.offset == pytest.approx((0, 0), abs=0.25)
        assert centre.stride == (1, 1)


def test_channels_last_and_other_sides(tmp_path: Path) -> None:
    b = Builder((1, 48, 80, 3))
    x = b.node("Transpose", b.image, perm=[0, 3, 1, 2], name="planes")
    b.units[x] = 3
    box(b, x, 2, 3, 2, [0, 1, 1, 0], "nchw")
    b.node("Transpose", "nchw", perm=[0, 2, 3, 1], name="nhwc")
    for made in measure(b.model("nhwc"), tmp_path, "nchw").values():
        assert made[0].grid == (24, 40)
        assert_at_theory(made)


def test_half_precision(tmp_path: Path) -> None:
    b = Builder(("N", 3, SIZE, SIZE), dtype=np.float16)
    box(b, box(b, b.image, 2, 3, 2, [1, 1, 1, 1], "a"), 2, 3, 2, [0, 0, 1, 1], "b")
    for made in measure(b.model("b"), tmp_path, "a", "b", image_size=(SIZE, SIZE)).values():
        assert_at_theory(made)


def test_integers_and_a_batch_of_one(tmp_path: Path) -> None:
    b = Builder((1, 3, SIZE, SIZE), dtype=np.uint8)
    scale, zero = b.constant(np.float32(1 / 64), np.float32), b.constant(np.uint8(0), np.uint8)
    x = b.node("DequantizeLinear", b.image, scale, zero)
    b.units[x], b.dtype = 3, np.dtype(np.float32)
    x = box(b, x, 2, 3, 2, [0, 0, 1, 1], "conv")
    x = b.node("QuantizeLinear", x, b.constant(np.float32(0.1)), zero)
    b.node("DequantizeLinear", x, b.constant(np.float32(0.1)), zero, name="out")
    assert_at_theory(next(iter(measure(b.model("out"), tmp_path, "out").values())))


def test_a_quantised_export(tmp_path: Path) -> None:
    for made in measure(quantised(), tmp_path, "stages").values():
        assert made[1].offset is not None, made[1].reason


def test_tokens_are_measured_on_their_grid(tmp_path: Path) -> None:
    b = Builder((1, 3, SIZE, SIZE))
    x = box(b, b.image, 4, 8, 8, [0, 0, 0, 0], "patches")
    x = b.node("Reshape", x, b.constant([1, 4, 64], np.int64))
    b.node("Transpose", x, perm=[0, 2, 1], name="tokens")
    b.node("Mul", "tokens", b.constant(np.array([1.0, 2.0, 3.0, 4.0])), name="weighed")
    ((layer, centre),) = measure(b.model("weighed"), tmp_path, "weighed").values()
    assert (layer.layout, layer.receptive_field) == ("NTC", ReceptiveField((3.5, 3.5), (8, 8), (8, 8)))
    assert centre.offset == pytest.approx((3.5, 3.5), abs=0.4)
    assert centre.stride == (8, 8)


def test_what_all_cells_share_moves_nothing(tmp_path: Path) -> None:
    """As attention or squeeze-and-excite do: the mean of the whole image is added to each cell."""
    b = Builder((1, 3, SIZE, SIZE))
    x = box(b, b.image, 2, 3, 2, [0, 0, 1, 1], "conv")
    mean = b.node("Mul", b.node("GlobalAveragePool", x), b.constant(np.float32(1.5)))
    b.node("Add", x, mean, name="mixed")
    assert_at_theory(measure(b.model("mixed"), tmp_path, "mixed")["mixed"], cells=0.25)


def test_a_rolled_map_is_not_taken_for_a_straight_one(tmp_path: Path) -> None:
    b = Builder((1, 3, SIZE, SIZE))
    x = box(b, b.image, 2, 4, 4, [0, 0, 0, 0], "conv")

    def cut(first: int, last: int) -> str:
        ends = ([first], [last], [2])
        return b.node("Slice", x, *(b.constant(end, np.int64) for end in ends))

    b.node("Concat", cut(6, 16), cut(0, 6), axis=2, name="rolled")
    with pytest.raises(LayerLayoutError, match="not in the order of the picture"):
        measure(b.model("rolled"), tmp_path, "rolled")


def test_what_has_no_place_is_said(tmp_path: Path) -> None:
    b = Builder((1, 3, SIZE, SIZE))
    x = box(b, b.image, 2, 3, 2, [1, 1, 1, 1], "conv")
    pooled = b.node("GlobalAveragePool", x, name="pooled")
    flat = b.node("Mul", x, b.constant(np.float32(0)), name="zero")
    b.node("Add", flat, pooled, name="everywhere")
    found = measure(b.model("everywhere"), tmp_path, "pooled", "everywhere", "zero")
    assert found["pooled"][1].reason == "a single cell has no place"
    assert "all respond to the same place" in found["everywhere"][1].reason
    assert found["zero"][1].reason == "it does not change with the image"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_images_do(count: int, tmp_path: Path) -> None:
    b = Builder((1, 3, SIZE, SIZE))
    box(b, b.image, 2, 3, 2, [0, 0, 1, 1], "conv")
    made = measure(b.model("conv"), tmp_path, "conv", count=count)["conv"]
    assert_at_theory(made, cells=0.3)
    assert made[1].images == count


def test_the_same_images_give_the_same_centres(tmp_path: Path) -> None:
    b = Builder((1, 3, SIZE, SIZE))
    box(b, b.conv(b.image, 4, stride=2, name="drawn"), 2, 3, 2, [0, 0, 1, 1], "conv")
    first, again = (measure(b.model("conv"), tmp_path, "drawn", "conv") for _ in range(2))
    assert first == again


def test_the_even_spread() -> None:
    assert even_spread(7, 224) == (15.5, 32)
    assert even_spread(1, 5) == (2, 5)
