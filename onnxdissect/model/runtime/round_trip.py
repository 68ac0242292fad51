"""Whether a network with a layer turned, and turned back, gives what the network gives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import ParameterError
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.layers.records import Layer
from onnxdissect.model.network import Network
from onnxdissect.model.runtime.difference import relative_error
from onnxdissect.model.runtime.inference import open_runtime
from onnxdissect.model.surgery.round_trip import round_trip

__all__ = ["round_trip_errors"]


def round_trip_errors(network: Network, layer: Layer, basis: Basis, images: NDArray[Any]) -> dict[str, float]:
    """Compare a network's outputs with those after a layer was turned by a rotation and back.

    Both are run by the CPU as they are written, without optimisation, one image or frozen batch at a time.

    Parameters
    ----------
    network : Network
        The network.
    layer : Layer
        One of its layers.
    basis : Basis
        A rotation, a permutation, or any other orthogonal matrix.
    images : ndarray
        Prepared images, one at least.

    Returns
    -------
    dict of str to float
        Of each output the largest error over the images: root mean square of the difference over that of what
        the network gives; of integers the share that differs. What rounding explains is
        `onnxdissect.model.runtime.verification.tolerance`.

    Raises
    ------
    ParameterError
        If no output is computed from the layer, or as `onnxdissect.model.surgery.round_trip.round_trip`.
    ModelRuntimeError
        If onnxruntime refuses or fails.
    """
    if layer.part == "unused":
        raise ParameterError(
            f"no output of {network.path.name} is computed from layer {layer.name!r}, so turning it cannot "
            "be verified",
            hint="`onnxdissect layers MODEL` lists the others",
        )
    turned = round_trip(network.model, layer, basis)
    folder = network.path.parent
    before, after = (open_runtime(model, folder=folder, optimise="none") for model in (network.model, turned))
    errors = dict.fromkeys(network.outputs, 0.0)
    size = network.input.batch or 1
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        batch = np.concatenate([batch, np.repeat(batch[:1], size - len(batch), axis=0)])
        feed = {network.input.name: batch}
        found = zip(before(feed, network.outputs), after(feed, network.outputs), strict=True)
        for name, (expected, got) in zip(network.outputs, found, strict=True):
            errors[name] = max(errors[name], _error(got, expected))
    return errors


def _error(got: Any, expected: Any) -> float:
    if not isinstance(got, np.ndarray) or got.shape != expected.shape:
        return 0.0 if got == expected else 1.0
    if got.dtype.kind == "f":
        return relative_error(got, expected)
    return float(np.mean(got != expected)) if got.size else 0.0
