"""Comparisons that are made up, or made of the IoUs of made-up runs: for their figures and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.comparison.records import (
    BestUnit,
    ComparedConcept,
    ComparedGroup,
    ComparedLayer,
    ComparedPair,
    ConceptChange,
    Difference,
    Estimate,
    GroupSpread,
    LabelOverlap,
    MatchedUnits,
    UnitMatching,
)
from onnxdissect.experiments.comparison.result import ComparisonResult
from onnxdissect.report.data.facts import model_name
from onnxdissect.results import Dissection

CATEGORIES = ("object", "part", "scene", "material", "texture", "color")
THRESHOLD = 0.04


@dataclass
class Side:
    """A layer to compare: what is said of it, and the IoU of each unit with each concept."""

    given: dict[str, Any]
    iou: NDArray[np.float64]

    @property
    def labels(self) -> list[int]:
        """Concept that each unit detects; -1 for none."""
        return [int(row.argmax()) if row.max(initial=0) > THRESHOLD else -1 for row in self.iou]

    def best(self) -> list[BestUnit | None]:
        """The best unit of each concept."""
        units: dict[int, list[int]] = {}
        for unit, label in enumerate(self.labels):
            units.setdefault(label, []).append(unit)
        best = self.iou.argmax(axis=0).tolist()
        return [
            BestUnit(unit, float(self.iou[unit, c]), tuple(units.get(c, ()))) if self.iou[unit, c] else None
            for c, unit in enumerate(best)
        ]


def made_sides(
    *,
    networks: int = 3,
    depths: int = 1,
    units: int = 24,
    concepts: int = 30,
    categories: Sequence[str] = CATEGORIES,
    seed: int = 0,
    positions: Sequence[float] | None = None,
    seeds: int = 1,
) -> tuple[list[Side], list[tuple[str, str]]]:
    """Layers of networks on data with so many concepts; deeper ones and later ones detect more."""
    rng = np.random.default_rng(seed)
    names = [(f"concept {i}", categories[i % len(categories)]) for i in range(concepts)]
    sides = []
    for n in range(networks):
        for s in range(seeds):
            for d in range(depths):
                iou = rng.gamma(0.3, 0.02, (units, concepts))
                strong = rng.random((units, concepts)) < (0.4 + 0.2 * d + 0.3 * n / networks) / concepts
                iou = np.where(strong, iou + rng.uniform(0.02, 0.3, iou.shape), iou).clip(0, 0.9)
                iou[rng.random(iou.shape) < 0.3] = 0
                group = f"network {n}" if positions is None else f"{positions[n]:g}"
                given = {
                    "name": f"{group} seed {s} conv{d}",
                    "group": group,
                    "position": None if positions is None else float(positions[n]),
                    "run": f"runs/net{n}-seed{s}",
                    "model": f"net{n}",
                    "layer": f"/conv{d}/Relu",
                    "alias": f"conv{d}",
                    "depth": d,
                    "images": 500,
                }
                sides.append(Side(given, iou))
    return sides, names


def run_sides(
    runs: Sequence[tuple[str, Dissection]], quantile: float | None = None
) -> tuple[list[Side], list[tuple[str, str]]]:
    """All layers of finished runs of equal concepts, by run."""
    sides = []
    for path, run in runs:
        q = run.quantiles.index(quantile or run.quantiles[0])
        for depth, info in enumerate(run.layers):
            given = {
                "name": f"{path} {info.alias}",
                "group": path,
                "position": None,
                "run": path,
                "model": model_name(run.manifest),
                "data": str(run.manifest["data"]["name"]),
                "layer": info.name,
                "alias": info.alias,
                "depth": depth,
                "quantile": run.quantiles[q],
                "images": len(run.images),
            }
            sides.append(Side(given, np.asarray(run.iou(info.name)[q], np.float64)))
    return sides, [(c.name, c.category) for c in runs[0][1].concepts]


def comparison(
    sides: Sequence[Side],
    concepts: Sequence[tuple[str, str]],
    *,
    by: str = "network",
    resamples: int = 100,
    marks: Sequence[str] = (),
    warnings: Sequence[str] = (),
    matched: Sequence[tuple[int, int]] = (),
) -> ComparisonResult:
    """Compare each layer with the first one; of made-up certainty."""
    categories = tuple(dict.fromkeys(category for _, category in concepts))
    layers = tuple(_layer(side, concepts, categories, resamples) for side in sides)
    detected = sorted({c for side in sides for c in side.labels if c >= 0}, key=lambda c: concepts[c][::-1])
    best = [side.best() for side in sides]
    return ComparisonResult(
        by=by,
        series=any(layer.position is not None for layer in layers),
        categories=categories,
        iou_threshold=THRESHOLD,
        scoring="paper",
        resamples=resamples,
        marks=tuple(marks),
        warnings=tuple(warnings),
        layers=layers,
        groups=_groups(layers, categories),
        pairs=tuple(_pair(sides[0], side, layers[0], layer, concepts, resamples) for side, layer in
                    zip(sides[1:], layers[1:], strict=True)),
        concepts=tuple(
            ComparedConcept(*concepts[c], tuple(found[c] for found in best)) for c in detected
        ),
        matchings=tuple(_matching(sides[a], sides[b], layers[a], layers[b], concepts) for a, b in matched),
    )  # fmt: skip


def without_intervals(result: ComparisonResult) -> ComparisonResult:
    """The same as if nothing had been resampled."""

    def bare(found: Estimate) -> Estimate:
        return Estimate(found.value, None, None)

    def plain(found: Difference) -> Difference:
        return Difference(found.value, None, None, None, None)

    return replace(
        result,
        resamples=0,
        layers=tuple(
            replace(
                layer,
                share=bare(layer.share),
                unique=bare(layer.unique),
                unique_by_category={c: bare(found) for c, found in layer.unique_by_category.items()},
                reliable=None,
            )
            for layer in result.layers
        ),
        pairs=tuple(
            replace(
                pair,
                paired=False,
                reason="nothing was resampled",
                unique=plain(pair.unique),
                share=plain(pair.share),
                unique_by_category={c: plain(found) for c, found in pair.unique_by_category.items()},
            )
            for pair in result.pairs
        ),
    )


def _unique(side: Side, concepts: Sequence[tuple[str, str]], category: str | None = None) -> int:
    return len({c for c in side.labels if c >= 0 and category in (None, concepts[c][1])})


def _estimate(value: float, resamples: int, least: float = 1.0) -> Estimate:
    if not resamples:
        return Estimate(value, None, None)
    return Estimate(value, max(value - least - 0.1 * value, 0.0), value + least)


def _layer(
    side: Side, concepts: Sequence[tuple[str, str]], categories: Sequence[str], resamples: int
) -> ComparedLayer:
    units = len(side.iou)
    detectors = sum(label >= 0 for label in side.labels)
    fixed = {"data": "made up", "basis": None, "quantile": 0.005} | side.given
    return ComparedLayer(
        **fixed,
        units=units,
        detectors=detectors,
        share=_estimate(detectors / units, resamples, 0.02),
        unique=_estimate(_unique(side, concepts), resamples),
        unique_any=_unique(side, concepts) + 2,
        unique_by_category={c: _estimate(_unique(side, concepts, c), resamples) for c in categories},
        reliable=detectors // 2 if resamples else None,
    )


def _groups(layers: Sequence[ComparedLayer], categories: Sequence[str]) -> tuple[ComparedGroup, ...]:
    by_name: dict[str, list[ComparedLayer]] = {}
    for layer in layers:
        by_name.setdefault(layer.group, []).append(layer)
    return tuple(
        ComparedGroup(
            name,
            found[0].position,
            tuple(layer.name for layer in found),
            _spread([layer.share.value for layer in found]),
            _spread([layer.unique.value for layer in found]),
            {c: _spread([layer.unique_by_category[c].value for layer in found]) for c in categories},
        )
        for name, found in by_name.items()
    )


def _spread(values: Sequence[float]) -> GroupSpread:
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return GroupSpread(float(np.mean(values)), sd, min(values), max(values))


def _difference(first: float, second: float, resamples: int, least: float = 2.0) -> Difference:
    value = second - first
    if not resamples:
        return Difference(value, None, None, None, None)
    p = 1.0 if abs(value) <= least else 0.004
    return Difference(value, value - least, value + least, p, min(3 * p, 1.0))


def _pair(
    first: Side,
    second: Side,
    one: ComparedLayer,
    other: ComparedLayer,
    concepts: Sequence[tuple[str, str]],
    resamples: int,
) -> ComparedPair:
    has, gets = set(first.labels) - {-1}, set(second.labels) - {-1}

    def changes(found: set[int]) -> tuple[ConceptChange, ...]:
        return tuple(
            ConceptChange(*concepts[c], float(first.iou[:, c].max()), float(second.iou[:, c].max()))
            for c in sorted(found)
        )

    return ComparedPair(
        one.name,
        other.name,
        bool(resamples),
        "" if resamples else "nothing was resampled",
        _difference(one.unique.value, other.unique.value, resamples),
        _difference(one.share.value, other.share.value, resamples, 0.05),
        {
            c: _difference(one.unique_by_category[c].value, other.unique_by_category[c].value, resamples)
            for c in one.unique_by_category
        },
        changes(gets - has),
        changes(has - gets),
        changes(has & gets),
        LabelOverlap(
            len(has & gets),
            len(has | gets),
            len(has & gets) / len(has | gets) if has | gets else 1.0,
            0.13,
            0.02,
        ),
    )


def _matching(
    first: Side, second: Side, one: ComparedLayer, other: ComparedLayer, concepts: Sequence[tuple[str, str]]
) -> UnitMatching:
    lengths = [np.linalg.norm(side.iou, axis=1, keepdims=True).clip(1e-9) for side in (first, second)]
    cosine = (first.iou / lengths[0]) @ (second.iou / lengths[1]).T
    found = []
    for _ in range(min(cosine.shape)):
        a, b = np.unravel_index(int(cosine.argmax()), cosine.shape)
        found.append((int(a), int(b), float(cosine[a, b])))
        cosine[a, :] = cosine[:, b] = -1
    labels = [["" if c < 0 else concepts[c][0] for c in side.labels] for side in (first, second)]
    units = tuple(MatchedUnits(a, b, score, labels[0][a], labels[1][b]) for a, b, score in sorted(found))
    both = [pair for pair in units if pair.first_label and pair.second_label]
    same = sum(pair.first_label == pair.second_label for pair in both)
    return UnitMatching(
        first=one.name,
        second=other.name,
        by="profiles",
        units=units,
        score=float(np.mean([pair.score for pair in units])),
        random_mean=0.11,
        random_low=0.08,
        random_high=0.15,
        chance_mean=0.31,
        chance_low=0.28,
        chance_high=0.35,
        same_number=sum(pair.first == pair.second for pair in units) / len(units),
        same_label=same / len(both) if both else None,
        same_label_random=0.1 if both else None,
    )
