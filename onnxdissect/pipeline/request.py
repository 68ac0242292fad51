"""A request opened: the network, the data, and what of both is dissected how."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from onnxdissect.core.candidates import check_min_images
from onnxdissect.core.progress import CountedPhase, Progress
from onnxdissect.data import Dataset, Sources, installed_sources, open_data
from onnxdissect.data.frequency import check_frequent
from onnxdissect.model import Layer, Network, Preprocessing, choose_preprocessing, load_network
from onnxdissect.pipeline.options import RunOptions
from onnxdissect.pipeline.parameters import Parameters

__all__ = ["PLACES", "Request", "open_request"]

PLACES = {("model", "path"), ("data", "folder"), ("data", "spec")}
"""Sections and keys of a run's identity that say where files lie, which does not change what they say."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is dissected, and how.

    Attributes
    ----------
    options : RunOptions
        As asked for.
    parameters : Parameters
        What decides the counts beside model and data.
    network : Network
    dataset : Dataset
        What is left of it after split and limit.
    layers : sequence of Layer
        What the selectors chose.
    preprocessing : Preprocessing
    target : Path
        The run directory.
    identity : dict
        What makes this run this run: the manifest's sections ``model``, ``data``, ``parameters`` and
        ``preprocessing``. Two runs of one identity give the same counts.
    """

    options: RunOptions
    parameters: Parameters
    network: Network
    dataset: Dataset
    layers: Sequence[Layer]
    preprocessing: Preprocessing
    target: Path
    identity: dict[str, Any]

    def decisive(self) -> dict[str, object]:
        """Give what of the identity decides the results, by the names of its sections and their keys.

        Returns
        -------
        dict of str to object
            Without the places where the same files may lie.
        """
        return {
            f"{section}.{key}": value
            for section, told in self.identity.items()
            for key, value in told.items()
            if (section, key) not in PLACES
        }


def open_request(options: RunOptions, progress: Progress) -> Request:
    """Open what a run is asked for.

    Parameters
    ----------
    options : RunOptions
    progress : Progress
        Told how far a data set is that has to be made first.

    Returns
    -------
    Request

    Raises
    ------
    OnnxDissectError
        Whatever is wrong with the request, the model or the data.
    """
    parameters = Parameters.of(options)
    if not os.path.isfile(options.model):  # noqa: PTH113 - Path's raises where a name is too long
        # Says what is wrong with the path before a data set is drawn for nothing.
        load_network(options.model)
    sources = installed_sources()
    dataset = _open_images(options, sources, progress)
    check_min_images(parameters.min_images, len(dataset))
    check_frequent(dataset, parameters.min_images)
    reading = options.reading
    network = load_network(
        options.model,
        image_size=reading.image_size,
        default_size=dataset.image_size,
        bind=reading.bind,
        layouts=reading.layouts,
        custom_ops=reading.custom_ops,
        operators=reading.operators,
        probe_timeout=reading.probe_timeout,
    )
    layers = network.select(parameters.layers)
    preprocessing = choose_preprocessing(network, **asdict(options.preprocessing))
    return Request(
        options=options,
        parameters=parameters,
        network=network,
        dataset=dataset,
        layers=layers,
        preprocessing=preprocessing,
        target=options.out or _target(options, dataset, sources),
        identity={
            "model": _model_identity(network),
            "data": _data_identity(dataset, options, sources),
            "parameters": _parameters_identity(parameters, layers, options),
            "preprocessing": preprocessing.to_json(),
        },
    )


def _open_images(options: RunOptions, sources: Sources, progress: Progress) -> Dataset:
    images, phase = options.images, CountedPhase(progress, "data")
    dataset = open_data(options.data, groups=images.groups, progress=phase, sources=sources)
    phase.finish()
    return dataset.subset(split=images.split, limit=images.limit)


def _target(options: RunOptions, dataset: Dataset, sources: Sources) -> Path:
    """Choose a run directory: called as the data was asked for, where that is the bare name of a source."""
    called, data = dataset.name.replace("/", "-"), options.data
    if isinstance(data, str | Path) and sources.find(str(data)) == (str(data), ""):
        called = str(data)
    return Path("dissections") / f"{options.model.stem}-{called}"


def _model_identity(network: Network) -> dict[str, Any]:
    return {
        "path": str(network.path.absolute()),
        "sha256": network.sha256,
        "opset": network.opset,
        "producer": network.producer,
        "input": network.input.name,
        "size": list(network.size),
        **network.stated(),
    }


def _data_identity(dataset: Dataset, options: RunOptions, sources: Sources) -> dict[str, Any]:
    source = dict(dataset.source)
    if not source and isinstance(options.data, str | Path):
        source["spec"] = sources.absolute(str(options.data))
    return {
        "name": dataset.name,
        **source,
        "fingerprint": dataset.fingerprint,
        "images": len(dataset),
        "concepts": len(dataset.vocabulary.concepts),
        "split": options.images.split,
        "limit": options.images.limit,
        "groups": dataset.grouped_by,
    }


def _parameters_identity(
    parameters: Parameters, layers: Sequence[Layer], options: RunOptions
) -> dict[str, Any]:
    identity = asdict(parameters) | {"values": [layer.name for layer in layers]}
    if options.method.layer_upsample:
        identity["layer_upsample"] = dict(options.method.layer_upsample)
    return identity
