"""What a basis finds: concepts that its units detect and the layer's own do not, and the reverse.

A concept is *detected* by a layer if it is the label of a detector (paper section 3.3), so that new, lost and
common concepts add up to the unique detectors of both sides. Nothing is scored or resampled here that the run
has not stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import ParameterError
from onnxdissect.results import Concept, Dissection, LayerInfo, NearestUnits, Unit

__all__ = ["BasisFindings", "BestUnit", "ConceptFinding", "DirectionFinding", "Side", "basis_findings"]


@dataclass(frozen=True, slots=True)
class BestUnit:
    """How well the units of one side match a concept.

    Attributes
    ----------
    unit : int
        The detector of highest IoU that is labelled with the concept; where there is none, the unit whose IoU
        with the concept is highest, whatever its label. The lowest number on a tie.
    iou : float
        Its IoU with the concept; 0 if no mask of this side meets the concept.
    low, high : float or None
        95 % interval of that IoU over resampled images; None where the run has stored none.
    detectors : int
        How many detectors are labelled with the concept.
    reliable : int or None
        How many of these are reliable; None without a bootstrap.
    """

    unit: int
    iou: float
    low: float | None
    high: float | None
    detectors: int
    reliable: int | None


@dataclass(frozen=True, slots=True)
class ConceptFinding:
    """One concept that the units under a basis detect, or the layer's own, or both.

    Attributes
    ----------
    concept : Concept
    position : int
        Of the concept in `Dissection.concepts`.
    found : str
        ``new`` if only units under the basis detect it, ``lost`` if only the layer's own do, else ``both``.
    direction : BestUnit
        Of the units under the basis.
    own : BestUnit
        Of the layer's own units.
    """

    concept: Concept
    position: int
    found: str
    direction: BestUnit
    own: BestUnit

    @property
    def unsure(self) -> bool | None:
        """Whether it is new, or lost, by detectors none of which is reliable; None if that is not known.

        The interval of an IoU that is not reliable reaches down to the threshold of a detector, or its label
        changes from resample to resample. Never true of what both sides detect.
        """
        sides = {"new": self.direction, "lost": self.own}
        if self.found not in sides:
            return False
        reliable = sides[self.found].reliable
        return None if reliable is None else reliable == 0

    def labelled_otherwise(self, iou_threshold: float) -> bool:
        """Tell whether the side that does not detect it has a unit above the threshold all the same.

        Parameters
        ----------
        iou_threshold : float
            Of detectors.

        Returns
        -------
        bool
            Such a unit meets another concept better, which is its label.
        """
        other = {"new": self.own, "lost": self.direction}.get(self.found)
        return other is not None and other.iou > iou_threshold


@dataclass(frozen=True, slots=True)
class DirectionFinding:
    """A unit under a basis beside the layer's own unit that it is nearest to.

    Attributes
    ----------
    unit : Unit
        Under the basis: its number, label, IoU, and whether it is a detector.
    name : str
        Of the row of the basis; empty without one.
    nearest : Unit or None
        The layer's own unit of largest cosine; None if the run has not stored it.
    cosine : float or None
        Between the row of the matrix and that unit's axis, in [-1, 1].
    """

    unit: Unit
    name: str
    nearest: Unit | None
    cosine: float | None


@dataclass(frozen=True, slots=True)
class BasisFindings:
    """What the units under a basis detect, beside the layer's own, at one quantile.

    Attributes
    ----------
    layer : LayerInfo
        Under the basis.
    own : LayerInfo
        The layer itself.
    quantile : float
        The level tau.
    concepts : tuple of ConceptFinding
        New ones first, then lost ones, then those of both; among these reliable ones first, by falling IoU of
        the side that detects them, of both by that of the basis.
    directions : tuple of DirectionFinding
        One per unit under the basis, in order.
    """

    layer: LayerInfo
    own: LayerInfo
    quantile: float
    concepts: tuple[ConceptFinding, ...]
    directions: tuple[DirectionFinding, ...]

    @property
    def new(self) -> tuple[ConceptFinding, ...]:
        """Concepts that only units under the basis detect."""
        return tuple(one for one in self.concepts if one.found == "new")

    @property
    def lost(self) -> tuple[ConceptFinding, ...]:
        """Concepts that only the layer's own units detect."""
        return tuple(one for one in self.concepts if one.found == "lost")

    @property
    def both(self) -> tuple[ConceptFinding, ...]:
        """Concepts that both detect."""
        return tuple(one for one in self.concepts if one.found == "both")


