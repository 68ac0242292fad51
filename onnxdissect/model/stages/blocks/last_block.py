"""The last block of a trunk, where no activation ends it: features that are handed out, or a prediction.

A feature extractor may end in a bare convolution or its normalisation, and so may the part of a classifier
before the pooling. A head ends in a bare product too, and only what it looks like tells it from a block.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxdissect.model.operators.lookup import operator_of
from onnxdissect.model.operators.rules import Axes, Units
from onnxdissect.model.stages.blocks.blocks import Block, Style
from onnxdissect.model.stages.trunk.flow import Flow
from onnxdissect.model.stages.trunk.products import is_depthwise, is_pointwise, weights_follow
from onnxdissect.model.stages.trunk.trunk import Trunk

__all__ = ["bare_features"]


def bare_features(
    flow: Flow, trunk: Trunk, blocks: list[Block], style: Style, units: Mapping[int, int]
) -> Block | None:
    """Find the trunk's last block, if it has weights, no nonlinearity behind them, and predicts nothing.

    Parameters
    ----------
    flow : Flow
        The graph.
    trunk : Trunk
        Its trunk.
    blocks : list of Block
        Of that trunk.
    style : Style
        What its shortcuts carry.
    units : mapping of int to int
        Units of the values that are layers.

    Returns
    -------
    Block or None
        Where products with weights follow, such a block makes a resolution of its own and looks around. Where
        it is an output, it is normalised, or keeps at least as many units as it reads (in an inverted
        bottleneck, as the stream has) and looks around, or the trunk has other outputs too.
    """
    last = next((i for i in reversed(range(len(blocks))) if blocks[i].kind != "other"), None)
    if last is None or any(block.activated is not None for block in blocks[last:]):
        return None
    block = blocks[last]
    first = block.members[0]
    if block.kind != "weights" or trunk.up:
        return None
    before = next((b for b in reversed(blocks[:last]) if b.kind != "other"), None)
    filtered = before is not None and is_depthwise(flow, before.members[0])
    if trunk.whole or weights_follow(flow)[first]:
        shown = any(b.grid == block.grid and (b.activated is not None or b.kind == "sum") for b in blocks)
        return None if shown or (is_pointwise(flow, first) and not filtered) else block
    if style.linear and before is not None:
        # the stream that enters the block; the first convolution where the block is the first
        stream = [b for b in blocks[: blocks.index(before)] if b.activated is None and b.kind != "other"]
        told = filtered or trunk.extracts
        return block if told and _keeps_units(units, stream[-1] if stream else None, block) else None
    if any(_is_normalisation(flow, number) for number in block.members):
        return block
    told = trunk.extracts or filtered or not is_pointwise(flow, first)
    return block if told and before is not None and _keeps_units(units, before, block) else None


def _is_normalisation(flow: Flow, number: int) -> bool:
    node = flow.nodes[number]
    if node is None:
        return False
    operator = operator_of(node)
    return operator.axes is Axes.FIRST and operator.units is Units.SECOND


def _keeps_units(units: Mapping[int, int], before: Block | None, block: Block) -> bool:
    if before is None:
        return True
    known = [next((units[n] for n in b.members if n in units), 0) for b in (before, block)]
    return 0 < known[0] <= known[1]
