"""Say so where little of a network was understood."""

from __future__ import annotations

from onnxdissect.model.layers.coverage import Coverage
from onnxdissect.model.layers.listing import Listing
from onnxdissect.model.layers.records import Layer
from onnxdissect.model.layout.order.disturbed import LeftOut

__all__ = ["coverage_warnings", "listing_warnings", "open_values", "order_warnings"]

# A detector's heads take up to a fifth of its compute. Open values alone say little: Swin leaves half of its
# values open inside attention, and a detector two thirds of them behind its last map.
_LEAST_SHARE = 0.75
_MOST_SEVERED = 0.1
# Nested transformers, followed only at their ends, leave 0.94; MobileViT, followed around its patches, 0.8.
_MOST_OPEN = 0.9
_LEAST_TRUNK = 0.5
_ALL = 0.99


def coverage_warnings(coverage: Coverage, listing: Listing) -> list[str]:
    """Warn where the layers found stand for little of the network.

    Parameters
    ----------
    coverage : Coverage
        Of the network.
    listing : Listing
        Its layers and values.

    Returns
    -------
    list of str
        Empty where enough was understood.
    """
    enough = (
        coverage.share >= _LEAST_SHARE
        and coverage.severed_values <= _MOST_SEVERED * coverage.values
        and coverage.open_values <= _MOST_OPEN * coverage.values
    )
    unknown = [_not_known(operator, name, listing) for operator, name in listing.unknown]
    if enough:
        return unknown
    said, hint = open_values(listing)
    parts = [said] if said else []
    if coverage.share < _LEAST_SHARE:
        parts.insert(0, f"the layers found reach {coverage.share:.0%} of its compute")
    little = f"little of the network was understood: {', and '.join(parts)}" + (f"; {hint}" if hint else "")
    return [*unknown, little]


def _not_known(operator: str, name: str, listing: Listing) -> str:
    shape = listing.shapes[name]
    layout, what = ("NCHW", "maps") if len(shape) == 4 else ("NTC", "tokens")
    return (
        f"the operator {operator} is not known, and leaves open what {name!r} of shape {list(shape)} is; "
        f"if it holds {what}, --layout {name}={layout} states it"
    )


def order_warnings(listing: Listing) -> list[str]:
    """Say which operator put maps out of the picture's order, so that they are no layers.

    Parameters
    ----------
    listing : Listing
        Layers and values of a network.

    Returns
    -------
    list of str
        One sentence per operator; none where all are put back.
    """
    return [
        f"{out.values} map{'s' * (out.values > 1)} with {out.share:.0%} of the compute "
        f"{'are' if out.values > 1 else 'is'} left out: {_order_of(out)}"
        + (
            f"; --layer {out.disturbance.before} dissects it"
            if out.disturbance.before in listing.order
            else ""
        )
        + (
            f", or --layout {out.disturbance.value}=NCHW states that they are spread over the picture evenly"
            if out.disturbance.sampled
            else ""
        )
        for out in listing.left_out
    ]


def listing_warnings(listing: Listing) -> list[str]:
    """Say what the selectors leave out that a person may count on.

    Parameters
    ----------
    listing : Listing
        Layers and values of a network.

    Returns
    -------
    list of str
        `order_warnings`, and a sentence where the stages of a classifier end early.
    """
    return [*order_warnings(listing), *_early_end(listing)]


def _stage(layer: Layer) -> int:
    return layer.stage or 0


def _early_end(listing: Listing) -> list[str]:
    """Warn of a classifier whose maps go up again, so that most of its compute is behind the last stage."""
    stages = sorted((layer for layer in listing.layers if layer.stage is not None), key=_stage)
    classified = any(layer.layout == "NC" and layer.share > _ALL for layer in listing.layers)
    if not stages or not classified or stages[-1].share >= _LEAST_TRUNK:
        return []
    last = stages[-1]
    behind = [
        layer
        for layer in listing.layers[listing.layers.index(last) + 1 :]
        if layer.part not in ("trunk", "unused")
        and layer.grid[0] * layer.grid[1] > last.grid[0] * last.grid[1]
    ]
    if not behind:
        return []
    return [
        f"the stages end at {last.name!r} with {last.share:.0%} of the compute, since behind it the maps get "
        f"finer again ({behind[0].name!r}, {behind[0].op}); the deepest map behind is dissected by "
        f"--layer {behind[-1].name}"
    ]


def _order_of(out: LeftOut) -> str:
    said = out.disturbance.reason()
    return said.replace("its cells", "their cells") if out.values > 1 else said


def open_values(listing: Listing) -> tuple[str, str]:
    """Say which values are open, and how to state the first of them.

    Parameters
    ----------
    listing : Listing
        Layers and values of a network.

    Returns
    -------
    said, hint : str
        Both empty where no value is open; the hint alone where none has axes that a layout could name.
    """
    count, values, culprit, first, _ = listing.open_axes
    if not count:
        return "", ""
    said = f"the layouts of {count} of {values} values are open, {culprit} ({first!r}) leaving the first so"
    names = list(listing.shapes)
    behind = names[names.index(first) :] if first in listing.shapes else []
    maps = (
        name
        for name in behind
        if len(listing.shapes[name]) == 4
        and set(listing.axes.get(name, "?")) - set("NCHW")
        and _statable(name, listing)
    )
    name = next(maps, "")
    if name:
        return said, f"if {name!r} holds maps, --layout {name}=NCHW states it"
    if len(listing.shapes.get(first, ())) == 3 and _statable(first, listing):
        return said, f"if {first!r} holds tokens, --layout {first}=NTC states it"
    return said, ""


def _statable(name: str, listing: Listing) -> bool:
    """Whether a layout may settle what a value is: not where its cells were put out of order."""
    disturbance = listing.disturbed.get(name)
    return disturbance is None or disturbance.statable
