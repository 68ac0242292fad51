"""Everything made ready for the pass: a session, a plan, and what must be said beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.plan import BIN_BYTES, LayerPlan, Plan
from onnxdissect.core.quantiles import quantile_warnings
from onnxdissect.data import Dataset
from onnxdissect.data.groups import group_warnings
from onnxdissect.machine import cores
from onnxdissect.model import BasisLayer, Layer, Preparer, Session, open_session
from onnxdissect.model.layers.basis import file_value, plain_layer
from onnxdissect.model.layers.coverage import Coverage, measure_coverage
from onnxdissect.model.layers.coverage_warnings import coverage_warnings, listing_warnings
from onnxdissect.model.receptive_field.probe import drawn_images
from onnxdissect.model.surgery.free_size import size_warnings
from onnxdissect.pipeline.execution.batching import GPU_WORKERS, batch_size_of, block_size
from onnxdissect.pipeline.placement import Placement, place_layers
from onnxdissect.pipeline.request import Request

__all__ = ["Prepared", "bin_budget", "prepare", "prepare_under", "spool_budget", "without_network"]

# Matrices of bases take their memory from the spool's, down to the least with which a pass goes well, and
# from that of the bins, which have a least of their own.
_SPOOL_BYTES = 256 * 2**20
_LEAST_SPOOL_BYTES = 32 * 2**20
# Of more bases of one layer only the number is said.
_NAMED_BASES = 12


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a pass runs with.

    Attributes
    ----------
    request : Request
    session : Session
        Computes the layers, and nothing that they do not need.
    preparer : Preparer
        From decoded images to the network's input.
    plan : Plan
    places : sequence of Placement
        Where each layer's cells lie.
    batch_size : int
        Images that the network is given at once.
    workers : int
        How many run the network and take in its activations side by side.
    decoders : int
        Threads that decode images for them; on a CPU the workers decode their own.
    coverage : Coverage
        How much of the network was understood.
    warnings : sequence of str
    """

    request: Request
    session: Session
    preparer: Preparer
    plan: Plan
    places: Sequence[Placement]
    batch_size: int
    workers: int
    decoders: int
    coverage: Coverage
    warnings: Sequence[str]


def prepare(request: Request, notify: Callable[[str], None]) -> Prepared:
    """Open a session, put the layers' cells in their places, and plan the pass.

    Parameters
    ----------
    request : Request
        Its layers may be under bases.
    notify : callable
        Told what was chosen, and every warning.

    Returns
    -------
    Prepared

    Raises
    ------
    OnnxDissectError
        If the network cannot be run, or computes something else once it is cut.
    """
    own = [layer.source if isinstance(layer, BasisLayer) else layer for layer in request.layers]
    if any(isinstance(layer, BasisLayer) for layer in request.layers):
        own = list({layer.name: layer for layer in own}.values())
        return prepare_under(prepare(replace(request, layers=own), notify), request.layers, notify)
    network, dataset, execution = request.network, request.dataset, request.options.execution
    preparer = Preparer(request.preprocessing, network.input, network.size)
    first_images = partial(_first_images, dataset, preparer)
    session = open_session(
        network,
        request.layers,
        provider=execution.provider,
        # A worker for each core, and a thread for each worker: onnxruntime and the kernels never wait for one
        # another, and no sum depends on how many cores there are.
        threads=1,
        spin=False,
        verify=first_images(2),
    )
    batch_size = batch_size_of(execution.batch_size, network, request.layers, session.provider)
    decoders = execution.workers or cores()
    workers = decoders if session.provider == "cpu" else GPU_WORKERS
    places = place_layers(
        session,
        network,
        request.layers,
        first_images,
        request.parameters.upsample,
        request.options.method.layer_upsample,
        partial(_drawn_images, network.size, preparer),
    )
    block = block_size(batch_size, len(dataset), workers)
    plan = _plan(request, places, block, batch_size, session.provider)
    coverage = measure_coverage(network.listing)
    asked_size = request.options.reading.image_size
    remark = request.preprocessing.remark
    warnings = [
        *([remark] if remark else []),
        *coverage_warnings(coverage, network.listing),
        *listing_warnings(network.listing),
        *session.warnings,
        *size_warnings(network.input, network.size, dataset.image_size, request.layers, asked_size),
        *(place.warning for place in places if place.warning),
        *group_warnings(plan.groups),
        *quantile_warnings(plan.layers, plan.quantiles, plan.images),
    ]
    prepared = Prepared(
        request,
        session.unlimited(),
        preparer,
        plan,
        places,
        batch_size,
        workers,
        decoders,
        coverage,
        warnings,
    )
    _announce(prepared, notify)
    return prepared


def prepare_under(plain: Prepared, layers: Sequence[Layer], notify: Callable[[str], None]) -> Prepared:
    """Make layers under bases ready, once the layers of the file are.

    Parameters
    ----------
    plain : Prepared
        Of the layers of the file. Under a basis their cells lie where they have been found to lie.
    layers : sequence of Layer
        Layers of it, and these under bases.
    notify : callable
        Told of the layers under bases, and of warnings that are new.

    Returns
    -------
    Prepared

    Raises
    ------
    OnnxDissectError
        If the network cannot be run, or computes something else with the bases in it.
    """
    request = replace(plain.request, layers=layers)
    network, dataset, provider = request.network, request.dataset, plain.session.provider
    session = open_session(
        network,
        layers,
        provider=provider,
        threads=1,
        spin=False,
        verify=_first_images(dataset, plain.preparer, 2),
    )
    session = replace(session, provider_note=plain.session.provider_note)
    placed = dict(zip((layer.name for layer in plain.request.layers), plain.places, strict=True))
    places = [placed[file_value(layer)] for layer in layers]
    batch_size = batch_size_of(request.options.execution.batch_size, network, layers, provider)
    block = block_size(batch_size, len(dataset), plain.workers)
    plan = _plan(request, places, block, batch_size, provider)
    new = [warning for warning in session.warnings if warning not in plain.warnings]
    _announce_under(layers, places, notify)
    for warning in new:
        notify(f"warning: {warning}")
    if batch_size != plain.batch_size:
        notify(f"batches of {batch_size} with the bases")
    return replace(
        plain,
        request=request,
        session=session.unlimited(),
        plan=plan,
        places=places,
        batch_size=batch_size,
        warnings=[*plain.warnings, *new],
    )


