"""A size of images that a network takes, where it fails at the one that was tried."""

from __future__ import annotations

from pathlib import Path

import onnx_ir as ir

from onnxdissect.errors import ModelRuntimeError, ModelTimeoutError
from onnxdissect.model.layers.records import ImageInput
from onnxdissect.model.preprocessing.image_input import known_size
from onnxdissect.model.runtime.inference import open_runtime, random_images

__all__ = ["TRIAL_SIZES", "working_size"]

TRIAL_SIZES = ((224, 224), (256, 256), (320, 320), (48, 320), (32, 320), (512, 512), (640, 640), (768, 768))
"""Classifiers and detectors, lines of text 48 and 32 pixels high, multiples of 32, 64 and 128."""


def working_size(
    model: ir.Model, folder: Path, image: ImageInput, failed: tuple[int, int]
) -> tuple[int, int] | None:
    """Try common sizes until a network runs.

    Parameters
    ----------
    model : onnx_ir.Model
        The network.
    folder : Path
        Where its external data lie.
    image : ImageInput
        Its image input.
    failed : (int, int)
        (height, width) that it does not run at.

    Returns
    -------
    (int, int) or None
        The first of `TRIAL_SIZES`, with what the graph fixes of them, that it runs at. A failing run mostly
        ends early: what this costs is one run of the network.
    """
    height, width = known_size(model, image)
    if height is not None and width is not None:
        return None
    sizes = dict.fromkeys((height or h, width or w) for h, w in TRIAL_SIZES)
    sizes.pop(failed, None)
    try:
        runtime = open_runtime(model, folder=folder, optimise="none")
    except ModelRuntimeError:
        return None
    for size in sizes:
        try:
            runtime({image.name: random_images(image.shape(image.batch or 1, size), image.dtype)})
        except ModelTimeoutError:
            raise
        except ModelRuntimeError:
            continue
        return size
    return None
