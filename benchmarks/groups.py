"""Whether intervals hold for images of other films, if films are named as groups and if not.

    python benchmarks/groups.py MODEL DATA --groups RULE [--groups RULE]... [--splits N] [--layer SEL]...
        [preprocessing options]

A part of the images is dissected, and the rest. An interval of the part is right if it holds the IoU that
the unit has, with the same concept, on the rest; since that is a sample too, a few more than one in twenty
miss. Parts are drawn image by image, then whole groups of the first RULE at a time.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from draws import link_images, read_index, write_folder
from numpy.typing import NDArray
from options import common, preprocessing

import onnxdissect
from onnxdissect.data import open_dataset
from onnxdissect.results.label_units import primary_categories
from onnxdissect.statistics.bootstrap import certainty
from onnxdissect.statistics.resamples import Resamples

_DETECTED = 0.04


def coverage(
    part: onnxdissect.Dissection, rest: onnxdissect.Dissection, groups: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """Count detectors of the part, those whose interval holds the rest's IoU, and those too high."""
    truth = part.truth_counts()
    assert truth is not None
    category_of = primary_categories(part.concepts, part.categories)
    resamples = Resamples(replace(truth, groups=groups), category_of, 1000, 0)
    found = np.zeros(3, np.int64)
    for info in part.layers:
        labels = part.scores(info.name).concept
        parts = part.per_image_parts(info.name)
        assert parts is not None
        told = certainty(resamples, parts, labels, scoring="paper", iou_threshold=_DETECTED)
        others = rest.iou(info.name)[0]
        own = np.take_along_axis(part.iou(info.name)[0], np.maximum(labels[0], 0)[:, None], axis=1)[:, 0]
        for unit in np.flatnonzero((own > _DETECTED) & ~np.isnan(told.low[0])):
            there = others[unit, labels[0, unit]]
            low, high = told.low[0, unit], told.high[0, unit]
            found += (1, low <= there <= high, there < low)
    return found


def main() -> None:
    parser = common(__doc__)
    parser.add_argument("--groups", action="append", required=True)
    parser.add_argument("--splits", type=int, default=6)
    parser.add_argument("--quick", action="store_true", help="one split by image, 20 resamples")
    given = parser.parse_args()
    given.splits = 1 if given.quick else given.splits
    rules = {rule: open_dataset(given.data, groups=rule).groups() for rule in given.groups}
    first = rules[given.groups[0]]
    assert first is not None
    header, rows = read_index(given.data)
    random = np.random.default_rng(0)
    images = np.arange(len(rows))
    apart = [np.isin(images, random.permutation(images)[: len(rows) // 2]) for _ in range(given.splits)]
    names = np.unique(first)
    if names.size <= max(given.splits, 6):
        whole = [first == name for name in names]
    else:
        whole = [np.isin(first, random.permutation(names)[: names.size // 2]) for _ in range(given.splits)]
    print(f"{given.model.name}, {given.data.name}: {len(rows)} images")
    for rule, groups in rules.items():
        assert groups is not None
        print(f"  {rule}: {groups.max() + 1} groups, the largest of {np.bincount(groups).max()}")
    print(f"{'the part is drawn by':<22}{'resampled by':<16}{'detectors':>10}{'covered':>10}{'too high':>10}")
    for drawn_by, chosen in (("image", apart), (given.groups[0], whole)):
        found = {rule: np.zeros(3, np.int64) for rule in ("image", *rules)}
        for number, inside in enumerate(chosen):
            with tempfile.TemporaryDirectory() as name:
                runs = []
                for side, held in (("part", inside), ("rest", ~inside)):
                    target = Path(name) / f"{number}-{side}"
                    kept = [row for row, yes in zip(rows, held, strict=True) if yes]
                    data = link_images(given.data, write_folder(given.data, target, header, kept))
                    runs.append(
                        onnxdissect.dissect(
                            given.model,
                            data,
                            given.layer or ["stages"],
                            null=0,
                            bootstrap=1,
                            groups="none",
                            provider="cpu",
                            out=Path(name) / f"{number}-{side}-run",
                            **preprocessing(given),
                        )
                    )
                found["image"] += coverage(runs[0], runs[1], None)
                for rule, groups in rules.items():
                    assert groups is not None
                    of = np.unique(groups[inside], return_inverse=True)[1]
                    found[rule] += coverage(runs[0], runs[1], of)
        for rule, (count, held, high) in found.items():
            shares = f"{held / max(1, count):>10.1%}{high / max(1, count):>10.1%}"
            print(f"{drawn_by:<22}{rule:<16}{count:>10}{shares}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
