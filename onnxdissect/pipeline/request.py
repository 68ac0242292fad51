"""A request opened: the network, the data, and what of both is dissected how."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from onnxdissect.core.candidates import check_min_images
from onnxdissect.core.progress import CountedPhase, Progress
from onnxdissect.data import Dataset, Sources, installed_sources, open_data
from onnxdissect.data.frequency import check_frequent
from onnxdissect.errors import ParameterError
from onnxdissect.model import Layer, Network, Preprocessing, choose_preprocessing, load_network
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.bases.spec import BasisSpec, basis_identity, parse_bases
from onnxdissect.model.graph import computed_values, name_of
from onnxdissect.model.layers.basis import check_bases
from onnxdissect.pipeline.options import RunOptions
from onnxdissect.pipeline.parameters import Parameters
from onnxdissect.results.formats.manifest import LARGEST_MANIFEST

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
        What the selectors chose; once `onnxdissect.pipeline.bases` has made the bases, these layers under
        them as well.
    bases : tuple of (BasisSpec or Basis)
        What each of the layers is to be dissected under as well.
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
    bases: tuple[BasisSpec | Basis, ...]
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
    bases = parse_bases(options.method.bases)
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
    _check_bases(network, layers, bases)
    preprocessing = choose_preprocessing(network, **asdict(options.preprocessing))
    return Request(
        options=options,
        parameters=parameters,
        network=network,
        dataset=dataset,
        layers=layers,
        bases=bases,
        preprocessing=preprocessing,
        target=options.out or _target(options, dataset, sources),
        identity={
            "model": _model_identity(network),
            "data": _data_identity(dataset, options, sources),
            "parameters": _parameters_identity(parameters, layers, bases, options),
            "preprocessing": preprocessing.to_json(),
        },
    )


def _check_bases(network: Network, layers: Sequence[Layer], bases: Sequence[BasisSpec | Basis]) -> None:
    graph = network.model.graph
    there = (*computed_values(graph), *graph.initializers, *map(name_of, graph.inputs))
    values = [name for name in there if "/basis/" in name]
    for layer in layers:
        check_bases(layer, bases, values)
    names = [basis.row_names for basis in bases if isinstance(basis, Basis) and basis.row_names]
    told = len(layers) * len(json.dumps(names))
    if told > LARGEST_MANIFEST // 4:
        raise ParameterError(
            f"the names of the rows of all bases, for {len(layers)} layers, take {told:,} bytes of the "
            f"manifest, which has room for {LARGEST_MANIFEST // 4:,}",
            hint="fewer layers, or a file without names",
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
    return Path("dissections") / f"{options.model.stem}-{called}{options.out_ending}"


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
    parameters: Parameters,
    layers: Sequence[Layer],
    bases: Sequence[BasisSpec | Basis],
    options: RunOptions,
) -> dict[str, Any]:
    identity = asdict(parameters) | {"values": [layer.name for layer in layers]}
    if options.method.layer_upsample:
        identity["layer_upsample"] = dict(options.method.layer_upsample)
    if bases:
        identity["bases"] = [basis_identity(basis) for basis in bases]
    return identity
