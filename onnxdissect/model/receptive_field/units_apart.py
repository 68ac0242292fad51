"""Maps of several resolutions laid behind each other: every unit lies where its own branch has it.

What is computed from such a map lies where the finest branch does, see
`onnxdissect.model.receptive_field.axis_geometry.unite`. As a layer it has one place for all of its units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from onnxdissect.model.graph import attribute
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Compute
from onnxdissect.model.reading.shape_probe import Probe
from onnxdissect.model.receptive_field.axis_geometry import AxisGeometry, Position, Step

__all__ = ["mixes_units", "of_units"]


def of_units(
    letter: str,
    place: Position,
    out: str,
    operands: Sequence[str],
    positions: Mapping[str, tuple[Position, Position]],
    probe: Probe,
    axes: Mapping[str, str],
) -> Position:
    """Place maps whose units were laid behind each other.

    Parameters
    ----------
    letter : str
        "H" or "W".
    place : Position
        The place of the finest of them.
    out : str
        The concatenation.
    operands : sequence of str
        What it is made of.
    positions : mapping of str to (Position, Position)
        Where their cells lie.
    probe : Probe
        Their shapes.
    axes : mapping of str to str
        Their axes.

    Returns
    -------
    Position
        With the mean place of the units where that is elsewhere.
    """
    along = letter if letter in axes[out] else "T"
    if not isinstance(place, AxisGeometry) or along not in axes[out]:
        return place
    branches = [
        (position, _length(name, "C", probe, axes))
        for name in operands
        if isinstance(position := positions[name]["HW".index(letter)], AxisGeometry) and "C" in axes[name]
    ]
    # tokens are rows behind each other, so how many cells there are along an axis cannot be told of them
    cells = _length(out, along, probe, axes) if along == letter else 1
    return _lay_units(place, branches, cells) if branches else place


def mixes_units(step: Step) -> bool:
    """Tell whether units of a result are made of several of the operand's, or are only some of them.

    Parameters
    ----------
    step : Step
        The operator.

    Returns
    -------
    bool
    """
    cost = operator_of(step.node).compute
    counts = [
        shape[names.index("C")]
        for names, shape in ((step.source_axes, step.source_shape), (step.out_axes, step.out_shape))
        if "C" in names
    ]
    depthwise = int(attribute(step.node, "group", 1)) == counts[0] if counts else False
    mixes = cost is Compute.PRODUCT or (cost is Compute.CONVOLUTION and not depthwise)
    return mixes or len(set(counts)) != 1


def _length(name: str, letter: str, probe: Probe, axes: Mapping[str, str]) -> int:
    return probe.shapes[name][axes[name].index(letter)]


def _lay_units(
    together: AxisGeometry, branches: Sequence[tuple[AxisGeometry, int]], length: int
) -> AxisGeometry:
    """Place a map whose units come from several others, each of which has its units elsewhere.

    A layer has one place for all of its units. It is that of the finest branch, as for what is computed from
    the map, unless the units lie further than half a cell from there on average.
    """
    middle = (length - 1) / 2
    units = sum(count for _, count in branches)
    mean = sum((b.offset + b.apart + b.stride * middle) * count for b, count in branches) / units
    apart = mean - together.offset - together.stride * middle
    far = abs(apart) > abs(together.stride) / 2
    return replace(together, apart=apart if far else 0.0)
