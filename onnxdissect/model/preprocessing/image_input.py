"""Find the graph input that takes the images."""

from __future__ import annotations

import math
from collections.abc import Mapping

import onnx_ir as ir

from onnxdissect.errors import ImageInputError, ParameterError
from onnxdissect.model.graph import name_of
from onnxdissect.model.layers.records import ImageInput
from onnxdissect.model.preprocessing.first_convolution import trace_channels
from onnxdissect.model.preprocessing.unfit_inputs import describe_input, no_image
from onnxdissect.model.reading.batch_axis import PICTURE

__all__ = ["MOST_INPUT_NUMBERS", "check_input_size", "find_image_input", "known_size"]

MOST_INPUT_NUMBERS = 2**28
"""Numbers of a batch that a network is looked at with: 1 GiB of float32."""

_DTYPES = {
    ir.DataType.FLOAT: "float32",
    ir.DataType.FLOAT16: "float16",
    ir.DataType.DOUBLE: "float64",
    ir.DataType.UINT8: "uint8",
    ir.DataType.INT8: "int8",
    ir.DataType.UINT16: "uint16",
    ir.DataType.INT32: "int32",
    ir.DataType.INT64: "int64",
}


def find_image_input(model: ir.Model, layouts: Mapping[str, str] | None = None) -> ImageInput:
    """Find the image input and read its layout, type and size.

    Parameters
    ----------
    model : onnx_ir.Model
        A model.
    layouts : mapping of str to str, optional
        Layouts that a person states, by name of the input: "NCHW" or "NHWC", or without the "N" where the
        file's input has three axes.

    Returns
    -------
    ImageInput

    Raises
    ------
    ImageInputError
        If no input has four dimensions, the channels are neither 3 nor 1, the layout cannot be told, the
        element type holds no pixels, or there are further inputs that something would have to fill.
    ParameterError
        If a stated layout is none of an image.
    """
    inputs = [value for value in model.graph.inputs if not value.is_initializer()]
    images = [v for v in inputs if v.shape is not None and v.shape.rank() == 4]
    if not images:
        raise no_image(inputs)
    image = images[0]
    others = [value for value in inputs if value is not image]
    if others:
        raise ImageInputError(
            f"beside the image input {image.name!r} the model needs "
            f"{', '.join(describe_input(v) for v in others)}",
            hint="give them values: " + " ".join(f"--bind {v.name}=VALUE" for v in others),
        )
    if image.dtype not in _DTYPES:
        raise ImageInputError(
            f"the image input {describe_input(image)} takes {image.dtype}, which holds no pixels",
            candidates=tuple(_DTYPES.values()),
        )
    dims = _dims(image)
    stated = (layouts or {}).get(name_of(image))
    if stated is not None and PICTURE in model.graph.meta and len(stated) == 3:
        # a picture is stated as the file has it, and has got its batch since
        stated = f"N{stated}"
    if stated is not None and stated.upper() not in ("NCHW", "NHWC"):
        raise ParameterError(
            f"the image input {image.name!r} cannot have the layout {stated!r}", candidates=("NCHW", "NHWC")
        )
    layout, channels = _layout(image, dims, None if stated is None else stated.upper())
    spatial = (dims[2], dims[3]) if layout == "NCHW" else (dims[1], dims[2])
    size = None if spatial[0] is None or spatial[1] is None else (spatial[0], spatial[1])
    return ImageInput(name_of(image), layout, _DTYPES[image.dtype], dims[0], channels, size)


def check_input_size(image: ImageInput, size: tuple[int, int], asked: bool) -> None:
    """Refuse images, or a frozen batch of them, that take more numbers than are ever made at once.

    Parameters
    ----------
    image : ImageInput
        The image input.
    size : (int, int)
        (height, width) to run at.
    asked : bool
        Whether somebody asked for this size; else it is the file's or the data's.

    Raises
    ------
    ParameterError
        If the size that was asked for is too large.
    ImageInputError
        If the file's is, or that of its batch.
    """
    batch = image.batch or 1
    numbers = math.prod(image.shape(batch, size))
    if numbers <= MOST_INPUT_NUMBERS:
        return
    images = "an image" if batch == 1 else f"a batch of {batch:,} images, as the file has it,"
    said = (
        f"{images} of {size[0]:,} x {size[1]:,} pixels for the input {image.name!r} is {numbers:,} numbers; "
        f"at most {MOST_INPUT_NUMBERS:,} are made at once"
    )
    if asked:
        raise ParameterError(said, hint="--image-size 512x512")
    hint = "--image-size 512x512"
    if batch > 1 or image.size is not None:
        hint = "export the network " + ("with a free batch" if batch > 1 else "for smaller images")
    raise ImageInputError(said, hint=hint)


def known_size(model: ir.Model, image: ImageInput) -> tuple[int | None, int | None]:
    """Height and width as far as the graph fixes them.

    Parameters
    ----------
    model : onnx_ir.Model
        A model.
    image : ImageInput
        Its image input.

    Returns
    -------
    (int or None, int or None)
    """
    value = next(v for v in model.graph.inputs if v.name == image.name)
    dims = _dims(value)
    return (dims[2], dims[3]) if image.layout == "NCHW" else (dims[1], dims[2])


def _dims(value: ir.Value) -> list[int | None]:
    # exporters write free dimensions as names, "?", -1, 0 or nothing at all
    assert value.shape is not None
    return [dim if isinstance(dim, int) and dim > 0 else None for dim in value.shape]


def _layout(image: ir.Value, dims: list[int | None], stated: str | None) -> tuple[str, int]:
    traced = trace_channels(image, 4)
    if traced is not None and traced[0] not in (1, 3):
        traced = None
    axis, channels = traced if traced is not None else (None, None)
    if stated is not None:
        if axis in (1, 3) and axis != stated.index("C"):
            settled = "NCHW" if axis == 1 else "NHWC"
            raise ParameterError(
                f"the layout {stated} is stated for the image input {describe_input(image)}, and the "
                f"network's first convolution reads its axis {axis} as channels: it takes {settled}",
                candidates=(settled,),
                hint=f"leave the --layout of {image.name} out",
            )
        axis = stated.index("C")
        channels = channels or 3
    if axis is None:
        plausible = [a for a in (1, 3) if dims[a] in (1, 3)] or [a for a in (1, 3) if dims[a] == 4]
        if len(plausible) == 2 and dims[1] == dims[3]:
            raise _ambiguous(image, f"dimensions 1 and 3 are both {dims[1]}")
        if len(plausible) == 2:
            # (N, 3, H, 1) and its like: three channels are likelier than a picture one or three pixels wide
            plausible = [a for a in plausible if dims[a] == 3][:1] or plausible[:1]
        if not plausible:
            if dims[1] is not None and dims[3] is not None:
                plausible = [1 if dims[1] < dims[3] else 3]
            else:
                raise _ambiguous(image, "no dimension is 1 or 3")
        axis = plausible[0]
    count = dims[axis] if dims[axis] is not None else channels
    if count is None:
        raise ImageInputError(
            f"the number of channels of the image input {describe_input(image)} cannot be told"
        )
    if count not in (1, 3):
        raise ImageInputError(
            f"the image input {describe_input(image)} takes {count} channels; images have 3 (colour) or 1 "
            "(grey)"
        )
    return ("NCHW" if axis == 1 else "NHWC"), count


def _ambiguous(image: ir.Value, reason: str) -> ImageInputError:
    return ImageInputError(
        f"the layout of the image input {describe_input(image)} cannot be told: {reason}",
        candidates=("NCHW", "NHWC"),
        hint=f"--layout {image.name}=NCHW",
    )
