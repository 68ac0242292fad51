"""One run: a model, a data set and parameters in; a finished run directory out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onnxdissect.core.candidates import check_min_images
from onnxdissect.core.pass_state import STATE_FORMAT, PassState
from onnxdissect.core.plan import LayerPlan, Plan
from onnxdissect.core.plateaus import plateau_warnings
from onnxdissect.core.progress import Clock, Silent
from onnxdissect.core.quantiles import quantile_warnings
from onnxdissect.data import Dataset, batches
from onnxdissect.data.frequency import check_frequent
from onnxdissect.data.groups import group_warnings
from onnxdissect.errors import ParameterError
from onnxdissect.model import (
    Layer,
    Network,
    Preparer,
    Preprocessing,
    Session,
    choose_preprocessing,
    load_network,
    open_session,
)
from onnxdissect.model.layers.coverage import measure_coverage
from onnxdissect.model.layers.coverage_warnings import coverage_warnings, listing_warnings
from onnxdissect.model.surgery.free_size import size_warnings
from onnxdissect.pipeline.batching import GPU_WORKERS, batch_size_of, block_size
from onnxdissect.pipeline.parameters import Parameters
from onnxdissect.pipeline.passes import Progress, run_pass, tally
from onnxdissect.pipeline.placement import Placement, place_layers
from onnxdissect.pipeline.run_directory import claim_directory
from onnxdissect.pipeline.sources import open_data
from onnxdissect.pipeline.stopping import stop_request
from onnxdissect.pipeline.warmup import kernels_warming
from onnxdissect.pipeline.write_run import UncertaintyInputs, identity_of, tool_versions, write_run
from onnxdissect.results import (
    Dissection,
    load,
)
from onnxdissect.statistics.per_image_collector import PerImageCollector
from onnxdissect.statistics.permutation_null import PermutationNull

__all__ = ["dissect"]

_SPOOL_BYTES = 256 * 2**20


def dissect(
    model: str | Path,
    data: str | Path = "tiny",
    layers: Sequence[str] | str = ("stages",),
    *,
    quantiles: Sequence[float] = (0.005,),
    iou_threshold: float = 0.04,
    upsample: str = "auto",
    layer_upsample: Mapping[str, str] | None = None,
    preset: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    scale: float | None = None,
    channels: str | None = None,
    split: str | None = None,
    limit: int | None = None,
    groups: str | None = None,
    batch_size: int | Literal["auto"] = "auto",
    provider: str = "auto",
    workers: int | None = None,
    top: int = 15,
    bootstrap: int = 1000,
    null: int = 10,
    seed: int = 0,
    min_images: int = 1,
    out: str | Path | None = None,
    fresh: bool = False,
    image_size: tuple[int, int] | None = None,
    bind: Mapping[str, ArrayLike | str] | None = None,
    layouts: Mapping[str, str] | None = None,
    custom_ops: Sequence[str | Path] = (),
    save_every: float = 30.0,
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
) -> Dissection:
    """Label every unit of a network's layers with the concept it detects (arXiv 1711.05611, section 3).

    Parameters
    ----------
    model : str or Path
        An ONNX file.
    data : str or Path
        A data set in the Broden layout, or ``"tiny"`` for the drawn one, made on first use.
    layers : sequence of str
        Selectors: value names, node names, aliases, globs, ``"last"``, ``"stages"``, ``"neck"``,
            ``"heads"`` or ``"all"``.
    quantiles : sequence of float
        Levels tau, each in (0, 1): the share of a unit's activations that lies above its threshold T_k.
    iou_threshold : float
        A unit whose best IoU exceeds this is a detector; in 0..1.
    upsample : {"auto", "receptive-field", "effective", "resize"}
        How activation maps are brought to the label grid: cells at the centres of their receptive fields,
        where they were measured to respond on the first images, or spread evenly. ``"auto"`` is
        ``"receptive-field"``, but ``"resize"`` where a check on the first images has the cells more than half
        a cell elsewhere and nearer to that. Where a layer cannot be given its map it takes another one. What
        it was given is recorded.
    layer_upsample : mapping of str to str, optional
        Maps of single layers, by value name, in place of `upsample`: those of a run to compare with.
    preset : str, optional
        Preprocessing by name; see `onnxdissect.model.choose_preprocessing`.
    mean, std : sequence of float, optional
        Explicit preprocessing, ``(pixel * scale - mean) / std`` with pixels in 0..255.
    scale : float, optional
        See `mean`.
    channels : {"rgb", "bgr"}, optional
        Channel order of the network's input.
    split : str, optional
        Only images of this split.
    limit : int, optional
        Only the first so many images.
    groups : str, optional
        What groups images that belong together, so that they are resampled and shuffled together: a column
        of index.csv, ``"folder"``, ``"prefix:N"`` or ``"none"``; see `onnxdissect.data.open_dataset`.
    batch_size : int or "auto"
        Images per inference call.
    provider : {"auto", "cpu", "cuda", "tensorrt"}
        onnxruntime's execution provider.
    workers : int, optional
        Lanes that run the network and take in its activations side by side, and threads that decode images
        for them; by default as many as there are cores. What comes out does not depend on it.
    top : int
        How many of each unit's strongest images are kept.
    bootstrap : int
        How often the images are resampled for intervals and stabilities; 0 leaves them out, and the counts
        by image too.
    null : int
        How often labels are shuffled between images for p-values; 0 leaves them out.
    seed : int
        What both are drawn by. Runs over the same images with the same seed resample the same images.
    min_images : int
        Concepts held by fewer images than this are counted, but are no candidates for labels.
    out : str or Path, optional
        The run directory; by default ``dissections/<model>-<data>``.
    fresh : bool
        Start over, whatever a former run left in `out`.
    image_size : (int, int), optional
        (height, width) to run a network at that takes images of any size; by default the data's.
    bind : mapping of str to array_like or str, optional
        Values of the network's inputs beside the image; see `onnxdissect.model.load_network`.
    layouts : mapping of str to str, optional
        Layouts of values that the graph leaves open, such as ``{"tokens": "NTC:1:14x14"}``.
    custom_ops : sequence of str or Path
        Shared libraries of operators that onnxruntime lacks.
    save_every : float
        Seconds between two saves of an unfinished run, from which the same call goes on.
    progress : Progress, optional
        Told how far each phase is.
    notify : callable, optional
        Given one-line statements: what was assumed, chosen or worth a warning.

    Returns
    -------
    Dissection
        The finished run, as `load` would give it. If `out` already holds a run of the same model, data and
        parameters, it is returned as it is, or taken on from where it was interrupted.

    Raises
    ------
    OnnxDissectError
        Whatever is wrong with the request, the model, the data or the output folder; see
        `onnxdissect.errors`.
    """
    progress = progress or Silent()
    notify = notify or _ignore
    clock = Clock()
    parameters = Parameters.checked(
        layers=(layers,) if isinstance(layers, str) else tuple(layers),
        quantiles=quantiles,
        iou_threshold=iou_threshold,
        upsample=upsample,
        top=top,
        batch_size=batch_size,
        provider=provider,
        bootstrap=bootstrap,
        null=null,
        seed=seed,
        min_images=min_images,
    )
    if workers is not None and workers < 1:
        raise ParameterError(f"the number of workers must be positive, not {workers}", hint="--workers 2")
    network_path = Path(model)
    if not network_path.is_file():
        # Says what is wrong with the path before a data set is drawn for nothing.
        load_network(network_path)
    with kernels_warming(notify):
        dataset = open_data(data, progress, groups).subset(split=split, limit=limit)
        check_min_images(min_images, len(dataset))
        check_frequent(dataset, min_images)
        network = load_network(
            network_path,
            image_size=image_size,
            default_size=dataset.image_size,
            bind=bind,
            layouts=layouts,
            custom_ops=custom_ops,
        )
        chosen = network.select(parameters.layers)
        preprocessing = choose_preprocessing(
            network, preset=preset, mean=mean, std=std, scale=scale, channels=channels
        )
        identity = identity_of(network, dataset, parameters, preprocessing, chosen, split, limit)
        if layer_upsample:
            identity["parameters"]["layer_upsample"] = dict(layer_upsample)
        named = "tiny" if str(data) == "tiny" else dataset.name
        target = Path(out) if out is not None else Path("dissections") / f"{network_path.stem}-{named}"
        claimed = claim_directory(target, identity, fresh=fresh)
        if claimed.complete:
            notify(f"{target} already holds this run, complete; --fresh starts over")
            return load(target)

        preparer = Preparer(preprocessing, network.input, network.size)
        session = open_session(
            network,
            chosen,
            provider=provider,
            # A lane for each core, and a thread for each lane: onnxruntime and the kernels never wait for one
            # another, and no sum depends on how many cores there are.
            threads=1,
            spin=False,
            verify=_first_images(dataset, preparer, 2),
        )
        size = batch_size_of(batch_size, network, chosen, session.provider)
        workers = workers or _cores()
        lanes = workers if session.provider == "cpu" else GPU_WORKERS
        block = block_size(size, len(dataset), lanes)
        first = partial(_first_images, dataset, preparer)
        places = place_layers(session, network, chosen, first, parameters.upsample, layer_upsample)
        plan = _plan(network, dataset, chosen, places, parameters, block=block, threads=_cores())
        coverage = measure_coverage(network)
        warnings = [
            *coverage_warnings(coverage, network.listing),
            *listing_warnings(network.listing),
            *session.warnings,
            *size_warnings(network.input, network.size, dataset.image_size, chosen, image_size),
            *(place.warning for place in places if place.warning),
            *group_warnings(plan.groups),
            *quantile_warnings(plan.layers, plan.quantiles, plan.images),
        ]
        _announce(notify, network, dataset, session, preprocessing, plan, places, size)
        for warning in warnings:
            notify(f"warning: {warning}")
        with claimed.work() as work:
            clock.lap("start")
            state = PassState(plan, work)
            tag: dict[str, str | int] = {
                "state": STATE_FORMAT,
                "provider": session.provider,
                "batch_size": size,
            }
            if claimed.unfinished and state.restore(tag):
                notify(f"going on with the interrupted run after {state.images} of {len(dataset)} images")
            elif claimed.unfinished:
                notify(
                    "what the interrupted run left cannot be taken up (another version, provider or batch "
                    "size, or damaged files): starting over"
                )
            stream = batches(
                dataset,
                preparer,
                shape=preparer.shape,
                dtype=preparer.dtype,
                batch_size=block,
                workers=workers,
                start=state.images,
            )
            with stop_request() as stopped:
                seconds = run_pass(
                    state,
                    stream,
                    session,
                    dataset.image_name,
                    progress,
                    total=len(dataset),
                    lanes=lanes,
                    batch_size=size,
                    tag=tag,
                    save_every=save_every,
                    stopped=stopped,
                )
            clock.lap("pass")
            if clock.seconds["pass"] > save_every:
                state.save(tag)
            passed = state.finish()
            clock.lap("thresholds")
            permutation_null = PermutationNull(plan, null, seed) if null else None
            collector = PerImageCollector(work, plan, masks=bootstrap > 0, permutation_null=permutation_null)
            tallies = tally(plan, passed, progress, collector)
            clock.lap("tally")
            for warning in plateau_warnings(plan, passed, tallies):
                notify(f"warning: {warning}")
                warnings.append(warning)
            chance = None if permutation_null is None else permutation_null.scores(passed, progress)
            clock.lap("null")
            uncertain = UncertaintyInputs(collector if bootstrap else None, chance)
            manifest = identity | {
                "provider": {"name": session.provider, "note": session.provider_note},
                "batch_size": size,
                "warnings": warnings,
                "coverage": asdict(coverage),
                "memory": {
                    "pass": state.nbytes,
                    "tally": plan.spool_bytes
                    + collector.memory
                    + sum(layer.counts.nbytes for layer in tallies),
                },
                "versions": tool_versions(),
                "timing": clock.seconds | {f"pass_{k}": round(v, 3) for k, v in seconds.items()},
            }
            described = list(zip(chosen, places, strict=True))
            return write_run(
                target, manifest, described, plan, passed, tallies, dataset, parameters, uncertain
            )


def _first_images(dataset: Dataset, preparer: Preparer, count: int) -> NDArray[np.generic]:
    count = min(count, len(dataset))
    batch = np.empty((count, *preparer.shape), preparer.dtype)
    for i in range(count):
        preparer(dataset.read_image(i), batch[i])
    return batch


def _plan(
    network: Network,
    dataset: Dataset,
    layers: Sequence[Layer],
    places: Sequence[Placement],
    parameters: Parameters,
    *,
    block: int,
    threads: int,
) -> Plan:
    return Plan(
        layers=tuple(
            LayerPlan(layer.name, layer.units, layer.grid, place.field)
            for layer, place in zip(layers, places, strict=True)
        ),
        quantiles=parameters.quantiles,
        images=len(dataset),
        pixels=network.size,
        grids=np.array(sorted({dataset.grid(i) for i in range(len(dataset))}), np.int64),
        vocabulary=dataset.vocabulary,
        top=parameters.top,
        block=block,
        threads=threads,
        spool_bytes=_SPOOL_BYTES,
        min_images=parameters.min_images,
        groups=dataset.groups(),
    )


def _announce(
    notify: Callable[[str], None],
    network: Network,
    dataset: Dataset,
    session: Session,
    preprocessing: Preprocessing,
    plan: Plan,
    places: Sequence[Placement],
    batch_size: int,
) -> None:
    notify(
        f"{network.path.name} on {dataset.name}: {len(dataset)} images, "
        f"{len(dataset.vocabulary.concepts)} concepts"
    )
    notify(f"preprocessing: {preprocessing.describe()}")
    notify(f"provider: {session.provider} ({session.provider_note}), batches of {batch_size}")
    for layer, place in zip(plan.layers, places, strict=True):
        h, w = layer.shape
        notify(f"layer {layer.name}: {layer.units} units of {h}x{w}, {place.upsample} upsampling")


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _ignore(message: str) -> None:
    pass
