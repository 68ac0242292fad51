"""That a rotation takes nothing from the network: turned and turned back, it gives what it gave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import ModelRuntimeError
from onnxdissect.experiments.rotation.records import OutputDeviation, Verification
from onnxdissect.model import Layer, Preparer
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.runtime.round_trip import round_trip_errors
from onnxdissect.model.runtime.verification import tolerance
from onnxdissect.pipeline.request import Request

__all__ = ["VERIFIED_IMAGES", "verify_layers"]

VERIFIED_IMAGES = 4
"""On so many of the data's first images."""


def verify_layers(request: Request, notify: Callable[[str], None]) -> tuple[Verification, ...]:
    """Turn each layer of a request by a whole rotation and back, and compare the network's outputs.

    Parameters
    ----------
    request : Request
        Its layers are the network's own.
    notify : callable
        Told the error of every output.

    Returns
    -------
    tuple of Verification
        One per layer.

    Raises
    ------
    ParameterError
        If no output is computed from a layer.
    ModelRuntimeError
        If an output is further off than rounding explains, or the network cannot be run with what reads the
        layer reading it turned back.
    """
    dataset, network = request.dataset, request.network
    preparer = Preparer(request.preprocessing, network.input, network.size)
    images = np.empty((min(VERIFIED_IMAGES, len(dataset)), *preparer.shape), preparer.dtype)
    for i, row in enumerate(images):
        preparer(dataset.read_image(i), row)
    return tuple(_verify(request, layer, images, notify) for layer in request.layers)


def _verify(
    request: Request, layer: Layer, images: NDArray[Any], notify: Callable[[str], None]
) -> Verification:
    rotation, allowed = Basis.rotation(layer.units, seed=0), tolerance(request.network)
    try:
        errors = round_trip_errors(request.network, layer, rotation, images)
    except ModelRuntimeError as error:
        raise ModelRuntimeError(
            f"layer {layer.name!r} cannot be turned and turned back, what reads it does not take it: "
            f"{error.message}",
            candidates=error.candidates,
            hint="choose another layer, or leave --verify out",
        ) from error
    for name, off in errors.items():
        notify(f"verified: layer {layer.name} turned and turned back, output {name} is off by {off:.2g}")
    worst = max(errors, key=lambda name: errors[name], default="")
    if worst and not errors[worst] <= allowed:
        raise ModelRuntimeError(
            f"turning layer {layer.name!r} and turning it back changes the output {worst!r} by "
            f"{errors[worst]:.3g} of its size, where rounding explains {allowed:g}",
            hint="an output of integers or of a threshold may jump by rounding alone; without --verify the "
            "rotations are dissected all the same",
        )
    outputs = tuple(OutputDeviation(name, off) for name, off in errors.items())
    return Verification(layer.name, rotation.name, len(images), allowed, outputs)
