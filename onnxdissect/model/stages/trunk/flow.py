"""What the image's values flow through: their immediate dominators, and where the grid grows finer again.

A value dominates another when every path from the image to that one leads through it. The output of a
residual block dominates all that follows; what lies inside the next block does not, since the shortcut goes
round it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import onnx_ir as ir

from onnxdissect.model.graph import live_values, name_of
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Arithmetic, Axes, Numbers, Places

__all__ = ["Flow", "Grid", "Maps", "follow_flow", "is_coarser", "is_finer"]

Grid = tuple[int, int]

_UP = 1.5


@dataclass(frozen=True, slots=True)
class Flow:
    """Values that depend on the image's pixels and reach an output, by number; the image is 0.

    Numbers grow with depth: values behind more products come later, and so does what is computed from a
    value. Files may write the branches of a network in any order, and say nothing about it by that.

    Attributes
    ----------
    names : list of str
        Names of the values.
    numbers : dict of str to int
        Number of each name.
    nodes : list of onnx_ir.Node or None
        What computed each value; None for the image.
    before, after : list of list of int
        Values that each is computed from, and that are computed from each.
    dominators : list of int
        Immediate dominator of each value; the image's is itself.
    grids : list of (int, int)
        Grid of each value, that of what it is computed from where it has none of its own.
    is_up : list of bool
        Whether a value is finer than all that it is computed from, or resized to the size that it has, behind
        a product with weights.
    rose : list of bool
        Whether there is a value finer than its operands between a value and its immediate dominator.
    """

    names: list[str]
    numbers: dict[str, int]
    nodes: list[ir.Node | None]
    before: list[list[int]]
    after: list[list[int]]
    dominators: list[int]
    grids: list[Grid]
    is_up: list[bool]
    rose: list[bool]

    def chain(self, number: int) -> list[int]:
        """Dominators of a value, the image first and the value itself last."""
        found = [number]
        while found[-1] != 0:
            found.append(self.dominators[found[-1]])
        return found[::-1]

    def meet(self, numbers: list[int]) -> int:
        """Nearest value that dominates all of several, or is one of them."""
        # dominators have lower numbers, so that the highest of several dominates none of the others
        waiting = [-number for number in set(numbers)]
        heapq.heapify(waiting)
        while len(waiting) > 1:
            highest = heapq.heappop(waiting)
            if highest != waiting[0]:
                heapq.heappush(waiting, -self.dominators[-highest])
        return -waiting[0] if waiting else 0

    def ancestors(self, *numbers: int) -> set[int]:
        """Values that a value, or any of several, is computed from, and these themselves."""
        return _reached(self.before, *numbers)

    def descendants(self, *numbers: int) -> set[int]:
        """Values that are computed from a value, or any of several, and these themselves."""
        return _reached(self.after, *numbers)

    def source(self, number: int) -> int:
        """Value that a copy, a rounded value or a reshaped value repeats."""
        node = self.nodes[number]
        while node is not None and _repeats(node) and self.before[number]:
            number = self.before[number][0]
            node = self.nodes[number]
        return number

    def is_sum(self, number: int) -> bool:
        """Whether a value adds up several maps of its own grid, not one and the same weighed."""
        node, operands = self.nodes[number], self.before[number]
        if node is None or not _adds(node) or len(operands) < 2:
            return False
        if any(self.is_weighed(operand, other) for operand in operands for other in operands):
            return False
        return all(self.grids[operand] == self.grids[number] for operand in operands)

    def is_concatenation(self, number: int) -> bool:
        """Whether a value holds several others, one behind the other."""
        node = self.nodes[number]
        return (
            node is not None and operator_of(node).axes is Axes.CONCATENATED and len(self.before[number]) > 1
        )

    def is_weighed(self, number: int, other: int) -> bool:
        """Whether a value is another times something."""
        node = self.nodes[number]
        return node is not None and _weighs(node) and other in self.before[number]

    def returns(self, number: int) -> bool:
        """Whether a value ends a detour over finer and coarser grids, inside one block.

        That is so where the detour is added to what it started from, as in a residual block, or only weighs
        it, as in spatial attention.
        """
        node, start = self.nodes[number], self.dominators[number]
        if node is None or self.grids[number] != self.grids[start]:
            return False
        if _weighs(node):
            return True
        operands = {self.source(operand) for operand in self.before[number]}
        return _adds(node) and self.source(start) in operands


@dataclass(frozen=True, slots=True)
class Maps:
    """What is known of the values of a flow, by number.

    Attributes
    ----------
    cells : set of int
        Values that are maps or grids of tokens, of more than one cell.
    tokens : set of int
        Those that are tokens.
    macs : dict of int to int
        Multiply-accumulates up to each value that is a layer.
    """

    cells: set[int]
    tokens: set[int]
    macs: dict[int, int]


def follow_flow(graph: ir.Graph, image: str, grid: Callable[[str], Grid | None]) -> Flow:
    """Follow the image through the graph.

    Parameters
    ----------
    graph : onnx_ir.Graph
        In topological order.
    image : str
        Name of the image input.
    grid : callable
        Gives (h, w) of a value, or None where it has no map of its own.

    Returns
    -------
    Flow
        Values that depend on the image's size alone are left out, and those that no output depends on.
    """
    flow = Flow([image], {image: 0}, [None], [[]], [[]], [0], [grid(image) or (0, 0)], [False], [False])
    depth = [0]
    mapped = [True]
    # what resizes the image itself is its preprocessing
    seen: set[int] = set()
    for node in _by_depth(graph, image, grid):
        operator = operator_of(node)
        operands = list(
            dict.fromkeys(
                flow.numbers[name_of(v)] for v in node.inputs if v is not None and v.name in flow.numbers
            )
        )
        # a class token that is put back beside its picture's tokens tells nothing of where those come from
        pictured = [operand for operand in operands if mapped[operand]]
        joins = operator.axes is Axes.CONCATENATED and pictured
        dominator, rose = _meet(flow, depth, pictured if joins else operands)
        for value in _results(node):
            if not value.name:
                continue
            number = len(flow.names)
            if operator.sum_result is not None and flow.nodes[-1] is node:
                operands, dominator, rose = [number - 1], number - 1, False
            if operator.multiplies or not seen.isdisjoint(operands):
                seen.add(number)
            own = grid(value.name)
            up = own is not None and number in seen and _is_up(node, own, flow, operands)
            mapped.append(own is not None)
            flow.names.append(value.name)
            flow.numbers[value.name] = number
            flow.nodes.append(node)
            flow.before.append(operands)
            flow.after.append([])
            flow.dominators.append(dominator)
            flow.grids.append(own or flow.grids[operands[0]])
            flow.is_up.append(up)
            flow.rose.append(up or rose)
            depth.append(depth[dominator] + 1)
            for operand in operands:
                flow.after[operand].append(number)
    return flow


def _by_depth(graph: ir.Graph, image: str, grid: Callable[[str], Grid | None]) -> list[ir.Node]:
    """Nodes on ways from the image to an output, by products and then by nodes on the longest way.

    Among equals the finer map comes first, then the shorter name, which counts up where names do.
    """
    live = live_values(graph)
    depths: dict[str, tuple[int, int]] = {image: (0, 0)}
    keys: list[tuple[tuple[int, int], int, int, str]] = []
    nodes: list[ir.Node] = []
    for node in graph:
        operator = operator_of(node)
        reached = [depths[name_of(v)] for v in node.inputs if v is not None and v.name in depths]
        names = [name_of(value) for value in node.outputs if value.name in live]
        if operator.sizes_only or not reached or not names:
            continue
        products, nodes_before = (max(each) for each in zip(*reached, strict=True))
        depth = products + operator.multiplies, nodes_before + 1
        depths.update(dict.fromkeys((name_of(value) for value in _results(node)), depth))
        height, width = grid(names[0]) or (0, 0)
        keys.append((depth, -height * width, len(names[0]), names[0]))
        nodes.append(node)
    return [nodes[i] for i in sorted(range(len(nodes)), key=keys.__getitem__)]


def _results(node: ir.Node) -> Sequence[ir.Value]:
    operator = operator_of(node)
    if operator.numbers is Numbers.QUANTISED_BY_RANGE:
        # scale and zero point of integers say nothing about the picture that the integers do not
        return node.outputs[:1]
    if operator.axes is Axes.SPATIAL and operator.numbers is Numbers.CARRIED:
        # where the largest value of each window lay tells an unpooling where to put others, and is no feature
        return node.outputs[:1]
    if operator.sum_result is not None:
        # the normalisation is one of the sum, which is what goes on to the next shortcut
        return [*node.outputs[operator.sum_result :][:1], *node.outputs[:1]]
    return node.outputs


def _adds(node: ir.Node) -> bool:
    return operator_of(node).arithmetic is Arithmetic.SUM


def _weighs(node: ir.Node) -> bool:
    return operator_of(node).arithmetic is Arithmetic.PRODUCT


def _repeats(node: ir.Node) -> bool:
    operator = operator_of(node)
    return operator.repeats or operator.reshapes


def is_coarser(grid: Grid, other: Grid) -> bool:
    """Whether a grid has fewer cells than another along one axis, and no more along the other."""
    return grid != other and grid[0] <= other[0] and grid[1] <= other[1]


def is_finer(grid: Grid, other: Grid) -> bool:
    """Whether a grid has so many more cells than another along an axis that something went up."""
    return max(grid[0] / max(other[0], 1), grid[1] / max(other[1], 1)) >= _UP


def _meet(flow: Flow, depth: list[int], operands: list[int]) -> tuple[int, bool]:
    """Nearest common dominator, and whether something rises on the way from there to the operands."""
    heads = list(operands)
    rose = False
    while len(set(heads)) > 1:
        deepest = max(depth[head] for head in heads)
        for i, head in enumerate(heads):
            if depth[head] == deepest:
                rose = rose or flow.rose[head]
                heads[i] = flow.dominators[head]
        heads = list(dict.fromkeys(heads))
    return heads[0], rose


def _is_up(node: ir.Node, grid: Grid, flow: Flow, operands: list[int]) -> bool:
    operator = operator_of(node)
    if operator.axes is Axes.CONCATENATED or operator.places is Places.PAD:
        # a map that is larger, but no finer
        return False
    # a pyramid over two levels of one resolution holds a resize to the size that is there
    kept = operator.places is Places.RESIZE and grid == flow.grids[operands[0]]
    return kept or all(is_finer(grid, flow.grids[operand]) for operand in operands)


def _reached(edges: list[list[int]], *numbers: int) -> set[int]:
    reached = set(numbers)
    waiting = list(reached)
    while waiting:
        for other in edges[waiting.pop()]:
            if other not in reached:
                reached.add(other)
                waiting.append(other)
    return reached
