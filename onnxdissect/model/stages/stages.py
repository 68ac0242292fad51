"""Stages: the output of the trunk's last block at each resolution, or at four depths where none changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Arithmetic, Numbers, Places
from onnxdissect.model.receptive_field.window_shape import kernel_shape
from onnxdissect.model.stages.blocks.blocks import Block, Style, find_outputs, split_blocks, style_of
from onnxdissect.model.stages.blocks.last_block import bare_features
from onnxdissect.model.stages.heads.neck import first_projection, first_skip
from onnxdissect.model.stages.heads.predictions import predictions
from onnxdissect.model.stages.trunk.flow import Flow, Grid, Maps, is_coarser
from onnxdissect.model.stages.trunk.parallel import parallel_ends
from onnxdissect.model.stages.trunk.products import (
    attended_sums,
    has_weights,
    is_depthwise,
    is_pointwise,
    multiplies,
    weights_follow,
)
from onnxdissect.model.stages.trunk.stem import is_convolution, without_patches
from onnxdissect.model.stages.trunk.trunk import Trunk

__all__ = ["Candidates", "choose_stages", "find_stages"]

_DEPTHS = 4
_EXTRA_STAGES = 3
_COARSER = 1.5
_PARTS = (Places.SPLIT, Places.SLICE, Places.GATHER)
_CUT_OFF = (Arithmetic.BOUNDS, Arithmetic.MAXIMUM, Arithmetic.RECTIFIER)

_T = TypeVar("_T")
_Ends = list[tuple[int, Block]]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Values that may become stages.

    Attributes
    ----------
    listed : dict of int to str
        Value of the flow, and the layer that stands for it.
    activated : set of int
        Values that leave a nonlinearity.
    units : dict of int to int
        Units of each value that is listed.
    """

    listed: Mapping[int, str]
    activated: Collection[int]
    units: Mapping[int, int]


def find_stages(
    flow: Flow, trunk: Trunk, maps: Maps, candidates: Candidates, directly: Callable[[int, int], bool]
) -> list[int]:
    """Choose the stages of a trunk.

    Parameters
    ----------
    flow : Flow
        The graph.
    trunk : Trunk
        Its trunk.
    maps : Maps
        What is known of its values.
    candidates : Candidates
        What may be chosen.
    directly : callable
        Whether a value is nothing but a nonlinearity of another.

    Returns
    -------
    list of int
        In topological order.
    """
    style, blocks, ends = _ends_of_blocks(flow, trunk, maps, candidates, directly)
    if trunk.up:
        cut = first_projection(flow, blocks, ends, candidates.units)
        deepest = first_skip(flow, blocks, ends, candidates.units)
        if deepest is not None:
            trunk = replace(trunk, chain=flow.chain(deepest))
            style, blocks, ends = _ends_of_blocks(flow, trunk, maps, candidates, directly)
            ends += [(deepest, blocks[-1])] if not ends or ends[-1][0] != deepest else []
        elif cut is not None:
            trunk = replace(trunk, chain=trunk.chain[: trunk.chain.index(cut)])
            style, blocks, ends = _ends_of_blocks(flow, trunk, maps, candidates, directly)
    ends = _without_head(flow, trunk, maps, candidates, blocks, ends, style)
    ends = without_patches(flow, blocks, ends, style)
    if not (trunk.whole or trunk.extracts):
        ends = _without_towers(flow, ends, style)
    if not ends:
        path = [n for n in trunk.chain if n in candidates.listed and n in maps.cells]
        return _last_of_each(path, flow, 1)
    deep = _depths(flow, trunk, maps, candidates, ends)
    sums = [n for n, block in ends if block.kind == "sum"]
    level = len({flow.grids[n] for n, _ in ends}) == 1
    # at one resolution residual blocks are counted, not the convolutions in front of and behind them
    numbers = [n for n, _ in ends if not (level and len(sums) >= _DEPTHS) or n in sums or n == ends[-1][0]]
    if deep:
        finer = [n for n in numbers if is_coarser(flow.grids[deep[-1]], flow.grids[n])]
        return sorted({*_last_of_each(finer, flow, 1), *deep})
    chosen = _last_of_each(numbers, flow, _DEPTHS)
    return chosen if trunk.whole or trunk.up else _without_extras(flow, trunk, maps, numbers, chosen)


def _ends_of_blocks(
    flow: Flow, trunk: Trunk, maps: Maps, candidates: Candidates, directly: Callable[[int, int], bool]
) -> tuple[Style, list[Block], _Ends]:
    blocks = split_blocks(flow, trunk, candidates.activated)
    style = style_of(flow, blocks, directly)
    ends = [(n, block) for n, block in find_outputs(flow, trunk, blocks, style) if n in maps.cells]
    ends = [(_listed(n, block, candidates), block) for n, block in ends]
    bare = bare_features(flow, trunk, blocks, style, candidates.units)
    if bare is not None and all(block is not bare for _, block in ends):
        ends.append((_listed(bare.members[-1], bare, candidates), bare))
    ends += parallel_ends(flow, trunk, [n for n in candidates.listed if n in maps.cells])
    return style, blocks, sorted(((n, block) for n, block in ends if n >= 0), key=lambda end: end[0])


