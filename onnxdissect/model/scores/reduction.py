"""Class scores of a whole image made of an output that scores classes at many places: maps, boxes, tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace

from onnxdissect.errors import ParameterError, nearest
from onnxdissect.model.graph import attribute, computed_values, name_of
from onnxdissect.model.network import Network
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Numbers
from onnxdissect.model.scores.class_scores import FLOATS, ClassScores, logits_before, said_output
from onnxdissect.model.scores.reduction_words import read_reduction
from onnxdissect.model.surgery.reduce_value import ReduceValue, reduced_name
from onnxdissect.wording import counted

__all__ = ["before_choice", "reduce_scores"]

_ARGMAX = "ArgMax"


def reduce_scores(network: Network, output: str | None, reduction: str) -> tuple[Network, ClassScores]:
    """Reduce an output over all axes but those of images and classes.

    Parameters
    ----------
    network : Network
        The network.
    output : str, optional
        Its name, where several could be it.
    reduction : str
        As `read_reduction` takes it. By default the classes lie along the axis that the graph tells to be the
        one of units.

    Returns
    -------
    Network
        The same, with the reduced scores computed in its graph.
    ClassScores
        A final ArgMax, softmax or sigmoid of each place, and a last rounding to integers, is stripped before.

    Raises
    ------
    ParameterError
        If there is no such output, it has nothing to reduce, several could be it, or the axis of the classes
        is not known.
    """
    how, axis = read_reduction(reduction)
    if output is None:
        output = _only_output(network, axis)
    elif output not in network.outputs:
        raise ParameterError(
            f"{network.path.name} has no output {output!r}",
            candidates=nearest(output, network.outputs) or network.outputs,
        )
    found = _scored_places(network, output, axis)
    if isinstance(found, ParameterError):
        raise found
    model = ReduceValue(found.value, how, len(found.shape), found.axis)(network.model).model
    classes = found.shape[found.axis]
    value = reduced_name(found.value, how)
    scores = ClassScores(output, value, found.stripped, classes, reduced=how, before=found.value)
    listing = network.listing
    listing = replace(
        listing,
        shapes={**listing.shapes, value: (found.shape[0], classes)},
        dtypes={**listing.dtypes, value: listing.dtypes[found.value]},
        axes={**listing.axes, value: "NC"},
    )
    return replace(network, model=model, listing=listing), scores


def _only_output(network: Network, axis: int | None) -> str:
    found = {name: _scored_places(network, name, axis) for name in network.outputs}
    able = [name for name, one in found.items() if isinstance(one, _ScoredPlaces)]
    if len(able) == 1:
        return able[0]
    if able:
        raise ParameterError(
            f"{network.path.name} has {counted(len(able), 'output')} that could be reduced",
            candidates=able,
            hint=f"--output {able[0]}",
        )
    if len(found) == 1:
        return next(iter(found))
    said = ", ".join(said_output(network, name) for name in network.outputs[:5])
    raise ParameterError(
        f"{network.path.name} has no output with an axis of classes that could be reduced: {said}",
        hint="--output NAME chooses one, and --reduce mean:AXIS says where its classes lie",
    )


@dataclass(frozen=True, slots=True)
class _ScoredPlaces:
    """A value that scores classes at many places.

    Attributes
    ----------
    value : str
    stripped : str
        The operator between it and the output.
    shape : tuple of int
    axis : int
        Of the classes.
    """

    value: str
    stripped: str
    shape: tuple[int, ...]
    axis: int


def _scored_places(network: Network, output: str, axis: int | None) -> _ScoredPlaces | ParameterError:
    listing = network.listing
    start, chosen, along = before_choice(network, output)
    shape, axes = listing.shapes.get(start, ()), listing.axes.get(start, "")
    said = f"the output {said_output(network, output)} of {network.path.name}"
    if start not in computed_values(network.model.graph) or len(shape) < 2:
        return ParameterError(f"{said} is no scores of classes", hint=_HINT)
    if shape[0] != (network.input.batch or 1):
        return ParameterError(f"{said} does not have its images along the first axis", hint=_HINT)
    if along is None:
        along = axes.index("C") if axes.count("C") == 1 and len(axes) == len(shape) else None
    if chosen and axis is not None and axis != along:
        return ParameterError(
            f"{said} chooses among classes along axis {along}, and axis {axis} was asked for",
            hint=f"--reduce mean:{along}, or leave the axis away",
        )
    at = along if axis is None else axis
    if at is None:
        return ParameterError(
            f"along which axis {said} has its classes is not known",
            hint="say it, axis 0 being that of the images: --reduce mean:1, or --reduce mean:2",
        )
    if not 0 < at < len(shape):
        return ParameterError(
            f"{said} has no axis {at} of classes", hint=f"--reduce mean:1 to mean:{len(shape) - 1}"
        )
    if all(length == 1 for place, length in enumerate(shape) if place not in (0, at)):
        return ParameterError(f"{said} scores no places: there is nothing to reduce", hint="no --reduce")
    value, stripped = logits_before(
        network,
        start,
        same=lambda name: listing.shapes.get(name) == shape,
        over=lambda node: int(attribute(node, "axis", -1)) % len(shape) == at,
    )
    if listing.dtypes.get(value) not in FLOATS:
        return ParameterError(
            f"{said} is of {listing.dtypes.get(value)}, and no scores of classes", hint=_HINT
        )
    return _ScoredPlaces(value, chosen or stripped, shape, at)


_HINT = (
    "export the scores of classes at all places as an output, (images, classes, ...), and choose it: "
    "--output NAME"
)


def before_choice(network: Network, output: str) -> tuple[str, str, int | None]:
    """Go back before the ArgMax that an output may end in.

    Parameters
    ----------
    network : Network
        The network.
    output : str
        One of its outputs.

    Returns
    -------
    (str, str, int or None)
        The input of the ArgMax, its name, and the axis along which it chooses; the output itself, "" and None
        where there is none.
    """
    values = computed_values(network.model.graph)
    value = values.get(output)
    while value is not None and (node := value.producer()) is not None and node.inputs:
        before = node.inputs[0]
        if before is None:
            break
        if node.op_type == _ARGMAX:
            rank = len(network.listing.shapes.get(name_of(before), ()))
            axis = int(attribute(node, "axis", 0)) % rank if rank else 0
            return name_of(before), _ARGMAX, axis or None
        operator = operator_of(node)
        if not (operator.reshapes or operator.numbers is Numbers.COPIED):
            break
        value = values.get(name_of(before))
    return output, "", None
