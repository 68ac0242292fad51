"""What the benchmarks measure against: the bare loop, the old tools' algorithm, and repeated data sets."""

from __future__ import annotations

import csv
import shutil
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from onnxdissect.data import Dataset
from onnxdissect.data.annotation import Annotation
from onnxdissect.model import Preparer, Session


def repeat(source: Path, target: Path, images: int) -> Path:
    """A Broden folder of so many images: the rows of another one, over and over, on the same files."""
    target.mkdir(parents=True, exist_ok=True)
    for table in source.glob("*.csv"):
        shutil.copy(table, target)
    (target / "images").unlink(missing_ok=True)
    (target / "images").symlink_to((source / "images").absolute(), target_is_directory=True)
    with (source / "index.csv").open(newline="", encoding="utf-8-sig") as file:
        header, *rows = list(csv.reader(file))
    with (target / "index.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows[i % len(rows)] for i in range(images))
    return target


def prepared(dataset: Dataset, preparer: Preparer, batch: int, threads: int) -> Iterator[NDArray[np.generic]]:
    """Batches of decoded and preprocessed images; decoded ahead if there are threads for it."""

    def fill(start: int) -> NDArray[np.generic]:
        stop = min(start + batch, len(dataset))
        inputs = np.empty((stop - start, *preparer.shape), preparer.dtype)
        for i in range(start, stop):
            preparer(dataset.read_image(i), inputs[i - start])
        return inputs

    starts = range(0, len(dataset), batch)
    if threads == 0:
        yield from map(fill, starts)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque(pool.submit(fill, start) for start in starts[: threads + 1])
        for start in [*starts[threads + 1 :], *[None] * len(waiting)]:
            inputs = waiting.popleft().result()
            if start is not None:
                waiting.append(pool.submit(fill, start))
            yield inputs


def bare_loop(dataset: Dataset, preparer: Preparer, session: Session, batch: int, threads: int) -> None:
    """Decode, preprocess, run the cut graph, drop the result: nothing can be faster than this."""
    for inputs in prepared(dataset, preparer, batch, threads):
        session(inputs)


def lite_quantile(activations: NDArray[np.float32], quantile: float) -> NDArray[np.floating[Any]]:
    """Thresholds as the old tools take them: a percentile over every activation at once."""
    return np.percentile(activations, 100 * (1 - quantile), axis=(0, 2, 3))


def lite_tally(
    activations: NDArray[np.float32],
    thresholds: NDArray[np.floating[Any]],
    annotations: Sequence[Annotation],
    concepts: int,
) -> NDArray[np.int64]:
    """Intersections as the old tools count them: upsample each map above its threshold, count its labels."""
    counts = np.zeros((activations.shape[1], concepts + 1), np.int64)
    for i, annotation in enumerate(annotations):
        sh, sw = annotation.grid
        for unit in range(activations.shape[1]):
            map_ = activations[i, unit]
            if map_.max() > thresholds[unit]:
                mask = cv2.resize(map_, (sw, sh), interpolation=cv2.INTER_LINEAR) > thresholds[unit]
                y, x = np.nonzero(mask)
                for plane in annotation.planes:
                    counts[unit] += np.bincount(plane[y, x], minlength=concepts + 1)
                for concept in annotation.whole:
                    counts[unit, concept + 1] += y.size
    return counts[:, 1:]
