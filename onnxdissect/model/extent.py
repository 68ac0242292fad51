"""Where the cells of one axis lie, and one operator seen from one operand to one result."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import onnx_ir as ir

from onnxdissect.model.probe import Probe

__all__ = ["Extent", "Lengths", "Position", "Step", "Unplaced"]

Lengths = tuple[int, int]
"""Cells along an axis before and after an operator."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Cells along one axis: centres at ``offset + i * stride``, ``size`` wide, in input pixels.

    The stride is negative where the axis runs against the input.
    """

    offset: float
    stride: float
    size: float

    @property
    def reach(self) -> tuple[float, float]:
        """First and last pixel that cell 0 sees."""
        half = (self.size - 1) / 2
        return self.offset - half, self.offset + half

    def windowed(self, taps: float, stride: float, begin: float) -> Extent:
        """Compose with a window of ``taps`` cells that starts ``begin`` cells before the first one."""
        return Extent(
            self.offset + ((taps - 1) / 2 - begin) * self.stride,
            self.stride * stride,
            self.size + (taps - 1) * abs(self.stride),
        )

    def resampled(self, offset: float, stride: float, taps: float = 1) -> Extent:
        """Compose with cells at ``offset + i * stride`` among these, each hearing ``taps`` of them."""
        return Extent(
            self.offset + offset * self.stride,
            self.stride * stride,
            self.size + (taps - 1) * abs(self.stride),
        )

    def joined(self, other: Extent) -> Extent | None:
        """Smallest field that covers both; None where their cells are not equally far apart."""
        if abs(self.stride - other.stride) > 1e-9 * abs(self.stride):
            return None
        low = min(self.reach[0], other.reach[0])
        high = max(self.reach[1], other.reach[1])
        return Extent((low + high) / 2, self.stride, high - low + 1)


class Unplaced(Enum):
    """Why an axis has no cells at known places."""

    UNIFORM = "the same everywhere"
    """A global statistic, stretched or not: it weighs cells but does not place them."""

    UNKNOWN = "not determined by the graph"


Position = Extent | Unplaced


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
