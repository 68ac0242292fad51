"""The paper, literally: section 1 of the method in NumPy and Python loops.

Slow on purpose, and importing nothing from the package: whatever both agree on was written twice.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

Array = NDArray[Any]
Field = tuple[tuple[float, float], tuple[float, float]]


@dataclass
class NaiveImage:
    """Annotations of one image: every label map and image-level label, as numbers."""

    grid: tuple[int, int]
    maps: list[Array]
    image_labels: list[int]

    def covers(self, number: int) -> Array:
        """L_c(x): union over every annotation that holds the concept."""
        mask = np.zeros(self.grid, bool)
        for label_map in self.maps:
            mask |= label_map == number
        if number in self.image_labels:
            mask[:] = True
        return mask


@dataclass
class NaiveCounts:
    thresholds: Array
    intersection: Array
    activation: Array
    activation_overlap: Array
    activation_total: Array
    truth: Array
    concept_images: Array
    top_images: Array
    top_values: Array


def threshold(values: Array, quantile: float) -> np.float32:
    """T_k: the (m+1)-th largest of all values, m = floor(tau * n)."""
    ordered = sorted(values.ravel().tolist(), reverse=True)
    return np.float32(ordered[math.floor(Fraction(str(quantile)) * len(ordered))])


def lerp(a: np.float32, b: np.float32, weight: np.float32) -> np.float32:
    value = np.float32(np.float32(a * np.float32(np.float32(1) - weight)) + np.float32(b * weight))
    return np.float32(np.clip(value, min(a, b), max(a, b)))


def coordinate(
    label: int, labels: int, cells: int, pixels: int, anchor: tuple[float, float] | None
) -> tuple[int, int, np.float32]:
    """The two cells around a label row, and the share of the second."""
    if anchor is None:
        u = (label + 0.5) * cells / labels - 0.5
    else:
        offset, stride = anchor
        u = ((label + 0.5) * pixels / labels - 0.5 - offset) / stride
    u = min(max(u, 0.0), cells - 1.0)
    low = math.floor(u)
    return low, min(low + 1, cells - 1), np.float32(u - low)


def upsample(
    activation: Array,
    grid: tuple[int, int],
    pixels: tuple[int, int],
    field: tuple[tuple[float, float], tuple[float, float]] | None,
) -> Array:
    """Bilinear upsampling of one map to the label grid: down first, then across."""
    h, w = activation.shape
    result = np.zeros(grid, np.float32)
    for r in range(grid[0]):
        anchor = None if field is None else (field[0][0], field[1][0])
        top, bottom, down = coordinate(r, grid[0], h, pixels[0], anchor)
        for c in range(grid[1]):
            anchor = None if field is None else (field[0][1], field[1][1])
            left, right, across = coordinate(c, grid[1], w, pixels[1], anchor)
            result[r, c] = lerp(
                lerp(activation[top, left], activation[bottom, left], down),
                lerp(activation[top, right], activation[bottom, right], down),
                across,
            )
    return result


def mask(
    activation: Array, grid: tuple[int, int], pixels: tuple[int, int], field: Field | None, threshold: float
) -> Array:
    """M_k(x): where the upsampled map is strictly above the threshold."""
    return upsample(activation, grid, pixels, field) > np.float32(threshold)


def mask_cells(
    activation: Array, grid: tuple[int, int], pixels: tuple[int, int], field: Field | None, threshold: float
) -> set[tuple[int, int]]:
    """The cells above a threshold and the four around each pixel of the mask."""
    kept = {(int(i), int(j)) for i, j in np.argwhere(activation > np.float32(threshold))}
    for r, c in np.argwhere(mask(activation, grid, pixels, field, threshold)):
        down, across = (None, None) if field is None else zip(*field, strict=True)
        rows = coordinate(int(r), grid[0], activation.shape[0], pixels[0], down)[:2]
        columns = coordinate(int(c), grid[1], activation.shape[1], pixels[1], across)[:2]
        kept |= {(i, j) for i in rows for j in columns}
    return kept


def dissect(
    activations: Array,
    images: list[NaiveImage],
    concepts: list[tuple[int, int]],
    categories: int,
    quantiles: list[float],
    pixels: tuple[int, int],
    field: tuple[tuple[float, float], tuple[float, float]] | None,
    top: int,
) -> NaiveCounts:
    """All counts of one layer.

    ``concepts`` holds (label number, primary category) pairs; ``activations`` is (n, units, h, w).
    """
    n, units = activations.shape[:2]
    counts = NaiveCounts(
        thresholds=np.zeros((len(quantiles), units), np.float32),
        intersection=np.zeros((len(quantiles), units, len(concepts)), np.int64),
        activation=np.zeros((len(quantiles), units, categories), np.int64),
        activation_overlap=np.zeros((len(quantiles), units, categories), np.int64),
        activation_total=np.zeros((len(quantiles), units), np.int64),
        truth=np.zeros(len(concepts), np.int64),
        concept_images=np.zeros(len(concepts), np.int64),
        top_images=np.zeros((units, min(top, n)), np.int64),
        top_values=np.zeros((units, min(top, n)), np.float32),
    )
    covers = [[image.covers(number) for number, _ in concepts] for image in images]
    for x in range(n):
        for c in range(len(concepts)):
            counts.truth[c] += covers[x][c].sum()
            counts.concept_images[c] += covers[x][c].any()
    for k in range(units):
        best = sorted(range(n), key=lambda x: (-float(activations[x, k].max()), x))[:top]
        counts.top_images[k] = best
        counts.top_values[k] = [activations[x, k].max() for x in best]
        for q, quantile in enumerate(quantiles):
            counts.thresholds[q, k] = threshold(activations[:, k], quantile)
            for x, image in enumerate(images):
                covered = mask(activations[x, k], image.grid, pixels, field, counts.thresholds[q, k])
                area = covered.sum()
                counts.activation_total[q, k] += area
                for c in range(len(concepts)):
                    counts.intersection[q, k, c] += (covered & covers[x][c]).sum()
                for g in range(categories):
                    sampled = [c for c, (_, category) in enumerate(concepts) if category == g]
                    if any(covers[x][c].any() for c in sampled):
                        counts.activation[q, k, g] += area
                    if any((covered & covers[x][c]).any() for c in sampled):
                        counts.activation_overlap[q, k, g] += area
    return counts


@dataclass
class NaiveData:
    """A Broden folder, read the slow way."""

    names: list[str]
    pictures: list[Array]
    images: list[NaiveImage]
    concepts: list[tuple[int, str, int]]
    categories: list[str]


def read_broden(folder: Path) -> NaiveData:
    """Every table and image of a small Broden folder; a concept is (number, name, primary category)."""

    def table(name: str) -> list[dict[str, str]]:
        with (folder / name).open(newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))

    categories = [row["name"] for row in table("category.csv")]
    coverage: dict[int, list[tuple[float, int]]] = {}
    for g, category in enumerate(categories):
        for row in table(f"c_{category}.csv"):
            coverage.setdefault(int(row["number"]), []).append((float(row["coverage"]), g))
    concepts = [
        (int(row["number"]), row["name"], max(coverage[int(row["number"])])[1])
        for row in table("label.csv")
        if row["name"] and int(row["number"]) != 0
    ]
    known = {number for number, _, _ in concepts}
    data = NaiveData([], [], [], sorted(concepts), categories)
    for row in table("index.csv"):
        grid = (int(row["sh"]), int(row["sw"]))
        maps, image_labels = [], []
        for category in categories:
            for cell in filter(None, row[category].split(";")):
                if cell.isdigit():
                    image_labels += [int(cell)] if int(cell) in known else []
                    continue
                png = cv2.imread(str(folder / "images" / cell), cv2.IMREAD_COLOR)
                assert png is not None
                maps.append(png[:, :, 2].astype(np.int64) + 256 * png[:, :, 1].astype(np.int64))
        picture = cv2.imread(str(folder / "images" / row["image"]), cv2.IMREAD_COLOR)
        assert picture is not None
        data.names.append(row["image"])
        data.pictures.append(picture[:, :, ::-1])
        data.images.append(NaiveImage(grid, maps, image_labels))
    return data


def activations_of(model: Path, value: str, pictures: list[Array]) -> Array:
    """One value of an NCHW network for each picture (raw pixels), the whole graph run picture by picture."""
    proto = onnx.load(model)
    if value not in {output.name for output in proto.graph.output}:
        proto.graph.output.append(onnx.helper.make_empty_tensor_value_info(value))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    runs = [
        session.run([value], {name: np.ascontiguousarray(p.transpose(2, 0, 1)[None]).astype(np.float32)})[0]
        for p in pictures
    ]
    return np.concatenate(runs)
