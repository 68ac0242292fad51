"""Stems: strided convolutions in front of the first residual block, a patch embedding in several steps."""

from __future__ import annotations

import itertools

from onnxdissect.model.stages.blocks.blocks import Block, Style
from onnxdissect.model.stages.trunk.flow import Flow, is_coarser
from onnxdissect.model.stages.trunk.products import has_weights

__all__ = ["is_convolution", "without_patches"]


def without_patches(
    flow: Flow, blocks: list[Block], ends: list[tuple[int, Block]], style: Style
) -> list[tuple[int, Block]]:
    """Leave out the inside of a patch embedding that is made by several convolutions.

    Parameters
    ----------
    flow : Flow
        The graph.
    blocks : list of Block
        Of its trunk.
    ends : list of (int, Block)
        Values that blocks hand on.
    style : Style
        What the shortcuts of the network carry.

    Returns
    -------
    list of (int, Block)
        Where a linear residual stream begins behind strided convolutions of which each makes a resolution
        alone (LeViT, EfficientFormer), without what is finer than that stream; else all.
    """
    if not style.linear or not style.shortcuts:
        return ends
    stem: list[Block] = []
    for block in blocks[1:]:
        first = block.members[0]
        if block.kind == "sum" and flow.grids[flow.dominators[first]] == block.grid and stem:
            break
        if block.kind == "other" and not stem:
            # the image's own normalisation
            continue
        if not is_convolution(flow, block):
            return ends
        stem.append(block)
    else:
        return ends
    before = [blocks[0], *stem]
    grid = stem[-1].grid
    strided = all(
        is_coarser(after.grid, block.grid)
        for block, after in itertools.pairwise(before)
        if block.grid != grid
    )
    return [end for end in ends if not is_coarser(grid, flow.grids[end[0]])] if strided else ends


def is_convolution(flow: Flow, block: Block) -> bool:
    """Whether a block is one product with weights, or several side by side that are added.

    Parameters
    ----------
    flow : Flow
        The graph.
    block : Block
        A block of its trunk.

    Returns
    -------
    bool
        Networks that are re-parametrised for inference hold such sums while they are trained.
    """
    number = block.members[0]
    if block.kind == "weights":
        return True
    return block.kind == "sum" and _depth(flow, flow.dominators[number], number) == 1


def _depth(flow: Flow, start: int, number: int) -> int:
    """Most products with weights in a row between two values, the second one's dominator first."""
    most = {start: 0}
    for other in range(start + 1, number + 1):
        depths = [most[operand] for operand in flow.before[other] if operand in most]
        if depths:
            most[other] = max(depths) + has_weights(flow, other)
    return most[number]
