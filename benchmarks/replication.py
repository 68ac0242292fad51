"""Which labels come out again on other images: split halves.

    python benchmarks/replication.py MODEL DATA [--splits N] [--min-images N] [--layer SEL]...
        [--units FILE] [--quick] [preprocessing options]

The images are split at random into two halves, N times over, and MODEL is dissected on either half from the
start, thresholds included. What one half says of a unit is held against the other half, in both directions. A
label replicates if the other half gives the unit the same label; it stands if the concept's IoU with the unit
exceeds the threshold there too. FILE gets a line for every unit with a label, to try other definitions on.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import options
from draws import link_images, read_index, write_folder
from numpy.typing import NDArray

import onnxdissect
from onnxdissect.statistics.reliability import STABLE

FEW = 10
QUICK = {"splits": 1, "resamples": 50, "null": 3}

parser = options.common(__doc__)
parser.add_argument("--splits", type=int, default=3, help="how often the images are split; default 3")
parser.add_argument("--seed", type=int, default=0, help="what the splits are drawn by")
parser.add_argument("--min-images", type=int, default=1, help="concepts in fewer images of a half are out")
parser.add_argument("--resamples", type=int, default=1000)
parser.add_argument("--null", type=int, default=10, help="shuffles")
parser.add_argument("--units", type=Path, help="a CSV file with what was found of every unit")
parser.add_argument("--quick", action="store_true", help="one split, few resamples: to see that it works")


@dataclass(frozen=True)
class Told:
    """What one half says of a unit, and what became of it in the other half."""

    split: int
    half: int
    layer: str
    unit: int
    label: str
    images: int
    iou: float
    low: float
    high: float
    stability: float
    p_value: float
    q_value: float
    reliable: bool
    same: bool
    iou_there: float


SELECTIONS: dict[str, Callable[[Told, float], bool]] = {
    "IoU above the threshold": lambda told, threshold: told.iou > threshold,
    f"- and its label in fewer than {FEW} images": lambda told, threshold: (
        told.iou > threshold and told.images < FEW
    ),
    "- and q-value at most 0.05": lambda told, threshold: told.iou > threshold and told.q_value <= 0.05,
    "- and interval above the threshold": lambda told, threshold: told.low > threshold,
    f"- and stability above {STABLE:g}": lambda told, threshold: (
        told.iou > threshold and told.stability > STABLE
    ),
    "- and both of these": lambda told, threshold: told.low > threshold and told.stability > STABLE,
    "reliable": lambda told, threshold: told.reliable,
}
PREDICTORS: dict[str, Callable[[Told], float]] = {
    "lower end of the interval": lambda told: told.low,
    "stability": lambda told: told.stability,
    "IoU": lambda told: told.iou,
    "p-value": lambda told: -told.p_value,
    "images that hold the label": lambda told: told.images,
}


def halves(source: Path, folder: Path, limit: int | None, random: np.random.Generator) -> list[str]:
    """Two Broden folders, each with half of the images of a third in their old order."""
    header, rows = read_index(source)
    if limit is not None and limit < len(rows):
        rows = [rows[i] for i in np.linspace(0, len(rows) - 1, limit).astype(int)]
    order = random.permutation(len(rows))
    cuts = np.sort(order[: len(rows) // 2]), np.sort(order[len(rows) // 2 :])
    return [
        link_images(source, write_folder(source, folder / name, header, [rows[i] for i in cut]))
        for name, cut in zip(("one", "two"), cuts, strict=True)
    ]


def told(split: int, half: int, run: onnxdissect.Dissection, other: onnxdissect.Dissection) -> Iterator[Told]:
    """Hold what a run says of its units against another run."""
    position = {concept.name: i for i, concept in enumerate(run.concepts)}
    for info in run.layers:
        there, labels = other.iou(info.name)[0], other.scores(info.name).concept[0]
        for unit in run.units(info.name, run.quantiles[0]):
            if not unit.label:
                continue
            concept = position[unit.label]
            yield Told(
                split,
                half,
                info.alias,
                unit.unit,
                unit.label,
                run.concepts[concept].images,
                unit.iou,
                _number(unit.iou_low, 0.0),
                _number(unit.iou_high, 0.0),
                _number(unit.stability, 0.0),
                _number(unit.p_value, 1.0),
                _number(unit.q_value, 1.0),
                bool(unit.reliable),
                bool(labels[unit.unit] == concept),
                float(there[unit.unit, concept]),
            )


def _number(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def auc(values: NDArray[np.float64], came_true: NDArray[np.bool_]) -> float:
    """How often a value of what came true exceeds one of what did not, ties by half."""
    yes, no = np.sort(values[came_true]), values[~came_true]
    if not yes.size or not no.size:
        return float("nan")
    above = yes.size - (np.searchsorted(yes, no, "left") + np.searchsorted(yes, no, "right")) / 2
    return float(above.mean() / yes.size)


def table(units: Sequence[Told], threshold: float) -> None:
    """Print which selections replicate, and what predicts it."""
    print(f"  {'units with':<42}{'units':>8}{'replicate':>11}{'stand':>9}{'both':>8}")
    for name, chosen in SELECTIONS.items():
        picked = [unit for unit in units if chosen(unit, threshold)]
        same = np.array([unit.same for unit in picked], np.bool_)
        stand = np.array([unit.iou_there > threshold for unit in picked], np.bool_)
        shares = "".join(
            f"{_per_cent(part):>{width}}" for part, width in ((same, 11), (stand, 9), (same & stand, 8))
        )
        print(f"  {name:<42}{len(picked):>8,}{shares}")
    detectors = [unit for unit in units if unit.iou > threshold]
    same = np.array([unit.same for unit in detectors], np.bool_)
    print("  what predicts that a detector's label replicates (area under the curve):")
    for name, of in PREDICTORS.items():
        print(f"    {name:<40}{auc(np.array([of(unit) for unit in detectors]), same):>8.3f}")


def _per_cent(part: NDArray[np.bool_]) -> str:
    return f"{100 * part.mean():.1f} %" if part.size else "-"


def main() -> None:
    given = parser.parse_args()
    if given.quick:
        for name, value in QUICK.items():
            setattr(given, name, value)
    source = given.data
    units: list[Told] = []
    threshold, sizes = 0.04, (0, 0)
    for split in range(given.splits):
        random = np.random.default_rng([given.seed, split])
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            one, two = (
                onnxdissect.dissect(
                    given.model,
                    half,
                    given.layer or ["stages"],
                    out=folder / f"{Path(half).name}-run",
                    bootstrap=given.resamples,
                    null=given.null,
                    min_images=given.min_images,
                    top=0,
                    provider="cpu",
                    **options.preprocessing(given),
                )
                for half in halves(source, folder, given.limit, random)
            )
            threshold, sizes = one.iou_threshold, (len(one.images), len(two.images))
            units += [*told(split, 0, one, two), *told(split, 1, two, one)]
    print(
        f"{given.model.name} on {source.name}: {given.splits} splits into {sizes[0]} and {sizes[1]} images, "
        f"threshold {threshold:g}, concepts in at least {given.min_images} images"
    )
    layers = list(dict.fromkeys(unit.layer for unit in units))
    for layer in layers if len(layers) > 1 else ():
        print(f"\n{layer}")
        table([unit for unit in units if unit.layer == layer], threshold)
    print("\nall layers" if len(layers) > 1 else f"\n{''.join(layers)}")
    table(units, threshold)
    if given.units is not None:
        with given.units.open("w", newline="", encoding="utf-8") as file:
            names = [field.name for field in fields(Told)]
            csv.writer(file).writerows([names, *([getattr(unit, n) for n in names] for unit in units)])


if __name__ == "__main__":
    main()
