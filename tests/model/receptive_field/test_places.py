"""The rule of places against the effective centre: drawn weights, response-weighted, in cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
from support.models import Builder
from support.probing import effective_centres, inspect


def _up(b: Builder, x: str, how: str) -> str:
    units = b.units[x]
    if how == "ConvTranspose":
        y = b.node("ConvTranspose", x, b.weight((units, units, 2, 2)), strides=(2, 2))
    elif how == "DepthToSpace":
        y = b.node("DepthToSpace", b.conv(x, 4 * units, 1), blocksize=2)
    else:
        nearest = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        scales = b.constant((1, 1, 2, 2), np.float32)
        y = b.node("Resize", x, "", scales, mode=how, **(nearest if how == "nearest" else {}))
    b.units[y] = units
    return y


def _down(b: Builder, levels: int) -> list[str]:
    found = [b.conv(b.image, 6, 3)]
    for _ in range(levels):
        found.append(b.conv(b.conv(found[-1], 6, 3, stride=2), 6, 3))
    return found


def _add(b: Builder, *parts: str) -> str:
    y = b.node("Add", *parts)
    b.units[y] = b.units[parts[0]]
    return y


def unet(how: str) -> Callable[[Builder], str]:
    def build(b: Builder) -> str:
        *skips, x = _down(b, 3)
        for skip in reversed(skips):
            x = b.node("Concat", _up(b, x, how), skip, axis=1)
            b.units[x] = 12
            x = b.conv(x, 6, 3)
        return x

    return build


def aligned(b: Builder) -> str:
    """A decoder that aligns corners, so that its coarse maps lie a little elsewhere in every cell."""
    *skips, x = _down(b, 3)
    for skip in reversed(skips):
        units = b.units[x]
        scales = b.constant((1, 1, 2, 2), np.float32)
        x = b.node("Resize", x, "", scales, mode="linear", coordinate_transformation_mode="align_corners")
        b.units[x] = units
        x = b.node("Concat", x, skip, axis=1)
        b.units[x] = 12
        x = b.conv(x, 6, 3)
    return x


def fpn(b: Builder) -> str:
    *skips, x = _down(b, 3)
    for skip in reversed(skips[1:]):
        x = _add(b, b.conv(skip, 6, 1), _up(b, x, "nearest"))
    return b.conv(x, 6, 3)


def pan(b: Builder) -> str:
    _, fine, middle, coarse = _down(b, 3)
    middle = _add(b, middle, _up(b, coarse, "nearest"))
    fine = _add(b, fine, _up(b, middle, "nearest"))
    for level in (middle, coarse):
        fine = _add(b, b.conv(fine, 6, 3, stride=2), level)
    return b.conv(fine, 6, 3)


def aspp(b: Builder) -> str:
    x = _down(b, 2)[-1]
    return b.node("Concat", *[b.conv(x, 6, 3, dilation=d) for d in (1, 2, 3)], b.conv(x, 6, 1), axis=1)


def hourglass(b: Builder) -> str:
    x = b.conv(b.image, 6, 3)
    y = b.conv(x, 6, 3, stride=2)
    y = _add(b, b.conv(y, 6, 3), _up(b, b.conv(y, 6, 3, stride=2), "nearest"))
    return _add(b, b.conv(x, 6, 3), _up(b, y, "nearest"))


def same_shortcut(b: Builder) -> str:
    x = b.conv(b.image, 6, 3)
    main = b.node("Conv", x, b.weight((6, 6, 3, 3)), strides=(2, 2), auto_pad="SAME_UPPER")
    short = b.node("Conv", x, b.weight((6, 6, 1, 1)), strides=(2, 2), auto_pad="SAME_UPPER")
    return _add(b, main, short)


DRAWS = 16
BLOCKS = ("U-Net nearest", "U-Net ConvTranspose", "U-Net DepthToSpace", "FPN", "hourglass")

FAMILIES: dict[str, Callable[[Builder], str]] = {
    **{f"U-Net {how}": unet(how) for how in ("nearest", "linear", "ConvTranspose", "DepthToSpace")},
    "U-Net aligned corners": aligned,
    "FPN": fpn,
    "PAN": pan,
    "ASPP": aspp,
    "hourglass": hourglass,
    "SAME shortcut": same_shortcut,
}


def _draw(model: onnx.ModelProto, seed: int) -> None:
    """Give every convolution a gain of about one, so that no branch is loud because it is deep."""
    rng = np.random.default_rng(seed)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in ("Conv", "ConvTranspose"):
            tensor = stored[node.input[1]]
            shape = tuple(tensor.dims)
            heard = shape[0] if node.op_type == "ConvTranspose" else int(np.prod(shape[1:]))
            drawn = rng.normal(0, heard**-0.5, shape).astype(np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(drawn, tensor.name))


@pytest.mark.parametrize("family", list(FAMILIES))
def test_the_rule_lies_near_the_effective_centre(family: str) -> None:
    """Within half a cell, but within one where a coarse branch is spread out again in blocks.

    There drawn weights of either sign let the coarse branch speak as loudly as the skip, so the measured
    centre lies between the two, a quarter of a cell from the rule for every doubling; the rule follows the
    skip. Weights that cannot cancel leave the skip the louder, see `test_model_families`.
    """
    b = Builder((65, 1, 64, 16))
    x = FAMILIES[family](b)
    model = b.model(b.node("Identity", x))
    field = inspect(model, x).receptive_field
    assert field is not None
    drawn = []
    for seed in range(DRAWS):
        # one draw has lopsided kernels, which move its centre; their mean does not
        _draw(model, seed)
        drawn.append(effective_centres(x, model))
    centres = np.mean(drawn, axis=0)
    cells = np.arange(len(centres))
    inner = slice(len(cells) // 4, -(len(cells) // 4))
    each = [(c - field.offset[0] - cells * field.stride[0])[inner].mean() / field.stride[0] for c in drawn]
    apart = (centres - field.offset[0] - cells * field.stride[0])[inner].mean() / field.stride[0]
    print(f"{family:20} {apart:+.2f} +- {np.std(each) / DRAWS**0.5:.2f} cells")
    assert abs(apart) < (1 if family in BLOCKS else 0.5)
