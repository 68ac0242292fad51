"""Score the kept masks of a run against other labels of its images (arXiv 1711.05611, section 3.3)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from onnxdissect.arguments import checked_arguments
from onnxdissect.core.candidates import check_min_images
from onnxdissect.core.plan import LayerPlan, Plan
from onnxdissect.core.progress import Clock, CountedPhase, Progress, Silent
from onnxdissect.core.scoring import check_iou_threshold, check_scoring
from onnxdissect.core.state.pass_state import PassResult
from onnxdissect.data import Dataset, installed_sources, open_data
from onnxdissect.data.broden.about import told_about
from onnxdissect.data.groups import group_warnings
from onnxdissect.errors import ParameterError, RunMismatchError
from onnxdissect.experiments.relabelling.images import RelabelledImages, expect_same_pictures
from onnxdissect.experiments.relabelling.labelled_masks import labelled_masks, masks_path
from onnxdissect.machine import cores
from onnxdissect.pipeline.findings import count_masks
from onnxdissect.pipeline.parameters import Parameters
from onnxdissect.pipeline.run_directory import claim_directory
from onnxdissect.pipeline.write_run import tool_versions, write_layers, write_run
from onnxdissect.results import Dissection, load
from onnxdissect.results.masks.archive import read_layout
from onnxdissect.results.masks.layout import MasksLayout
from onnxdissect.storage.memory import explained_memory

__all__ = ["relabel"]

_SPOOL_BYTES = 256 * 2**20
# What the manifest says of the pass over the network, which is that of the run.
_OF_THE_PASS = ("provider", "batch_size", "coverage")
# Files of a layer under a basis that no label has to do with.
_OF_BASES = ("basis.npz", "nearest.csv")


@dataclass(frozen=True, slots=True)
class _Relabelled:
    """What is written as a run, and where."""

    target: Path
    dataset: RelabelledImages
    parameters: Parameters


@explained_memory()
@checked_arguments(but=("data",))
def relabel(
    run: str | Path | Dissection,
    data: str | Path | Dataset,
    *,
    out: str | Path | None = None,
    groups: str | None = None,
    scoring: str | None = None,
    iou_threshold: float | None = None,
    min_images: int | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
) -> Dissection:
    """Score the masks that a run has kept against other labels of the same images, without the network.

    Thresholds and masks are those of the run; intersections, IoUs, labels, intervals and p-values are made
    anew. On label grids of the same sizes it is the run that the network would give on this data set. Label
    maps on other grids are brought to those of the run by nearest neighbour.

    Parameters
    ----------
    run : str, Path or Dissection
        A run made with ``--keep-masks``. It is not changed.
    data : str, Path or Dataset
        What labels all images of the run, under the same names; see `onnxdissect.data.open_data`.
    out : str or Path, optional
        The new run directory; by default ``dissections/<model>-<data>``.
    groups : str, optional
        What groups images that belong together, as for `onnxdissect.dissect`.
    scoring : {"paper", "lite", "pnas"}, optional
        Convention of the IoU; as in the run, if not given.
    iou_threshold : float, optional
        A unit is a detector if its IoU exceeds it; as in the run, if not given.
    min_images : int, optional
        Concepts held by fewer images are no candidates for labels; as in the run, if not given.
    fresh : bool
        Overwrite whatever former run the directory holds.
    progress : Progress, optional
        Told how far each phase is.
    notify : callable, optional
        Given one-line statements: what was assumed or is worth a warning.

    Returns
    -------
    Dissection
        The new run, without kept masks of its own. Its manifest has a section ``relabelled``.

    Raises
    ------
    MasksNotKeptError
        If the run keeps no masks.
    NotPublishedError
        If its results were imported.
    RunMismatchError
        If the data set lacks images of the run or shows others under their names, or if `out` holds another
        run.
    OnnxDissectError
        Whatever else is wrong with run, data or output folder.
    """
    progress, notify = progress or Silent(), notify or _ignore
    clock = Clock()
    source = run if isinstance(run, Dissection) else load(run)
    layouts = tuple(_layout(source, layer.name) for layer in source.layers)
    phase = CountedPhase(progress, "data")
    dataset = open_data(data, groups=groups, progress=phase)
    phase.finish()
    images = RelabelledImages(source, dataset)
    parameters = _parameters(source, scoring, iou_threshold, min_images)
    target = _target(source, dataset, out)
    identity = _identity(source, images, data, parameters)
    directory = claim_directory(target, identity, fresh=fresh)
    if directory.complete:
        notify(f"{target} already holds these masks with these labels, complete; --fresh starts over")
        return load(target)
    uncompared = expect_same_pictures(source, images)
    warnings = group_warnings(images.groups())
    if _shuffles(source) and not parameters.null:
        warnings.append(
            "the run was made by a version that kept too little of the masks for p-values: there are none; "
            "dissect again with --keep-masks --fresh for them"
        )
    if uncompared:
        warnings.append(uncompared)
    if images.other_grids:
        warnings.append(
            f"the label maps of {images.other_grids:,} of {len(images):,} images are on another grid than in "
            "the run; they were brought to its grid by nearest neighbour"
        )
    for warning in warnings:
        notify(f"warning: {warning}")
    plan = _plan(source, images, parameters, layouts)
    with directory.work() as work:
        clock.lap("start")
        passed = labelled_masks(source, images, layouts, plan, work, progress)
        _expect_frequent(passed, parameters, images)
        clock.lap("labels")
        findings = count_masks(plan, parameters, passed, work, progress, clock)
        memory = {"pass": 0, "tally": findings.nbytes}
        passed.spool.forget()
        written = _Relabelled(target, images, parameters)
        concepts = write_layers(written, source.layers, findings)
        _keep_bases(source, target)
        of_the_pass = {key: source.manifest[key] for key in _OF_THE_PASS if key in source.manifest}
        record = {
            **identity,
            **of_the_pass,
            "data": identity["data"] | told_about(dataset),
            "relabelled": identity["relabelled"] | {"run": str(source.path.absolute())},
            "warnings": warnings,
            "memory": memory,
            "versions": tool_versions(),
            "timing": clock.seconds,
        }
        return write_run(written, source.layers, concepts, record)


def _layout(source: Dissection, layer: str) -> MasksLayout:
    """Open the kept maps of a layer, once they have been compared with the run."""
    source.masks(layer)
    return read_layout(masks_path(source, layer))


def _parameters(
    source: Dissection, scoring: str | None, iou_threshold: float | None, min_images: int | None
) -> Parameters:
    told = source.manifest["parameters"]
    drawn = source.resampling()
    own: dict[str, Any] = {field.name: told.get(field.name) for field in fields(Parameters)}
    own |= {
        "layers": tuple(told.get("layers") or (layer.name for layer in source.layers)),
        "quantiles": source.quantiles,
        "scoring": check_scoring(source.scoring if scoring is None else scoring),
        "iou_threshold": check_iou_threshold(
            source.iou_threshold if iou_threshold is None else iou_threshold
        ),
        "min_images": check_min_images(
            source.min_images if min_images is None else min_images, len(source.images)
        ),
        "bootstrap": drawn.resamples,
        "seed": drawn.seed,
        "null": _shuffles(source) if "points" in source.manifest["kept_masks"] else 0,
    }
    return Parameters(**own)


def _shuffles(source: Dissection) -> int:
    return int(source.manifest["parameters"].get("null") or 0)


def _target(source: Dissection, dataset: Dataset, out: str | Path | None) -> Path:
    if out is None:
        called = f"{Path(str(source.manifest['model'].get('path', 'model'))).stem}-{dataset.name}"
        target = Path("dissections") / called.replace("/", "-")
    else:
        target = Path(out)
    if target.absolute() == source.path.absolute() or (target.exists() and target.samefile(source.path)):
        raise ParameterError(
            f"{target} is the run whose masks are scored; it stays as it is",
            hint="--out DIR with another folder",
        )
    return target


def _identity(
    source: Dissection, images: RelabelledImages, data: str | Path | Dataset, parameters: Parameters
) -> dict[str, Any]:
    dataset, own = images.dataset, source.manifest["data"]
    place = dict(dataset.source)
    if not place and isinstance(data, str | Path):
        place["spec"] = installed_sources().absolute(str(data))
    chosen = {field.name: getattr(parameters, field.name) for field in fields(Parameters)}
    return {
        "model": source.manifest.get("model", {}),
        "data": {
            "name": dataset.name,
            **place,
            "fingerprint": dataset.fingerprint,
            "images": len(images),
            "concepts": len(dataset.vocabulary.concepts),
            "split": None,
            "limit": None,
            "groups": dataset.grouped_by,
        },
        "parameters": source.manifest["parameters"] | chosen,
        "preprocessing": source.manifest.get("preprocessing", {}),
        "relabelled": {
            "data": own.get("name"),
            "fingerprint": own.get("fingerprint"),
            "other_grids": images.other_grids,
        },
    }


def _plan(
    source: Dissection, images: RelabelledImages, parameters: Parameters, layouts: tuple[MasksLayout, ...]
) -> Plan:
    tops = [source.counts(layer.name).top_images.shape[1] for layer in source.layers]
    return Plan(
        layers=tuple(
            LayerPlan(info.name, info.units, info.shape, layout.field)
            for info, layout in zip(source.layers, layouts, strict=True)
        ),
        quantiles=source.quantiles,
        images=len(images),
        pixels=layouts[0].pixels,
        grids=np.array(sorted({image.grid for image in source.images}), np.int64),
        vocabulary=images.vocabulary,
        top=max(tops),
        # the images of a chunk are powers of two, so that the least divides all of them
        block=min(layout.chunk[0] for layout in layouts),
        threads=cores(),
        spool_bytes=_SPOOL_BYTES,
        min_images=parameters.min_images,
        groups=images.groups(),
    )


def _expect_frequent(passed: PassResult, parameters: Parameters, images: RelabelledImages) -> None:
    most = int(passed.concept_images.max(initial=0))
    if most < parameters.min_images:
        raise RunMismatchError(
            f"no concept of {images.dataset.name} is held by {parameters.min_images:,} of the "
            f"{len(images):,} images of the run: the commonest is held by {most:,}",
            hint=f"--min-images {most}" if most else "give a data set that labels these images",
        )


def _keep_bases(source: Dissection, target: Path) -> None:
    for info in source.layers:
        for name in _OF_BASES if info.basis is not None else ():
            file = source.path / "layers" / info.slug / name
            if file.is_file():
                shutil.copyfile(file, target / "layers" / info.slug / name)


def _ignore(message: str) -> None:
    pass
