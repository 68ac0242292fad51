"""What a run leaves in its directory: what it was, and what it found."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from onnxdissect.core.candidates import among, candidates
from onnxdissect.core.pass_state import PassResult
from onnxdissect.core.per_image_counts import Null
from onnxdissect.core.plan import Plan
from onnxdissect.core.scoring import iou
from onnxdissect.data import Dataset
from onnxdissect.model import Layer, Network, Preprocessing
from onnxdissect.pipeline.parameters import Parameters
from onnxdissect.pipeline.passes import LayerTally
from onnxdissect.pipeline.placement import Placement
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
from onnxdissect.statistics.per_image_collector import PerImageCollector

__all__ = ["UncertaintyInputs", "identity_of", "tool_versions", "write_run"]


@dataclass(frozen=True, slots=True)
class UncertaintyInputs:
    """What a run knows of the certainty of its counts, as far as it was asked to.

    Attributes
    ----------
    collector : PerImageCollector or None
        Counts of single images and masks.
    null : sequence of Null, or None
        What the units score with their own and with shuffled labels, one array per layer.
    """

    collector: PerImageCollector | None
    null: Sequence[Null] | None


def identity_of(
    network: Network,
    dataset: Dataset,
    parameters: Parameters,
    preprocessing: Preprocessing,
    layers: Sequence[Layer],
    split: str | None,
    limit: int | None,
) -> dict[str, Any]:
    """Say what makes a run this run, for the manifest: two runs of one identity give the same counts.

    Parameters
    ----------
    network : Network
    dataset : Dataset
        What is left of it after split and limit.
    parameters : Parameters
    preprocessing : Preprocessing
    layers : sequence of Layer
        What the selectors chose.
    split, limit
        As asked for.

    Returns
    -------
    dict
        The manifest's sections ``model``, ``data``, ``parameters`` and ``preprocessing``, as JSON values.
    """
    return {
        "model": {
            "path": str(network.path.absolute()),
            "sha256": network.sha256,
            "opset": network.opset,
            "producer": network.producer,
            "input": network.input.name,
            "size": list(network.size),
            **network.stated(),
        },
        "data": {
            "name": dataset.name,
            "folder": str(dataset.folder.absolute()),
            "fingerprint": dataset.fingerprint,
            "images": len(dataset),
            "concepts": len(dataset.vocabulary.concepts),
            "split": split,
            "limit": limit,
            "groups": dataset.grouped_by,
        },
        "parameters": asdict(parameters) | {"values": [layer.name for layer in layers]},
        "preprocessing": preprocessing.to_json(),
    }


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


def write_run(
    target: Path,
    manifest: Mapping[str, Any],
    layers: Sequence[tuple[Layer, Placement]],
    plan: Plan,
    passed: PassResult,
    tallies: Sequence[LayerTally],
    dataset: Dataset,
    parameters: Parameters,
    uncertain: UncertaintyInputs,
) -> Dissection:
    """Write all results of a run, the manifest last.

    Parameters
    ----------
    target : Path
        The run directory.
    manifest : mapping
        As JSON values.
    layers : sequence of (Layer, Placement)
        As inspected, and where their cells were put.
    plan : Plan
        As dissected.
    passed : PassResult
    tallies : sequence of LayerTally
        One per layer.
    dataset : Dataset
    parameters : Parameters
    uncertain : UncertaintyInputs

    Returns
    -------
    Dissection

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    categories = dataset.vocabulary.categories
    images = [
        ImageInfo(dataset.image_name(i), dataset.split(i), dataset.grid(i)) for i in range(len(dataset))
    ]
    concepts = [
        Concept(c.number, c.name, c.category, int(passed.truth[c.index]), int(passed.concept_images[c.index]))
        for c in dataset.vocabulary.concepts
    ]
    infos = [_layer_info(layer, place) for layer, place in layers]
    candidate = candidates(passed.concept_images, parameters.min_images)
    collector = uncertain.collector
    if collector is not None:
        save_truth(target, collector.truth())
    for i, (info, counted) in enumerate(zip(infos, tallies, strict=True)):
        counts = counted.counts
        scores = iou(counts.intersection, counts.activation, passed.truth, dataset.vocabulary.category_of)
        scores = among(scores, candidate)
        save_layer(
            target,
            info,
            _layer_counts(counted, passed),
            top_maps=(TopMaps(*counted.top.maps()), passed.samples[i]),
            per_image=None if collector is None else (collector.starts(i), collector.per_image(i, scores)),
            null=None if uncertain.null is None else uncertain.null[i],
            quantiles=plan.quantiles,
            categories=categories,
            concepts=concepts,
            images=images,
        )
    return write_results(
        target,
        {**manifest, "made_with": {"min_images": parameters.min_images}},
        layers=infos,
        quantiles=plan.quantiles,
        categories=categories,
        concepts=concepts,
        images=images,
        iou_threshold=parameters.iou_threshold,
        scoring=parameters.scoring,
        min_images=parameters.min_images,
    )


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
