"""Why none of a network's inputs takes images, and what would make one of them do so."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from onnxdissect.errors import ImageInputError

__all__ = ["describe_input", "no_image"]


def describe_input(value: ir.Value) -> str:
    """Name an input and its shape.

    Parameters
    ----------
    value : onnx_ir.Value
        The input.

    Returns
    -------
    str
        Such as ``image[1, 3, h, w]``.
    """
    shape = "?" if value.shape is None else ", ".join(str(dim) for dim in value.shape)
    return f"{value.name}[{shape}]"


def no_image(inputs: Sequence[ir.Value]) -> ImageInputError:
    """Say that no input takes images.

    Parameters
    ----------
    inputs : sequence of onnx_ir.Value
        The inputs, none of which has four axes.

    Returns
    -------
    ImageInputError
        To be raised. Where an input might take pictures nevertheless, it says which, and what to state.
    """
    ranks = [(value, 0 if value.shape is None else value.shape.rank()) for value in inputs]
    for value, rank in ranks:
        if rank == 5:
            return _video(value)
        if rank == 3:
            return _three(value)
    found = ", ".join(describe_input(value) for value in inputs) or "none"
    flat = next((value.name for value, rank in ranks if rank == 2), None)
    hint = f"if {flat!r} is a grey picture, height by width, declare it as [1, 1, height, width] and put"
    return ImageInputError(
        f"no input takes images (four dimensions); inputs: {found}",
        hint="" if flat is None else f"{hint} a Squeeze of axes 0 and 1 behind it",
    )


def _three(value: ir.Value) -> ImageInputError:
    return ImageInputError(
        f"the input {describe_input(value)} has three axes, and the graph does not tell what they are: one "
        "picture as (channels, height, width), one as (height, width, channels), or a batch of grey ones",
        candidates=("CHW", "HWC"),
        hint=f"--layout {value.name}=CHW for one picture, --image-size HxW where its size is free; a batch "
        "of grey ones has to be declared as [batch, 1, height, width], with a Squeeze of axis 1 behind it",
    )


def _video(value: ir.Value) -> ImageInputError:
    return ImageInputError(
        f"the input {describe_input(value)} has five axes: it takes several frames of a video at once, and "
        "what is dissected takes single images",
        hint="export the network for one frame: [batch, 1, 3, height, width] or [batch, 3, 1, height, width]",
    )
