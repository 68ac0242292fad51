"""The run that units are labelled by, the network that it was made of, and the layer to explain by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from onnxdissect.core.upsampling import Field
from onnxdissect.errors import (
    LayerCutError,
    LayerNotFoundError,
    NotPublishedError,
    ParameterError,
    RunFormatError,
    RunMismatchError,
    nearest,
    shown_path,
)
from onnxdissect.model import Layer, Network, Preprocessing, load_network
from onnxdissect.model.runtime.parts.opening import tail_of
from onnxdissect.model.scores.class_scores import ClassScores, place_of_layer
from onnxdissect.results import Dissection
from onnxdissect.results.records import LayerInfo

__all__ = ["RunLayer", "choose_layer", "layer_field", "network_layer", "network_of_run", "run_preprocessing"]


@dataclass(frozen=True, slots=True)
class RunLayer:
    """A layer as the run knows it, and as the network does.

    Attributes
    ----------
    info : LayerInfo
        Of the run.
    layer : Layer
        Of the network.
    """

    info: LayerInfo
    layer: Layer


def network_of_run(
    model: str | Path,
    run: Dissection,
    *,
    bind: Mapping[str, ArrayLike | str] | None = None,
    custom_ops: Sequence[str | Path] = (),
) -> Network:
    """Read the model of a run, as the run read it.

    Parameters
    ----------
    model : str or Path
        The file.
    run : Dissection
        The run.
    bind : mapping of str to array_like or str, optional
        Values of inputs beside the image, the same as in the run.
    custom_ops : sequence of str or Path
        Libraries of operators that onnxruntime lacks.

    Returns
    -------
    Network
        At the run's size, with its layouts.

    Raises
    ------
    NotPublishedError
        If the run was imported, and has no thresholds.
    RunMismatchError
        If it was made of another model, or with other values bound.
    RunFormatError
        If it does not say what it was made of.
    ModelError
        If the file cannot be read or run.
    """
    if run.imported:
        raise NotPublishedError(
            f"the run {run.path} was imported from published results: they hold no thresholds, and are of no "
            "model file",
            hint="onnxdissect run MODEL makes a run to explain by",
        )
    record = run.manifest.get("model")
    if not isinstance(record, dict) or not isinstance(record.get("sha256"), str):
        raise RunFormatError(f"the manifest of {run.path} does not say what model it is of")
    try:
        height, width = (int(length) for length in record["size"])
        layouts = {str(name): str(layout) for name, layout in (record.get("layouts") or {}).items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunFormatError(
            f"the manifest of {run.path} does not say at what size the model was run"
        ) from error
    options: dict[str, Any] = {"bind": bind, "custom_ops": custom_ops}
    network = load_network(model, default_size=(height, width), **options)
    if network.sha256 != record["sha256"]:
        raise RunMismatchError(
            f"the run {shown_path(run.path)} is of {shown_path(record.get('path', 'another model'))} "
            f"(sha256 {record['sha256'][:12]}), and {shown_path(network.path)} is another model "
            f"(sha256 {network.sha256[:12]})",
            hint=f"onnxdissect run {shown_path(network.path)} makes a run of it",
        )
    if network.size != (height, width):
        options["image_size"] = (height, width)
    if layouts or network.size != (height, width):
        network = load_network(model, layouts=layouts, **options)
    bound = network.stated()["bind"]
    if bound != (record.get("bind") or {}):
        raise RunMismatchError(
            f"the run {shown_path(run.path)} was made with other values of the inputs beside the image",
            hint="--bind NAME=VALUE as in the run",
        )
    return network


def run_preprocessing(run: Dissection) -> Preprocessing:
    """Take from a run how it prepared its images.

    Parameters
    ----------
    run : Dissection
        The run.

    Returns
    -------
    Preprocessing

    Raises
    ------
    RunFormatError
        If its manifest does not say.
    """
    try:
        record = run.manifest["preprocessing"]
        return Preprocessing(
            name=str(record["name"]),
            mean=tuple(float(value) for value in record["mean"]),
            std=tuple(float(value) for value in record["std"]),
            scale=float(record["scale"]),
            channels=str(record["channels"]),
            source="as in the run",
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunFormatError(
            f"the manifest of {run.path} does not say how its images were prepared"
        ) from error


def layer_field(info: LayerInfo) -> Field | None:
    """Give the places of a layer's cells, as its masks in the run were made by them.

    Parameters
    ----------
    info : LayerInfo
        The layer.

    Returns
    -------
    tuple of (offset, stride) or None
        None for `resize`.
    """
    if info.upsample == "resize":
        return None
    anchors: Mapping[str, Any] | None = info.effective if info.upsample == "effective" else info.geometry
    if not anchors:
        return None
    (top, left), (down, across) = anchors["offset"], anchors["stride"]
    return (float(top), float(left)), (float(down), float(across))


def choose_layer(run: Dissection, network: Network, scores: ClassScores, asked: str | None) -> RunLayer:
    """Find the layer to explain by.

    Parameters
    ----------
    run : Dissection
        The run.
    network : Network
        Of the same model.
    scores : ClassScores
        What is explained.
    asked : str, optional
        Value name, alias, folder name or node name. By default the deepest of the run through which
        everything reaches the scores.

    Returns
    -------
    RunLayer

    Raises
    ------
    LayerNotFoundError
        If the run holds no such layer, or the model has it no more.
    ParameterError
        If the layer is under a basis, is not on the way to the scores, or is the scores themselves.
    LayerCutError
        If something of the image gets around it to the scores.
    """
    own = [info for info in run.layers if info.basis is None]
    before = [info for info in own if place_of_layer(network, info.name, scores) == "before"]
    if asked is None:
        for info in reversed(before):
            if _cuts(network, info, scores):
                return RunLayer(info, network_layer(network, info))
        raise _none_cuts(run, network, scores, before)
    info = run.layer(asked)
    if info.basis is not None:
        raise ParameterError(
            f"layer {info.name!r} of {run.path} is under a basis, and a prediction is explained by the units "
            "of the network itself",
            candidates=[one.alias for one in before],
            hint=f"--layer {info.own_layer}",
        )
    place = place_of_layer(network, info.name, scores)
    if place != "before":
        said = {
            "scores": f"holds the class scores {scores.score_of!r} themselves",
            "behind": f"lies behind the class scores {scores.score_of!r}, and explains nothing of them",
            "beside": f"does not lead to the class scores {scores.score_of!r} of the output "
            f"{scores.output!r}",
        }[place]
        raise ParameterError(
            f"layer {info.name!r} {said}",
            candidates=[one.alias for one in before],
            hint="--layer takes a layer that the scores are computed from",
        )
    layer = network_layer(network, info)
    try:
        tail_of(network, layer, scores.value)
    except LayerCutError as error:
        cutting = [one.alias for one in before if _cuts(network, one, scores)]
        raise LayerCutError(
            f"{error.message}; the values beside it are {', '.join(map(repr, error.candidates))}",
            candidates=cutting,
            hint=f"--layer {cutting[-1]}, through which everything passes"
            if cutting
            else "dissect a layer through which everything passes: onnxdissect run MODEL --layer last",
        ) from error
    return RunLayer(info, layer)


def _cuts(network: Network, info: LayerInfo, scores: ClassScores) -> bool:
    try:
        tail_of(network, network_layer(network, info), scores.value)
    except (LayerCutError, LayerNotFoundError):
        return False
    return True


def network_layer(network: Network, info: LayerInfo) -> Layer:
    """Find a layer of a run in the network.

    Parameters
    ----------
    network : Network
        The model of the run.
    info : LayerInfo
        The layer as the run knows it.

    Returns
    -------
    Layer

    Raises
    ------
    LayerNotFoundError
        If the network has none of that name with as many units.
    """
    found = [one for one in (*network.listing.layers, *network.listing.copies) if one.name == info.name]
    if not found or found[0].units != info.units:
        raise LayerNotFoundError(
            f"{network.path} has no layer {info.name!r} of {info.units} units, as the run has",
            candidates=nearest(info.name, [one.name for one in network.layers]),
            hint="the layouts stated for the run are those of another model",
        )
    return found[0]


def _none_cuts(
    run: Dissection, network: Network, scores: ClassScores, before: Sequence[LayerInfo]
) -> LayerCutError | LayerNotFoundError:
    if not before:
        return LayerNotFoundError(
            f"the run {shown_path(run.path)} holds no layer that the class scores {scores.score_of!r} are "
            "computed from",
            hint=f"onnxdissect run {shown_path(network.path)} --layer last",
        )
    return LayerCutError(
        f"around every layer of the run {shown_path(run.path)} something of the image gets to "
        f"{scores.score_of!r}: {', '.join(info.alias for info in before)}",
        hint="dissect a layer through which everything passes, such as the last one: --layer last",
    )
