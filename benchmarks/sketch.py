"""What thresholds from a sample cost in IoU, against exact ones, on the same activations.

    python benchmarks/sketch.py MODEL DATA [--limit N] [--layer SEL] [--samples N ...] [preprocessing options]

Older tools take each unit's quantile from a sample or a sketch of its activations. A sketch of N values in
which each has its weight can at best rank the quantile as well as N values drawn at random in strata; a
plain random sample is what reservoirs hold. Both are drawn here, and everything else stays the same.
"""

from __future__ import annotations

import numpy as np
import worlds
from numpy.typing import NDArray
from options import common, preprocessing

from onnxdissect.data import open_dataset
from onnxdissect.model import Preparer, choose_preprocessing, load_network, open_session

TAU = 0.005

parser = common(__doc__)
parser.add_argument("--samples", type=int, nargs="+", default=[1024, 4096, 16384])


def plain(values: NDArray[np.float32], size: int, random: np.random.Generator) -> NDArray[np.float32]:
    """What a reservoir holds: so many of a unit's values, shape (size, units), drawn at random."""
    return values[random.integers(0, len(values), size)]


def stratified(values: NDArray[np.float32], size: int, random: np.random.Generator) -> NDArray[np.float32]:
    """One value out of each of so many stretches of the ordered values: no sketch ranks better."""
    edges = np.linspace(0, len(values), size + 1)
    places = (edges[:-1] + random.random(size) * np.diff(edges)).astype(int)
    return np.sort(values, axis=0)[np.minimum(places, len(values) - 1)]


def exact(values: NDArray[np.float32], quantile: float) -> NDArray[np.float32]:
    """The (m+1)-th largest value of each unit."""
    rank = len(values) - 1 - int(quantile * len(values))
    return np.partition(values, rank, axis=0)[rank]


def main() -> None:
    given = parser.parse_args()
    dataset = open_dataset(given.data).subset(limit=given.limit)
    network = load_network(given.model, image_size=dataset.image_size)
    (layer,) = network.select(given.layer or ["last"])
    session = open_session(network, [layer], provider="cpu")
    preparer = Preparer(choose_preprocessing(network, **preprocessing(given)), network.input, network.size)
    activations = np.concatenate([session(inputs)[0] for inputs in worlds.prepared(dataset, preparer, 8, 2)])
    annotations = [dataset.read_annotation(i) for i in range(len(dataset))]
    concepts = len(dataset.vocabulary.concepts)
    truth = sum(annotation.truth(concepts) for annotation in annotations)
    values = activations.transpose(0, 2, 3, 1).reshape(-1, layer.units)

    def iou(thresholds: NDArray[np.float32]) -> NDArray[np.float64]:
        both, masks, _ = worlds.lite_tally(
            activations, thresholds, annotations, dataset.vocabulary.category_of
        )
        # Union with the masks of all images: the convention has no say in how a sketch errs.
        return both / np.maximum(1, masks[:, None] + truth - both)

    reference = iou(exact(values, TAU))
    labels, best = reference.argmax(axis=1), reference.max(axis=1)
    random = np.random.default_rng(0)
    print(f"{layer.name}: {layer.units} units, {len(values)} activations each, tau {TAU}")
    print("sample                 IoU error of the label: mean     largest    labels changed    detectors")
    for size in given.samples:
        for draw in (plain, stratified):
            found = iou(exact(draw(values, size, random), TAU))
            error = np.abs(found[np.arange(len(labels)), labels] - best)
            changed = (found.argmax(axis=1) != labels).mean()
            print(
                f"{size:7d} {draw.__name__:<14} {error.mean():24.4f} {error.max():11.4f} {changed:16.1%}"
                f" {(found.max(axis=1) > 0.04).sum():6d} for {(best > 0.04).sum()}"
            )
    print("exact                                      0           0               0.0%")


if __name__ == "__main__":
    main()
