"""Which operator first put a map's cells out of the picture's order, for every value behind it.

A convolution, a pooling or an activation works on whatever lies beside each other, so a map that was
scrambled stays so behind them, though each of them says anew which axes are height and width. Only what
takes the disorder back ends it: then the cells have known places again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import onnx_ir as ir

from onnxdissect.model.graph import name_of
from onnxdissect.model.layers.cost import Cost
from onnxdissect.model.layout.axes import AxisLabels
from onnxdissect.model.layout.order.scattered import disorder
from onnxdissect.model.operators.lookup import is_followed, operator_of
from onnxdissect.model.operators.operator import Operator
from onnxdissect.model.operators.rules import Arithmetic, Axes, Numbers, Order, Places, Regions
from onnxdissect.model.reading.shape_probe import Probe
from onnxdissect.model.receptive_field.axis_geometry import Unplaced
from onnxdissect.model.receptive_field.geometry import Pair
from onnxdissect.model.receptive_field.interleaved import laid_beside, refines

__all__ = ["Disturbance", "LeftOut", "count_left_out", "follow_order"]

_WORTH_SAYING = 0.01
"""Share of compute below which maps left out are of no consequence: drawing boxes, turning an output."""

_MOST = 0.5
"""Share of compute from which on blocks are worth a word that are put together again behind it."""

_CHANGING = frozenset(Order) - {Order.KEPT, Order.PREPARED}
"""Behind such operators a layout settles nothing: it says which axis is which, not where cells lie."""

_COUNTING = ("bool", "int64")
"""Types of sizes, indices and conditions, which hold no cells that could be out of order."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Where the order of a map's cells was lost.

    Attributes
    ----------
    op : str
        The operator that lost it.
    value : str
        Its result.
    before : str
        The last value on the way there whose cells are in order.
    known : bool
        Whether the order is known to be another one; else the graph leaves it open.
    operator : Operator
        What the operator means.
    """

    op: str
    value: str
    before: str
    known: bool
    operator: Operator = field(compare=False, repr=False)

    @property
    def statable(self) -> bool:
        """Whether a person may know better, and state a layout."""
        return not self.known and self.operator.order not in _CHANGING

    @property
    def sampled(self) -> bool:
        """Whether cells lie where the network itself says: a person may know that they are spread out evenly.

        Decoders that align what they spread out by a flow that they compute sample near the even places.
        """
        return not self.known and self.operator.places is Places.SAMPLE

    @property
    def moved(self) -> bool:
        """Whether cells were put elsewhere, rather than mixed as by a product with learned weights."""
        return self.known or self.operator.order in (Order.SHIFTED, Order.PICKED)

    def reason(self) -> str:
        """Say why a value behind it cannot be dissected.

        Returns
        -------
        str
        """
        are = "its cells are not" if self.known else "the graph does not tell whether its cells are"
        since = f"since operator {self.op} ({self.value!r})"
        taken = f"; {self.before!r}, before it, has them in order" if self.before else ""
        return f"{are} in the order of the picture {since}{taken}"


def follow_order(
    graph: ir.Graph,
    probe: Probe,
    known: AxisLabels,
    positions: Mapping[str, Pair],
    stated: Collection[str] = (),
) -> dict[str, Disturbance]:
    """Find the values whose cells are not known to lie in the order of the picture.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    probe : Probe
        Shapes of its values.
    known : AxisLabels
        What their axes mean.
    positions : mapping of str to (Position, Position)
        Where their cells lie.
    stated : collection of str
        Values whose layout a person stated: what the graph leaves open about them is settled by that.

    Returns
    -------
    dict of str to Disturbance
        By value, in topological order. What is behind an operator that cannot be looked into (a custom one,
        a branch or a loop) is missing from it unless what goes in was disturbed: nothing speaks against it.
    """
    found: dict[str, Disturbance] = {}
    for node in graph:
        for value in node.outputs:
            name = name_of(value)
            if name in probe.shapes and probe.dtypes.get(name) not in _COUNTING:
                disturbance = _disturbance(node, name, probe, known, positions, found, name in stated)
                if disturbance is not None:
                    found[name] = disturbance
    return found


def _disturbance(
    node: ir.Node,
    name: str,
    probe: Probe,
    known: AxisLabels,
    positions: Mapping[str, Pair],
    found: Mapping[str, Disturbance],
    stated: bool,
) -> Disturbance | None:
    state = _state(name, probe, known, positions)
    inherited = [found[source] for source in _sources(node, name, probe, known) if source in found]
    if state is True:
        return _spoilt(node, name, probe, known, positions, found)
    if stated and state is None:
        return None
    operator = operator_of(node)
    if inherited and state is False and not inherited[0].moved:
        # pieces were cut out in order before, and are in another order only now
        return Disturbance(node.op_type, name, inherited[0].before, True, operator)
    if inherited:
        return inherited[0]
    # regions are counted along the batch: no maps of the picture anyway
    if operator.subgraphs or not is_followed(node) or operator.regions is Regions.POOLED:
        return None
    ordered = [
        name_of(v) for v in node.inputs if v is not None and _holds_cells(name_of(v), probe, known, positions)
    ]
    if not ordered:
        # the pieces may be too small to be told from vectors; what is put together of them is out of order
        return Disturbance(node.op_type, name, "", True, operator) if state is False else None
    if state is None and name in known.axes and _only_unplaced(node, name, known):
        return None
    if state is False and _put_together(node, name, probe, known):
        node = laid_beside(node)
        name = name_of(node.outputs[0])
        cells = [name_of(v) for v in node.inputs if v is not None]
        ordered = [each for each in cells if _holds_cells(each, probe, known, positions)] or ordered
    before = _before(ordered, node, probe, known, positions)
    return Disturbance(node.op_type, name, before, state is False, operator_of(node))


def _put_together(node: ir.Node, name: str, probe: Probe, known: AxisLabels) -> bool:
    source = name_of(node.inputs[0]) if node.inputs and node.inputs[0] is not None else ""
    return source in known.axes and refines(node, known.axes[source], known.axes[name], probe.shapes)


def _mixes_in(node: ir.Node) -> bool:
    """Whether a branch out of order spoils what it is added to or laid beside."""
    return operator_of(node).axes in (Axes.POINTWISE, Axes.CONCATENATED)


def _spoilt(
    node: ir.Node,
    name: str,
    probe: Probe,
    known: AxisLabels,
    positions: Mapping[str, Pair],
    found: Mapping[str, Disturbance],
) -> Disturbance | None:
    """Find what is out of order in a sum whose place comes from its other branches alone, or behind one."""
    if not _has_cells(name, probe, known):
        return None
    # tokens that were put in order again are out of order no more, whatever they come from
    again = known.rows[name].origins if name in known.rows else None
    sources = again or _sources(node, name, probe, known)
    # what is added to the scores of attention says which cells are heard, not where the listening ones are
    if known.axes.get(name, "").count("T") > 1 and any(
        name_of(v) not in found and _is_score(v, probe) for v in node.inputs if v is not None
    ):
        return None
    for source in sources:
        if source not in found:
            continue
        letters = known.axes.get(source, "")
        placed = "T" in letters or ({"H", "W"} <= set(letters) and not _swapped(letters))
        spoilt = _state(source, probe, known, positions) is True
        if spoilt or (_mixes_in(node) and found[source].moved and not placed):
            return found[source]
    return None


def _is_score(value: ir.Value, probe: Probe) -> bool:
    """Whether a value is a product of what the image makes of queries and of keys, scaled or not."""
    node = value.producer()
    while node is not None and _scales(node):
        node = next((v.producer() for v in node.inputs if v is not None and v.name in probe.shapes), None)
    if node is None or operator_of(node).axes not in (Axes.PRODUCT, Axes.CONTRACTED):
        return False
    return sum(v is not None and v.name in probe.shapes for v in node.inputs) > 1


def _scales(node: ir.Node) -> bool:
    operator = operator_of(node)
    scales = operator.arithmetic in (Arithmetic.PRODUCT, Arithmetic.QUOTIENT)
    return scales and operator.numbers is Numbers.LINEAR


def _has_cells(name: str, probe: Probe, known: AxisLabels) -> bool:
    letters = known.axes.get(name, "")
    cells = [n for letter, n in zip(letters, probe.shapes.get(name, ()), strict=False) if letter in "HWThwt"]
    return any(n > 1 for n in cells)


def _state(name: str, probe: Probe, known: AxisLabels, positions: Mapping[str, Pair]) -> bool | None:
    """Tell whether cells are in order, or there are none: True; None where the graph leaves it open."""
    letters = known.axes.get(name)
    if letters is None:
        return None
    if _swapped(letters) or "x" in letters or (name in known.rows and _lost(name, letters, known)):
        return False
    pair = positions.get(name, ())
    if any(map(disorder, pair)):
        return False
    if any(place is Unplaced.UNKNOWN for place in pair) and set("HWT") & set(letters):
        return None
    wide = {letter for letter, n in zip(letters, probe.shapes[name], strict=True) if n > 1}
    whole = {"H", "W"} <= set(letters) or "T" in letters
    return True if whole or "?" not in wide else None


def _lost(name: str, letters: str, known: AxisLabels) -> bool:
    """Whether a row holds tokens in another order than the grid's; where lines were moved, places tell."""
    row = known.rows[name]
    return letters[row.axis] != "T" and row.disordered


