"""The output of a network that scores classes, and the logits that a softmax was made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import onnx_ir as ir

from onnxdissect.errors import ParameterError, nearest
from onnxdissect.model.graph import DEQUANTISED, attribute, computed_values, name_of, values_read
from onnxdissect.model.network import Network
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Numbers
from onnxdissect.wording import counted

__all__ = ["FLOATS", "ClassScores", "find_class_scores", "logits_before", "place_of_layer", "said_output"]

FLOATS = ("float32", "float16", "float64")
"""Element types of scores."""

_CANDIDATE_HINT = "--output NAME chooses an output of shape (images, classes)"


@dataclass(frozen=True, slots=True)
class ClassScores:
    """A vector of class scores.

    Attributes
    ----------
    output : str
        The output of the network.
    value : str
        The value whose entries are explained: the output, or the logits it is made of.
    stripped : str
        The operator between the two, "" where there is none.
    classes : int
        How many there are.
    reduced : str
        How the scores of all places were made one: "mean" or "max"; "" where there is but one of each class.
    before : str
        The value that was reduced.
    """

    output: str
    value: str
    stripped: str
    classes: int
    reduced: str = ""
    before: str = ""

    @property
    def score_of(self) -> str:
        """The value of the file whose entries are explained, by themselves or reduced."""
        return self.before or self.value


def find_class_scores(network: Network, output: str | None = None) -> ClassScores:
    """Find the output that scores classes.

    Parameters
    ----------
    network : Network
        The network.
    output : str, optional
        Its name, where several could be it.

    Returns
    -------
    ClassScores
        A final softmax, sigmoid or logarithm of a softmax is stripped: what it was computed from is a sum of
        what units add, and it is not. So is a last rounding to integers, of whose steps most units change
        none.

    Raises
    ------
    ParameterError
        If there is no such output, or it is no vector of scores, or several are.
    """
    values = computed_values(network.model.graph)
    vectors = {
        name: count
        for name in network.outputs
        if (count := _classes(network, name))
        and name in values
        and network.listing.dtypes.get(_logits(network, name)[0]) in FLOATS
    }
    if output is None:
        if len(vectors) != 1:
            raise _undecided(network, vectors)
        output = next(iter(vectors))
    if output not in network.outputs:
        raise ParameterError(
            f"{network.path.name} has no output {output!r}",
            candidates=nearest(output, network.outputs) or network.outputs,
        )
    if output not in vectors:
        raise ParameterError(
            f"the output {said_output(network, output)} of {network.path.name} is no vector of class scores",
            candidates=tuple(vectors),
            hint=_CANDIDATE_HINT if vectors else _no_classes(network),
        )
    value, stripped = _logits(network, output)
    return ClassScores(output, value, stripped, vectors[output])


def place_of_layer(network: Network, layer: str, scores: ClassScores) -> str:
    """Tell where a layer lies as seen from the scores.

    Parameters
    ----------
    network : Network
        The network.
    layer : str
        ONNX value name of the layer.
    scores : ClassScores
        The scores.

    Returns
    -------
    str
        "before" where they are computed from it, "scores" where it is they, "behind" where it is computed
        from them, "beside" otherwise.
    """
    # the twin of integers, which nothing reads, stands for them
    name = layer.removesuffix(DEQUANTISED)
    if name in (scores.value, scores.before):
        return "scores"
    if name in _upstream(network.model.graph, scores.value):
        return "before"
    return "behind" if scores.value in _upstream(network.model.graph, name) else "beside"


def _upstream(graph: ir.Graph, name: str) -> set[str]:
    found = {name}
    for node in reversed(graph):
        if any(name_of(value) in found for value in node.outputs):
            found.update(name_of(value) for value in values_read(node))
    return found - {name}


def _classes(network: Network, name: str) -> int:
    """Count the classes of a vector of scores; 0 for what has another shape."""
    shape = network.listing.shapes.get(name, ())
    if len(shape) < 2 or shape[0] != (network.input.batch or 1):
        return 0
    long = [length for length in shape[1:] if length != 1]
    if len(long) > 1 or (len(shape) > 2 and not long):
        return 0
    return long[0] if long else 1


def _undecided(network: Network, vectors: dict[str, int]) -> ParameterError:
    if vectors:
        return ParameterError(
            f"{network.path.name} has {counted(len(vectors), 'output')} that score classes",
            candidates=tuple(vectors),
            hint=f"--output {next(iter(vectors))}",
        )
    outputs = ", ".join(said_output(network, name) for name in network.outputs[:5])
    return ParameterError(
        f"{network.path.name} has no output that scores classes of an image: {outputs}",
        hint=_no_classes(network),
    )


def said_output(network: Network, name: str) -> str:
    """Name an output with its shape.

    Parameters
    ----------
    network : Network
        The network.
    name : str

    Returns
    -------
    str
        Such as ``'scores' [1, 12]``.
    """
    shape = network.listing.shapes.get(name)
    return repr(name) if shape is None else f"{name!r} {list(shape)}"


def _no_classes(network: Network) -> str:
    said = "what is explained is one number for each class of the whole image, of shape (images, classes): "
    if any(len(network.listing.shapes.get(name, ())) > 2 for name in network.outputs):
        return (
            f"{said}explain --reduce mean, or max, makes it of the scores at all places; else export such a "
            "vector as an output, and choose it with --output NAME"
        )
    return f"{said}export such a vector as an output, and choose it with --output NAME"


def _logits(network: Network, output: str) -> tuple[str, str]:
    """Go back from an output to what a softmax of the classes was computed from, and to what was rounded."""
    classes = _classes(network, output)
    return logits_before(
        network,
        output,
        same=lambda name: _classes(network, name) == classes,
        over=lambda node: _over_classes(network, node),
    )


def logits_before(
    network: Network, output: str, *, same: Callable[[str], bool], over: Callable[[ir.Node], bool]
) -> tuple[str, str]:
    """Go back from scores to what a softmax was computed from, and to what was rounded.

    In steps of a byte a score changes by more than most units change it.

    Parameters
    ----------
    network : Network
        The network.
    output : str
        The scores.
    same : callable
        Takes a value, tells whether it holds scores of the same form.
    over : callable
        Takes a softmax, tells whether it is one of the classes.

    Returns
    -------
    (str, str)
        The value, and the operator between the two, "" where there is none.
    """
    values = computed_values(network.model.graph)
    found, stripped, of_chances = output, "", False
    value = values[output]
    while (node := value.producer()) is not None and node.inputs and node.inputs[0] is not None:
        before = node.inputs[0]
        name, operator = name_of(before), operator_of(node)
        if name not in values or not same(name):
            break
        if operator.chances:
            each_by_itself = operator.numbers is Numbers.NONLINEAR
            if of_chances or not (each_by_itself or over(node)):
                break
            found, stripped, of_chances = name, node.op_type, True
        elif operator.numbers is Numbers.QUANTISED:
            found, stripped = name, stripped or node.op_type
        elif not (operator.reshapes or operator.numbers in (Numbers.COPIED, Numbers.DEQUANTISED)):
            break
        value = before
    return found, stripped


def _over_classes(network: Network, node: ir.Node) -> bool:
    """Whether a softmax is over the axis of the classes."""
    shape = network.listing.shapes[name_of(node.outputs[0])]
    axis = int(attribute(node, "axis", -1)) % len(shape)
    return axis > 0 and shape[axis] == max(shape[1:])
