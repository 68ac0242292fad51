"""What an entry of the operator table can say; the rules themselves stand in the rooms that follow them."""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "Arithmetic",
    "Axes",
    "Compute",
    "Numbers",
    "Order",
    "Packing",
    "Pixels",
    "Places",
    "Regions",
    "Units",
]


class Axes(StrEnum):
    """What the axes of the result are; followed by `onnxdissect.model.layout.axes`."""

    OPEN = "open"
    """Nobody knows."""
    POINTWISE = "pointwise"
    """Those of several operands, broadcast against each other."""
    FIRST = "first"
    """Those of the first operand, and every number has to do with the one at its place."""
    MIXED = "mixed"
    """Those of the first operand, of the same lengths, but numbers run together along them."""
    FRAMED = "framed"
    """Those of the first operand, of other lengths."""
    SPLIT = "split"
    """Those of the operand, of which every result is a part."""
    CONCATENATED = "concatenated"
    """Those of the operands, which lie behind each other along one of them."""
    SPATIAL = "spatial"
    """(N, C, H, W), as ONNX defines it, or (N, H, W, C) where the operator says so."""
    REDUCED = "reduced"
    """Those of the operand, without some or with a length of one; named by ``axes``."""
    REDUCED_ALONG = "reduced-along"
    """Likewise, along the single axis that ``axis`` names."""
    RESHAPED = "reshaped"
    """The same numbers in the same order under a shape that an input states."""
    FLATTENED = "flattened"
    """The same under a shape that follows from an attribute or an axis."""
    SQUEEZED = "squeezed"
    """Without axes of one."""
    UNSQUEEZED = "unsqueezed"
    """With further axes of one."""
    TRANSPOSED = "transposed"
    """Those of the operand in another order."""
    PRODUCT = "product"
    """A product over the last axis of the first operand."""
    CONTRACTED = "contracted"
    """What an equation says: Einsum."""
    GATHERED = "gathered"
    """Those of the operand, with those of the indices in place of one."""
    PICKED = "picked"
    """Those of the operand, from which single numbers are taken along one axis."""
    SELECTED = "selected"
    """Those of the operand, some cells of which are kept along attribute ``axis``."""
    LOOKED_UP = "looked-up"
    """Those of the indices, and the units of the row of a stored table that each takes."""


class Places(StrEnum):
    """Where cells of the result lie and what they see; followed by `onnxdissect.model.receptive_field`."""

    BY_AXES = "by-axes"
    """What the axes imply."""
    UNKNOWN = "unknown"
    """Nobody knows, unless the axis keeps its length."""
    KEPT = "kept"
    """Where they were."""
    WINDOW = "window"
    """A window of ``kernel_shape``, ``strides``, ``dilations`` and ``pads`` moves over the operand."""
    SPREAD = "spread"
    """The other way round: every cell spreads over such a window."""
    WHOLE = "whole"
    """One cell from all."""
    REDUCED = "reduced"
    """One cell from all along some axes."""
    ACCUMULATED = "accumulated"
    """Each hears all before it along the axis that the second input states."""
    REGROUPED = "regrouped"
    """A reshape cuts or joins axes."""
    COMPRESS = "compress"
    """Kept where an input is true."""
    CROP_OR_PAD = "crop-or-pad"
    CROP = "crop"
    PAD = "pad"
    SLICE = "slice"
    SPLIT = "split"
    GATHER = "gather"
    GATHER_ELEMENTS = "gather-elements"
    REVERSE = "reverse"
    RESIZE = "resize"
    SAMPLE = "sample"
    """Interpolated at the places of a grid."""
    DEPTH_TO_SPACE = "depth-to-space"
    SPACE_TO_DEPTH = "space-to-depth"
    MATRIX = "matrix"
    """A product whose stored matrix may pick or interpolate cells."""


