"""Random but valid counts, and a small finished run directory made of them.

Counts come from random masks over random annotations, counted from their definitions, so that all
inequalities between them hold. Three units in four are steered to a concept, so that there are detectors;
the last unit of a layer is dead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.results import (
    Concept,
    Dissection,
    ImageInfo,
    LayerCounts,
    LayerInfo,
    save_layer,
    write_results,
)

CATEGORIES = ("object", "part", "scene", "material", "texture", "color")
NAMES = {
    "object": ("car", "tree", "lamp, street", "dog", "boat"),
    "part": ("wheel", "leaf", "tail"),
    "scene": ("street", "forest-s"),
    "material": ("wood", "metal"),
    "texture": ("striped", "dotted"),
    "color": ("red-c", "blue-c", "grün-c"),
}
LAYER = "-stage1-Relu_output_0"  # the folder of the first layer
GEOMETRY = {"offset": (7.5, 7.5), "stride": (16.0, 16.0), "size": (195.0, 195.0)}


@dataclass(frozen=True, slots=True)
class FakeRun:
    """Everything a finished run is written from."""

    categories: tuple[str, ...]
    concepts: tuple[Concept, ...]
    images: tuple[ImageInfo, ...]
    quantiles: tuple[float, ...]
    layers: tuple[LayerInfo, ...]
    counts: tuple[LayerCounts, ...]
    manifest: dict[str, Any]

    def save(self, folder: Path, *, iou_threshold: float = 0.04, scoring: str = "paper") -> Dissection:
        for layer, counts in zip(self.layers, self.counts, strict=True):
            save_layer(
                folder,
                layer,
                counts,
                quantiles=self.quantiles,
                categories=self.categories,
                concepts=self.concepts,
                images=self.images,
            )
        return write_results(
            folder,
            self.manifest,
            layers=self.layers,
            quantiles=self.quantiles,
            categories=self.categories,
            concepts=self.concepts,
            images=self.images,
            iou_threshold=iou_threshold,
            scoring=scoring,
        )


def fake_run(
    *,
    seed: int = 0,
    units: Sequence[int] = (8, 12),
    images: int = 12,
    quantiles: Sequence[float] = (0.005,),
    top: int = 5,
    folder: str = "broden",
) -> FakeRun:
    """Make up a run; one layer per entry of `units`."""
    rng = np.random.default_rng(seed)
    pairs = [(name, category) for category in CATEGORIES for name in NAMES[category]]
    category_of = np.array([CATEGORIES.index(category) for _, category in pairs])
    grids = [(7, 9) if i % 3 else (8, 8) for i in range(images)]
    covers = [_annotation(rng, grid, category_of) for grid in grids]
    truth = np.sum([cover.sum(axis=(1, 2)) for cover in covers], axis=0)
    holding = np.sum([cover.any(axis=(1, 2)) for cover in covers], axis=0)
    concepts = tuple(
        Concept(number=3 * c + 2, name=name, category=category, truth=int(truth[c]), images=int(holding[c]))
        for c, (name, category) in enumerate(pairs)
    )
    layers = tuple(
        LayerInfo(
            name=f"/stage{i + 1}/Relu_output_0",
            alias=f"relu{i + 1}",
            slug=f"-stage{i + 1}-Relu_output_0",
            op="Relu",
            layout="NCHW",
            units=count,
            shape=(14 >> i, 14 >> i),
            geometry=GEOMETRY if i == 0 else None,
            upsample="receptive-field" if i == 0 else "resize",
        )
        for i, count in enumerate(units)
    )
    return FakeRun(
        categories=CATEGORIES,
        concepts=concepts,
        images=tuple(
            ImageInfo(f"made/{i:04d}.jpg", "val" if i % 4 == 0 else "train", grid)
            for i, grid in enumerate(grids)
        ),
        quantiles=tuple(quantiles),
        layers=layers,
        counts=tuple(_counts(rng, layer.units, covers, category_of, quantiles, top) for layer in layers),
        manifest=_manifest(folder, images, len(pairs), top),
    )


def save_fake_run(folder: Path, **options: Any) -> Dissection:
    """Write a small finished run directory; `options` are those of `fake_run`."""
    return fake_run(**options).save(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def _annotation(
    rng: np.random.Generator, grid: tuple[int, int], category_of: NDArray[np.int64]
) -> NDArray[np.bool_]:
    cover = np.zeros((category_of.size, *grid), np.bool_)
    for category in range(len(CATEGORIES)):
        if rng.random() < 0.2:  # an image without this category
            continue
        members = np.flatnonzero(category_of == category)
        for concept in rng.choice(members, size=min(2, members.size), replace=False):
            top, left = rng.integers(0, grid[0] - 2), rng.integers(0, grid[1] - 2)
            height, width = rng.integers(2, 6, size=2)
            cover[concept, top : top + height, left : left + width] = True
    return cover


def _counts(
    rng: np.random.Generator,
    units: int,
    covers: Sequence[NDArray[np.bool_]],
    category_of: NDArray[np.int64],
    quantiles: Sequence[float],
    top: int,
) -> LayerCounts:
    C, G, Q, N = category_of.size, len(CATEGORIES), len(quantiles), min(top, len(covers))
    intersection = np.zeros((Q, units, C), np.int64)
    activation = np.zeros((Q, units, G), np.int64)
    overlap = np.zeros((Q, units, G), np.int64)
    total = np.zeros((Q, units), np.int64)
    values = rng.normal(size=(units, len(covers))).astype(np.float32)
    top_images = np.argsort(-values, axis=1, kind="stable")[:, :N].astype(np.int64)
    masks = np.zeros((Q, units, N, -(-max(cover[0].size for cover in covers) // 8)), np.uint8)
    for q in range(Q):
        for k in range(units):
            steered = int(rng.integers(0, C)) if k % 4 else None
            dead = k == units - 1
            for x, cover in enumerate(covers):
                mask = rng.random(cover.shape[1:]) < 0.02 * (q + 1)
                if steered is not None:
                    mask |= cover[steered] & (rng.random() < 0.6)
                mask &= not dead
                met = (mask & cover).sum(axis=(1, 2))
                intersection[q, k] += met
                total[q, k] += mask.sum()
                for g in range(G):
                    if cover[category_of == g].any():
                        activation[q, k, g] += mask.sum()
                    if met[category_of == g].any():
                        overlap[q, k, g] += mask.sum()
                for rank in np.flatnonzero(top_images[k] == x):
                    bits = np.packbits(mask)
                    masks[q, k, rank, : bits.size] = bits
    return LayerCounts(
        thresholds=rng.normal(size=(Q, units)).astype(np.float32),
        intersection=intersection,
        activation=activation,
        activation_overlap=overlap,
        activation_total=total,
        truth=np.sum([cover.sum(axis=(1, 2)) for cover in covers], axis=0),
        top_images=top_images,
        top_values=np.take_along_axis(values, top_images, axis=1),
        top_masks=masks,
    )


def _manifest(folder: str, images: int, concepts: int, top: int) -> dict[str, Any]:
    return {
        "model": {
            "path": "networks/réseau.onnx",
            "sha256": "0" * 64,
            "opset": {"": 17},
            "producer": "fake_counts",
        },
        "data": {
            "name": "fake",
            "folder": folder,
            "fingerprint": "1" * 64,
            "images": images,
            "concepts": concepts,
            "split": None,
            "limit": None,
        },
        "parameters": {"layers": ["stages"], "upsample": "receptive-field", "top": top},
        "preprocessing": {
            "name": "imagenet",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
            "scale": 1 / 255,
            "channels": "rgb",
            "source": "assumed",
        },
        "provider": {"name": "CPUExecutionProvider", "note": "asked for"},
        "versions": {"onnxdissect": "0.1.0"},
        "timing": {"pass": 1.5, "tally": 0.25},
    }
