"""Where a run's layers have their cells: by the graph's rule, evenly spread, or as measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from onnxdissect.core.upsample import Field
from onnxdissect.model import (
    PROBE_IMAGES,
    EffectiveCentre,
    Layer,
    Network,
    Session,
    contradicts,
    measure_centres,
    rule_distance,
    spreads_evenly,
)

__all__ = ["CHECK_IMAGES", "Placement", "place_layers"]

CHECK_IMAGES = 2
"""Images that a rule is checked with when a run starts: 18 forward passes."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the cells of one layer lie, and why there.

    Attributes
    ----------
    upsample : str
        The map the layer is really given: ``"receptive-field"``, ``"effective"`` or ``"resize"``.
    field : tuple of (offset, stride) or None
        Anchors in input pixels; None for ``"resize"``.
    measured : EffectiveCentre or None
        None where nothing was measured.
    warning : str or None
        What a person should know about it.
    """

    upsample: str
    field: Field | None
    measured: EffectiveCentre | None = None
    warning: str | None = None


_EVEN = Placement("resize", None)


def place_layers(
    session: Session,
    network: Network,
    layers: Sequence[Layer],
    first_images: Callable[[int], NDArray[Any]],
    upsample: str,
) -> tuple[Placement, ...]:
    """Place the cells of a run's layers.

    Parameters
    ----------
    session : Session
        Computes the layers.
    network : Network
        Whose layers they are.
    layers : sequence of Layer
        In the session's order.
    first_images : callable
        Gives so many of the run's first images, prepared, fewer where there are no more. ``"effective"``
        measures on `onnxdissect.model.PROBE_IMAGES`; rules that have to be checked are, on `CHECK_IMAGES`.
    upsample : str
        The map that was asked for. ``"auto"`` spreads cells evenly, as ``"resize"`` does, unless the rule has
        them elsewhere by more than a cell and a measurement agrees with it.

    Returns
    -------
    tuple of Placement
        One per layer; the same for the same images.

    Raises
    ------
    ModelRuntimeError
        If onnxruntime fails.
    """
    if upsample == "effective":
        measured = measure_centres(session, layers, network.input, first_images(PROBE_IMAGES))
        return tuple(map(_by_measurement, layers, measured))
    if upsample == "auto":
        doubtful = [not spreads_evenly(layer, network.size) for layer in layers]
    else:
        doubtful = [upsample == "receptive-field" and layer.receptive_field is not None for layer in layers]
    if not any(doubtful):
        return tuple(_by_rule(layer) if upsample == "receptive-field" else _EVEN for layer in layers)
    centres = measure_centres(session, layers, network.input, first_images(CHECK_IMAGES))
    settle = _confirmed if upsample == "auto" else _as_asked
    return tuple(
        settle(layer, centre) if doubt else _EVEN
        for layer, centre, doubt in zip(layers, centres, doubtful, strict=True)
    )


def _by_rule(layer: Layer) -> Placement:
    rule = layer.receptive_field
    return _EVEN if rule is None else Placement("receptive-field", (rule.offset, rule.stride))


def _by_measurement(layer: Layer, centre: EffectiveCentre) -> Placement:
    if centre.offset is not None and centre.stride is not None:
        return Placement("effective", (centre.offset, centre.stride), centre)
    other = _by_rule(layer)
    if layer.grid == (1, 1):
        # one cell covers the image, whatever the map
        return replace(other, measured=centre)
    said = (
        f"the centre of layer {layer.name!r} cannot be measured: {centre.reason}; "
        f"it is upsampled by {other.upsample}"
    )
    return replace(other, measured=centre, warning=said)


def _confirmed(layer: Layer, centre: EffectiveCentre) -> Placement:
    """Keep a rule that has cells elsewhere than evenly spread only where the measurement agrees."""
    apart = rule_distance(layer, centre)
    if apart is not None and not contradicts(layer, centre):
        return replace(_by_rule(layer), measured=centre)
    found = centre.reason or f"cells respond {_cells(apart)} from there"
    said = (
        f"the graph has the cells of layer {layer.name!r} elsewhere than evenly spread over the image, and a "
        f"measurement does not agree: {found}; it is upsampled by resize"
    )
    return replace(_EVEN, measured=centre, warning=said)


def _as_asked(layer: Layer, centre: EffectiveCentre) -> Placement:
    placed = replace(_by_rule(layer), measured=centre)
    if not contradicts(layer, centre):
        return placed
    said = (
        f"the cells of layer {layer.name!r} respond {_cells(rule_distance(layer, centre))} from the centres "
        "of their receptive fields; --upsample effective puts them where they respond"
    )
    return replace(placed, warning=said)


def _cells(apart: tuple[float, float] | None) -> str:
    return "elsewhere" if apart is None else f"{apart[0]:+.2f} cells down and {apart[1]:+.2f} across"
