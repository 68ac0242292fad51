"""Where the cells of one axis lie, and one operator seen from one operand to one result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import onnx_ir as ir

from onnxdissect.model.probe import Probe

__all__ = ["Extent", "Lengths", "Position", "Scattered", "Step", "Unplaced", "unite"]

Lengths = tuple[int, int]
"""Cells along an axis before and after an operator."""

_AS_FINE = 1.5
"""Ratio of resolutions below which branches count as equally fine."""

_ALIGNED = 0.35
"""Largest difference of strides where the corners of a coarse map were aligned with those of a fine one: two
cells made into four."""


@dataclass(frozen=True, slots=True)
class Extent:
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
    """

    offset: float
    stride: float
    size: float
    shift: float = 0.0
    coarsest: float = 0.0

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
    def unbounded(self) -> Extent:
        """The same places, each of which sees everything."""
        return replace(self, size=math.inf, shift=0.0)

    def windowed(self, taps: float, stride: float, begin: float) -> Extent:
        """Compose with a window of ``taps`` cells that starts ``begin`` cells before the first one."""
        return self._composed((taps - 1) / 2 - begin, stride, taps)

    def resampled(self, offset: float, stride: float, taps: float = 1) -> Extent:
        """Compose with cells at ``offset + i * stride`` among these, each hearing ``taps`` of them."""
        return self._composed(offset, stride, taps)

    def _composed(self, offset: float, stride: float, taps: float) -> Extent:
        return Extent(
            self.offset + offset * self.stride,
            self.stride * stride,
            self.size + (taps - 1) * abs(self.stride),
            self.shift,
            max(self.coarsest, abs(self.stride), abs(self.stride * stride)),
        )


def unite(branches: Sequence[Extent]) -> Extent | None:
    """Place cells that hear several branches.

    What they see is the smallest field that covers all branches. Where they lie is another question: a
    coarse branch that was spread out again moves in steps of its own cells, so the branch that resolves
    finest says where things are. Branches that resolve equally finely weigh the same.

    Parameters
    ----------
    branches : sequence of Extent
        At least one.

    Returns
    -------
    Extent or None
        None where their cells are not equally far apart, beyond what aligned corners make of it. The size is
        unbounded there, as what a cell sees changes from cell to cell.
    """
    finest = min(branch.resolves for branch in branches)
    # strides that differ by rounding (aligned corners) are no difference in resolution
    deciding = [b for b in branches if b.resolves < _AS_FINE * finest]
    stride = deciding[0].stride
    apart = [abs(b.stride - stride) / abs(stride) for b in branches]
    if max(apart[branches.index(b)] for b in deciding) > 1e-9 or max(apart) > _ALIGNED:
        return None
    offset = sum(b.offset for b in deciding) / len(deciding)
    size, shift = math.inf, 0.0
    # a coarse branch whose corners were aligned with the fine one's lies elsewhere in every cell
    if all(math.isfinite(branch.size) for branch in branches) and max(apart) <= 1e-9:
        low = min(branch.reach[0] for branch in branches)
        high = max(branch.reach[1] for branch in branches)
        size, shift = high - low + 1, (low + high) / 2 - offset
    return Extent(offset, stride, size, shift, finest)


class Unplaced(Enum):
    """Why an axis has no cells at known places."""

    UNIFORM = "the same everywhere"
    """A global statistic, stretched or not: it weighs cells but does not place them."""

    UNKNOWN = "not determined by the graph"

    DISORDERED = "not in the order of the picture"


@dataclass(frozen=True, slots=True)
class Scattered:
    """Cells of a map out of their order: place ``i`` holds cell ``cells[i]`` of `extent`."""

    extent: Extent
    cells: tuple[int, ...]


Position = Extent | Scattered | Unplaced


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
        Axes of the operand and of the result, see `onnxdissect.model.axes`.
    source_shape, out_shape : tuple of int
        Their shapes.
    probe : Probe
        Numbers of computed inputs.
    """

    node: ir.Node
    index: int
    source_axes: str
    out_axes: str
    source_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    probe: Probe

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
