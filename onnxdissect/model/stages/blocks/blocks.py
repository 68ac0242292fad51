"""Block outputs: what a trunk hands from one block to the next.

Every value of a trunk's chain belongs to the weights, the sum or the concatenation before it. Such a group
ends in an activation (a convolution with its normalisation and nonlinearity), in a bare sum (a residual
stream), or stays linear (a linear bottleneck). Which of these is a block's output depends on what the
shortcuts of the network carry: activations, as in ResNet, or a linear stream, as in MobileNetV2, ConvNeXt
and transformers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass

from onnxdissect.model.graph import attribute
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Compute
from onnxdissect.model.receptive_field.window_shape import weight_shape
from onnxdissect.model.stages.trunk.flow import Flow, Grid
from onnxdissect.model.stages.trunk.products import has_weights, is_depthwise, is_pointwise
from onnxdissect.model.stages.trunk.trunk import Trunk

__all__ = ["Block", "Style", "find_outputs", "split_blocks", "style_of"]


@dataclass(frozen=True, slots=True)
class Block:
    """A group of values of the trunk's chain.

    Attributes
    ----------
    kind : str
        "weights", "sum", "concat" or "other" (a pool, the image).
    members : list of int
        Its values, in order; the first is what it is named after.
    activated, nonlinear : int or None
        Its last and its first value behind a nonlinearity.
    grid : (int, int)
        Of its first value.
    """

    kind: str
    members: list[int]
    activated: int | None
    nonlinear: int | None
    grid: Grid


@dataclass(frozen=True, slots=True)
class Style:
    """What the shortcuts of a network carry.

    Attributes
    ----------
    shortcuts : bool
        Whether there are any on the trunk.
    linear : bool
        Whether what they carry has not gone through a nonlinearity.
    """

    shortcuts: bool
    linear: bool


def _groups(flow: Flow, trunk: Trunk) -> list[list[int]]:
    groups: list[list[int]] = []
    for number in trunk.chain:
        if not groups or _begins(flow, number, groups[-1][0]):
            groups.append([number])
        else:
            groups[-1].append(number)
    return groups


def _begins(flow: Flow, number: int, first: int) -> bool:
    """Whether a value is more than its predecessor normalised, weighed, activated or reshaped."""
    return _kind(flow, number) != "other" or flow.grids[number] != flow.grids[first]


def _kind(flow: Flow, number: int) -> str:
    if has_weights(flow, number):
        return "weights"
    if flow.is_sum(number):
        return "sum"
    if flow.is_concatenation(number):
        return "concat"
    return "other"


def split_blocks(flow: Flow, trunk: Trunk, activated: Collection[int]) -> list[Block]:
    """Split the trunk's chain into groups.

    Parameters
    ----------
    flow : Flow
        The graph.
    trunk : Trunk
        Its trunk.
    activated : collection of int
        Values that leave a nonlinearity.

    Returns
    -------
    list of Block
    """
    return [
        Block(
            _kind(flow, group[0]),
            group,
            next((number for number in reversed(group) if number in activated), None),
            next((number for number in group if number in activated), None),
            flow.grids[group[0]],
        )
        for group in _groups(flow, trunk)
    ]


def style_of(flow: Flow, blocks: list[Block], directly: Callable[[int, int], bool]) -> Style:
    """Tell what the shortcuts carry.

    Parameters
    ----------
    flow : Flow
        The graph.
    blocks : list of Block
        Of its trunk.
    directly : callable
        Whether a value is nothing but a nonlinearity of another.

    Returns
    -------
    Style
        Where no shortcut is a bare one, sums that are activated at once speak for activations.
    """
    home = {number: block for block in blocks for number in block.members}
    sums = [block for block in blocks if block.kind == "sum"]
    linear = activated = 0
    for block in sums:
        for operand in flow.before[block.members[0]]:
            source = flow.source(operand)
            if source in home and home[source].kind != "other":
                first = home[source].nonlinear
                if first is not None and source >= first:
                    activated += 1
                else:
                    linear += 1
    if not linear and not activated:
        for block in sums:
            if block.activated is not None and directly(block.activated, block.members[0]):
                activated += 1
            else:
                linear += 1
    # shortcuts over a part of the units leave no bare sum, and single blocks need none; linear bottlenecks
    # tell such networks
    made = [block for block in blocks if block.kind in ("weights", "concat")]
    projected = [after for block, after in itertools.pairwise(made) if _projects(flow, block, after)]
    alone = any(_is_inverted(flow, *three) for three in zip(made, made[1:], made[2:], strict=False))
    return Style(bool(sums), linear > activated or (not sums and (alone or len(projected) > 1)))


def _is_inverted(flow: Flow, wide: Block, filtered: Block, after: Block) -> bool:
    """Whether three blocks expand, filter each unit and project, with products to come."""
    expands = is_pointwise(flow, wide.members[0]) and _width_ratio(flow, wide.members[0]) > 1
    depthwise = is_depthwise(flow, filtered.members[0])
    return (
        expands
        and depthwise
        and _is_bottleneck(flow, after)
        and bool(_next_products(flow, after.members[-1]))
    )


def _projects(flow: Flow, block: Block, after: Block) -> bool:
    """Whether a linear bottleneck follows a spatial convolution of each unit, or a wider one of all."""
    first = block.members[0]
    if not _is_bottleneck(flow, after):
        return False
    if is_depthwise(flow, first):
        return True
    looks = block.kind == "weights" and block.activated is not None and not is_pointwise(flow, first)
    return looks and _width_ratio(flow, after.members[0]) < 1


def _width_ratio(flow: Flow, number: int) -> float:
    """Units that a convolution makes, in relation to those that it reads; 1 for anything else."""
    node = flow.nodes[number]
    convolves = node is not None and operator_of(node).compute is Compute.CONVOLUTION
    shape = weight_shape(node) if node is not None and convolves else None
    if node is None or shape is None:
        return 1.0
    return shape[0] / (shape[1] * int(attribute(node, "group", 1)))


def find_outputs(flow: Flow, trunk: Trunk, blocks: list[Block], style: Style) -> list[tuple[int, Block]]:
    """Values that blocks hand on.

    Parameters
    ----------
    flow : Flow
        The graph.
    trunk : Trunk
        Its trunk.
    blocks : list of Block
        Of that trunk.
    style : Style
        What its shortcuts carry.

    Returns
    -------
    list of (int, Block)
        Value and the block it ends, in topological order.
    """
    found: list[tuple[int, Block]] = []
    made = [block for block in blocks if block.kind in ("weights", "concat")]
    behind = {id(block): made[i + 1 : i + 3] for i, block in enumerate(made)}
    for block in blocks:
        if not style.linear:
            if block.activated is not None:
                found.append((block.activated, block))
            elif block.kind == "sum":
                found.append((block.members[0], block))
        elif block.kind == "sum":
            # behind a pre-activation stage the next block and its shortcut both take the activation
            found.append((block.members[0] if block.activated is None else block.activated, block))
        elif block.activated is None:
            if block.kind == "concat" or (
                block.kind == "weights" and not is_depthwise(flow, block.members[0])
            ):
                found.append((block.members[-1], block))
        elif not _is_inside(flow, block, behind.get(id(block), [])):
            found.append((block.activated, block))
    there = {block.grid for _, block in found}
    rest = [block for block in blocks if block.grid not in there and block.kind != "other"]
    weak = [(b.activated if b.activated is not None else b.members[0], b) for b in rest]
    if any(block.activated is not None for block in blocks):
        weak = [(n, block) for n, block in weak if block.activated is not None or block.kind == "sum"]
    return sorted([*found, *weak], key=lambda end: end[0])


def _is_bottleneck(flow: Flow, block: Block) -> bool:
    """Whether a block projects without a nonlinearity, whole or in groups that are concatenated."""
    first = block.members[0]
    parts = flow.before[first] if block.kind == "concat" else [first]
    return block.activated is None and all(is_pointwise(flow, flow.source(part)) for part in parts)


def _is_inside(flow: Flow, block: Block, behind: list[Block]) -> bool:
    """Whether a block lies inside an inverted bottleneck: it is filtered, and then projected."""
    if not behind:
        # the rest of the block has a single cell
        products = _next_products(flow, block.members[-1] if block.activated is None else block.activated)
        return len(products) == 1 and is_depthwise(flow, products[0])
    filtered = is_depthwise(flow, behind[0].members[0])
    if _is_bottleneck(flow, behind[0]) or (filtered and (len(behind) < 2 or _is_bottleneck(flow, behind[1]))):
        return True
    if _is_dense(flow, behind[0].members[0]) and _width_ratio(flow, block.members[0]) <= 1:
        # it expands itself, as in EfficientNetV2
        return False
    return behind[0].activated is not None and any(_is_bottleneck(flow, block) for block in behind[1:])


def _is_dense(flow: Flow, number: int) -> bool:
    """Whether a value is a spatial convolution of all units together."""
    node = flow.nodes[number]
    if node is None or not has_weights(flow, number) or is_pointwise(flow, number):
        return False
    return int(attribute(node, "group", 1)) == 1


def _next_products(flow: Flow, number: int) -> list[int]:
    """Nearest products with weights that are computed from a value."""
    found: set[int] = set()
    reached = {number}
    waiting = [number]
    while waiting:
        for user in flow.after[waiting.pop()]:
            if has_weights(flow, user):
                found.add(user)
            elif user not in reached:
                reached.add(user)
                waiting.append(user)
    return sorted(found)
