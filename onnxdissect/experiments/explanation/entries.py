"""From what units contributed to what is told of an image: its strongest units, and its concepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxdissect.experiments.class_scores.run_layer import layer_field
from onnxdissect.experiments.class_scores.variants import Contributions
from onnxdissect.experiments.explanation.records import (
    UNLABELLED,
    ConceptShare,
    Explanation,
    Fit,
    ShapleyOrders,
    UnitContribution,
)
from onnxdissect.experiments.explanation.shapley import standard_errors
from onnxdissect.model import Network
from onnxdissect.results import Dissection
from onnxdissect.results.records import LayerInfo, Unit

__all__ = [
    "AttributedScore",
    "ExplainedLayer",
    "concept_groups",
    "explanation_of",
    "signed_shares",
]

Groups = Mapping[tuple[str, str], Sequence[int]]


@dataclass(frozen=True, slots=True)
class ExplainedLayer:
    """What is the same for all images of a call.

    Attributes
    ----------
    network : Network
        The model of the run.
    run : Dissection
    info : LayerInfo
        The layer, as the run knows it.
    units : tuple of Unit
        Its labelled units, at the run's first quantile.
    output, score_of, stripped, reduced : str
        As in `Explanation`.
    names : tuple of str or None
        What classes are called; None where nobody says.
    """

    network: Network
    run: Dissection
    info: LayerInfo
    units: tuple[Unit, ...]
    output: str
    score_of: str
    stripped: str
    names: tuple[str, ...] | None
    reduced: str = ""

    def class_name(self, number: int) -> str:
        """Name a class.

        Parameters
        ----------
        number : int

        Returns
        -------
        str
            Its number where names are not known.
        """
        return str(number) if self.names is None else self.names[number]


@dataclass(frozen=True, slots=True)
class AttributedScore:
    """What made the score of a class for one image.

    Attributes
    ----------
    maps : ndarray of float32, shape (units, h, w)
        A_k of the image.
    predicted, explained : int
        Numbers of classes.
    attribution : str
        One of `ATTRIBUTIONS`, but "auto".
    contributions : Contributions
        Of units; of *shapley* over concepts, of those, in the order of `concept_groups`.
    ablated_to, reference : str
        As in `Explanation`.
    orders : ShapleyOrders or None
        Of *shapley*.
    fit : Fit or None
        Of *fitted*.
    """

    maps: NDArray[np.float32]
    predicted: int
    explained: int
    attribution: str
    contributions: Contributions
    ablated_to: str = "zero"
    reference: str = ""
    orders: ShapleyOrders | None = None
    fit: Fit | None = None

    @property
    def of_units(self) -> bool:
        """Whether contributions are of units, rather than of concepts."""
        return self.orders is None or self.orders.over == "units"


def concept_groups(units: Sequence[Unit]) -> dict[tuple[str, str], list[int]]:
    """Put the units of a layer together by their labels.

    Parameters
    ----------
    units : sequence of Unit
        All of them.

    Returns
    -------
    dict of (str, str) to list of int
        Units by label and category of detectors; all others under `UNLABELLED`, without category.
    """
    members: dict[tuple[str, str], list[int]] = {}
    for unit in units:
        key = (unit.label, unit.category) if unit.detector else (UNLABELLED, "")
        members.setdefault(key, []).append(unit.unit)
    return members


def signed_shares(contributions: Sequence[float]) -> list[float]:
    """Relate each contribution to the sum of those of its sign.

    Parameters
    ----------
    contributions : sequence of float

    Returns
    -------
    list of float
        Positive ones come to 1 together, negative ones to -1.
    """
    values = np.asarray(contributions, np.float64)
    gained, lost = values[values > 0].sum(), -values[values < 0].sum()
    return [float(v / gained) if v > 0 else float(v / lost) if v < 0 else 0.0 for v in values]


def explanation_of(
    layer: ExplainedLayer, image: str, pixels: NDArray[np.uint8], found: AttributedScore, top: int
) -> Explanation:
    """Tell of an image what made its score.

    Parameters
    ----------
    layer : ExplainedLayer
        Of the call.
    image : str
        What the image is called.
    pixels : ndarray of uint8, shape (height, width, 3)
        The image.
    found : AttributedScore
        Of it.
    top : int
        Units to tell of.

    Returns
    -------
    Explanation
    """
    told = found.contributions
    plain = Explanation(
        image=image,
        model=str(layer.network.path),
        run=str(layer.run.path),
        layer=layer.info.name,
        alias=layer.info.alias,
        quantile=layer.run.quantiles[0],
        output=layer.output,
        score_of=layer.score_of,
        stripped=layer.stripped,
        class_index=found.explained,
        class_name=layer.class_name(found.explained),
        predicted_index=found.predicted,
        predicted_name=layer.class_name(found.predicted),
        score=told.score,
        attribution=found.attribution,
        bias=told.bias,
        error=told.error,
        contributions=tuple(told.values.tolist()) if found.of_units else (),
        units=(),
        concepts=_concepts(found, layer.units),
        pixels=pixels,
        activations=found.maps,
        input_size=layer.network.size,
        placement=layer_field(layer.info),
        ablated_to=found.ablated_to,
        reference=found.reference,
        orders=found.orders,
        fit=found.fit,
        reduced=layer.reduced,
    )
    return replace(plain, units=_units(plain, told.samples, layer.units, top)) if found.of_units else plain


def _units(
    plain: Explanation, samples: NDArray[np.float64] | None, labelled: Sequence[Unit], top: int
) -> tuple[UnitContribution, ...]:
    shares = signed_shares(plain.contributions)
    order = sorted(range(len(labelled)), key=lambda k: (-abs(plain.contributions[k]), k))
    chosen = [k for k in order[:top] if plain.contributions[k] != 0]
    errors = standard_errors(samples, [[k] for k in chosen])
    units = []
    for k, error in zip(chosen, errors, strict=True):
        unit = labelled[k]
        assert unit.threshold is not None, "only imported runs lack thresholds, and they were refused"
        threshold = np.float32(unit.threshold)
        mask = plain.heat(k) > threshold
        units.append(
            UnitContribution(
                unit=k,
                label=unit.label,
                category=unit.category,
                iou=unit.iou,
                iou_low=unit.iou_low,
                iou_high=unit.iou_high,
                stability=unit.stability,
                detector=unit.detector,
                reliable=unit.reliable,
                contribution=plain.contributions[k],
                share=shares[k],
                activation=float(plain.activations[k].max()),
                threshold=float(threshold),
                area=float(mask.mean()),
                box=_box(mask),
                standard_error=error,
            )
        )
    return tuple(units)


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _concepts(found: AttributedScore, labelled: Sequence[Unit]) -> tuple[ConceptShare, ...]:
    """Sum contributions by the labels of detectors, where they are not of those already."""
    members, told = concept_groups(labelled), found.contributions
    # units of the strongest contribution first, if they have any
    strength = np.abs(told.values) if found.of_units else np.zeros(len(labelled))
    columns = list(members.values()) if found.of_units else [[i] for i in range(len(members))]
    sums = [float(told.values[chosen].sum()) for chosen in columns]
    errors = standard_errors(told.samples, columns)
    concepts = [
        ConceptShare(
            concept=key[0],
            category=key[1],
            units=tuple(sorted(units, key=lambda k: (-strength[k], k))),
            contribution=total,
            share=share,
            standard_error=error,
        )
        for (key, units), total, share, error in zip(
            members.items(), sums, signed_shares(sums), errors, strict=True
        )
    ]
    return tuple(sorted(concepts, key=lambda one: (-one.contribution, one.concept, one.category)))
