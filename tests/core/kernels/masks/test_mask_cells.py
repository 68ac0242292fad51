"""What is kept for masks, cell by cell."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from naive import method as naive
from support.drawn_counts import World, worlds

from onnxdissect.core.kernels.masks.mask_cells import mask_cells
from onnxdissect.core.upsampling import interpolation_table

FURTHER = (3, 5)


@given(worlds())
@settings(max_examples=80, deadline=None)
def test_cells_above_the_threshold_and_those_around_masks_are_kept(world: World) -> None:
    plan = world.plan(block=2)
    passed, counted = world.dissect(plan, batch=1)
    n, units, h, w = world.activations.shape
    lowest = counted.thresholds.min(axis=0)
    # of every image also on a grid that no data set has
    grids = np.concatenate([plan.grids, [FURTHER]])
    table = interpolation_table((h, w), grids, plan.pixels, world.field)
    seen = []
    for chunk in passed.spool.in_order():
        (maps,) = chunk.layers
        before = maps.cells.copy(), maps.values.copy(), maps.image_starts.copy()
        grid_of = chunk.annotations.grid_of
        kept = mask_cells(maps, np.stack([grid_of, np.full_like(grid_of, len(plan.grids))], 1), lowest, table)
        for ours, theirs in zip((maps.cells, maps.values, maps.image_starts), before, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        for i in range(len(chunk)):
            image = chunk.start + i
            seen.append(image)
            records = range(kept.image_starts[i], kept.image_starts[i + 1])
            assert (np.diff([kept.units[record] for record in records]) > 0).all()
            found = {unit: set[tuple[int, int]]() for unit in range(units)}
            for record in records:
                unit = int(kept.units[record])
                for at in range(kept.starts[record], kept.starts[record + 1]):
                    row, column = divmod(int(kept.cells[at]), w)
                    assert kept.values[at] == world.activations[image, unit, row, column]
                    found[unit].add((row, column))
                assert found[unit], "maps that make no mask are left out"
            for unit in range(units):
                expected = [
                    naive.mask_cells(
                        world.activations[image, unit], grid, world.pixels, world.field, float(lowest[unit])
                    )
                    for grid in (world.annotations[image].grid, FURTHER)
                ]
                assert found[unit] == expected[0] | expected[1]
    assert seen == list(range(n))