def _swapped(letters: str) -> bool:
    return "H" in letters and "W" in letters and letters.index("W") < letters.index("H")


def _holds_cells(name: str, probe: Probe, known: AxisLabels, positions: Mapping[str, Pair]) -> bool:
    return _has_cells(name, probe, known) and _state(name, probe, known, positions) is True


def _only_unplaced(node: ir.Node, name: str, known: AxisLabels) -> bool:
    """Whether an operator leaves open where cells lie, but not in which order: a crop computed on the way."""
    letters = known.axes[name]
    operator = operator_of(node)
    shifting = operator.order in (Order.SHIFTED, Order.MULTIPLIED)
    return ({"H", "W"} <= set(letters) or "T" in letters) and not shifting and not operator.reshapes


def _sources(node: ir.Node, name: str, probe: Probe, known: AxisLabels) -> Sequence[str]:
    """Operands that hand on cells."""
    if name in known.restored:
        return known.restored[name]
    names = [name_of(value) for value in node.inputs if value is not None and value.name in probe.shapes]
    operator = operator_of(node)
    if operator.keeps_axes or operator.axes is Axes.SPATIAL:
        return names[:1]
    if operator.axes is Axes.POINTWISE:
        # a gate of one cell, or a vector of units, brings no order with it
        out = probe.shapes[name]
        return [each for each in names if _as_wide(probe.shapes[each], out)]
    return names