class Numbers(StrEnum):
    """What becomes of each number; layers behind a nonlinearity are found by it."""

    NEW = "new"
    """Another one, from several others."""
    COPIED = "copied"
    """The same in another order, type or frame."""
    CARRIED = "carried"
    """Each is one of the operand's; others may be left out, as by slicing or taking the largest. If the
    operand is the output of a nonlinearity, so is the result."""
    MOVED = "moved"
    """Each is one of the operand's or lies between several, in another shape or size. Integers keep their
    scale; the result does not count as the output of a nonlinearity."""
    QUANTISED = "quantised"
    """Rounded to integers of a stated scale."""
    QUANTISED_BY_RANGE = "quantised-by-range"
    """Rounded to integers whose scale is taken from their own range."""
    DEQUANTISED = "dequantised"
    """What integers stand for."""
    LINEAR = "linear"
    """Scaled or shifted, where the other operand is a constant."""
    NONLINEAR = "nonlinear"
    """Bent, each by itself."""
    NONLINEAR_BY_CONSTANT = "nonlinear-by-constant"
    """Bent, where the other operand is a constant."""


class Arithmetic(StrEnum):
    """What an operator computes; residual sums, power means and maps of classes are found by it."""

    NONE = "none"
    """Something else."""
    SUM = "sum"
    PRODUCT = "product"
    QUOTIENT = "quotient"
    POWER = "power"
    ROOT = "root"
    EXPONENTIAL = "exponential"
    LOGARITHM = "logarithm"
    RECIPROCAL = "reciprocal"
    ABSOLUTE = "absolute"
    MAXIMUM = "maximum"
    """Of several operands."""
    BOUNDS = "bounds"
    """Cut off below and above."""
    RECTIFIER = "rectifier"
    """Cut off below zero."""
    MEAN = "mean"
    """Of cells."""
    TOTAL = "total"
    """Of cells, not divided by how many they are."""


class Order(StrEnum):
    """What an operator may do to the order of cells: see `onnxdissect.model.layout.order.disturbed`."""

    KEPT = "kept"
    PREPARED = "prepared"
    """Kept, but a preparation for putting them out of order: a piece cut out, another shape."""
    SHIFTED = "shifted"
    """Put elsewhere; where the place is not known, neither is the order."""
    PICKED = "picked"
    """Chosen and put elsewhere."""
    TURNED = "turned"
    """Axes change places."""
    CONTRACTED = "contracted"
    """An equation may sum over axes and change the places of others."""
    MULTIPLIED = "multiplied"
    """By a matrix, which may put them elsewhere."""


class Compute(StrEnum):
    """Which multiply-accumulates an operator takes; counted by `onnxdissect.model.layers.macs`."""

    NONE = "none"
    CONVOLUTION = "convolution"
    """With weights of shape (out, in, kernel height, kernel width), or (in, out, ...) where cells spread."""
    PRODUCT = "product"
    EINSUM = "einsum"
    ATTENTION = "attention"
    """Rows of the first operand hear all others."""


class Packing(StrEnum):
    """How weights share bytes, so that a tensor's size is not their number."""

    NONE = "none"
    ROWS_AND_COLUMNS = "rows-and-columns"
    """Attributes K and N say how many there are."""
    SHAPE = "shape"
    """The third input says their shape."""
    BITS = "bits"
    """Where a table is bytes, attribute ``bits`` says how long each is."""


class Regions(StrEnum):
    """What an operator does with regions of the picture."""

    NONE = "none"
    PICKED = "picked"
    """Picks places by their numbers."""
    CHOSEN = "chosen"
    """Chooses regions."""
    POOLED = "pooled"
    """Results are regions, counted along the batch."""


class Pixels(StrEnum):
    """What an operator means as a step of preprocessing inside a graph."""

    NONE = "none"
    PASSED = "passed"
    """Pixels stay as they are, though their axes may change."""
    FRAMED = "framed"
    RESIZED = "resized"
    SLICED = "sliced"
    TAKEN = "taken"
    """Some along an axis."""
    LISTED = "listed"
    """Cut into a list."""
    UNLISTED = "unlisted"
    """One of a list."""
    JOINED = "joined"
    SPLIT = "split"
    SCALED = "scaled"
    DIVIDED = "divided"
    SHIFTED = "shifted"
    SUBTRACTED = "subtracted"
    NORMALISED = "normalised"
    CLIPPED = "clipped"
    CONVOLVED = "convolved"


class Units(StrEnum):
    """Along which axis an operator has its units; stated layouts are held against it."""

    OPEN = "open"
    """It does not tell."""
    SECOND = "second"
    """The second one, or the last where it takes them last."""
    LAST = "last"
    """The last one, where attribute ``axis`` names it."""