@dataclass(frozen=True, slots=True)
class Side:
    """What the units of one layer of a run match: Q quantiles, K units, C concepts.

    A layer is often compared with many bases; this is read of it once.

    Attributes
    ----------
    info : LayerInfo
    units : tuple of tuple of Unit
        Per quantile, in order.
    label : ndarray of int64, shape (Q, K)
        Position of each detector's label in the run's concepts; -1 for units that are no detectors.
    best : tuple of tuple of BestUnit
        Per quantile and concept.
    """

    info: LayerInfo
    units: tuple[tuple[Unit, ...], ...]
    label: NDArray[np.int64]
    best: tuple[tuple[BestUnit, ...], ...]

    @classmethod
    def of(cls, run: Dissection, layer: str) -> Side:
        """Read what the units of a layer match.

        Parameters
        ----------
        run : Dissection
        layer : str
            Value name, alias or folder name.

        Returns
        -------
        Side

        Raises
        ------
        LayerNotFoundError
            If the run holds no such layer.
        RunFormatError
            If a file of it is missing or damaged.
        """
        info = run.layer(layer)
        units = tuple(tuple(run.units(info.name, quantile)) for quantile in run.quantiles)
        detector = np.array([[unit.detector for unit in row] for row in units], np.bool_)
        label = np.where(detector, run.scores(info.name).concept, -1)
        iou, stored = run.iou(info.name), run.intervals(info.name)
        best = []
        for q, row in enumerate(units):
            unit = np.argmax(iou[q], axis=0)
            members: dict[int, list[int]] = {}
            for k in np.flatnonzero(label[q] >= 0).tolist():
                members.setdefault(int(label[q, k]), []).append(k)
            for concept, found in members.items():
                unit[concept] = max(found, key=lambda k: (iou[q, k, concept], -k))
            concepts = np.arange(len(unit))
            ends = np.full((2, len(unit)), np.nan)
            if stored is not None:
                # each concept stands once among those of a unit
                place = stored.concept[q, unit] == concepts[:, None]
                held = place.any(axis=1)
                ends[0, held] = stored.low[q, unit][place]
                ends[1, held] = stored.high[q, unit][place]
            numbers = zip(unit.tolist(), iou[q, unit, concepts].tolist(), *ends.tolist(), strict=True)
            best.append(
                tuple(
                    BestUnit(k, value, _known(low), _known(high), *_counted(members.get(concept, ()), row))
                    for concept, (k, value, low, high) in enumerate(numbers)
                )
            )
        return cls(info, units, label, tuple(best))


def basis_findings(
    run: Dissection, layer: str, sides: Mapping[str, Side] | None = None
) -> tuple[BasisFindings, ...]:
    """Tell what the units under a basis detect that the layer's own do not, and the reverse.

    Parameters
    ----------
    run : Dissection
        Finished, with the layer and the layer under the basis, as every run of ``--basis`` has them.
    layer : str
        The layer under the basis: value name, ``<value>/basis/<name>``, alias or folder name.
    sides : mapping of str to Side, optional
        Layers that have been read already, by value name; the others are read.

    Returns
    -------
    tuple of BasisFindings
        One per quantile of the run.

    Raises
    ------
    LayerNotFoundError
        If the run holds no such layer, or not the layer that the basis was applied to.
    ParameterError
        If the layer is under no basis.
    RunFormatError
        If a file of the run is missing or damaged.

    Examples
    --------
    >>> run = load("runs/turned")  # doctest: +SKIP
    >>> [one.concept.name for one in basis_findings(run, "relu7/pca:n=16")[0].new]  # doctest: +SKIP
    """
    info = run.layer(layer)
    if info.basis is None:
        raise ParameterError(
            f"layer {info.name!r} of {run.path} is under no basis: its units are its own",
            candidates=tuple(one.name for one in run.layers if one.basis is not None)[:5],
            hint="onnxdissect run ... --basis SPEC puts layers under bases",
        )
    known = sides or {}
    under = known.get(info.name) or Side.of(run, info.name)
    own = known.get(info.own_layer) or Side.of(run, info.own_layer)
    nearest = run.nearest_units(info.name)
    return tuple(
        BasisFindings(
            layer=info,
            own=own.info,
            quantile=quantile,
            concepts=tuple(_concepts(under, own, run.concepts, q)),
            directions=tuple(_directions(under, own, nearest, q)),
        )
        for q, quantile in enumerate(run.quantiles)
    )


def _concepts(under: Side, own: Side, concepts: Sequence[Concept], q: int) -> list[ConceptFinding]:
    there, here = (set(side.label[q].tolist()) - {-1} for side in (under, own))
    found = [
        ConceptFinding(
            concept=concepts[c],
            position=c,
            found="both" if c in there and c in here else "new" if c in there else "lost",
            direction=under.best[q][c],
            own=own.best[q][c],
        )
        for c in sorted(there | here)
    ]
    order = ("new", "lost", "both")
    return sorted(
        found,
        key=lambda one: (
            order.index(one.found),
            bool(one.unsure),
            -(one.own.iou if one.found == "lost" else one.direction.iou),
            one.position,
        ),
    )


def _directions(under: Side, own: Side, nearest: NearestUnits | None, q: int) -> list[DirectionFinding]:
    names = under.info.unit_names or ("",) * under.info.units
    if nearest is None:
        return [DirectionFinding(*pair, None, None) for pair in zip(under.units[q], names, strict=True)]
    beside = [own.units[q][k] for k in nearest.unit.tolist()]
    rows = zip(under.units[q], names, beside, nearest.cosine.tolist(), strict=True)
    return [DirectionFinding(*row) for row in rows]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _counted(detectors: Sequence[int], units: Sequence[Unit]) -> tuple[int, int | None]:
    """How many detectors a concept has, and how many of them are reliable."""
    if any(unit.reliable is None for unit in units):
        return len(detectors), None
    return len(detectors), sum(bool(units[k].reliable) for k in detectors)
