"""What was published as more, fewer or alike, asked of the base networks and of the variants beside them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from page.answer_records import Alike, Finding
from page.estimates import Estimate, difference_of, mean_of
from page.evidence import CATEGORIES, Counted, Evidence
from page.explained import explained
from page.sweep_counts import fall, generic_shares

__all__ = ["EARLY", "MARGIN", "alike", "contrasts", "findings"]

# as the papers have them: of low layers, and those that appear late
_LOW, _LATE = ("color", "texture"), ("object", "part")
_OBJECT, _SCENE = ("object",), ("scene",)
_UNIQUE = ("unique",)

EARLY = 189
"""The iteration of `base` that stands for early: one in 27 of the training."""

MARGIN = 0.2
"""Repeats are alike if they differ by less: half the published effect of batch normalisation, 79 to 46."""


class _Counts:
    """Counts of each seed's network."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    def of(
        self,
        variant: str,
        rows: Sequence[str] = _UNIQUE,
        *,
        iteration: int | None = None,
        layer: str | None = None,
    ) -> list[Counted]:
        """Count detectors; those of several rows add up."""
        networks = self._evidence.networks(variant, iteration)
        return [self._evidence.count(name, rows, layer) for name in networks]

    def by_size(self, variant: str, layer: str | None = None) -> list[Counted]:
        """Give the share of the units that are detectors."""
        networks = self._evidence.networks(variant)
        counts = self.of(variant, ("detectors",), layer=layer)
        sizes = [self._evidence.size(name, layer) for name in networks]
        return [count * (1 / size) for count, size in zip(counts, sizes, strict=True)]

    def unlike_base(self, variant: str, published: int) -> Finding:
        """Compare the unique detectors of a variant with those of `base`."""
        return Finding(difference_of(self.of("base"), self.of(variant)), published)

    def more_scenes(self, layer: str) -> Finding:
        """Compare detectors of scenes in the last layer with those in another; there may be none."""
        first, last = self.of("base", _SCENE, layer=layer), self.of("base", _SCENE)
        most = max(int(count.value) for count in (*first, *last))
        return Finding(difference_of(first, last), 1, most)

    def share(
        self,
        rows: Sequence[str],
        first: tuple[str, int | None, str | None],
        second: tuple[str, int | None, str | None],
    ) -> Finding:
        """Compare what share of the unique detectors some categories have, which was published as more."""
        shares: list[list[Counted]] = []
        fewest: list[int] = []
        for variant, iteration, layer in (first, second):
            some = self.of(variant, rows, iteration=iteration, layer=layer)
            every = self.of(variant, iteration=iteration, layer=layer)
            shares.append([a / b for a, b in zip(some, every, strict=True)])
            fewest += [int(count.value) for count in every]
        return Finding(difference_of(shares[0], shares[1], 1.0), 1, min(fewest))


def findings(evidence: Evidence) -> dict[str, Finding]:
    """Ask everything of which a sign was published.

    Parameters
    ----------
    evidence : Evidence

    Returns
    -------
    dict of str to Finding
    """
    counts = _Counts(evidence)
    base = ("base", None, None)
    swept = [generic_shares(evidence.experiment(name, "thresholds")) for name in evidence.networks("base")]
    falls = [fall(evidence.experiment(name, "rotations")) for name in evidence.networks("base")]
    return {
        "emergence": Finding(difference_of(counts.of("base", iteration=0), counts.of("base")), 1),
        "untaught": Finding(
            difference_of(counts.of("base", _LATE, iteration=0), counts.of("base", _LATE)), 1
        ),
        "generic": Finding(difference_of([s[0] for s in swept], [s[-1] for s in swept], 1.0), 1),
        "deeper": counts.unlike_base("deeper", 1),
        "shallower": counts.unlike_base("shallower", -1),
        "double_width": counts.unlike_base("double-width", 1),
        "half_width": counts.unlike_base("half-width", -1),
        "low_layers": counts.share(_LOW, base, ("base", None, "relu1")),
        "high_layers": Finding(
            difference_of(counts.of("base", _OBJECT, layer="relu1"), counts.of("base", _OBJECT)), 1
        ),
        "high_scenes": counts.more_scenes("relu1"),
        "deepest": Finding(difference_of(counts.of("base", layer="relu4"), counts.of("base")), 1),
        "deepest_share": Finding(
            difference_of(counts.by_size("base", "relu4"), counts.by_size("base"), 1.0), 1
        ),
        "task_specific": counts.more_scenes("relu4"),
        "scenes": Finding(difference_of(counts.of("objects"), counts.of("base")), 1),
        "scene_objects": Finding(difference_of(counts.of("objects", _OBJECT), counts.of("base", _OBJECT)), 1),
        "rotation_task": counts.unlike_base("rotation", -1),
        "jigsaw_task": counts.unlike_base("jigsaw", -1),
        "rotation_textures": counts.share(("texture",), base, ("rotation", None, None)),
        "jigsaw_textures": counts.share(("texture",), base, ("jigsaw", None, None)),
        "dropout": counts.unlike_base("dropout", -1),
        "batch_norm": counts.unlike_base("batch-norm", -1),
        "objects_late": Finding(
            difference_of(counts.of("base", _LATE, iteration=EARLY), counts.of("base", _LATE)), 1
        ),
        "colours_early": counts.share(_LOW, base, ("base", EARLY, None)),
        "axis": Finding(mean_of(falls, -1.0, 1.0), 1),
        **_explanations(evidence),
    }


def _explanations(evidence: Evidence) -> dict[str, Finding]:
    """Ask whether what explains right predictions is held to its label, and what explains wrong ones not."""
    told = [explained(evidence, name) for name in evidence.networks("base")]
    over = {name: [one[name] - one[f"{name}_usual"] for one in told] for name in ("right", "wrong")}
    return {
        "relevant": Finding(mean_of(over["right"], -1.0, 1.0), 1),
        "mistaken": Finding(difference_of(over["right"], over["wrong"], 2.0), -1),
    }


def contrasts(evidence: Evidence) -> dict[str, Estimate]:
    """Ask for differences of unique detectors of which no sign is at hand.

    Parameters
    ----------
    evidence : Evidence

    Returns
    -------
    dict of str to Estimate
    """
    counts = _Counts(evidence)
    return {
        "no_decay": difference_of(counts.of("base"), counts.of("no-decay")),
        "strong_decay": difference_of(counts.of("base"), counts.of("strong-decay")),
        "fine_tuned": difference_of(counts.of("objects"), counts.of("fine-tuned")),
    }


def alike(evidence: Evidence) -> dict[str, Alike]:
    """Compare the finished networks of `base`, which differ in their seed alone, with each other.

    Parameters
    ----------
    evidence : Evidence

    Returns
    -------
    dict of str to Alike
        ``number``: unique detectors, differences as shares of a pair's mean; ``kind``: differences of the
        share that a category has of them.
    """
    networks = evidence.networks("base")
    every = dict(zip(networks, _Counts(evidence).of("base"), strict=True))
    number, kind = {}, {}
    for one, other in itertools.combinations(networks, 2):
        pair = f"{one}, {other}"
        number[pair] = mean_of([(every[other] - every[one]) / ((every[one] + every[other]) * 0.5)], -2.0, 2.0)
        for category in CATEGORIES:
            first, second = (evidence.count(name, (category,)) / every[name] for name in (one, other))
            kind[f"{category}, {pair}"] = difference_of([first], [second], 1.0)
    return {"number": Alike(number, MARGIN), "kind": Alike(kind, MARGIN)}
