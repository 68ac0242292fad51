"""Where the cells of one axis lie, and one operator seen from one operand to one result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import onnx_ir as ir

from onnxdissect.model.reading.shape_probe import Probe

__all__ = [
    "AxisGeometry",
    "Lengths",
    "Period",
    "Position",
    "Rolled",
    "Scattered",
    "Step",
    "Unplaced",
    "unite",
]

Lengths = tuple[int, int]
"""Cells along an axis before and after an operator."""

_AS_FINE = 1.5
"""Ratio of resolutions below which branches count as equally fine."""


@dataclass(frozen=True, slots=True)
class Period:
    """The map that a frame of its own opposite border was laid around, in input pixels.

    Attributes
    ----------
    first, last : float
        Places of its outermost cells.
    cell : float
        Distance of its cells.
    """

    first: float
    last: float
    cell: float

    @property
    def length(self) -> float:
        """Distance after which the same cells come again."""
        return self.last - self.first + self.cell


@dataclass(frozen=True, slots=True)
class AxisGeometry:
    """Cells along one axis: centres at ``offset + i * stride``, in input pixels.

    The stride is negative where the axis runs against the input.

    Attributes
    ----------
    offset, stride : float
        Place of cell 0 and distance of neighbours.
    size : float
        Pixels that a cell sees; infinite where a branch has mixed the whole map.
    shift : float
        Middle of what a cell sees, from its place: branches that look to different sides move it.
    coarsest : float
        Largest distance of neighbouring cells on the way here, along the branch that resolves finest.
    period : Period or None
        Set where some cells lie beyond the map's edge and repeat those of the other side.
    apart : float
        Pixels from here to where units respond on average, where maps of several resolutions are laid behind
        each other and most units are not those of the finest.
    """

    offset: float
    stride: float
    size: float
    shift: float = 0.0
    coarsest: float = 0.0
    period: Period | None = None
    apart: float = 0.0

    @property
    def reach(self) -> tuple[float, float]:
        """First and last pixel that cell 0 sees."""
        half = (self.size - 1) / 2
        return self.offset + self.shift - half, self.offset + self.shift + half

    @property
    def resolves(self) -> float:
        """Distance below which two things in the input fall into the same cell somewhere on the way."""
        return max(self.coarsest, abs(self.stride))

    @property
    def unbounded(self) -> AxisGeometry:
        """The same places, each of which sees everything."""
        return replace(self, size=math.inf, shift=0.0)

    def windowed(self, taps: float, stride: float, begin: float) -> AxisGeometry:
        """Compose with a window of ``taps`` cells that starts ``begin`` cells before the first one."""
        return self._composed((taps - 1) / 2 - begin, stride, taps)

    def resampled(self, offset: float, stride: float, taps: float = 1) -> AxisGeometry:
        """Compose with cells at ``offset + i * stride`` among these, each hearing ``taps`` of them."""
        return self._composed(offset, stride, taps)

    def _composed(self, offset: float, stride: float, taps: float) -> AxisGeometry:
        return AxisGeometry(
            self.offset + offset * self.stride,
            self.stride * stride,
            self.size + (taps - 1) * abs(self.stride),
            self.shift,
            max(self.coarsest, abs(self.stride), abs(self.stride * stride)),
            self.period,
            self.apart,
        )


def unite(branches: Sequence[AxisGeometry], length: int | None = None) -> AxisGeometry | None:
    """Place cells that hear several branches.

    What they see is the smallest field that covers all branches. Where they lie is another question: a
    coarse branch that was spread out again moves in steps of its own cells, so the branch that resolves
    finest says where things are. Branches that resolve equally finely weigh the same.

    A branch that was spread out with aligned corners has cells a little nearer to each other than those of
    its skip. Over the map that adds up to less than one of the coarse cells that it was spread out from.

    Parameters
    ----------
    branches : sequence of AxisGeometry
        At least one.
    length : int, optional
        How many cells there are. Without it cells must be equally far apart on all branches.

    Returns
    -------
    AxisGeometry or None
        None where their cells run away from each other by more than a branch resolves.
    """
    finest = min(branch.resolves for branch in branches)
    # strides that differ by rounding (aligned corners) are no difference in resolution
    deciding = [b for b in branches if b.resolves < _AS_FINE * finest]
    offset = sum(b.offset for b in deciding) / len(deciding)
    stride = deciding[0].stride
    if any(abs(b.stride - stride) > 1e-9 * abs(stride) for b in deciding):
        stride = sum(b.stride for b in deciding) / len(deciding)
    last = (length or 1) - 1
    for branch in branches:
        drift = abs(branch.stride - stride)
        if drift <= 1e-9 * abs(stride):
            continue
        if length is None or branch.stride * stride <= 0 or drift * last > branch.resolves:
            return None
    size, shift = math.inf, 0.0
    if all(math.isfinite(branch.size) for branch in branches):
        # whichever way cells run from each other, they are farthest apart at the ends
        ends = [(b.reach, i * (b.stride - stride)) for b in branches for i in {0, last}]
        low = min(reach[0] + off for reach, off in ends)
        high = max(reach[1] + off for reach, off in ends)
        size, shift = high - low + 1, (low + high) / 2 - offset
    period = next((b.period for b in branches if b.period is not None), None)
    # sums add units of one place to those of another; what is the same on all branches stays
    apart = {b.apart for b in branches}
    return AxisGeometry(offset, stride, size, shift, finest, period, apart.pop() if len(apart) == 1 else 0.0)


class Unplaced(Enum):
    """Why an axis has no cells at known places."""

    UNIFORM = "the same everywhere"
    """A global statistic, stretched or not: it weighs cells but does not place them."""

    UNKNOWN = "not determined by the graph"

    DISORDERED = "not in the order of the picture"


@dataclass(frozen=True, slots=True)
class Scattered:
    """Cells of a map out of their order: place ``i`` holds cell ``cells[i]`` of `extent`."""

    extent: AxisGeometry
    cells: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Rolled:
    """Cells that were moved on: what left the map at one edge came in again at the other.

    `extent` goes on beyond the map's edge as if it did not end there, so that moving back is the way on.
    """

    extent: AxisGeometry


Position = AxisGeometry | Rolled | Scattered | Unplaced


@dataclass(frozen=True, slots=True)
class Step:
    """One operator, seen from one operand to one result.

    Attributes
    ----------
    node : onnx_ir.Node
        The operator.
    index : int
        Which of its results.
    source_axes, out_axes : str
        Axes of the operand and of the result, see `onnxdissect.model.layout.axes`.
    source_shape, out_shape : tuple of int
        Their shapes.
    probe : Probe
        Numbers of computed inputs.
    beside : (int, int)
        Tokens before the grid in the operand and in the result, where they are rows of tokens.
    """

    node: ir.Node
    index: int
    source_axes: str
    out_axes: str
    source_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    probe: Probe
    beside: tuple[int, int] = (0, 0)

    @property
    def keeps_tokens(self) -> bool:
        """Whether cells are laid in a row, stay so, or come back from it."""
        both = "T" in self.source_axes and "T" in self.out_axes
        laid = "T" in self.out_axes and {"H", "W"} <= set(self.source_axes)
        back = "T" in self.source_axes and {"H", "W"} <= set(self.out_axes)
        return both or laid or back

    def lengths(self, axis: int) -> Lengths | None:
        """Cells before and after along an axis (0 vertical, 1 horizontal); None where either has none."""
        letter = "HW"[axis]
        if letter not in self.source_axes or letter not in self.out_axes:
            return None
        return (
            self.source_shape[self.source_axes.index(letter)],
            self.out_shape[self.out_axes.index(letter)],
        )

    def where(self, axis: int) -> int:
        """Index of an axis (0 vertical, 1 horizontal) in the operand."""
        return self.source_axes.index("HW"[axis])

    def spatial(self, axis: int) -> int:
        """Which of the operand's two spatial axes, as the file counts them, is the vertical or horizontal."""
        ordered = [letter for letter in self.source_axes if letter in "HW"]
        return ordered.index("HW"[axis]) if len(ordered) == 2 else axis
