"""A layer's units, each averaged over its map, for images that are labelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onnxdissect.core.progress import Progress
from onnxdissect.errors import LayerNotFoundError, NonFiniteError, ParameterError, shown_path
from onnxdissect.experiments.class_scores.picture import prepared
from onnxdissect.experiments.class_scores.run_layer import (
    network_layer,
    network_of_run,
    run_preprocessing,
)
from onnxdissect.experiments.explanation.reference.batches import prepared_batches
from onnxdissect.model import Network, Preprocessing
from onnxdissect.model.runtime.session import Session, open_session
from onnxdissect.results import Dissection, load
from onnxdissect.results.records import LayerInfo

__all__ = ["PHASE", "PooledLayer", "open_pooled_layer", "pooled"]

PHASE = "features"
"""Of a progress."""


def pooled(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Average maps over their places.

    Parameters
    ----------
    maps : ndarray of float32, shape (..., h, w)

    Returns
    -------
    ndarray of float64, shape (...)
    """
    return np.asarray(maps.mean(axis=(-2, -1), dtype=np.float64))


@dataclass(frozen=True, slots=True)
class PooledLayer:
    """A layer of a run, computed by the network and averaged over places.

    Attributes
    ----------
    run : Dissection
        Whose labels and thresholds units have.
    network : Network
        The model of the run.
    info : LayerInfo
        The layer as the run knows it.
    preprocessing : Preprocessing
        Of the run.
    session : Session
        Computes the layer.
    """

    run: Dissection
    network: Network
    info: LayerInfo
    preprocessing: Preprocessing
    session: Session

    def prepared(self, pixels: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Prepare an image as the run prepared its own.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 3)

        Returns
        -------
        ndarray
            A batch of one.
        """
        return prepared(pixels, self.network, self.preprocessing)

    def maps(self, images: NDArray[np.generic]) -> NDArray[np.float32]:
        """Compute the layer.

        Parameters
        ----------
        images : ndarray
            Prepared, n of them.

        Returns
        -------
        ndarray of float32, shape (n, units, h, w)

        Raises
        ------
        NonFiniteError
            If an activation is not finite.
        """
        (maps,) = self.session(images)
        if not np.isfinite(maps).all():
            unit = int(np.flatnonzero(~np.isfinite(maps).all(axis=(0, 2, 3)))[0])
            raise NonFiniteError(f"layer {self.info.name!r}: unit {unit} is not finite")
        return maps

    def features(
        self, read: Callable[[int], NDArray[np.uint8]], count: int, progress: Progress
    ) -> NDArray[np.float64]:
        """Average every unit over its map, for many images.

        Parameters
        ----------
        read : callable
            Takes the position of an image, gives its pixels.
        count : int
            How many there are.
        progress : Progress

        Returns
        -------
        ndarray of float64, shape (count, units)
        """
        found = np.empty((count, self.info.units), np.float64)
        layer_bytes = int(np.prod(self.info.shape)) * self.info.units * np.dtype(np.float32).itemsize
        for chosen, images in prepared_batches(
            lambda i: self.prepared(read(i)), count, layer_bytes, progress, PHASE
        ):
            found[chosen] = pooled(self.maps(images))
        return found


def open_pooled_layer(
    model: str | Path,
    run: str | Path | Dissection,
    *,
    layer: str | None = None,
    provider: str = "auto",
    bind: Mapping[str, ArrayLike | str] | None = None,
    custom_ops: Sequence[str | Path] = (),
) -> PooledLayer:
    """Read a run and its network, and load what computes a layer of it.

    Parameters
    ----------
    model : str or Path
        The ONNX file that the run was made of. It need not score classes.
    run : str, Path or Dissection
        A finished run.
    layer : str, optional
        A layer of the run, by default its deepest. Nothing has to pass through it.
    provider : str
        Where the network runs.
    bind : mapping of str to array_like or str, optional
        Values of inputs beside the image, as in the run.
    custom_ops : sequence of str or Path
        Libraries of operators that onnxruntime lacks.

    Returns
    -------
    PooledLayer

    Raises
    ------
    OnnxDissectError
        If the run is of another model, or there is no such layer.
    """
    dissection = run if isinstance(run, Dissection) else load(run)
    network = network_of_run(model, dissection, bind=bind, custom_ops=custom_ops)
    own = [info for info in dissection.layers if info.basis is None]
    if layer is None and not own:
        raise LayerNotFoundError(
            f"the run {shown_path(dissection.path)} holds no layer but under a basis",
            hint=f"onnxdissect run {shown_path(network.path)} --layer last",
        )
    info = own[-1] if layer is None else dissection.layer(layer)
    if info.basis is not None:
        raise ParameterError(
            f"layer {info.name!r} of {dissection.path} is under a basis, and a prediction is explained by "
            "the units of the network itself",
            candidates=[one.alias for one in own],
            hint=f"--layer {info.own_layer}",
        )
    session = open_session(network, [network_layer(network, info)], provider=provider).unlimited()
    return PooledLayer(dissection, network, info, run_preprocessing(dissection), session)