def _listed(number: int, block: Block, candidates: Candidates) -> int:
    """Member of the block up to the value that is a layer; -1 for none."""
    fitting = [n for n in block.members if n <= number and n in candidates.listed]
    return fitting[-1] if fitting else -1


def _without_head(
    flow: Flow,
    trunk: Trunk,
    maps: Maps,
    candidates: Candidates,
    blocks: list[Block],
    ends: _Ends,
    style: Style,
) -> _Ends:
    """Leave out what only prepares or makes the prediction: class maps, and a head's last expansion."""
    kept = list(ends)
    # elsewhere (NFNet, RegNet-Z) the last expansion is counted among the features
    depthwise = any(is_depthwise(flow, n) for n in flow.ancestors(trunk.chain[-1]))
    follow = weights_follow(flow)
    predicted = set(predictions(flow, maps))
    bare = None if trunk.whole else bare_features(flow, trunk, blocks, style, candidates.units)
    joined = bool(parallel_ends(flow, trunk, [n for n in candidates.listed if n in maps.cells]))
    while len(kept) > 1 and kept[-1][1] is not bare:
        number, block = kept[-1]
        first = block.members[0]
        alone = is_convolution(flow, block) and flow.grids[kept[-2][0]] == flow.grids[number]
        # tokens that are averaged describe the image; maps of classes are made by a convolution
        makes = is_pointwise(flow, first) and not follow[number] and number not in maps.tokens
        makes = makes and _may_be_classes(flow, block)
        if not trunk.whole:
            activated = block.activated is not None
            makes = first in predicted and (_is_probability(flow, block) if activated else makes)
        prepares = (
            trunk.whole
            and style.linear
            and depthwise
            and block.activated is not None
            and kept[-2][1].activated is None
            and not _filters(flow, kept[-2][0], number)
            and _layers_behind(flow, number) < 2
        )
        # behind resolutions side by side, the join is what is handed on; behind blocks whose shortcuts carry
        # a part of the units (ShuffleNet), their concatenation
        side_by_side = kept[-2][1].kind == "sum" and joined
        in_parts = (
            depthwise
            and block.activated is not None
            and _takes_in_parts(flow, kept[-2][1])
            and _layers_behind(flow, number) < 2
        )
        gathers = trunk.whole and is_pointwise(flow, first) and (side_by_side or in_parts)
        if not (alone and (makes or prepares or gathers)):
            break
        kept.pop()
    return kept


def _takes_in_parts(flow: Flow, block: Block) -> bool:
    """Whether a block concatenates units that it was given, as they are, to others that it has made."""
    first = block.members[0]
    nodes = [flow.nodes[flow.source(operand)] for operand in flow.before[first]]
    return block.kind == "concat" and any(n is not None and operator_of(n).places in _PARTS for n in nodes)


def _may_be_classes(flow: Flow, block: Block) -> bool:
    """Whether a block could be maps of classes: at most rectified, and not the second half of a filter."""
    first = block.members[0]
    if any(is_depthwise(flow, flow.source(operand)) for operand in flow.before[first]):
        return False
    if block.activated is None:
        return True
    source = flow.source(block.activated)
    node = flow.nodes[source]
    if node is None:
        return False
    operator = operator_of(node)
    return operator.arithmetic in _CUT_OFF or operator.gate or has_weights(flow, source)


def _is_probability(flow: Flow, block: Block) -> bool:
    """Whether a block ends in a sigmoid or a softmax that weighs nothing."""
    node = None if block.activated is None else flow.nodes[flow.source(block.activated)]
    return node is not None and operator_of(node).gate


def _filters(flow: Flow, before: int, number: int) -> bool:
    """Whether something on the way looks around, other than an expansion that filters each unit by itself."""
    return any(
        _looks_around(flow, n) and not (is_depthwise(flow, n) and multiplies(flow, n))
        for n in _way(flow, before, number)
    )


def _way(flow: Flow, before: int, number: int) -> set[int]:
    """Everything that is computed between two values, the inside of residual blocks included."""
    return flow.ancestors(number) - flow.ancestors(before)


def _activates(flow: Flow, number: int) -> bool:
    """Whether a value is an activation: not a probability, a root or a bound, as a norm has them."""
    node = flow.nodes[number]
    if node is None:
        return False
    operator = operator_of(node)
    curved = operator.numbers is Numbers.NONLINEAR and not operator.gate
    return curved and operator.arithmetic in (Arithmetic.NONE, Arithmetic.RECTIFIER)


def _layers_behind(flow: Flow, number: int) -> int:
    """Products with weights in a row behind a value, up to the end.

    An activated one at the end counts twice: it is a hidden layer, whose classifier was cut off.
    """
    most = {number: 0}
    hidden = 0
    for other in range(number + 1, len(flow.names)):
        depths = [most[operand] for operand in flow.before[other] if operand in most]
        if depths:
            most[other] = max(depths) + has_weights(flow, other)
            hidden = max(hidden, most[other] + (most[other] > 0 and _activates(flow, other)))
    return hidden


