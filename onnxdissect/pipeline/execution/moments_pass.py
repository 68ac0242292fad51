"""A pass over the images before the run's own: mean and covariance of the layers' units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.progress import Progress
from onnxdissect.data.decoding.ahead import ahead
from onnxdissect.errors import ModelRuntimeError, NonFiniteError
from onnxdissect.model.bases.moments import Moments
from onnxdissect.pipeline.execution.stopping import stop_request
from onnxdissect.pipeline.prepare import Prepared

__all__ = ["gather_moments"]


def gather_moments(prepared: Prepared, progress: Progress) -> tuple[Moments, ...]:
    """Gather the moments of all layers over all images of a run.

    Workers decode images and run the network. What they give is taken in in the order of the images, so that
    the sums do not depend on how many workers there are.

    Parameters
    ----------
    prepared : Prepared
        Of the layers themselves.
    progress : Progress
        Told of every batch.

    Returns
    -------
    tuple of Moments
        One per layer.

    Raises
    ------
    KeyboardInterrupt
        If the pass was stopped. Nothing of it is kept.
    NonFiniteError
        If an activation is NaN or infinite, naming layer, unit and image.
    DataError
        If an image cannot be read.
    """
    request, session = prepared.request, prepared.session
    dataset, preparer = request.dataset, prepared.preparer
    images, size = len(dataset), prepared.batch_size
    moments = tuple(Moments(layer.units) for layer in request.layers)

    def work(start: int) -> list[NDArray[np.float32]]:
        count = min(size, images - start)
        batch = np.empty((count, *preparer.shape), preparer.dtype)
        for i in range(count):
            preparer(dataset.read_image(start + i), batch[i])
        return session(batch)

    starts = range(0, images, size)
    workers = max(prepared.workers, prepared.decoders)
    progress.start("moments", images)
    with stop_request(session.stop) as stopped:
        try:
            given = ahead(work, starts, workers=workers, depth=workers + 1)
            for start, activations in zip(starts, given, strict=True):
                for i, (gathered, values) in enumerate(zip(moments, activations, strict=True)):
                    try:
                        gathered.add(values)
                    except NonFiniteError as error:
                        raise _not_finite(prepared, i, start, values) from error
                progress.advance(len(activations[0]))
                if stopped():
                    raise KeyboardInterrupt
        except ModelRuntimeError as error:
            if stopped():
                raise KeyboardInterrupt from error
            raise
    progress.finish()
    return moments


def _not_finite(prepared: Prepared, layer: int, start: int, values: NDArray[np.float32]) -> NonFiniteError:
    image, unit, *_ = (int(at[0]) for at in np.nonzero(~np.isfinite(values)))
    request = prepared.request
    name = request.dataset.image_name(start + image)
    return NonFiniteError(
        f"layer {request.layers[layer].name!r}, unit {unit}, image {name}: "
        "the activation map holds NaN or infinity, and principal components are made of all maps",
        hint="check the model's weights and that the preprocessing fits it; "
        "half-precision networks overflow on inputs of the wrong scale",
    )
