"""What a network's heads predict for each cell, and what a decoder of queries reads instead."""

from __future__ import annotations

from collections.abc import Collection

from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Compute
from onnxdissect.model.stages.trunk.flow import Flow, Maps
from onnxdissect.model.stages.trunk.products import chooses_regions, has_weights

__all__ = ["ends_of_heads", "last_products", "predictions"]

# Decoding a prediction takes up to two products with stored numbers (bins to distances, centres to corners);
# a layer of a decoder takes at least three, and so does what follows it.
_DECODED = 2


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
    made = {out: flow.ancestors(out) for out in outputs}
    found = [n for n in predictions(flow, maps) if n in layers] if products else []
    for out in sorted(outputs):
        if not made[out].isdisjoint(products):
            continue
        found += [n for n in sorted(made[out].intersection(layers)) if _is_last(flow, n, made[out], layers)]
    return list(dict.fromkeys(found))


def _is_last(flow: Flow, number: int, path: Collection[int], layers: Collection[int]) -> bool:
    """Whether no layer and no product with weights is computed from a value, among what makes an output."""
    waiting, reached = [number], {number}
    while waiting:
        users = [user for user in flow.after[waiting.pop()] if user in path and user not in reached]
        if any(user in layers or has_weights(flow, user) for user in users):
            return False
        reached.update(users)
        waiting += users
    return True