def _without_towers(flow: Flow, ends: _Ends, style: Style) -> _Ends:
    """Leave out convolutions behind the residual blocks of the last resolution."""
    kept = list(ends)
    while len(kept) > 1:
        (number, block), (before, _) = kept[-1], kept[-2]
        behind = (
            style.shortcuts
            and not style.linear
            and any(b.kind == "sum" and flow.grids[n] == flow.grids[number] for n, b in kept)
        )
        if block.kind != "weights" or flow.grids[number] != flow.grids[before] or not behind:
            break
        kept.pop()
    return kept


def _without_extras(flow: Flow, trunk: Trunk, maps: Maps, numbers: list[int], chosen: list[int]) -> list[int]:
    """Leave out feature layers of a single spatial convolution each, behind a backbone with heads."""
    kept = list(chosen)
    leaves = predictions(flow, maps)
    while len(kept) > _EXTRA_STAGES:
        before, last = kept[-2:]
        inside = [n for n in _way(flow, before, last) if _looks_around(flow, n)]
        made_of = flow.ancestors(last)
        chains = [flow.chain(leaf) for leaf in leaves if leaf not in made_of]
        passing = {n for chain in chains if last not in chain for n in chain}
        tapped = [n for n in numbers if flow.grids[n] == flow.grids[before] and n in passing]
        if len(inside) != 1 or not tapped:
            break
        kept[-2:] = tapped[-1:]
    return kept


def _looks_around(flow: Flow, number: int) -> bool:
    node = flow.nodes[number]
    return node is not None and has_weights(flow, number) and max(kernel_shape(node) or (1,)) > 1


def _depths(flow: Flow, trunk: Trunk, maps: Maps, candidates: Candidates, ends: _Ends) -> list[int]:
    """Where a transformer keeps one resolution: MLP activations and residual stream at four depths."""
    grids = {flow.grids[n] for n in trunk.chain if n in maps.tokens}
    end = ends[-1][0]
    if not grids and len({flow.grids[n] for n, _ in ends}) == 1:
        # between windows and norms, a transformer may keep its cells in rows and columns
        grids = {flow.grids[n] for n in attended_sums(flow, trunk.chain)}
    if len(grids) != 1 or flow.grids[end] not in grids:
        return []
    grid = flow.grids[end]
    stream = [n for n, block in ends if block.kind == "sum" and flow.grids[n] == grid]
    if not stream:
        return []
    # the last block may have no shortcut: then all of it lies on the trunk
    alone = {n for n in trunk.chain if stream[-1] < n < end}
    stream += [end] if alone else []
    first = next(n for n, _ in ends if flow.grids[n] == grid)
    if (
        2 * (maps.macs.get(end, 0) - maps.macs.get(first, 0)) < maps.macs.get(end, 0)
        and len({flow.grids[n] for n, _ in ends}) > 1
    ):
        return []
    inside = flow.ancestors(end) - set(trunk.chain) | alone
    wide = sorted(
        n
        for n in inside
        if n in candidates.activated and n in candidates.listed and n in maps.cells and flow.grids[n] == grid
    )
    # a block of several nonlinearities stands once among the depths, with the one of most units
    widest: dict[int, int] = {}
    for number in wide:
        behind = next((n for n in stream if n > number), None)
        if behind is not None and candidates.units[number] >= candidates.units[widest.get(behind, number)]:
            widest[behind] = number
    layers: list[tuple[int, ...]] = [(number, behind) for behind, number in widest.items()]
    layers = layers or [(n,) for n in stream]
    return [n for layer in _spread(layers) for n in layer]


def _spread(items: list[_T]) -> list[_T]:
    """Items at a quarter, half, three quarters and the end."""
    places = dict.fromkeys(-(-len(items) * k // _DEPTHS) - 1 for k in range(1, _DEPTHS + 1))
    return [items[place] for place in places if place >= 0]


def _last_of_each(numbers: list[int], flow: Flow, depths: int) -> list[int]:
    names = choose_stages([(str(n), flow.grids[n]) for n in numbers])
    if len(names) == 1 and len(numbers) >= depths > 1:
        return _spread(numbers)
    return [int(name) for name in names]


def choose_stages(candidates: Iterable[tuple[str, Grid]]) -> list[str]:
    """Keep the last candidate of each resolution on the path of decreasing resolution.

    Parameters
    ----------
    candidates : iterable of (str, (int, int))
        Names and grids in topological order.

    Returns
    -------
    list of str
        Highest resolution first. What follows an upsampling is finer than the path and left out.
    """
    chosen: list[tuple[str, Grid]] = []
    for name, grid in candidates:
        if not chosen:
            chosen.append((name, grid))
        elif grid == chosen[-1][1] or is_coarser(grid, chosen[-1][1]):
            # a convolution without padding loses its border, but no resolution
            before = chosen[-1][1]
            if max(before[0] / max(grid[0], 1), before[1] / max(grid[1], 1)) < _COARSER:
                chosen.pop()
            chosen.append((name, grid))
    return [name for name, _ in chosen]
