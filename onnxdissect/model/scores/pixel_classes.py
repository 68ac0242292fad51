"""The outputs of a network that tell the class of every pixel: segmentation networks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import ParameterError, nearest
from onnxdissect.model.graph import computed_values
from onnxdissect.model.network import Network
from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Numbers
from onnxdissect.model.reading.batch_axis import PICTURE
from onnxdissect.model.scores.class_scores import FLOATS, said_output
from onnxdissect.model.scores.reduction import before_choice
from onnxdissect.wording import counted

__all__ = ["PixelClasses", "find_pixel_classes"]

_WHOLE = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
# What leaves chances as they are, or takes some of them or what lies between.
_CHANCES_KEPT = (Numbers.COPIED, Numbers.CARRIED, Numbers.MOVED, Numbers.QUANTISED, Numbers.DEQUANTISED)
_FORMS = (
    "a segmenter gives (images, classes, height, width), (images, height, width, classes), or the number of "
    "a class at every pixel as whole numbers (images, height, width)"
)


@dataclass(frozen=True, slots=True)
class PixelClasses:
    """An output that tells the class of every pixel.

    Attributes
    ----------
    output : str
        Its name.
    grid : (int, int)
        Its height and width.
    classes : int or None
        How many it tells apart; None where numbers of classes are given and the graph does not say.
    axis : int or None
        Of one image's array, the axis of the scores of classes; None where numbers of classes are given.
    dtype : str
        Element type.
    chances : bool
        Whether the scores are chances, made by a softmax or a sigmoid; else they are logits.
    shape : tuple of int
        Of one image's array.
    """

    output: str
    grid: tuple[int, int]
    classes: int | None
    axis: int | None
    dtype: str
    chances: bool
    shape: tuple[int, ...] = field(repr=False)

    @property
    def numbered(self) -> bool:
        """Whether it gives numbers of classes in place of scores."""
        return self.axis is None

    def classes_first(self, array: NDArray[Any]) -> NDArray[Any]:
        """Bring what the network gave of one image into one order.

        Parameters
        ----------
        array : ndarray
            Of `shape`.

        Returns
        -------
        ndarray, shape (classes, height, width), or (height, width) of numbers of classes
        """
        return array.reshape(self.grid) if self.axis is None else np.moveaxis(array, self.axis, 0)


def find_pixel_classes(network: Network, output: str | None, classes: int) -> PixelClasses:
    """Find the output that tells the class of every pixel.

    Parameters
    ----------
    network : Network
        The network.
    output : str or None
        Its name, where several could be it.
    classes : int
        How many there should be. They tell the axis of the classes where the graph does not.

    Returns
    -------
    PixelClasses
        It may tell apart another number of classes than was asked for.

    Raises
    ------
    ParameterError
        If there is no such output, it labels no pixels, several do, or the axis of the classes is not known.
    """
    if output is not None and output not in network.outputs:
        raise ParameterError(
            f"{network.path.name} has no output {output!r}",
            candidates=nearest(output, network.outputs) or network.outputs,
        )
    found = {name: _read(network, name, classes) for name in network.outputs if output in (None, name)}
    able = {name: one for name, one in found.items() if isinstance(one, PixelClasses)}
    if len(able) == 1:
        return next(iter(able.values()))
    if able:
        raise ParameterError(
            f"{network.path.name} has {counted(len(able), 'output')} that label pixels",
            candidates=tuple(able),
            hint=f"say which: output={next(iter(able))}",
        )
    refusals = [one for one in found.values() if isinstance(one, ParameterError)]
    if len(refusals) == 1:
        raise refusals[0]
    said = ", ".join(said_output(network, name) for name in network.outputs[:5])
    raise ParameterError(
        f"{network.path.name} is no segmenter: none of its outputs labels pixels: {said}", hint=_FORMS
    )


def _read(network: Network, name: str, classes: int) -> PixelClasses | ParameterError:
    listing = network.listing
    whole, dtype = listing.shapes.get(name, ()), listing.dtypes.get(name, "")
    said = f"the output {said_output(network, name)} of {network.path.name}"
    if dtype not in FLOATS and dtype not in _WHOLE:
        return ParameterError(f"{said} is of {dtype or 'an unknown type'}, and labels no pixels", hint=_FORMS)
    # a network for single pictures has been given a batch at its input only
    single = PICTURE in network.model.graph.meta and len(whole) == (3 if dtype in FLOATS else 2)
    if not single and (len(whole) < 3 or whole[0] != (network.input.batch or 1)):
        return ParameterError(f"{said} labels no pixels, so that the network is no segmenter", hint=_FORMS)
    shape = tuple(whole if single else whole[1:])
    if dtype in _WHOLE and (len(shape) == 2 or (len(shape) == 3 and 1 in (shape[0], shape[2]))):
        axis, told = None, _chosen_among(network, name)
        places = tuple(shape[:2] if len(shape) == 2 or shape[0] != 1 else shape[1:])
    elif len(shape) == 3:
        axes = listing.axes.get(name, "")[0 if single else 1 :]
        place = _class_axis(name, said, shape, axes, classes)
        if isinstance(place, ParameterError):
            return place
        axis, told = place, shape[place]
        places = tuple(length for at, length in enumerate(shape) if at != place)
    else:
        return ParameterError(f"{said} labels no pixels, so that the network is no segmenter", hint=_FORMS)
    if places[0] * places[1] < 2:
        return ParameterError(f"{said} has one place, and so labels images, not pixels", hint=_FORMS)
    if axis is not None and told == 1:
        return ParameterError(
            f"{said} scores one class only, which would be every pixel's",
            hint="export a score for the other pixels as well: (images, 2, height, width)",
        )
    chances = axis is not None and _of_chances(network, name)
    return PixelClasses(name, (places[0], places[1]), told, axis, dtype, chances, shape)


def _class_axis(
    name: str, said: str, shape: tuple[int, ...], axes: str, classes: int
) -> int | ParameterError:
    """Tell which axis of one image's array is that of the classes."""
    if len(axes) == 3 and axes.count("C") == 1:
        return axes.index("C")
    able = [at for at in (0, 2) if shape[at] == classes]
    if len(able) == 1:
        return able[0]
    if not able and 1 in (shape[0], shape[2]):
        return 0 if shape[0] == 1 else 2
    told = "both could be" if able else f"neither the first nor the last has {classes}"
    return ParameterError(
        f"along which axis {said} has its classes is not known: {told}",
        hint=f"layout={name}=NCHW or layout={name}=NHWC says it",
    )


def _chosen_among(network: Network, name: str) -> int | None:
    """Count the classes that an ArgMax chose among."""
    before, chosen, axis = before_choice(network, name)
    shape = network.listing.shapes.get(before, ())
    return shape[axis] if chosen and axis is not None and axis < len(shape) else None


def _of_chances(network: Network, name: str) -> bool:
    """Whether a softmax or a sigmoid made the scores, whatever moved or rounded them since."""
    value = computed_values(network.model.graph).get(name)
    while value is not None and (node := value.producer()) is not None and node.inputs:
        operator = operator_of(node)
        if operator.chances:
            # logarithms of chances are logits too
            return node.op_type != "LogSoftmax"
        if not (operator.reshapes or operator.numbers in _CHANCES_KEPT):
            return False
        value = node.inputs[0]
    return False
