"""One operator: everything that the rest of the ONNX side has to know of it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, fields
from enum import StrEnum
from typing import Any

from onnxdissect.errors import ParameterError, nearest
from onnxdissect.model.operators.rules import (
    Arithmetic,
    Axes,
    Compute,
    Numbers,
    Order,
    Packing,
    Pixels,
    Places,
    Regions,
    Units,
)

__all__ = ["Operator"]

_PLACES = {
    Axes.FIRST: Places.KEPT,
    Axes.MIXED: Places.KEPT,
    Axes.SPATIAL: Places.WINDOW,
    Axes.REDUCED: Places.REDUCED,
    Axes.REDUCED_ALONG: Places.REDUCED,
    Axes.RESHAPED: Places.REGROUPED,
    Axes.FLATTENED: Places.REGROUPED,
    Axes.SQUEEZED: Places.REGROUPED,
    Axes.UNSQUEEZED: Places.REGROUPED,
}
_KINDS: dict[str, type[StrEnum]] = {
    "axes": Axes,
    "places": Places,
    "numbers": Numbers,
    "arithmetic": Arithmetic,
    "order": Order,
    "compute": Compute,
    "packing": Packing,
    "regions": Regions,
    "pixels": Pixels,
    "units": Units,
}


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator and what it means.

    Attributes
    ----------
    name : str
        Operator type.
    domain : str
        Its domain; ONNX's own is "".
    axes : Axes
        What the axes of the result are. This and the other rules may be given as strings, such as "first".
    places : Places
        Where cells of the result lie and what they see; by default what the axes imply.
    order : Order
        What it may do to the order of cells.
    numbers : Numbers
        What becomes of each number.
    arithmetic : Arithmetic
        What is computed.
    gate : bool
        Whether results are weights between 0 and 1.
    chances : bool
        Whether it makes chances of the scores of classes, or their logarithms.
    weighs_by : int or None
        Input that the others are multiplied by, in an operator that does more than multiply; None for those
        whose `arithmetic` says it all.
    units : Units
        Along which axis it has its units.
    fused : bool
        Whether attribute ``activation`` names a nonlinearity behind it.
    compute : Compute
        Which multiply-accumulates it takes.
    weights : int
        Which input of a convolution or a product is its second operand: the weights, where they are stored.
    no_weights : tuple of int
        Inputs that are no weights even where they are stored: scales and zero points, axes, shapes, bounds.
    packing : Packing
        How its weights share bytes.
    channels_last : bool
        Whether it takes (N, H, W, C), whatever its attributes say.
    kernel_before_units : bool
        Whether its weights are (out, kernel height, kernel width, in).
    two_axes : bool
        Whether operands of a product are matrices, never stacks of them.
    projects : bool
        Whether an attention makes queries, keys and values itself.
    past_keys : int or None
        Input of an attention with the keys of earlier calls.
    operands : (int, int)
        First operand of a concatenation among its inputs, and how many inputs each takes.
    table_axis : str
        Attribute that says along which axis it looks up; "" for operators that look up nothing.
    sum_result : int or None
        Of a sum and its normalisation in one operator, which result is the sum.
    result_scale : int or None
        Input with the scale of integers that it gives; their zero point follows.
    rounds : bool
        Whether it computes in integers or rounds to them, so that results differ by rounding.
    scaled_by_batch : bool
        Whether integers are scaled by the largest value of the whole batch.
    sums_integers : bool
        Whether results are sums of integers, made numbers by what follows.
    converts : bool
        Whether attribute ``to`` is the type of the result.
    shaping : tuple of int
        Inputs that say where things go rather than what they are: small, and geometry needs their numbers.
    states_shape : int or None
        Input that states the shape of the result.
    states_pads : int or None
        Input that states the padding of a transposed convolution.
    draws : bool
        Whether it draws numbers.
    training_input : int or None
        Input that, where it is true, makes it drop numbers at random; the ratio is the one before.
    training_mode : bool
        Whether attribute ``training_mode`` makes it normalise by the whole batch.
    subgraphs : bool
        Whether graphs inside it decide.
    sizes_only : bool
        Whether results depend on the operand's shape alone.
    tensors : bool
        Whether results are tensors, rather than lists or maybe nothing.
    regions : Regions
        What it does with regions of the picture.
    pixels : Pixels
        What it means as a step of preprocessing.

    Raises
    ------
    ParameterError
        If a rule is none of those that there are.
    """

    name: str
    domain: str = ""
    _: KW_ONLY
    axes: Axes = Axes.OPEN
    places: Places = Places.BY_AXES
    order: Order = Order.KEPT
    numbers: Numbers = Numbers.NEW
    arithmetic: Arithmetic = Arithmetic.NONE
    gate: bool = False
    chances: bool = False
    weighs_by: int | None = None
    units: Units = Units.OPEN
    fused: bool = False
    compute: Compute = Compute.NONE
    weights: int = 1
    no_weights: tuple[int, ...] = ()
    packing: Packing = Packing.NONE
    channels_last: bool = False
    kernel_before_units: bool = False
    two_axes: bool = False
    projects: bool = False
    past_keys: int | None = None
    operands: tuple[int, int] = (0, 1)
    table_axis: str = ""
    sum_result: int | None = None
    result_scale: int | None = None
    rounds: bool = False
    scaled_by_batch: bool = False
    sums_integers: bool = False
    converts: bool = False
    shaping: tuple[int, ...] = ()
    states_shape: int | None = None
    states_pads: int | None = None
    draws: bool = False
    training_input: int | None = None
    training_mode: bool = False
    subgraphs: bool = False
    sizes_only: bool = False
    tensors: bool = True
    regions: Regions = Regions.NONE
    pixels: Pixels = Pixels.NONE

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ParameterError("an operator needs a name", hint='Operator("Mix", "my.ops", axes="first")')
        for attribute, kind in _KINDS.items():
            object.__setattr__(self, attribute, _rule(self.name, attribute, kind, getattr(self, attribute)))
        if self.domain == "ai.onnx":
            object.__setattr__(self, "domain", "")
        if self.places is Places.BY_AXES:
            object.__setattr__(self, "places", _PLACES.get(self.axes, Places.UNKNOWN))

    @property
    def label(self) -> str:
        """Domain and name, as graphs write them."""
        return f"{self.domain}::{self.name}" if self.domain else self.name

    @property
    def keeps_axes(self) -> bool:
        """Whether the result has the axes of its first operand."""
        return self.axes in (Axes.FIRST, Axes.MIXED, Axes.FRAMED)

    @property
    def reshapes(self) -> bool:
        """Whether the result is the operand under another shape."""
        return self.axes in (Axes.RESHAPED, Axes.FLATTENED, Axes.SQUEEZED, Axes.UNSQUEEZED)

    @property
    def multiplies(self) -> bool:
        """Whether it is a convolution or a matrix product."""
        return self.compute in (Compute.CONVOLUTION, Compute.PRODUCT)

    @property
    def repeats(self) -> bool:
        """Whether the result holds the operand's numbers, rounded or not, copied or made of integers."""
        return self.numbers in (Numbers.COPIED, Numbers.QUANTISED, Numbers.DEQUANTISED)

    def to_json(self) -> dict[str, Any]:
        """Give what is not as by default, as JSON values.

        Returns
        -------
        dict
        """
        plain = Operator(self.name, self.domain, axes=self.axes)
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        kept = {"name", "domain", "axes"}
        return {
            name: list(value)
            if isinstance(value, tuple)
            else str(value)
            if isinstance(value, StrEnum)
            else value
            for name, value in sorted(said.items())
            if name in kept or value != getattr(plain, name)
        }


def _rule(name: str, attribute: str, kind: type[StrEnum], value: object) -> StrEnum:
    try:
        return kind(str(value))
    except ValueError as error:
        known = [str(member) for member in kind]
        raise ParameterError(
            f"operator {name}: {attribute} is none of the rules there are: {value!r}",
            candidates=nearest(str(value), known) or known,
            hint=f"{attribute}={known[1]!r}, or another of {', '.join(known)}",
        ) from error
