"""Selectors: what people type to choose layers."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from onnxdissect.errors import LayerLayoutError, LayerNotFoundError, ParameterError, nearest
from onnxdissect.model.layers.coverage_warnings import open_values
from onnxdissect.model.layers.listing import Listing
from onnxdissect.model.layers.records import Layer
from onnxdissect.model.layout.overrides.hints import fitting_layouts

__all__ = ["KEYWORDS", "select_layers"]

KEYWORDS = ("stages", "last", "neck", "heads", "all")


def select_layers(listing: Listing, selectors: Sequence[str], model: str) -> tuple[Layer, ...]:
    """Choose layers.

    Parameters
    ----------
    listing : Listing
        What there is.
    selectors : sequence of str
        Each an exact value name, a keyword ("stages"; "last", its last one; "neck", "heads", "all"), a node
        name, an alias or a glob over all of these, tried in this order.
    model : str
        The model's path, for the hint.

    Returns
    -------
    tuple of Layer
        In topological order, each once.

    Raises
    ------
    ParameterError
        If there is no selector.
    LayerNotFoundError
        If a selector matches nothing; the nearest names are listed.
    LayerLayoutError
        If a selector names a value that has no units to dissect.
    """
    if not selectors:
        raise ParameterError("no layer was asked for", candidates=KEYWORDS)
    hint = f"onnxdissect layers {model}"
    known = [*listing.layers, *listing.copies]
    wanted = {layer.name for selector in selectors for layer in _match(listing, known, selector, hint)}
    chosen = [layer for layer in known if layer.name in wanted]
    return tuple(sorted(chosen, key=lambda layer: listing.order[layer.name]))


def _match(listing: Listing, known: list[Layer], selector: str, hint: str) -> list[Layer]:
    exact = [layer for layer in known if layer.name == selector]
    if exact:
        return exact
    # An alias can equal the name of a stored weight, which is refused as a layer. Then the alias is meant;
    # likewise the name of a node.
    named = [layer for layer in known if layer.node == selector and selector][:1]
    named = named or [layer for layer in known if layer.alias == selector]
    if selector in listing.refusals and not named:
        reason = listing.refusals[selector]
        fitting: tuple[str, ...] = ()
        disturbance = listing.disturbed.get(selector)
        if "leaves open" in reason and (disturbance is None or disturbance.statable):
            grids = {layer.grid for layer in listing.layers}
            fitting = fitting_layouts(listing.shapes[selector], grids)
        if fitting:
            hint = f"if you know better: --layout {selector}={fitting[0]}"
        elif disturbance is not None and disturbance.sampled:
            hint = f"if they are, spread over the picture evenly: --layout {disturbance.value}=NCHW"
        raise LayerLayoutError(
            f"the value {selector!r} cannot be dissected: {reason}", candidates=fitting, hint=hint
        )
    if selector in KEYWORDS and not listing.layers:
        said, stating = open_values(listing)
        none = "the network has no layer that can be dissected: no map of units"
        raise LayerNotFoundError(
            f"{none}, and {said}" if said else none,
            hint=stating or hint,
        )
    if selector == "all":
        return list(listing.layers)
    if selector in ("stages", "last"):
        stages = [layer for layer in listing.layers if layer.stage is not None]
        # a file may hold branches in any order
        return stages if selector == "stages" else sorted(stages, key=_stage)[-1:]
    if selector in ("neck", "heads"):
        return _part(listing, selector, hint)
    found = named
    if not found and any(c in selector for c in "*?["):
        found = [layer for layer in listing.layers if any(fnmatchcase(n, selector) for n in _names(layer))]
    if not found:
        names = [name for layer in listing.layers for name in _names(layer)]
        raise LayerNotFoundError(
            f"no layer matches {selector!r}",
            candidates=nearest(selector, [*names, *KEYWORDS]) or KEYWORDS,
            hint=hint,
        )
    return found


def _stage(layer: Layer) -> int:
    return layer.stage or 0


def _part(listing: Listing, part: str, hint: str) -> list[Layer]:
    names = set(listing.parts.neck if part == "neck" else listing.parts.heads)
    found = [layer for layer in listing.layers if layer.name in names]
    if not found:
        what = "neck: nothing lies between the trunk and its heads"
        if part == "heads" and any(layer.part == "head" for layer in listing.layers):
            what = "heads that are layers: what it predicts has no units in the order of the picture"
        elif part == "heads":
            what = "heads with units: nothing lies behind its trunk"
        raise LayerNotFoundError(f"the network has no {what}", candidates=("stages", "last"), hint=hint)
    return found


def _names(layer: Layer) -> list[str]:
    return [name for name in (layer.name, layer.alias, layer.node) if name]
