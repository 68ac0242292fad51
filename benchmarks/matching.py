"""What matching the units of two layers takes: seconds and memory, on drawn masks.

python benchmarks/matching.py [--units N ...] [--images N] [--share S ...] [--draws N]

Each unit has a mask in a share of the images, 20 to 2,000 pixels large. The second layer is the first in
another order, half of whose masks are another unit's. No two sizes are measured in one process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from onnxdissect.statistics.matching.assignment import best_pairs, mean_score
from onnxdissect.statistics.matching.baselines import chance_scores, default_draws, random_scores
from onnxdissect.statistics.matching.mask_correlations import MaskCorrelations, MaskPixels

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--units", type=int, nargs="+", default=[512, 2048])
parser.add_argument("--images", type=int, default=63_305)
parser.add_argument("--share", type=float, nargs="+", default=[0.05, 0.15, 0.5], help="of images with a mask")
parser.add_argument("--draws", type=int, default=3, help="shuffles that are timed")
parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)


def draw(units: int, images: int, share: float) -> tuple[MaskPixels, MaskPixels]:
    """Two layers that know each other's masks by half."""
    random = np.random.default_rng(units)
    order = random.permutation(units)
    own = [drawn_masks(random, images, share) for _ in range(units)]
    others = []
    for unit in order.tolist():
        image, pixels = own[unit]
        stays = random.random(image.size) < 0.5
        more, sizes = drawn_masks(random, images, share / 2)
        image, first = np.unique(np.concatenate([image[stays], more]), return_index=True)
        others.append((image, np.concatenate([pixels[stays], sizes])[first]))
    return masks_of(own, images), masks_of(others, images)


Masks = tuple[np.ndarray, np.ndarray]


def drawn_masks(random: np.random.Generator, images: int, share: float) -> Masks:
    """Images with a mask, ascending, and how large it is in each."""
    image = np.flatnonzero(random.random(images) < share)
    return image.astype(np.int32), random.integers(20, 2000, image.size).astype(np.int32)


def masks_of(units: list[Masks], images: int) -> MaskPixels:
    """Lay units behind each other."""
    starts = np.cumsum([0, *(image.size for image, _ in units)]).astype(np.int64)
    image, pixels = (np.concatenate(arrays) for arrays in zip(*units, strict=True))
    return MaskPixels(starts, image, pixels, images)


def peak() -> float:
    """Most memory that this process has had, in MiB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def timed(work: Callable[[], object]) -> tuple[object, float]:
    """What comes of it, and the seconds that it takes."""
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def child(units: int, images: int, share: float, draws: int) -> None:
    """Measure one size, and print what it took."""
    import scipy.optimize
    import scipy.sparse

    assert scipy.optimize
    assert scipy.sparse
    sides = draw(units, images, share)
    before = peak()
    measure, prepared = timed(lambda: MaskCorrelations(*sides))
    assert isinstance(measure, MaskCorrelations)
    scores, scored = timed(measure.scores)
    assert isinstance(scores, np.ndarray)
    pairs, assigned = timed(lambda: best_pairs(scores))
    assert isinstance(pairs, np.ndarray)
    _, paired = timed(lambda: random_scores(scores, 0))
    chance, shuffled = timed(lambda: chance_scores(measure, draws, 0))
    told = [prepared, scored, assigned, paired, shuffled / draws]
    order = np.random.default_rng(units).permutation(units)
    found = float((order[pairs[:, 1]] == pairs[:, 0]).mean())
    summary = [mean_score(scores, pairs), getattr(chance, "mean", 0.0), found]
    print(json.dumps({"seconds": told, "MiB": [before, peak()], "found": summary}))


def main() -> None:
    given = parser.parse_args()
    if given.child:
        child(given.units[0], given.images, given.share[0], given.draws)
        return
    print(f"{given.images:,} images; seconds, of chance a shuffle; MiB above the masks themselves")
    print(
        "units  share  prepare   scores   assign   random   chance  shuffles      MiB   score  chance  found"
    )
    for units in given.units:
        for share in given.share:
            command = [sys.executable, __file__, "--child", "--units", str(units), "--share", str(share)]
            command += ["--images", str(given.images), "--draws", str(given.draws)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr)
            told = json.loads(done.stdout)
            spent = " ".join(f"{seconds:8.2f}" for seconds in told["seconds"])
            draws = default_draws((units, units), given.images)
            more = told["MiB"][1] - told["MiB"][0]
            found = " ".join(f"{value:7.3f}" for value in told["found"])
            print(f"{units:5} {share:6.2f} {spent} {draws:9} {more:8.0f} {found}", flush=True)


if __name__ == "__main__":
    main()
