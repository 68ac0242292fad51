"""Which layer of a candidate is which of the baseline's: by name, or by place where names changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxdissect.check.baseline.snapshot import LayerSnapshot
from onnxdissect.model import Layer

__all__ = ["LayerMatch", "match_layers"]


@dataclass(frozen=True, slots=True)
class LayerMatch:
    """A layer of the candidate that stands for one of the baseline's.

    Attributes
    ----------
    before : str
        Name in the baseline.
    after : str
        Name in the candidate.
    reason : str
        Why, where the names differ; empty where they are the same.
    """

    before: str
    after: str
    reason: str


def match_layers(wanted: Sequence[LayerSnapshot], offered: Sequence[Layer]) -> tuple[LayerMatch, ...]:
    """Find the baseline's layers in a candidate.

    Exporters and quantisers rename values. A layer without a namesake is looked for among those of as many
    units and the same grid that no other layer has taken: those that see as much of the image, by the size
    and stride of their receptive fields, if these are known; among these, those made by the same operator,
    if there are any. What is left is matched in the order of the graph, the last to the last.

    Parameters
    ----------
    wanted : sequence of LayerSnapshot
        In the order of the graph.
    offered : sequence of Layer
        In the order of the graph.

    Returns
    -------
    tuple of LayerMatch
        In the order of `wanted`, without those that nothing was found for.
    """
    names = {layer.name for layer in offered}
    found = {layer.name: LayerMatch(layer.name, layer.name, "") for layer in wanted if layer.name in names}
    taken = {match.after for match in found.values()}
    # From the last to the first, so that the order of the graph is kept among those that look alike.
    bound = len(offered)
    position = {layer.name: i for i, layer in enumerate(offered)}
    for layer in reversed(wanted):
        if layer.name in found:
            bound = position[layer.name]
            continue
        free = [other for other in offered[:bound] if other.name not in taken]
        chosen, reason = _alike(layer, free)
        if chosen is not None:
            found[layer.name] = LayerMatch(layer.name, chosen.name, reason)
            taken.add(chosen.name)
            bound = position[chosen.name]
    return tuple(found[layer.name] for layer in wanted if layer.name in found)


def _alike(layer: LayerSnapshot, free: Sequence[Layer]) -> tuple[Layer | None, str]:
    alike = [other for other in free if other.units == layer.units and other.grid == layer.shape]
    reason = f"the last with {layer.units} units of {layer.shape[0]}x{layer.shape[1]}"
    if layer.geometry is not None and any(other.receptive_field is not None for other in alike):
        size, stride = layer.geometry["size"], tuple(layer.geometry["stride"])
        alike = [
            other
            for other in alike
            if other.receptive_field is not None
            and other.receptive_field.stride == stride
            and (size is None or other.receptive_field.size in (None, tuple(size)))
        ]
        sees = f"fields of {size[0]:g}x{size[1]:g}" if size else f"fields {stride[0]:g}x{stride[1]:g} apart"
        reason += f" and receptive {sees}"
    same = [other for other in alike if other.op == layer.op]
    if same:
        alike = same
        reason += f", made by {layer.op}"
    return (alike[-1], reason) if alike else (None, "")
