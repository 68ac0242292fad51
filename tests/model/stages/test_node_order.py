"""The order in which a file holds its nodes, and nodes that nothing comes of, change no selection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from support.families import Model, chosen, grow, up
from support.models import Builder, save

from onnxdissect.errors import LayerNotFoundError
from onnxdissect.model import load_network


def side_by_side(gathered: bool) -> Model:
    """HRNet: two fusions of three resolutions, then expansions gathered downwards or a head on all."""
    b = Builder(("N", 3, 64, 64))
    x = b.relu(b.conv(b.relu(b.conv(b.image, 4, stride=2), name="stem"), 4, stride=2))
    x = b.relu(b.node("Add", b.conv(x, 4), x), name="before")
    levels = [b.relu(b.conv(x, 4)), b.relu(b.conv(x, 6, stride=2))]
    levels.append(b.relu(b.conv(levels[1], 8, stride=2)))
    for fusion in (1, 2):
        levels = [b.relu(b.conv(level, b.units[level])) for level in levels]
        levels = [fused(b, levels, i, name=f"fused{fusion}_{i}") for i in range(3)]
    if not gathered:
        finest = levels[0]
        resized = [up(b, levels[1]), up(b, up(b, levels[2]))]
        x = grow(b, b.node("Concat", finest, *resized, axis=1), *levels)
        return b.model(b.conv(b.relu(b.conv(x, 8, 1), name="joined"), 2, 1, name="classes"))
    x = b.relu(b.conv(levels[0], 8), name="level0")
    for i in (1, 2):
        wide = b.relu(b.conv(levels[i], 8 + 2 * i))
        x = b.node("Add", wide, b.relu(b.conv(x, 8 + 2 * i, stride=2)), name=f"level{i}")
    return b.model(b.head(x))


def fused(b: Builder, levels: list[str], i: int, name: str) -> str:
    """What all resolutions have to say to one of them."""
    units, total = b.units[levels[i]], ""
    for j, level in enumerate(levels):
        x = level
        for step in reversed(range(i - j)):
            x = b.relu(b.conv(x, b.units[x], stride=2)) if step else b.conv(x, units, stride=2)
        if j > i:
            x = b.conv(x, units, 1)
            for _ in range(j - i):
                x = up(b, x)
        total = b.node("Add", total, x) if total else x
    return b.relu(total, name=name)


def pyramid() -> Model:
    b = Builder(("N", 3, 64, 64))
    x, levels = b.image, []
    for level, units in enumerate((4, 6, 8), 1):
        x = b.relu(b.conv(b.relu(b.conv(x, units, stride=2)), units), name=f"c{level}")
        levels.append(x)
    x = b.conv(levels.pop(), 4, 1)
    tops = [x]
    while levels:
        x = b.node("Add", up(b, x), b.conv(levels.pop(), 4, 1))
        tops.append(x)
    tops = [b.relu(b.conv(x, 4), name=f"p{i}") for i, x in enumerate(tops)]
    return b.model(*(b.conv(x, 3, 1, name=f"classes_{x}") for x in tops))


def from_the_end(model: Model) -> Model:
    """Nodes in another valid order: each right before it is first read, the last operand's first."""
    makers = {name: node for node in model.graph.node for name in node.output}
    ordered: list[onnx.NodeProto] = []

    def visit(name: str) -> None:
        node = makers.get(name)
        if node is not None and node not in ordered:
            for operand in reversed(node.input):
                visit(operand)
            ordered.append(node)

    for value in reversed(model.graph.output):
        visit(value.name)
    written = [onnx.NodeProto.FromString(node.SerializeToString()) for node in ordered]
    del model.graph.node[:]
    model.graph.node.extend(written)
    return model


def selections(model: Model, path: Path) -> dict[str, list[str]]:
    network = load_network(save(model, path))
    found = {}
    for selector in ("stages", "last", "neck", "heads"):
        try:
            found[selector] = sorted(chosen(network, selector))
        except LayerNotFoundError:
            found[selector] = []
    return found


@pytest.mark.parametrize(
    ("build", "stages", "neck"),
    [
        (lambda: side_by_side(gathered=True), ["level0", "level1", "level2", "stem"], []),
        (lambda: side_by_side(gathered=False), None, ["fused2_1", "fused2_2", "joined"]),
        (pyramid, ["c1", "c2", "c3"], ["p0", "p1", "p2"]),
    ],
    ids=["gathered", "joined", "pyramid"],
)
def test_the_order_of_nodes_says_nothing(
    tmp_path: Path, build: Callable[[], Model], stages: list[str] | None, neck: list[str]
) -> None:
    there = selections(build(), tmp_path / "written.onnx")
    assert stages is None or there["stages"] == stages
    assert there["neck"] == neck
    other = from_the_end(build())
    assert [n.output[0] for n in other.graph.node] != [n.output[0] for n in build().graph.node]
    assert selections(other, tmp_path / "ordered.onnx") == there


def classifier(dead: bool) -> Model:
    """With nodes that lead nowhere: a further stage, the rest of a nonlinearity, a second classifier."""
    b = Builder(("N", 3, 64, 64))
    x = b.image
    for level, units in enumerate((4, 6, 8), 1):
        y = b.conv(x, units, stride=2)
        if dead:
            b.node("Softplus", y)
        x = b.relu(y, name=f"c{level}")
    if dead:
        y = b.relu(b.conv(x, 10, stride=2), name="c4")
        b.node("Gemm", b.node("Flatten", b.node("GlobalAveragePool", y)), b.weight((10, 5)), name="other")
    return b.model(b.head(x))


def segmenter(dead: bool) -> Model:
    b = Builder(("N", 3, 64, 64))
    x, levels = b.image, []
    for level, units in enumerate((4, 6, 8), 1):
        x = b.relu(b.conv(x, units, stride=2), name=f"c{level}")
        levels.append(x)
    if dead:
        y = b.relu(b.conv(x, 10, stride=2), name="c4")
        b.conv(b.relu(b.conv(y, 4)), 2, 1, name="aside")
        up(b, y)
    while len(levels) > 1:
        x, skip = up(b, levels.pop()), levels.pop()
        x = b.conv(x, 4)
        levels.append(b.relu(b.node("Add", x, b.conv(skip, 4, 1)), name=f"d{len(levels) + 1}"))
    return b.model(b.conv(levels.pop(), 2, 1, name="classes"))


@pytest.mark.parametrize("build", [classifier, segmenter])
def test_what_no_output_depends_on_is_no_part_of_the_network(
    tmp_path: Path, build: Callable[[bool], Model]
) -> None:
    alive = selections(build(False), tmp_path / "alive.onnx")
    assert alive["stages"] == ["c1", "c2", "c3"]
    assert selections(build(True), tmp_path / "dead.onnx") == alive
    network = load_network(tmp_path / "dead.onnx")
    parts = {layer.name: layer.part for layer in network.layers}
    assert parts["c4"] == "unused"
    assert network.select(["c4"])[0].part == "unused"
