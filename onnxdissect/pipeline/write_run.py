"""What a run leaves in its directory: what it was, and what it found."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from onnxdissect.core.candidates import among, candidates
from onnxdissect.core.layer_tally import LayerTally
from onnxdissect.core.scoring import iou
from onnxdissect.core.state.pass_state import PassResult
from onnxdissect.data.vocabulary import Vocabulary
from onnxdissect.model import BasisLayer, Layer
from onnxdissect.pipeline.findings import Findings
from onnxdissect.pipeline.parameters import Parameters
from onnxdissect.pipeline.placement import Placement
from onnxdissect.pipeline.prepare import Prepared
from onnxdissect.results import (
    Concept,
    Dissection,
    ImageInfo,
    LayerCounts,
    LayerInfo,
    TopMaps,
    save_layer,
    save_truth,
    write_results,
)

__all__ = ["Annotated", "Written", "layer_infos", "tool_versions", "write_layers", "write_run"]


class Annotated(Protocol):
    """What is told of a data set beside what was counted; any `onnxdissect.data.Dataset` tells it."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The concepts."""

    def __len__(self) -> int:
        """How many images there are."""

    def image_name(self, i: int, /) -> str:
        """Name of an image."""

    def split(self, i: int, /) -> str:
        """Split that an image belongs to."""

    def grid(self, i: int, /) -> tuple[int, int]:
        """(sh, sw) of an image's label grid."""


class Written(Protocol):
    """What is written as a run, and where; a `onnxdissect.pipeline.request.Request` is such."""

    @property
    def target(self) -> Path:
        """The run directory."""

    @property
    def dataset(self) -> Annotated:
        """What was dissected on."""

    @property
    def parameters(self) -> Parameters:
        """What decided the counts."""


def tool_versions() -> dict[str, str]:
    """Versions of whatever can change a figure.

    Returns
    -------
    dict of str to str
        Only what is installed.
    """
    names = ("onnxdissect", "onnx", "onnx-ir", "onnxruntime", "onnxruntime-gpu", "numpy", "numba")
    found = {"python": platform.python_version()}
    for name in (*names, "opencv-python", "opencv-python-headless"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def layer_infos(prepared: Prepared) -> list[LayerInfo]:
    """Say what each layer is, as the manifest has it.

    Parameters
    ----------
    prepared : Prepared
        What is run, with the bases of its layers.

    Returns
    -------
    list of LayerInfo
    """
    return [_layer_info(*pair) for pair in zip(prepared.request.layers, prepared.places, strict=True)]


def write_layers(request: Written, infos: Sequence[LayerInfo], findings: Findings) -> list[Concept]:
    """Write what was counted, layer by layer.

    Parameters
    ----------
    request : Written
        What was run.
    infos : sequence of LayerInfo
        Its layers.
    findings : Findings
        What it found.

    Returns
    -------
    list of Concept
        In order of their numbers, with the pixels and images that hold them.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    passed, collector = findings.passed, findings.collector
    dataset, parameters, target = request.dataset, request.parameters, request.target
    concepts = [
        Concept(c.number, c.name, c.category, int(passed.truth[c.index]), int(passed.concept_images[c.index]))
        for c in dataset.vocabulary.concepts
    ]
    images = _images(dataset)
    candidate = candidates(passed.concept_images, parameters.min_images)
    if collector is not None:
        save_truth(target, collector.truth())
    for i, (info, counted) in enumerate(zip(infos, findings.tallies, strict=True)):
        counts = counted.counts
        scores = iou(counts.intersection, counts.activation, passed.truth, dataset.vocabulary.category_of)
        scores = among(scores, candidate)
        save_layer(
            target,
            info,
            _layer_counts(counted, passed),
            top_maps=(TopMaps(*counted.top.maps()), passed.samples[i]),
            per_image=None if collector is None else (collector.starts(i), collector.per_image(i, scores)),
            null=None if findings.null is None else findings.null[i],
            quantiles=parameters.quantiles,
            categories=dataset.vocabulary.categories,
            concepts=concepts,
            images=images,
        )
        findings.scratch.release()
    return concepts


def write_run(
    request: Written, infos: Sequence[LayerInfo], concepts: Sequence[Concept], record: Mapping[str, Any]
) -> Dissection:
    """Write tables, labels and intervals of a run whose layers have been written, the manifest last.

    Parameters
    ----------
    request : Written
        What was run.
    infos : sequence of LayerInfo
        Its layers.
    concepts : sequence of Concept
        As `write_layers` gave them.
    record : mapping
        The manifest, as JSON values.

    Returns
    -------
    Dissection

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    parameters = request.parameters
    return write_results(
        request.target,
        {**record, "made_with": {"min_images": parameters.min_images}},
        layers=infos,
        quantiles=parameters.quantiles,
        categories=request.dataset.vocabulary.categories,
        concepts=concepts,
        images=_images(request.dataset),
        iou_threshold=parameters.iou_threshold,
        scoring=parameters.scoring,
        min_images=parameters.min_images,
    )


def _images(dataset: Annotated) -> list[ImageInfo]:
    return [ImageInfo(dataset.image_name(i), dataset.split(i), dataset.grid(i)) for i in range(len(dataset))]


def _layer_info(layer: Layer, place: Placement) -> LayerInfo:
    field, measured = layer.receptive_field, place.measured
    return LayerInfo(
        name=layer.name,
        alias=layer.alias,
        node=layer.node,
        slug=layer.slug,
        op=layer.op,
        layout=layer.layout,
        units=layer.units,
        shape=layer.grid,
        geometry=None if field is None else asdict(field),
        upsample=place.upsample,
        effective=None if measured is None or measured.offset is None else asdict(measured),
        basis=layer.basis.record if isinstance(layer, BasisLayer) else None,
    )


def _layer_counts(counted: LayerTally, passed: PassResult) -> LayerCounts:
    counts = counted.counts
    return LayerCounts(
        thresholds=counted.thresholds,
        intersection=counts.intersection,
        activation=counts.activation,
        activation_overlap=counts.activation_overlap,
        activation_total=counts.activation_total,
        truth=passed.truth,
        top_images=counted.top.images,
        top_values=counted.top.values,
        top_masks=counts.top_masks,
    )
