"""Whether intervals cover and p-values are uniform, on worlds drawn from a larger one.

    python benchmarks/calibration.py MODEL UNTRAINED DATA [--images N] [--worlds N] [--layer SEL]...
        [--only intervals|p-values] [preprocessing options]

The data set stands for the whole population: MODEL dissected on all of it gives the IoU that intervals
should cover. Worlds are N of its images drawn with replacement, each dissected from the start, thresholds
included. For p-values, every world gives its annotations to other images, so that UNTRAINED's units have
nothing to do with what is shown; only chance is left.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from draws import draw
from numpy.typing import NDArray

import onnxdissect
from onnxdissect.tiny import ensure_tiny

LEVELS = (0.5, 0.2, 0.1, 0.05, 0.01, 0.001)

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model", type=Path)
parser.add_argument("untrained", type=Path)
parser.add_argument("data", help="a folder in the Broden layout, or tiny")
parser.add_argument("--images", type=int, default=400)
parser.add_argument("--worlds", type=int, default=40)
parser.add_argument("--bootstrap", type=int, default=1000)
parser.add_argument("--null", type=int, default=10)
parser.add_argument("--layer", action="append")
parser.add_argument("--only", choices=("intervals", "p-values"))
parser.add_argument("--mean", type=float, nargs="+")
parser.add_argument("--std", type=float, nargs="+")
parser.add_argument("--scale", type=float)
parser.add_argument("--preset")


class Coverage:
    """Intervals of worlds against the population's figures."""

    def __init__(self, population: onnxdissect.Dissection) -> None:
        self._names = {concept.name: i for i, concept in enumerate(population.concepts)}
        self._iou = {info.name: population.iou(info.name)[0] for info in population.layers}
        self._labels = {(unit.layer, unit.unit): unit.label for unit in population.units()}
        self._unique = {line.layer: line.unique_detectors for line in population.summary()}
        # By group: below, inside, above.
        self.found: dict[str, NDArray[np.int64]] = {}
        self.unique: dict[str, list[tuple[int, int, int]]] = {}

    def add(self, world: onnxdissect.Dissection) -> None:
        for unit in world.units():
            if unit.iou_low is None or unit.iou_high is None or unit.stability is None:
                continue
            true = self._iou[unit.layer][unit.unit, self._names[unit.label]]
            side = 0 if true < unit.iou_low else 2 if true > unit.iou_high else 1
            groups = ["all units with a label"]
            groups += ["label of the population"] if unit.label == self._labels[unit.layer, unit.unit] else []
            groups += ["detectors"] if unit.detector else []
            groups += ["detectors of stability above 0.9"] if unit.detector and unit.stability > 0.9 else []
            for group in groups:
                self.found.setdefault(group, np.zeros(3, np.int64))[side] += 1
        for line in world.summary():
            if line.unique_low is not None and line.unique_high is not None:
                figures = (line.unique_low, line.unique_detectors, line.unique_high)
                self.unique.setdefault(line.layer, []).append(figures)

    def print(self) -> None:
        print("95 % intervals of the IoU        intervals   below   inside    above   (of the population's)")
        for group, sides in self.found.items():
            below, inside, above = 100 * sides / sides.sum()
            print(f"{group:<32} {sides.sum():9d} {below:6.1f}% {inside:7.1f}% {above:7.1f}%")
        print("unique detectors     population   worlds' mean   interval's mean   holds the worlds' mean")
        for layer, figures in self.unique.items():
            low, found, high = np.array(figures, float).T
            held = ((low <= found.mean()) & (found.mean() <= high)).mean()
            print(
                f"{layer:<20} {self._unique[layer]:10d} {found.mean():14.1f}"
                f" {low.mean():10.1f}..{high.mean():.1f} {100 * held:16.1f}%"
            )


def kolmogorov_smirnov(p: NDArray[np.float64]) -> float:
    """Largest distance between the p-values' distribution and the uniform one."""
    if p.size == 0:
        return 0.0
    ordered = np.sort(p)
    above = np.arange(1, p.size + 1) / p.size - ordered
    below = ordered - np.arange(p.size) / p.size
    return float(max(above.max(), below.max()))


def print_uniformity(worlds: list[NDArray[np.float64]], detected: list[tuple[int, int]]) -> None:
    pooled = np.concatenate(worlds)
    distances = [kolmogorov_smirnov(p) for p in worlds]
    print(f"p-values of {len(worlds)} worlds, {pooled.size} units")
    print("level        " + "".join(f"{level:>9g}" for level in LEVELS))
    print("found        " + "".join(f"{(pooled <= level).mean():9.4f}" for level in LEVELS))
    each = [[float((p <= level).mean()) for level in LEVELS] for p in worlds if p.size]
    errors = np.std(each, axis=0, ddof=1) / math.sqrt(len(worlds)) if len(each) > 1 else np.zeros(6)
    print("std. error   " + "".join(f"{error:9.4f}" for error in errors))
    limit = 1.358 / math.sqrt(max(1.0, np.mean([p.size for p in worlds])))
    print(
        f"Kolmogorov-Smirnov: pooled {kolmogorov_smirnov(pooled):.4f}; by world {np.mean(distances):.4f},"
        f" {sum(d > limit for d in distances)} of {len(worlds)} above the 5 % limit of independent units"
    )
    some = sum(fdr > 0 for _, fdr in detected)
    print(
        f"detectors by chance: {sum(found for found, _ in detected)} at the IoU threshold, "
        f"{sum(fdr for _, fdr in detected)} after false-discovery control, "
        f"in {some} of {len(detected)} layers"
    )


def main() -> None:
    given = parser.parse_args()
    options: dict[str, Any] = {
        name: getattr(given, name) for name in ("mean", "std", "scale", "preset", "bootstrap", "null")
    }
    options |= {"layers": given.layer or ["stages"], "provider": "cpu"}
    source = ensure_tiny() if given.data == "tiny" else Path(given.data)
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def world(model: Path, label: str, *, shuffled: bool) -> onnxdissect.Dissection:
            data = draw(source, folder / f"{label}-data", given.images, random, shuffled=shuffled)
            return onnxdissect.dissect(model, data, out=folder / label, **options)

        if given.only != "p-values":
            population = onnxdissect.dissect(given.model, source, out=folder / "population", **options)
            print(f"{given.model.name}: {len(population.images)} images, worlds of {given.images}")
            coverage = Coverage(population)
            for i in range(given.worlds):
                coverage.add(world(given.model, f"drawn-{i}", shuffled=False))
            coverage.print()
        if given.only != "intervals":
            options["bootstrap"] = 0
            p_values, detected = [], []
            for i in range(given.worlds):
                run = world(given.untrained, f"shuffled-{i}", shuffled=True)
                tested = [unit.p_value for unit in run.units() if unit.p_value is not None and unit.label]
                p_values.append(np.array(tested))
                detected += [(line.detectors, line.detectors_fdr or 0) for line in run.summary()]
            print(f"{given.untrained.name}, labels shuffled between images")
            print_uniformity(p_values, detected)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
