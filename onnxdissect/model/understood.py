"""Say so where little of a network was understood."""

from __future__ import annotations

from onnxdissect.model.coverage import Coverage
from onnxdissect.model.listing import Listing

__all__ = ["coverage_warnings", "open_values"]

# A detector's heads take up to a fifth of its compute. Open values alone say little: Swin leaves half of its
# values open inside attention, and a detector two thirds of them behind its last map.
_LEAST_SHARE = 0.75
_MOST_SEVERED = 0.1
# Nested transformers, followed only at their ends, leave 0.94; MobileViT, followed around its patches, 0.8.
_MOST_OPEN = 0.9


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
        if len(listing.shapes[name]) == 4 and set(listing.axes.get(name, "?")) - set("NCHW")
    )
    name = next(maps, "")
    if name:
        return said, f"if {name!r} holds maps, --layout {name}=NCHW states it"
    if len(listing.shapes.get(first, ())) == 3:
        return said, f"if {first!r} holds tokens, --layout {first}=NTC states it"
    return said, ""
