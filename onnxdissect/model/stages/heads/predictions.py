"""What a network's heads predict for each cell, and what a decoder of queries reads instead."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Compute
from onnxdissect.model.stages.trunk.flow import Flow, Maps
from onnxdissect.model.stages.trunk.products import chooses_regions, has_weights

__all__ = ["ends_of_heads", "last_products", "predictions"]

# Decoding a prediction takes up to two products with stored numbers (bins to distances, centres to corners);
# a layer of a decoder takes at least three, and so does what follows it.
_DECODED = 2
# Ends that one walk looks at: a value takes two numbers of so many bits.
_AT_ONCE = 4096


def last_products(flow: Flow, maps: Maps) -> list[int]:
    """Products with weights that are maps, and that no such product is computed from.

    Parameters
    ----------
    flow : Flow
        The graph.
    maps : Maps
        What is known of its values.

    Returns
    -------
    list of int
        In topological order. A convolution of a single cell, the last of a detector's extra levels, is such a
        product too, unless the cell was cut from a region that the network chose.
    """
    follow = [False] * len(flow.names)
    leads = [False] * len(flow.names)
    found: list[int] = []
    for number in reversed(range(len(flow.names))):
        for user in flow.after[number]:
            follow[number] |= follow[user] or (user in maps.cells and has_weights(flow, user))
            node = flow.nodes[user]
            if node is not None and not chooses_regions(node):
                convolved = operator_of(node).compute is Compute.CONVOLUTION
                leads[number] |= leads[user] or (flow.grids[user] == (1, 1) and convolved)
        if not (follow[number] or leads[number]) and number in maps.cells and has_weights(flow, number):
            found.append(number)
    return found[::-1]


def predictions(flow: Flow, maps: Maps) -> list[int]:
    """Those last products that are predictions.

    Parameters
    ----------
    flow : Flow
        The graph.
    maps : Maps
        What is known of its values.

    Returns
    -------
    list of int
        In topological order, without what a decoder reads that holds queries in place of cells (DETR): keys,
        values and the projections of each level.
    """
    behind = [0] * len(flow.names)
    for number in reversed(range(len(flow.names))):
        for user in flow.after[number]:
            node = flow.nodes[user]
            if node is not None and not chooses_regions(node):
                behind[number] = max(behind[number], behind[user] + has_weights(flow, user))
    return [number for number in last_products(flow, maps) if behind[number] <= _DECODED]


def ends_of_heads(
    flow: Flow, maps: Maps, outputs: Collection[int], layers: Collection[int], whole: bool
) -> list[int]:
    """Find what each head predicts.

    Parameters
    ----------
    flow : Flow
        The graph.
    maps : Maps
        What is known of its values.
    outputs : collection of int
        Numbers of the graph's outputs that depend on the image.
    layers : collection of int
        Values behind the trunk and the neck that are layers.
    whole : bool
        Whether all outputs describe the image as a whole.

    Returns
    -------
    list of int
        Predictions for each cell, in topological order; then, of each output that is computed from none of
        them, the layers that neither another layer nor a product with weights follows on the way to it.
    """
    products = [] if whole else last_products(flow, maps)
    found = [n for n in predictions(flow, maps) if n in layers] if products else []
    predicted = flow.descendants(*products)
    ends = _repeated(flow, layers)
    # outputs may be as many as nodes, and many of them the same but for their form
    distinct = list(dict.fromkeys(ends[out] for out in sorted(outputs) if out not in predicted))
    found += _last_layers(flow, distinct, layers)
    return list(dict.fromkeys(found))


def _repeated(flow: Flow, layers: Collection[int]) -> list[int]:
    """For each value, the one that it is computed from alone, without a layer or weights in between."""
    ends = list(range(len(flow.names)))
    for number, operands in enumerate(flow.before):
        if len(operands) == 1 and number not in layers and not has_weights(flow, number):
            ends[number] = ends[operands[0]]
    return ends


def _last_layers(flow: Flow, ends: Sequence[int], layers: Collection[int]) -> list[int]:
    """Layers that neither another layer nor a product with weights follows on the way to an end.

    Ordered by the first end that each is the last layer of, and by number among those of one end.
    """
    stops = [number in layers or has_weights(flow, number) for number in range(len(flow.names))]
    found: dict[int, None] = {}
    for start in range(0, len(ends), _AT_ONCE):
        places = {end: 1 << i for i, end in enumerate(ends[start : start + _AT_ONCE])}
        # sets of ends, as the bits of a number: those that a value leads to, and those that it leads to
        # through a layer or a product with weights; all that is computed from a value comes behind it
        leads = [0] * len(stops)
        follow = [0] * len(stops)
        firsts: list[tuple[int, int]] = []
        for number in reversed(range(max(places) + 1)):
            leads_to, behind = places.get(number, 0), 0
            for user in flow.after[number]:
                leads_to |= leads[user]
                behind |= leads[user] if stops[user] else follow[user]
            leads[number], follow[number] = leads_to, behind
            free = leads_to & ~behind
            if free and number in layers:
                firsts.append((free & -free, number))
        found.update(dict.fromkeys(number for _, number in sorted(firsts)))
    return list(found)