def _as_wide(shape: tuple[int, ...], out: tuple[int, ...]) -> bool:
    """Whether an operand has cells of its own along at least two axes of the result, or all of its tokens."""
    pairs = list(zip(reversed(shape), reversed(out), strict=False))
    same = sum(a == b and b > 1 for a, b in pairs)
    return same >= min(2, sum(n > 1 for n in out))


def _before(
    names: Sequence[str], node: ir.Node, probe: Probe, known: AxisLabels, positions: Mapping[str, Pair]
) -> str:
    """Last value in order that is not merely a piece cut out to be put elsewhere."""
    name = names[0]
    value = next(v for v in node.inputs if v is not None and v.name == name)
    while True:
        producer = value.producer()
        if producer is None or not _prepares(producer) or not producer.inputs:
            return name
        source = producer.inputs[0]
        if source is None or not _holds_cells(name_of(source), probe, known, positions):
            return name
        name, value = name_of(source), source


def _prepares(node: ir.Node) -> bool:
    """Whether a node is a preparation for a disorder: a person is shown what lies before it."""
    return operator_of(node).order in (Order.PREPARED, Order.TURNED)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Maps that are no layers because one operator put their cells out of order, and nothing put them back.

    Attributes
    ----------
    disturbance : Disturbance
        The operator.
    values : int
        How many maps.
    share : float
        Part of the network's multiply-accumulates, from 0 to 1, between the last value in order and them.
    """

    disturbance: Disturbance
    values: int
    share: float


def count_left_out(
    graph: ir.Graph,
    disturbed: Mapping[str, Disturbance],
    axes: Mapping[str, str],
    probe: Probe,
    costs: Cost,
) -> tuple[LeftOut, ...]:
    """Count the maps that would be layers, were they in order.

    Parameters
    ----------
    graph : onnx_ir.Graph
        The graph.
    disturbed : mapping of str to Disturbance
        Values out of order.
    axes : mapping of str to str
        What the axes of values mean.
    probe : Probe
        Shapes of its values.
    costs : Cost
        Their compute.

    Returns
    -------
    tuple of LeftOut
        One per operator with compute behind it; maps that lead to others in order, as shifted windows do, are
        not counted, nor are blocks of cells that do, unless most of the network lies between.
    """
    returned: set[str] = set()
    for node in reversed(graph):
        names = [name_of(value) for value in node.outputs]
        if any(name in returned or (name not in disturbed and _is_map(name, axes, probe)) for name in names):
            returned.update(name_of(v) for v in node.inputs if v is not None and v.name in disturbed)
    behind: dict[Disturbance, list[str]] = {}
    for name, disturbance in disturbed.items():
        opened = len(probe.shapes[name]) == 3 and disturbance.operator.axes is Axes.GATHERED
        if name not in returned and (_is_map(name, axes, probe) or opened):
            behind.setdefault(disturbance, []).append(name)
    blocks: dict[Disturbance, list[str]] = {}
    for name, disturbance in disturbed.items():
        # units along one axis, all cells in blocks along the others: whole stages may work so (Hiera)
        if disturbance not in behind and _in_blocks(axes.get(name, "")) and name in returned:
            blocks.setdefault(disturbance, []).append(name)
    whole = max(costs.all_macs, 1)
    found = [
        (LeftOut(each, len(names), (max(map(costs.macs, names)) - costs.macs(each.before)) / whole), least)
        for counted, least in ((behind, _WORTH_SAYING), (blocks, _MOST))
        for each, names in counted.items()
        if each.before
    ]
    return tuple(each for each, least in found if each.share > least)


def _in_blocks(letters: str) -> bool:
    return "C" in letters and bool(set(letters) & set("xt")) and set(letters) <= set("NCT?xt")


def _is_map(name: str, axes: Mapping[str, str], probe: Probe) -> bool:
    letters = axes.get(name, "")
    cells = [n for letter, n in zip(letters, probe.shapes.get(name, ()), strict=False) if letter in "HWT"]
    return (set(letters) == set("NCHW") or set(letters) == set("NTC")) and any(n > 1 for n in cells)
