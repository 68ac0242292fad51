"""Maps that any operator scrambled stay so behind local layers, and are layers once they are put back."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.models import Builder, save
from support.probing import inspect, refusal

from onnxdissect.errors import LayerLayoutError
from onnxdissect.model import Network, load_network
from onnxdissect.model.layers.coverage_warnings import order_warnings

CELLS = 16
BACKWARDS = np.arange(CELLS)[::-1].copy()
ORDER = np.random.default_rng(3).permutation(CELLS)

Scramble = Callable[[Builder, str], str]


def ints(b: Builder, *values: int) -> str:
    return b.constant(values, np.int64)


def elements(cells: np.ndarray) -> np.ndarray:
    return np.broadcast_to(cells, (1, 4, CELLS, CELLS)).astype(np.int64).copy()


def gather_nd(b: Builder, x: str) -> str:
    cells = np.stack(np.meshgrid([0], range(4), range(CELLS), BACKWARDS, indexing="ij"), -1)
    return b.node("GatherND", x, b.constant(cells, np.int64), name="scrambled")


def scatter_nd(b: Builder, x: str) -> str:
    cells = np.stack(np.meshgrid([0], range(4), range(CELLS), BACKWARDS, indexing="ij"), -1)
    return b.node("ScatterND", x, b.constant(cells, np.int64), x, name="scrambled")


def sampled(b: Builder, x: str) -> str:
    line = np.linspace(-1, 1, CELLS)
    return b.node("GridSample", x, b.constant(np.stack(np.meshgrid(-line, line), -1)[None]), name="scrambled")


def sampled_by_the_image(b: Builder, x: str) -> str:
    grid = b.node("Transpose", b.node("Tanh", b.conv(x, 2)), perm=(0, 2, 3, 1))
    return b.node("GridSample", x, grid, name="scrambled")


def half_twice(b: Builder, x: str) -> str:
    half = b.node("Slice", x, ints(b, 0), ints(b, CELLS // 2), ints(b, 3))
    return b.node("Concat", half, half, axis=3, name="scrambled")


def rolled(b: Builder, x: str) -> str:
    ends = [
        b.node("Slice", x, ints(b, *span), ints(b, end), ints(b, 3)) for span, end in (((5,), 99), ((0,), 5))
    ]
    return b.node("Concat", *ends, axis=3, name="scrambled")


def mixed(b: Builder, x: str) -> str:
    """A product over the columns as a learned one is."""
    return b.node("MatMul", x, b.weight((CELLS, CELLS)), name="scrambled")


def of(op: str, *inputs: np.ndarray, **attributes: object) -> Scramble:
    def build(b: Builder, x: str) -> str:
        return b.node(op, x, *(b.constant(i, i.dtype) for i in inputs), name="scrambled", **attributes)

    return build


def picked(columns: np.ndarray) -> np.ndarray:
    return np.eye(CELLS, dtype=np.float32)[:, columns]


def reversed_(name: str) -> Scramble:
    """The operator takes its first two axes alone."""

    def build(b: Builder, x: str) -> str:
        x = b.node("Transpose", x, perm=(2, 1, 0, 3))
        lengths = b.constant(np.full(4, CELLS), np.int64)
        x = b.node("ReverseSequence", x, lengths, batch_axis=1, time_axis=0, name=name)
        return b.node("Transpose", x, perm=(2, 1, 0, 3), name=f"{name}_map")

    return build


SCRAMBLES: dict[str, Scramble] = {
    "Transpose": of("Transpose", perm=(0, 1, 3, 2)),
    "Einsum": of("Einsum", equation="nchw->ncwh"),
    "Slice": of("Slice", *(np.array([n]) for n in (-1, -99, 3, -1))),
    "Gather": of("Gather", ORDER, axis=3),
    "GatherElements": of("GatherElements", elements(BACKWARDS), axis=3),
    "GatherND": gather_nd,
    "ScatterElements": lambda b, x: b.node(
        "ScatterElements", x, b.constant(elements(BACKWARDS), np.int64), x, axis=3, name="scrambled"
    ),
    "ScatterND": scatter_nd,
    "GridSample": sampled,
    "GridSample computed": sampled_by_the_image,
    "Concat of halves": half_twice,
    "Concat rolled": rolled,
    "ReverseSequence": reversed_("scrambled"),
    "MatMul": of("MatMul", picked(ORDER)),
    "MatMul mixing": mixed,
    "MatMul from the left": lambda b, x: b.node("MatMul", b.constant(picked(ORDER)), x, name="scrambled"),
    "Tile": lambda b, x: b.node(
        "Tile", b.node("Slice", x, ints(b, 0), ints(b, 8), ints(b, 3)), ints(b, 1, 1, 1, 2), name="scrambled"
    ),
    "Reshape": lambda b, x: b.node("Reshape", x, ints(b, 1, 16, 8, 8), name="scrambled"),
}


def scrambled(scramble: Scramble, back: Scramble | None = None) -> onnx.ModelProto:
    """Two layers in order, an operator that is no layer's business, local layers behind it, a classifier."""
    b = Builder((1, 3, 32, 32), positive=True)
    x = b.relu(b.conv(b.image, 4, stride=2, name="first"), name="in_order")
    x = scramble(b, x)
    b.units[x] = 16 if x == "scrambled" and scramble is SCRAMBLES["Reshape"] else 4
    if back is not None:
        x = back(b, x)
        b.units[x] = 4
    x = b.relu(b.conv(x, 4, name="anew"), name="active")
    x = b.node("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2), name="pooled")
    x = b.relu(b.conv(x, 6, name="deep"), name="last_map")
    return b.model(b.head(x))


BEHIND = ("scrambled", "anew", "active", "pooled", "deep", "last_map")


def loaded(model: onnx.ModelProto, layouts: dict[str, str] | None = None) -> Network:
    with tempfile.TemporaryDirectory() as folder:
        return load_network(save(model, Path(folder) / "m.onnx"), layouts=layouts)


@pytest.mark.parametrize("name", list(SCRAMBLES))
def test_what_is_behind_a_scramble_is_refused_by_its_name(name: str) -> None:
    network = loaded(scrambled(SCRAMBLES[name]))
    op = name.split()[0]
    assert {layer.name for layer in network.layers if layer.grid != (1, 1)} & set(BEHIND) == set()
    with pytest.raises(LayerLayoutError) as caught:
        network.select(["last_map"])
    assert "order of the picture" in str(caught.value) or op == "Reshape"
    if op != "Reshape":
        assert f"since operator {op} ('scrambled')" in str(caught.value)
        assert "'in_order', before it, has them in order" in str(caught.value)
        computed = name == "GridSample computed"
        assert not caught.value.candidates and ("--layout" in str(caught.value.hint)) == computed
        # the selectors leave them out, and the run says which operator, how much, and what to take
        (warning,) = order_warnings(network.listing)
        assert re.search(rf"\d maps? with \d+% of the compute .* operator {op} \('scrambled'\)", warning)
        assert "--layer in_order" in warning
    stages = [layer.name for layer in network.select(["stages"])]
    assert stages[-1] == "in_order"
    assert not set(stages) & set(BEHIND)


@pytest.mark.parametrize("name", ["Transpose", "MatMul mixing", "GridSample", "GatherND"])
def test_a_layout_does_not_put_cells_in_order(name: str) -> None:
    with pytest.raises(LayerLayoutError, match="not where cells lie"):
        loaded(scrambled(SCRAMBLES[name]), layouts={"scrambled": "NCHW"})


def undone(op: str, *inputs: np.ndarray, **attributes: object) -> Scramble:
    def build(b: Builder, x: str) -> str:
        x = b.relu(x)
        return b.node(op, x, *(b.constant(i, i.dtype) for i in inputs), name="back", **attributes)

    return build


PUT_BACK: dict[str, Scramble] = {
    "Transpose": undone("Transpose", perm=(0, 1, 3, 2)),
    "Einsum": undone("Einsum", equation="ncwh->nchw"),
    "Slice": undone("Slice", *(np.array([n]) for n in (-1, -99, 3, -1))),
    "Gather": undone("Gather", np.argsort(ORDER), axis=3),
    "GatherElements": undone("GatherElements", elements(BACKWARDS), axis=3),
    "ReverseSequence": lambda b, x: b.node("Identity", reversed_("again")(b, x), name="back"),
    "MatMul": undone("MatMul", picked(np.argsort(ORDER))),
}


@pytest.mark.parametrize("name", list(PUT_BACK))
def test_the_same_disorder_undone_makes_the_order_known_again(name: str) -> None:
    model = scrambled(SCRAMBLES[name], PUT_BACK[name])
    straight = scrambled(lambda b, x: b.node("Identity", x, name="scrambled"))
    assert "scrambled" in loaded(model).listing.disturbed
    for value in ("back", "active", "last_map"):
        like = inspect(straight, value if value != "back" else "in_order")
        assert inspect(model, value).receptive_field == like.receptive_field
    assert order_warnings(loaded(model).listing) == []


def test_a_convolution_on_swapped_axes_is_followed() -> None:
    """A part of a network that runs on columns and rows is refused, what is turned back is in its place."""
    b = Builder((1, 3, 32, 48), positive=True)
    x = b.node("Transpose", b.conv(b.image, 4, name="in_order"), perm=(0, 1, 3, 2), name="turned")
    b.units[x] = 4
    weight = b.weight((4, 4, 1, 3))
    x = b.node("Conv", x, weight, strides=(3, 2), pads=(0, 1, 0, 0), kernel_shape=(1, 3), name="inside")
    x = b.node("Transpose", x, perm=(0, 1, 3, 2), name="back")
    model = b.model(b.node("Identity", x))
    assert "in the order NCWH; its cells are not in the order" in refusal(model, "inside")
    like = Builder((1, 3, 32, 48), positive=True)
    y = like.conv(like.image, 4, name="in_order")
    weight = like.weight((4, 4, 3, 1))
    y = like.node("Conv", y, weight, strides=(2, 3), pads=(1, 0, 0, 0), kernel_shape=(3, 1), name="straight")
    assert (
        inspect(model, "back").receptive_field
        == inspect(like.model(like.node("Identity", y)), "straight").receptive_field
    )


def test_a_branch_out_of_order_spoils_the_sum() -> None:
    def beside(b: Builder, x: str) -> str:
        return b.node("Add", x, gather_nd(b, x), name="sum")

    assert "since operator GatherND ('scrambled')" in refusal(scrambled(beside), "active")


def listening(turned: bool) -> onnx.ModelProto:
    """Attention over a map, its scores shifted by what is computed from queries with columns for rows."""
    b = Builder((1, 3, 32, 32))
    x = b.relu(b.conv(b.image, 4, 4, stride=4, pads=(0, 0, 0, 0)), name="before")
    queries, keys, values = (b.conv(x, 4, 1) for _ in range(3))
    if turned:
        queries = b.node("Transpose", queries, perm=(0, 1, 3, 2), name="turned")
    queries_, keys, values = (b.node("Reshape", y, ints(b, 1, 4, 64)) for y in (queries, keys, values))
    scores = b.node("MatMul", b.node("Transpose", queries_, perm=(0, 2, 1)), keys)
    perm = (0, 2, 3, 1) if turned else (0, 3, 2, 1)
    shift = b.node("MatMul", b.node("Transpose", queries, perm=perm), b.weight((4, 8)))
    shift = b.node("Expand", b.node("Reshape", shift, ints(b, 1, 64, 8, 1)), ints(b, 1, 64, 8, 8))
    scores = b.node("Add", scores, b.node("Reshape", shift, ints(b, 1, 64, 64)))
    heard = b.node("MatMul", b.node("Softmax", scores), b.node("Transpose", values, perm=(0, 2, 1)))
    heard = b.node("Reshape", b.node("Transpose", heard, perm=(0, 2, 1)), ints(b, 1, 4, 8, 8))
    b.units[heard] = 4
    return b.model(b.head(b.relu(b.node("Add", x, b.conv(heard, 4, 1)), name="after")))


def test_what_shifts_the_scores_of_attention_moves_no_cells() -> None:
    """As relative positions do (BoTNet), which are counted along columns and turned back in between."""
    layer = inspect(listening(False), "after")
    assert layer.grid == (8, 8)
    assert layer.receptive_field is not None
    assert layer.receptive_field.offset == (1.5, 1.5)
    assert "since operator Transpose ('turned')" in refusal(listening(True), "after")


def test_mixing_all_cells_beside_a_shortcut_keeps_the_place() -> None:
    """As in networks that mix tokens by a product over them: the shortcut says where they are."""
    b = Builder((1, 3, 32, 32))
    x = b.conv(b.image, 8, 4, stride=4, pads=(0, 0, 0, 0), name="patches")
    tokens = b.node("Transpose", b.node("Reshape", x, ints(b, 1, 8, 64)), perm=(0, 2, 1), name="tokens")
    across = b.node("Transpose", tokens, perm=(0, 2, 1))
    hidden = b.node("MatMul", b.relu(b.node("MatMul", across, b.weight((64, 32)))), b.weight((32, 64)))
    y = b.node("Add", tokens, b.node("Transpose", hidden, perm=(0, 2, 1)), name="stream")
    model = b.model(b.node("Identity", y))
    field = inspect(model, "stream").receptive_field
    assert field is not None and (field.offset, field.stride) == ((1.5, 1.5), (4.0, 4.0))


def test_columns_that_are_interpolated_by_a_product_keep_their_places() -> None:
    """Half the columns, each the mean of two."""
    halves = np.kron(np.eye(CELLS // 2, dtype=np.float32), np.full((2, 1), 0.5, np.float32))
    b = Builder((1, 3, 32, 32), positive=True)
    x = b.node("MatMul", b.conv(b.image, 4, stride=2, name="first"), b.constant(halves), name="narrower")
    field = inspect(b.model(b.node("Identity", x)), "narrower").receptive_field
    assert field is not None
    assert (field.offset, field.stride) == ((0.0, 1.0), (2.0, 4.0))


def test_blocks_cut_out_by_gathered_rows_are_followed() -> None:
    """Unfolding as it is exported: indices of two axes, (rows within, blocks)."""
    b = Builder((1, 3, 32, 32), positive=True)
    x = b.conv(b.image, 4, stride=2, name="first")
    blocks = b.constant(np.arange(2)[:, None] + 2 * np.arange(CELLS // 2), np.int64)
    y = b.node("Gather", b.node("Gather", x, blocks, axis=2), blocks, axis=4)
    y = b.node("Reshape", b.node("Transpose", y, perm=(0, 1, 2, 4, 3, 5)), ints(b, 1, 4, 4, 64))
    b.units[y] = 4
    y = b.node("Reshape", b.conv(y, 4, 1), ints(b, 1, 16, 8, 8))
    y = b.node("DepthToSpace", y, blocksize=2, mode="CRD", name="folded")
    model = b.model(b.node("Identity", y), "first")
    folded, first = inspect(model, "folded").receptive_field, inspect(model, "first").receptive_field
    assert folded is not None and first is not None
    assert (folded.offset, folded.stride) == (first.offset, first.stride)


@pytest.mark.parametrize("units", [1, 4])
@pytest.mark.parametrize("last", [False, True], ids=["NCHW", "NHWC"])
def test_a_roll_of_both_axes_is_refused_however_few_units_there_are(units: int, last: bool) -> None:
    """The pieces of a map of one unit have no more wide axes than a vector."""
    b = Builder((1, 3, 32, 48))
    x = b.conv(b.image, units, 8, stride=8, pads=(0, 0, 0, 0), name="patches")
    axes = (1, 2) if last else (2, 3)
    x = b.node("Transpose", x, perm=(0, 2, 3, 1)) if last else x
    for axis, by in zip(axes, (1, 2), strict=True):
        ends = [b.node("Slice", x, *(ints(b, v) for v in (*span, axis))) for span in ((by, 99), (0, by))]
        x = b.node("Concat", *ends, axis=axis, name=f"rolled{axis}")
    x = b.node("Transpose", x, perm=(0, 3, 1, 2)) if last else x
    b.units[x] = units
    network = loaded(b.model(b.head(b.relu(b.conv(x, 4), name="behind"))))
    with pytest.raises(LayerLayoutError, match=r"Concat \('rolled"):
        network.select(["behind"])
    assert [layer.name for layer in network.select(["stages"])] == ["patches"]


def test_a_class_token_does_not_put_flipped_patches_in_order() -> None:
    b = Builder((1, 3, 32, 48))
    x = b.conv(b.image, 8, 8, stride=8, pads=(0, 0, 0, 0), name="patches")
    x = b.node("Slice", x, *(ints(b, v) for v in (-1, -99, 3, -1)), name="flipped")
    x = b.node("Reshape", x, ints(b, 1, 8, 24))
    x = b.node("Transpose", x, perm=(0, 2, 1), name="tokens")
    x = b.node("Concat", b.weight((1, 1, 8)), x, axis=1, name="with_class")
    y = b.node("Relu", b.node("MatMul", x, b.weight((8, 8))), name="behind")
    network = loaded(b.model(x, y))
    with pytest.raises(LayerLayoutError, match="Slice"):
        network.select(["behind"])
