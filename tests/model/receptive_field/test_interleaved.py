"""Rows and columns put together of several: layers where onnxruntime keeps their order, else refused."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from support.models import Builder, save

from onnxdissect.model import load_network

SIDE = 16
ALL = 2**60


def ints(b: Builder, *values: int) -> str:
    return b.constant(values, np.int64)


def reshaped(b: Builder, x: str, *shape: int, name: str | None = None) -> str:
    return b.node("Reshape", x, ints(b, *shape), name=name)


def every(b: Builder, x: str, first: int, step: int, axis: int) -> str:
    return b.node("Slice", x, ints(b, first), ints(b, ALL), ints(b, axis), ints(b, step))


def verdict(model: onnx.ModelProto, name: str = "out") -> str | None:
    """Why a value is no layer; None where it is one."""
    with tempfile.TemporaryDirectory() as folder:
        network = load_network(save(model, Path(folder) / "m.onnx"))
    listed = {layer.name for layer in (*network.layers, *network.listing.copies)}
    assert (name in listed) != (name in network.listing.refusals)
    return network.listing.refusals.get(name)


def in_order(model: onnx.ModelProto, name: str = "out") -> bool:
    """Whether cells of equal rows and columns lie where they do in the input, as onnxruntime moves them."""
    moved = onnx.ModelProto()
    moved.CopyFrom(model)
    moved.graph.output.extend([onnx.ValueInfoProto(name=name)])
    session = onnxruntime.InferenceSession(moved.SerializeToString(), providers=["CPUExecutionProvider"])
    image = np.arange(SIDE * SIDE, dtype=np.float32).reshape(1, 1, SIDE, SIDE)
    (found,) = session.run([name], {"image": image})
    return bool(np.array_equal(found, np.broadcast_to(image, found.shape)))


def start() -> tuple[Builder, str]:
    """A map of four units that has the numbers of the image, behind a convolution."""
    b = Builder((1, 1, SIDE, SIDE))
    return b, b.node("Relu", b.node("Conv", b.image, b.constant(np.ones((4, 1, 1, 1)))))


def kept(b: Builder, x: str, units: int = 4, name: str | None = None) -> str:
    """A convolution that leaves every number as it is, and a rectifier."""
    weights = np.eye(units, dtype=np.float32)[:, :, None, None]
    return b.node("Relu", b.node("Conv", x, b.constant(weights)), name=name)


def by_slices(b: Builder, x: str, parts: int, axis: int) -> list[str]:
    return [every(b, x, i, parts, axis) for i in range(parts)]


def by_gathers(b: Builder, x: str, parts: int, axis: int) -> list[str]:
    return [
        b.node("Gather", x, ints(b, *range(i, SIDE, parts)), axis=axis, name=f"{x}/{i}") for i in range(parts)
    ]


def interleave(b: Builder, parts: Sequence[str], axis: int, name: str) -> str:
    raised = [b.node("Unsqueeze", part, ints(b, axis + 1)) for part in parts]
    return reshaped(b, b.node("Concat", *raised, axis=axis + 1, name=f"{name}/joined"), 1, 4, SIDE, SIDE)


@pytest.mark.parametrize("axis", [2, 3])
@pytest.mark.parametrize("cut", [by_slices, by_gathers])
@pytest.mark.parametrize("between", [False, True])
def test_parts_are_a_map_again_in_their_order_alone(
    axis: int, cut: Callable[[Builder, str, int, int], list[str]], between: bool
) -> None:
    accepted = []
    for order in permutations(range(4)):
        b, x = start()
        parts = cut(b, x, 4, axis)
        if between:
            parts = [kept(b, part) for part in parts]
        x = interleave(b, [parts[i] for i in order], axis, "whole")
        model = b.model(kept(b, x, name="out"))
        why = verdict(model)
        assert (why is None) == in_order(model), order
        if why is None:
            accepted.append(order)
        else:
            assert "operator Concat ('whole/joined')" in why
    assert accepted == [(0, 1, 2, 3)]


def test_what_is_swapped_twice_is_a_map_again() -> None:
    b, x = start()
    for name in ("once", "twice"):
        x = kept(b, interleave(b, by_slices(b, x, 2, 2)[::-1], 2, name), name=f"{name}/out")
    model = b.model(x)
    assert not in_order(model, "once/out")
    assert verdict(model, "once/out") is not None
    assert in_order(model, "twice/out")
    assert verdict(model, "twice/out") is None


def windows(b: Builder, x: str, pads: Sequence[int]) -> str:
    return b.node("Conv", x, b.weight((4, 4, 3, 3)), kernel_shape=(3, 3), pads=list(pads))


@pytest.mark.parametrize("swapped", [False, True])
def test_windows_around_cells_leave_parts_where_they_are(swapped: bool) -> None:
    b, x = start()
    parts = [windows(b, part, (1, 1, 1, 1)) for part in by_slices(b, x, 4, 2)]
    model = b.model(b.relu(interleave(b, parts[::-1] if swapped else parts, 2, "whole"), name="out"))
    assert (verdict(model) is not None) == swapped


def test_learned_windows_to_one_side_may_put_parts_in_any_order() -> None:
    """Convolutions of one map, interleaved, are a learned upsampling: each looks where it likes."""
    b, x = start()
    half = b.node("AveragePool", x, kernel_shape=(2, 1), strides=(2, 1))
    parts = [windows(b, half, (1, 1, 1, 1)), windows(b, half, (2, 1, 0, 1))]
    assert verdict(b.model(b.relu(interleave(b, parts, 2, "whole"), name="out"))) is None


def test_parts_side_by_side_among_the_units_are_a_coarser_map() -> None:
    b, x = start()
    for axis in (2, 3):
        x = b.node("Concat", *by_slices(b, x, 2, axis)[::-1], axis=1)
    assert verdict(b.model(kept(b, x, 16, name="out"))) is None


BLOCK = 4


def unchanged(b: Builder, x: str) -> str:
    return b.node("Identity", x)


def gathered(order: Sequence[int]) -> Callable[[Builder, str], str]:
    return lambda b, x: b.node("Gather", x, ints(b, *order), axis=1)


def there_and_back(b: Builder, x: str) -> str:
    order: NDArray[np.int64] = np.random.default_rng(0).permutation(64)
    return gathered(np.argsort(order).tolist())(b, gathered(order.tolist())(b, x))


def halves_swapped(b: Builder, x: str) -> str:
    return b.node(
        "Concat", every(b, x, 32, 1, 1), b.node("Slice", x, ints(b, 0), ints(b, 32), ints(b, 1)), axis=1
    )


def split_and_joined(order: Sequence[int]) -> Callable[[Builder, str], str]:
    def permuted(b: Builder, x: str) -> str:
        names = [f"part{i}" for i in range(4)]
        b.nodes("Split", x, ints(b, 16, 16, 16, 16), names=names, axis=1)
        return b.node("Concat", *(names[i] for i in order), axis=1)

    return permuted


def turned(perm: Sequence[int]) -> Callable[[Builder, str], str]:
    def permuted(b: Builder, x: str) -> str:
        y = b.node("Transpose", reshaped(b, x, 1, 4, 4, 4, 4, 4), perm=perm)
        return reshaped(b, y, 1, 64, 4, 4)

    return permuted


UNITS = {
    "as they are": unchanged,
    "gathered there and back": there_and_back,
    "only units of a place swapped": gathered([4 * place + c for place in range(16) for c in (3, 1, 2, 0)]),
    "backwards": gathered(range(63, -1, -1)),
    "places backwards": gathered([4 * place + c for place in range(15, -1, -1) for c in range(4)]),
    "two places swapped": gathered([*range(4, 8), *range(4), *range(8, 64)]),
    "halves swapped": halves_swapped,
    "split and joined": split_and_joined((0, 1, 2, 3)),
    "split and joined otherwise": split_and_joined((0, 2, 1, 3)),
    "rows for columns": turned((0, 2, 1, 3, 4, 5)),
    "units for columns": turned((0, 1, 3, 2, 4, 5)),
    "units for rows": turned((0, 3, 2, 1, 4, 5)),
    "turned into themselves": turned((0, 1, 2, 3, 4, 5)),
}


@pytest.mark.parametrize("how", UNITS)
@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_blocks_put_back_are_a_map_where_each_cell_is_in_its_place(how: str, mode: str) -> None:
    b, x = start()
    x = b.node("SpaceToDepth", x, blocksize=BLOCK)
    x = b.node("DepthToSpace", b.node("Relu", UNITS[how](b, x)), blocksize=BLOCK, mode=mode)
    model = b.model(b.node("Relu", x, name="out"))
    assert (verdict(model) is None) == in_order(model)


@pytest.mark.parametrize(("perm", "right"), [((0, 1, 4, 2, 5, 3), True), ((0, 1, 4, 3, 5, 2), False)])
def test_blocks_cut_and_put_back_by_reshapes(perm: Sequence[int], right: bool) -> None:
    b, x = start()
    x = b.node("Transpose", reshaped(b, x, 1, 4, 4, BLOCK, 4, BLOCK), perm=(0, 1, 3, 5, 2, 4))
    x = b.node("Relu", reshaped(b, x, 1, 64, 4, 4))
    x = b.node("Transpose", reshaped(b, x, 1, 4, BLOCK, BLOCK, 4, 4), perm=perm)
    model = b.model(b.node("Relu", reshaped(b, x, 1, 4, SIDE, SIDE), name="out"))
    assert in_order(model) == right
    assert (verdict(model) is None) == right


def test_units_of_a_block_that_a_convolution_mixes_are_left_to_the_measure() -> None:
    b, x = start()
    x = b.node("Conv", b.node("SpaceToDepth", x, blocksize=BLOCK), b.weight((64, 64, 1, 1)))
    x = b.node("DepthToSpace", gathered(range(63, -1, -1))(b, x), blocksize=BLOCK)
    assert verdict(b.model(b.node("Relu", x, name="out"))) is None


@pytest.mark.parametrize("fine", [2, 4])
def test_blocks_put_back_in_part_hold_their_own_cells(fine: int) -> None:
    """Of blocks of 8 cells only the coarser digits become rows and columns again; the finer stay units."""
    b, x = start()
    coarse = 8 // fine
    x = reshaped(b, b.node("SpaceToDepth", x, blocksize=8), 1, coarse, fine, coarse, fine, 4, 2, 2)
    x = reshaped(b, b.node("Transpose", x, perm=(0, 1, 3, 2, 4, 5, 6, 7)), 1, 256, 2, 2)
    x = b.node("DepthToSpace", x, blocksize=coarse)
    assert verdict(b.model(b.node("Relu", x, name="out"))) is None
