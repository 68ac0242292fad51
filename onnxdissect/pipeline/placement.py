"""Where a run's layers have their cells: by the graph's rule, evenly spread, or as measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from onnxdissect.core.upsampling import Field
from onnxdissect.errors import ParameterError, nearest
from onnxdissect.model import (
    PROBE_IMAGES,
    EffectiveCentre,
    Layer,
    Network,
    Session,
    contradicts,
    measure_centres,
    nearer_to_rule,
    rule_distance,
)
from onnxdissect.model.receptive_field.effective import MOST_APART

__all__ = ["CHECK_IMAGES", "Placement", "auto_placement", "place_layers"]

CHECK_IMAGES = 2
"""Images that a rule is checked with when a run starts: 18 forward passes. Where these do not clearly agree
with it, what `onnxdissect.model.PROBE_IMAGES` say counts: any two may show another place."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the cells of one layer lie, and why there.

    Attributes
    ----------
    upsample : str
        How the layer is upsampled: ``"receptive-field"``, ``"effective"`` or ``"resize"``.
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
    by_layer: Mapping[str, str] | None = None,
    drawn_images: Callable[[int], NDArray[Any]] | None = None,
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
        measures on `onnxdissect.model.PROBE_IMAGES`; rules are checked on `CHECK_IMAGES`, and on as many
        where these do not clearly agree.
    upsample : str
        The upsampling that was asked for. ``"auto"`` is ``"receptive-field"`` where the check does not
        contradict it; where ``"receptive-field"`` itself was asked for it is kept, with a warning.
    by_layer : mapping of str to str, optional
        Upsampling of single layers, by value name, in place of `upsample`.
    drawn_images : callable, optional
        Gives so many drawn images, prepared. Photographs may hold so little where a layer looks that its
        cells seem to lie elsewhere: what contradicts the graph must do so on drawn images too.

    Returns
    -------
    tuple of Placement
        One per layer; the same for the same images.

    Raises
    ------
    ModelRuntimeError
        If onnxruntime fails.
    ParameterError
        If `by_layer` names none of the layers.
    """
    names = [layer.name for layer in layers]
    for name in by_layer or {}:
        if name not in names:
            raise ParameterError(
                f"an upsampling is asked for layer {name!r}, which is not dissected",
                candidates=nearest(name, names),
            )
    asked = [(by_layer or {}).get(layer.name, upsample) for layer in layers]
    # where there is no rule to check, the order of the cells is: an evenly spread layer may be out of order
    by_rule = [
        (way in ("auto", "receptive-field") and layer.receptive_field is not None)
        or (way in ("auto", "resize") and layer.grid != (1, 1))
        for way, layer in zip(asked, layers, strict=True)
    ]
    nothing: list[EffectiveCentre | None] = [None] * len(layers)
    measured, checked = nothing, nothing
    if "effective" in asked:
        measured = [*measure_centres(session, layers, network.input, first_images(PROBE_IMAGES))]
    if any(by_rule):
        checked = _check(session, network, layers, by_rule, first_images, drawn_images)
    places = []
    for layer, way, rule, precise, quick in zip(layers, asked, by_rule, measured, checked, strict=True):
        if way == "effective" and precise is not None:
            places.append(_by_measurement(layer, precise))
        elif rule and quick is not None and way != "resize":
            auto = way == "auto"
            places.append(auto_placement(layer, network.size, quick) if auto else _as_asked(layer, quick))
        elif way == "receptive-field" and layer.grid != (1, 1):
            said = (
                f"the graph does not tell where layer {layer.name!r} has its cells; it is upsampled by resize"
            )
            places.append(replace(_EVEN, warning=said))
        elif rule and quick is not None and quick.disordered:
            # the order of cells does not depend on how they are upsampled
            places.append(replace(_EVEN, warning=_out_of_order(layer, quick)))
        else:
            places.append(_EVEN)
    return tuple(places)


def _check(
    session: Session,
    network: Network,
    layers: Sequence[Layer],
    by_rule: Sequence[bool],
    first_images: Callable[[int], NDArray[Any]],
    drawn_images: Callable[[int], NDArray[Any]] | None,
) -> list[EffectiveCentre | None]:
    """Measure where cells respond, on more images where a few leave it open."""
    quick = measure_centres(session, layers, network.input, first_images(CHECK_IMAGES))
    if not any(
        rule and not _agrees(layer, centre)
        for rule, layer, centre in zip(by_rule, layers, quick, strict=True)
    ):
        return [*quick]
    more = measure_centres(session, layers, network.input, first_images(PROBE_IMAGES))
    checked = [
        first if _agrees(layer, first) else second
        for layer, first, second in zip(layers, quick, more, strict=True)
    ]
    if drawn_images is not None and any(
        rule and _doubtful(layer, centre)
        for rule, layer, centre in zip(by_rule, layers, checked, strict=True)
    ):
        drawn = measure_centres(session, layers, network.input, drawn_images(PROBE_IMAGES))
        checked = [
            second if _doubtful(layer, first) and not _doubtful(layer, second) else first
            for layer, first, second in zip(layers, checked, drawn, strict=True)
        ]
    return [*checked]


def auto_placement(layer: Layer, pixels: tuple[int, int], centre: EffectiveCentre) -> Placement:
    """Decide what ``"auto"`` gives a layer.

    Parameters
    ----------
    layer : Layer
        With the rule, its receptive field.
    pixels : (int, int)
        (height, width) of the network's input.
    centre : EffectiveCentre
        As measured.

    Returns
    -------
    Placement
        By the rule, unless there is none, its cells turn out to lie in another order, or they respond more
        than half a cell from there and nearer to an even spread. Cells in another order are warned of with
        or without a rule; what responds everywhere alike, as attention may, is not.
    """
    placed = _by_rule(layer)
    if layer.receptive_field is None and centre.disordered:
        return replace(placed, measured=centre, warning=_out_of_order(layer, centre))
    if layer.receptive_field is None or not (contradicts(layer, centre) or centre.disordered):
        return replace(placed, measured=centre)
    if not nearer_to_rule(layer, pixels, centre):
        placed = _EVEN
    return replace(placed, measured=centre, warning=_contradiction(layer, centre, placed.upsample))


def _doubtful(layer: Layer, centre: EffectiveCentre | None) -> bool:
    return centre is not None and (centre.disordered or contradicts(layer, centre))


def _agrees(layer: Layer, centre: EffectiveCentre) -> bool:
    """Whether a measurement leaves no doubt about the rule: by its own error too it is within half a cell."""
    apart, rule = rule_distance(layer, centre), layer.receptive_field
    if apart is None or rule is None or centre.error is None:
        return not centre.uncertain
    return all(
        abs(cells) + error / stride <= MOST_APART
        for cells, error, stride in zip(apart, centre.error, rule.stride, strict=True)
    )


def _by_rule(layer: Layer) -> Placement:
    rule = layer.receptive_field
    return _EVEN if rule is None else Placement("receptive-field", (rule.offset, rule.stride))


def _by_measurement(layer: Layer, centre: EffectiveCentre) -> Placement:
    if centre.offset is not None and centre.stride is not None:
        return Placement("effective", (centre.offset, centre.stride), centre)
    other = _by_rule(layer)
    if layer.grid == (1, 1):
        # one cell covers the image, however it is upsampled
        return replace(other, measured=centre)
    said = (
        f"the centre of layer {layer.name!r} cannot be measured: {centre.reason}; "
        f"it is upsampled by {other.upsample}"
    )
    return replace(other, measured=centre, warning=said)


def _as_asked(layer: Layer, centre: EffectiveCentre) -> Placement:
    placed = replace(_by_rule(layer), measured=centre)
    if layer.receptive_field is None or not (contradicts(layer, centre) or centre.disordered):
        return placed
    return replace(placed, warning=_contradiction(layer, centre, placed.upsample))


def _out_of_order(layer: Layer, centre: EffectiveCentre) -> str:
    return (
        f"the cells of layer {layer.name!r} do not seem to be in the order of the picture: {centre.reason}. "
        "Unless they are, its labels mean nothing"
    )


def _contradiction(layer: Layer, centre: EffectiveCentre, upsample: str) -> str:
    apart = rule_distance(layer, centre)
    found = centre.reason
    if apart is not None:
        found = f"they respond {apart[0]:+.2f} cells further down and {apart[1]:+.2f} to the right"
    hint = "" if centre.disordered else "; --upsample effective puts them there"
    return (
        f"the cells of layer {layer.name!r} are not where its receptive fields have their centres: {found}. "
        f"It is upsampled by {upsample}{hint}"
    )
