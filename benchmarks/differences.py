"""Whether intervals of differences cover, and how often a difference is called one, on drawn worlds.

    python benchmarks/differences.py MODEL OTHER DATA [--images N] [--worlds N] [--nulls N] [--layer SEL]...
        [--quantile TAU] [--basis SPEC]... [preprocessing options]

Worlds are N images of the data set drawn with replacement. In each, both networks are dissected from the
start, thresholds included, and compared: OTHER with MODEL layer by layer, each layer of MODEL with the one
before it, and layers under bases with the layer itself. An interval should hold the mean of the worlds'
differences. Two rotations of one layer differ by little, so their p-values should be small one time in
twenty at most where the mean is close to 0.

In worlds of the null hypothesis nothing differs but by chance: MODEL is dissected on the same drawn images
twice, with contrast, brightness and noise drawn anew for every image of either side. Which side is which
is then as the toss of a coin in every image, and no share of p-values should be below its level beyond error.
(Two halves of a layer's units, or two rotations, are no such null: these units differ, whatever the images.)
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from draws import disturb, draw

import onnxdissect
from onnxdissect.experiments.comparison import ComparisonResult, Difference
from onnxdissect.tiny import ensure_tiny

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model", type=Path)
parser.add_argument("other", type=Path)
parser.add_argument("data", help="a folder in the Broden layout, or tiny")
parser.add_argument("--images", type=int, default=400)
parser.add_argument("--worlds", type=int, default=40)
parser.add_argument("--nulls", type=int, default=40, help="worlds in which nothing differs but by chance")
parser.add_argument("--bootstrap", type=int, default=1000)
parser.add_argument("--layer", action="append")
parser.add_argument("--quantile", type=float, default=0.005)
parser.add_argument("--basis", action="append", default=[])
parser.add_argument("--mean", type=float, nargs="+")
parser.add_argument("--std", type=float, nargs="+")
parser.add_argument("--scale", type=float)
parser.add_argument("--preset")

LEVELS = (0.5, 0.2, 0.1, 0.05, 0.01)

# Of what was counted, by what was held against what.
Found = dict[tuple[str, str], list[Difference]]


def add(found: Found, result: ComparisonResult, by: str) -> None:
    """Take in the differences of one world."""
    for pair in result.pairs:
        assert pair.paired, pair.reason
        place = f"{by}: {pair.second} - {pair.first}"
        found[place, "unique"].append(pair.unique)
        found[place, "share"].append(pair.share)
        for category, one in pair.unique_by_category.items():
            found[place, category].append(one)


def print_coverage(found: Found) -> None:
    """Intervals against the worlds' mean, for each pair and pooled."""
    print(f"{'':<58} {'mean':>7} {'sd':>6} {'width':>6}  below inside  above  p<=.05")
    pooled: dict[str, list[tuple[float, float, float, float]]] = defaultdict(list)
    for (place, what), worlds in found.items():
        value, low, high, p = np.array([(d.value, d.low, d.high, d.p_value) for d in worlds], float).T
        mean = value.mean()
        sides = ((mean < low).mean(), ((low <= mean) & (mean <= high)).mean(), (mean > high).mean())
        rejected = (p <= 0.05).mean()
        scale = 100 if what == "share" else 1
        # a category that nobody detects differs by nothing, and would flatter the rates
        steady = not value.any() and not (high - low).any()
        counted = what in ("unique", "share")
        # an interval of whole numbers cannot hold the mean of counts that are 0 but for a few worlds
        varies = "of sd above 1" if value.std(ddof=1) > 1 else "of sd up to 1"
        kind = what if counted else f"by category, {varies}"
        if not steady:
            pooled[kind].append((*sides, rejected))
        if not counted and not steady:
            near = ((mean < low - 0.5).mean(), ((low - 0.5 <= mean) & (mean <= high + 0.5)).mean())
            pooled[f"{kind}, within half a count"].append((*near, (mean > high + 0.5).mean(), rejected))
        if counted:
            print(
                f"{f'{place}, {what}':<58} {scale * mean:7.2f} {scale * value.std(ddof=1):6.2f}"
                f" {scale * (high - low).mean():6.2f} "
                + " ".join(f"{100 * side:5.1f}%" for side in sides)
                + f" {100 * rejected:6.1f}%"
            )
    for kind, rates in pooled.items():
        rows = " ".join(f"{100 * rate:5.1f}%" for rate in np.mean(rates, axis=0))
        print(f"{f'all {len(rates)} pairs, {kind}':<80} {rows}")


def print_null(found: Found, worlds: int) -> None:
    """How often p-values are at most a level where nothing differs, with the standard error by worlds."""
    pooled: dict[str, list[list[float]]] = defaultdict(lambda: [[] for _ in range(worlds)])
    for (_, what), differences in found.items():
        kind = what if what in ("unique", "share") else "by category"
        for world, one in enumerate(differences):
            # a p-value of 1 where neither side ever detects anything would flatter the rates
            if one.p_value is not None and (one.value or one.low or one.high):
                pooled[kind][world].append(one.p_value)
    print(f"{'null hypothesis, share of p-values at most':<58} " + " ".join(f"{at:>13g}" for at in LEVELS))
    for kind, by_world in pooled.items():
        held = [np.array(one) for one in by_world if one]
        p = np.concatenate(held)
        rates = []
        for level in LEVELS:
            error = np.std([(one <= level).mean() for one in held], ddof=1) / len(held) ** 0.5
            rates.append(f"{100 * (p <= level).mean():5.1f}% ±{100 * error:5.1f}")
        print(f"{f'{len(p)} of {kind}':<58} " + " ".join(f"{rate:>13}" for rate in rates))


def main() -> None:
    given = parser.parse_args()
    names = ("mean", "std", "scale", "preset", "bootstrap")
    options: dict[str, Any] = {name: getattr(given, name) for name in names}
    options |= {"layers": given.layer or ["stages"], "quantiles": [given.quantile]}
    options |= {"provider": "cpu", "null": 0}
    source = ensure_tiny() if given.data == "tiny" else Path(given.data)
    random = np.random.default_rng(0)
    found: Found = defaultdict(list)
    null: Found = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        for i in range(given.worlds):
            folder = Path(name) / f"world-{i}"
            data = draw(source, folder / "data", given.images, random, shuffled=False)
            one = onnxdissect.dissect(given.model, data, out=folder / "one", bases=given.basis, **options)
            other = onnxdissect.dissect(given.other, data, out=folder / "other", **options)
            add(found, onnxdissect.compare([one, other]), "networks")
            if sum(info.basis is None for info in one.layers) > 1:
                add(found, onnxdissect.compare(one, against="previous"), "layers")
            if given.basis:
                add(found, onnxdissect.compare(one, by="basis", against="all"), "bases")
            shutil.rmtree(folder)
        for i in range(given.nulls):
            folder = Path(name) / f"null-{i}"
            sides = disturb(source, [folder / "first", folder / "second"], given.images, random)
            runs = [
                onnxdissect.dissect(given.model, side, out=f"{folder}/{k}", **options)
                for k, side in enumerate(sides)
            ]
            add(null, onnxdissect.compare(runs), "null")
            shutil.rmtree(folder)
    print(f"{given.other.name} and {given.model.name}: {given.worlds} worlds of {given.images} images")
    print_coverage(found)
    if null:
        print_null(null, given.nulls)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
