"""The mask of a sparse map is that of the whole map."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import method as naive
from support.drawn_counts import World, worlds

from onnxdissect.core.kernels.activations.encode import SparseEncoder
from onnxdissect.core.kernels.masks.draw_mask import draw_mask
from onnxdissect.core.spool.arena import Arena
from onnxdissect.core.upsampling import interpolation_table


@given(worlds(), st.data())
@settings(max_examples=100, deadline=None)
def test_masks_of_what_is_kept_are_masks_of_all(world: World, data: st.DataObject) -> None:
    n, units, h, w = world.activations.shape
    values = sorted({float(v) for v in world.activations.ravel()})
    bounds = np.array([data.draw(st.sampled_from([-np.inf, *values])) for _ in range(units)], np.float32)
    encoder = SparseEncoder(n, units, (h, w))
    encoder.add(world.activations, bounds)
    kept = encoder.drain(Arena())
    grids = world.plan().grids
    table = interpolation_table((h, w), grids, world.pixels, world.field)
    for image in range(n):
        grid = world.annotations[image].grid
        at = grids.tolist().index(list(grid))
        for unit in range(units):
            mine = [
                slice(kept.starts[record], kept.starts[record + 1])
                for record in range(kept.image_starts[image], kept.image_starts[image + 1])
                if kept.units[record] == unit
            ]
            (cells,) = mine or [slice(0, 0)]
            for threshold in {float(bounds[unit]), *(v for v in values if v >= bounds[unit])}:
                if np.isinf(threshold):
                    continue
                found = draw_mask(
                    kept.cells[cells], kept.values[cells], (h, w), np.float32(threshold), table, at
                )
                expected = naive.mask(
                    world.activations[image, unit], grid, world.pixels, world.field, threshold
                )
                assert found.dtype == np.bool_
                np.testing.assert_array_equal(found, expected)