def _announce_under(
    layers: Sequence[Layer], places: Sequence[Placement], notify: Callable[[str], None]
) -> None:
    """Name the layers under bases, or of many only how many they are."""
    under = [
        (layer, place) for layer, place in zip(layers, places, strict=True) if isinstance(layer, BasisLayer)
    ]
    for name in dict.fromkeys(layer.source.name for layer, _ in under):
        own = [(layer, place) for layer, place in under if layer.source.name == name]
        h, w = own[0][0].grid
        if len(own) > _NAMED_BASES:
            units = sum(layer.units for layer, _ in own)
            notify(
                f"layer {name} under {len(own)} bases: {units:,} units of {h}x{w}, "
                f"{own[0][1].upsample} upsampling"
            )
            continue
        for layer, place in own:
            notify(f"layer {layer.name}: {layer.units} units of {h}x{w}, {place.upsample} upsampling")


def without_network(prepared: Prepared) -> Prepared:
    """Give up what only the pass needs, which may be large: the loaded graph, and the numbers of bases.

    Parameters
    ----------
    prepared : Prepared
        Of a run whose pass is over.

    Returns
    -------
    Prepared
        The same, but for a session that computes nothing more and layers that no longer know of bases.
    """
    layers = [plain_layer(layer) for layer in prepared.request.layers]
    return replace(
        prepared, request=replace(prepared.request, layers=layers), session=prepared.session.closed()
    )


def spool_budget(matrices: int) -> int:
    """Choose the memory of the spool.

    Parameters
    ----------
    matrices : int
        Bytes of the numbers of all bases.

    Returns
    -------
    int
        Bytes. Beyond them the spool goes to disk, so that results do not depend on it.
    """
    # a quarter more than its budget may be held for a moment
    return max(_LEAST_SPOOL_BYTES, _SPOOL_BYTES - matrices * 5 // 4)


def bin_budget(matrices: int) -> int:
    """Choose the memory of the bins by which activations are counted.

    Parameters
    ----------
    matrices : int
        Bytes of the numbers of all bases.

    Returns
    -------
    int
        Bytes. With less of it more goes to the spool, so that results do not depend on it.
    """
    return max(0, BIN_BYTES - matrices)


def _first_images(dataset: Dataset, preparer: Preparer, count: int) -> NDArray[np.generic]:
    count = min(count, len(dataset))
    batch = np.empty((count, *preparer.shape), preparer.dtype)
    for i in range(count):
        preparer(dataset.read_image(i), batch[i])
    return batch


def _drawn_images(size: tuple[int, int], preparer: Preparer, count: int) -> NDArray[np.generic]:
    batch = np.empty((count, *preparer.shape), preparer.dtype)
    for image, row in zip(drawn_images(size, count), batch, strict=True):
        preparer(image, row)
    return batch


def _plan(request: Request, places: Sequence[Placement], block: int, batch_size: int, provider: str) -> Plan:
    dataset = request.dataset
    digests = {
        f"basis of {layer.name}": layer.basis.digest
        for layer in request.layers
        if isinstance(layer, BasisLayer)
    }
    matrices = sum(layer.basis.nbytes for layer in request.layers if isinstance(layer, BasisLayer))
    return Plan(
        layers=tuple(
            LayerPlan(layer.name, layer.units, layer.grid, place.field)
            for layer, place in zip(request.layers, places, strict=True)
        ),
        quantiles=request.parameters.quantiles,
        images=len(dataset),
        pixels=request.network.size,
        grids=np.array(sorted({dataset.grid(i) for i in range(len(dataset))}), np.int64),
        vocabulary=dataset.vocabulary,
        top=request.parameters.top,
        block=block,
        threads=cores(),
        spool_bytes=spool_budget(matrices),
        bin_bytes=bin_budget(matrices),
        min_images=request.parameters.min_images,
        groups=dataset.groups(),
        inputs={**request.decisive(), **digests, "provider": provider, "batch size": batch_size},
    )


def _announce(prepared: Prepared, notify: Callable[[str], None]) -> None:
    request, session = prepared.request, prepared.session
    dataset = request.dataset
    notify(
        f"{request.network.path.name} on {dataset.name}: {len(dataset)} images, "
        f"{len(dataset.vocabulary.concepts)} concepts"
    )
    notify(f"preprocessing: {request.preprocessing.describe()}")
    notify(f"provider: {session.provider} ({session.provider_note}), batches of {prepared.batch_size}")
    for layer, place in zip(prepared.plan.layers, prepared.places, strict=True):
        h, w = layer.shape
        notify(f"layer {layer.name}: {layer.units} units of {h}x{w}, {place.upsample} upsampling")
    for warning in prepared.warnings:
        notify(f"warning: {warning}")
