"""How far the layers of drawn networks of many families respond from where the graph has their cells.

Every row and every column of an image is changed by itself. The centre of a cell's squared response to them
is compared with the rule, in cells: the median over the middle half of the cells, the mean over draws.
Weights that are all positive cannot cancel: what a branch hands on in blocks of coarse cells is then weaker
than what one of finer cells does. Of weights of either sign all branches are equally loud.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from architectures import FAMILIES, draw
from numpy.typing import NDArray

from onnxdissect.model import Layer, Network, load_network, open_session

BATCH = 16


def placed_and_not(network: Network) -> tuple[list[Layer], list[Layer]]:
    """Maps whose cells have a place, and maps whose cells have none."""
    maps = [layer for layer in network.select(["all"]) if layer.grid != (1, 1)]
    placed = [layer for layer in maps if layer.receptive_field is not None]
    return placed, [layer for layer in maps if layer.receptive_field is None]


def distances(network: Network, layers: Sequence[Layer], seed: int) -> NDArray[np.float64]:
    """Cells from the rule to the centre of the response, down and across: (layers, 2), NaN where silent."""
    session = open_session(network, layers, provider="cpu")
    random = np.random.default_rng(seed)
    height, width = network.size
    image, other = random.uniform(0, 1, (2, 1, 3, height, width)).astype(np.float32)
    before = session(image)
    apart = np.full((len(layers), 2), np.nan)
    for axis, length in enumerate((height, width)):
        heard = [np.zeros((length, layer.grid[axis])) for layer in layers]
        for first in range(0, length, BATCH):
            rows = np.arange(first, min(first + BATCH, length))
            changed = image.repeat(len(rows), axis=0)
            for i, row in enumerate(rows):
                where = (i, slice(None), row) if axis == 0 else (i, slice(None), slice(None), row)
                changed[where] = other[(0, *where[1:])]
            for sums, old, new in zip(heard, before, session(changed), strict=True):
                sums[rows] = ((new - old).astype(np.float64) ** 2).sum(axis=(1, 3 - axis))
        for index, (layer, sums) in enumerate(zip(layers, heard, strict=True)):
            apart[index, axis] = _from_rule(layer, axis, sums)
    return apart


def _from_rule(layer: Layer, axis: int, sums: NDArray[np.float64]) -> float:
    rule = layer.receptive_field
    assert rule is not None
    cells = np.arange(sums.shape[1])
    total = sums.sum(axis=0)
    centres = np.arange(len(sums)) @ sums / np.where(total > 0, total, np.nan)
    offset, stride = rule.offset[axis], rule.stride[axis]
    inner = slice(len(cells) // 4, len(cells) - len(cells) // 4)
    off = ((centres - offset - stride * cells) / stride)[inner]
    if not np.isfinite(off).all():
        return np.nan
    # where all respond to the same place, as behind attention over the whole image, there is none to compare
    follows = len(off) < 2 or np.polyfit(cells[inner], centres[inner], 1)[0] > stride / 2
    return float(np.median(off)) if follows else np.nan


def measure(
    family: str, draws: int, *, positive: bool, same: bool
) -> tuple[list[Layer], list[Layer], NDArray[np.float64]]:
    """Layers with a place, those without, and the distances of the former: (layers, 2)."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(draws):
            path = Path(folder) / f"{seed}.onnx"
            onnx.save(draw(family, seed, positive=positive, same=same), path)
            network = load_network(path)
            placed, unplaced = placed_and_not(network)
            found.append(distances(network, placed, seed))
    return placed, unplaced, np.mean(found, axis=0)


def main() -> None:
    """Print a row for every family, padding and kind of weights, and every layer beyond half a cell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", help=f"some of {', '.join(FAMILIES)}; all if left out")
    parser.add_argument("--draws", type=int, default=4, help="weights drawn for each row")
    parser.add_argument("--quick", action="store_true", help="a single draw of positive weights")
    asked = parser.parse_args()
    columns = "family", "padding", "weights", "maps", "no place", "silent", "down", "across", "farthest"
    print("{:<20}{:>8}{:>10}{:>6}{:>10}{:>8}{:>8}{:>8}  {}".format(*columns))
    for family in asked.families or FAMILIES:
        for same in (False, True):
            for positive in (True,) if asked.quick else (True, False):
                draws = 1 if asked.quick else asked.draws
                placed, unplaced, apart = measure(family, draws, positive=positive, same=same)
                silent = int(np.isnan(apart).any(axis=1).sum())
                down, across = (_farthest(apart[:, axis]) for axis in (0, 1))
                far = np.nan_to_num(np.abs(apart)).max(axis=1)
                row = family, "SAME" if same else "even", "positive" if positive else "any sign"
                counts = len(placed) + len(unplaced), len(unplaced), silent
                shown = f"{down:+.2f}", f"{across:+.2f}", placed[int(far.argmax())].name
                print("{:<20}{:>8}{:>10}{:>6}{:>10}{:>8}{:>8}{:>8}  {}".format(*row, *counts, *shown))
                for index in np.flatnonzero(far > 0.5):
                    layer, (down, across) = placed[index], apart[index]
                    assert layer.receptive_field is not None
                    print(f"    {layer.name}: {down:+.2f} {across:+.2f} of {layer.receptive_field.stride} px")
                for layer in unplaced:
                    print(f"    {layer.name}: no place")


def _farthest(cells: NDArray[np.float64]) -> float:
    finite = cells[np.isfinite(cells)]
    return float(finite[np.abs(finite).argmax()]) if len(finite) else float("nan")


if __name__ == "__main__":
    main()
