"""From predictions to what is told: accuracies, their intervals, and what they are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.ablation.accuracy import ClassRates, Resampled, interval
from onnxdissect.experiments.ablation.groups import UnitGroup
from onnxdissect.experiments.ablation.importance import Importance, rank_correlation
from onnxdissect.experiments.ablation.records import (
    Accuracy,
    ClassDrop,
    Difference,
    GroupRemoval,
    Removal,
    UnitNeed,
)
from onnxdissect.results.records import Unit

__all__ = ["Summary", "need_correlation", "unit_needs"]

_Draws = tuple[NDArray[np.float64], NDArray[np.float64]]
_UNIT_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Summary:
    """Predictions of M images in V ways of removing units, and the names of the C classes that they show.

    Attributes
    ----------
    places : mapping of (str, int, int) to tuple of int
        The ways, as `Variants.places` gives them; nothing first.
    rates : ClassRates
        Of every way and class.
    accuracy : ndarray of float64, shape (V, C)
        Of these rates.
    area : ndarray of float64, shape (V, C)
        Under the ROC curves; NaN where it was not measured.
    predicted : ndarray of int64, shape (V, M)
        Positions of classes, -1 for those that no image shows.
    resampled : Resampled or None
        None where no intervals are asked for.
    numbers : tuple of int
        Of the classes, among those of the network.
    names : tuple of str
        Of the classes.
    """

    places: Mapping[tuple[str, int, int], tuple[int, ...]]
    rates: ClassRates
    accuracy: NDArray[np.float64]
    area: NDArray[np.float64]
    predicted: NDArray[np.int64]
    resampled: Resampled | None
    numbers: tuple[int, ...]
    names: tuple[str, ...]

    def nothing(self, number: int | None) -> Accuracy:
        """Tell how well a class is told with all units there.

        Parameters
        ----------
        number : int or None
            Its position; None for the mean over all.

        Returns
        -------
        Accuracy
        """
        return self._accuracy([0], [number] if number is not None else range(len(self.names)))

    def removals(self, classes: Sequence[int], counts: Sequence[int]) -> tuple[Removal, ...]:
        """Follow each class, and then their mean, as more and more units are removed or kept.

        Parameters
        ----------
        classes : sequence of int
            Positions of those whose important units were removed.
        counts : sequence of int
            How many units.

        Returns
        -------
        tuple of Removal
        """
        found = [removal for one in classes for removal in self._of_classes([one], counts, mean=False)]
        found += self._of_classes(classes, counts, mean=True)
        return tuple(found)

    def _of_classes(self, classes: Sequence[int], counts: Sequence[int], *, mean: bool) -> list[Removal]:
        found = []
        for kind in ("removed", "kept"):
            for n in counts:
                own = [self.places[kind, one, n][0] for one in classes]
                drawn = self.places[f"random {kind}", -1, n]
                found.append(self._removal(classes, own, drawn, kind, n, mean))
        for kind in ("random removed", "random kept"):
            for n in counts:
                drawn = self.places[kind, -1, n]
                found.append(self._random(classes, drawn, kind, n, mean))
        return found

    def _removal(
        self,
        classes: Sequence[int],
        own: Sequence[int],
        drawn: Sequence[int],
        kind: str,
        n: int,
        mean: bool,
    ) -> Removal:
        """Each class without units of its own, beside the same classes without random ones."""
        accuracy = self.accuracy
        pairs = list(zip(own, classes, strict=True))
        draws = [self._draws(v, one) for v, one in pairs]
        difference = None
        if self.resampled is not None:
            mine = np.mean([found[1] for found in draws if found is not None], axis=0)
            theirs = [self._draws(v, one) for v in drawn for one in classes]
            difference = mine - np.mean([found[1] for found in theirs if found is not None], axis=0)
        told = self._mean(pairs, draws)
        beyond = Difference(
            told.accuracy - float(accuracy[np.ix_(drawn, classes)].mean()), *interval(difference)
        )
        others = [np.delete(accuracy[v], one).mean() for v, one in pairs]
        return Removal(*self._named(classes, mean), kind, n, told, None, float(np.mean(others)), beyond)

    def _random(self, classes: Sequence[int], drawn: Sequence[int], kind: str, n: int, mean: bool) -> Removal:
        accuracy = self.accuracy
        each = accuracy[np.ix_(drawn, classes)].mean(axis=1)
        others = [np.delete(accuracy[v], one).mean() for v in drawn for one in classes]
        spread = round(float(each.std(ddof=1)), 12) if len(drawn) > 1 else None
        told = self._accuracy(drawn, classes)
        return Removal(*self._named(classes, mean), kind, n, told, spread, float(np.mean(others)), None)

    def _named(self, classes: Sequence[int], mean: bool) -> tuple[int | None, str]:
        return (None, "") if mean else (self.numbers[classes[0]], self.names[classes[0]])

    def groups(self, groups: Sequence[UnitGroup]) -> tuple[GroupRemoval, ...]:
        """Tell what is left without groups of units.

        Parameters
        ----------
        groups : sequence of UnitGroup

        Returns
        -------
        tuple of GroupRemoval
        """
        # in their order, whatever their sizes
        ways = sorted(v for (kind, _, _), found in self.places.items() if kind == "group" for v in found)
        return tuple(self._group(v, one) for v, one in zip(ways, groups, strict=True))

    def _group(self, v: int, group: UnitGroup) -> GroupRemoval:
        drawn = self.places["random removed", -1, len(group.units)]
        classes = range(len(self.names))
        value, random = self._accuracy([v], classes), self._accuracy(drawn, classes)
        mine, theirs, before = (self._drawn_accuracy(rows) for rows in ([v], drawn, [0]))
        beyond = None if mine is None or theirs is None else (mine - theirs).mean(axis=1)
        drops = []
        for one in classes:
            fall = None if mine is None or before is None else (before - mine)[:, one]
            lost = float(self.accuracy[0, one] - self.accuracy[v, one])
            drops.append(ClassDrop(self.numbers[one], self.names[one], Difference(lost, *interval(fall))))
        return GroupRemoval(
            group.name,
            group.category,
            group.units,
            value,
            random,
            Difference(value.accuracy - random.accuracy, *interval(beyond)),
            tuple(sorted(drops, key=lambda one: (-one.drop.value, one.class_index))),
        )

    def _drawn_accuracy(self, rows: Sequence[int]) -> NDArray[np.float64] | None:
        """Accuracy of every class in every resample, the mean over several ways of removing units."""
        if self.resampled is None:
            return None
        total = sum(self.resampled.rates(self.predicted[v])[1] for v in rows)
        return np.asarray(total / len(rows))

    def _draws(self, v: int, one: int) -> _Draws | None:
        if self.resampled is None:
            return None
        top1, accuracy = self.resampled.rates(self.predicted[v], one)
        return top1[:, 0], accuracy[:, 0]

    def _accuracy(self, rows: Sequence[int], classes: Sequence[int]) -> Accuracy:
        """Mean over ways of removing units and over classes."""
        pairs = [(v, one) for v in rows for one in classes]
        draws: list[_Draws | None] = []
        if len(classes) < len(self.names) or self.resampled is None:
            draws = [self._draws(v, one) for v, one in pairs]
        else:
            found = [self.resampled.rates(self.predicted[v]) for v in rows]
            draws = [(top1.mean(axis=1), accuracy.mean(axis=1)) for top1, accuracy in found]
        return self._mean(pairs, draws)

    def _mean(self, pairs: Sequence[tuple[int, int]], draws: Sequence[_Draws | None]) -> Accuracy:
        at = tuple(np.array(pairs).T)
        drawn = [found for found in draws if found is not None]
        top1 = np.mean([found[0] for found in drawn], axis=0) if drawn else None
        accuracy = np.mean([found[1] for found in drawn], axis=0) if drawn else None
        low, high = interval(accuracy)
        top1_low, top1_high = interval(top1)
        return Accuracy(
            accuracy=float(self.accuracy[at].mean()),
            low=low,
            high=high,
            top1=float(self.rates.top1[at].mean()),
            top1_low=top1_low,
            top1_high=top1_high,
            area=float(self.area[at].mean()),
            log_loss=float(self.rates.log_loss[at].mean()),
        )


def unit_needs(
    units: Sequence[Unit], importance: Importance, rates: ClassRates, names: Sequence[str]
) -> tuple[UnitNeed, ...]:
    """Tell which classes need each unit.

    Parameters
    ----------
    units : sequence of Unit
        Of the layer, as labelled.
    importance : Importance
        On the images that units are ranked on.
    rates : ClassRates
        On the images that are measured on: with nothing removed, and with each unit removed by itself.
    names : sequence of str
        Of the classes.

    Returns
    -------
    tuple of UnitNeed
    """
    needed = importance.needed()
    drops = rates.accuracy[0] - rates.accuracy[1 : len(units) + 1]
    found = []
    for unit, drop in zip(units, drops, strict=True):
        worst = int(drop.argmax())
        needing = tuple(names[i] for i in np.flatnonzero(needed[:, unit.unit]).tolist())
        mean, most = float(drop.mean()), float(drop[worst])
        told = (unit.unit, unit.label, unit.category, unit.iou, unit.detector)
        found.append(UnitNeed(*told, needing, mean, names[worst], most))
    return tuple(found)


def need_correlation(needs: Sequence[UnitNeed], seed: int) -> Difference | None:
    """Correlate the IoU of units with how many classes need them.

    Parameters
    ----------
    needs : sequence of UnitNeed
    seed : int
        Of the resamples of the units.

    Returns
    -------
    Difference or None
        Spearman's coefficient with its interval; None where all units are alike in either.
    """
    iou = np.array([one.iou for one in needs])
    often = np.array([float(len(one.classes)) for one in needs])
    value = rank_correlation(iou, often)
    if value is None:
        return None
    rng = np.random.default_rng([seed, 3])
    drawn = (rng.integers(0, len(needs), len(needs)) for _ in range(_UNIT_RESAMPLES))
    found = [rank_correlation(iou[rows], often[rows]) for rows in drawn]
    return Difference(value, *interval(np.array([one for one in found if one is not None])))
