"""What the page of explanations says of each image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from onnxdissect.experiments.explanation.formats.wording import (
    attribution_sentence,
    concept_sentence,
    fired,
    prediction,
)
from onnxdissect.experiments.explanation.records import UNLABELLED
from onnxdissect.report.figures.explanation.marks import area_text, colour, ink, number_spots

if TYPE_CHECKING:
    from onnxdissect.experiments.explanation import ConceptShare, Explanation, UnitContribution
    from onnxdissect.experiments.explanation.segments import Segmentation

__all__ = ["ConceptView", "ExplanationView", "LegendView", "UnitView", "choices", "explanation_view"]

_LISTED = 8


@dataclass(frozen=True, slots=True)
class UnitView:
    """A unit that is told of.

    Attributes
    ----------
    unit : int
    label, category : str
        "no concept" where its mask meets none.
    colour : int or None
        Number of the category's colour.
    detector : bool
    certainty : str
        Interval and stability of the IoU; empty without a bootstrap.
    reliable : bool or None
    iou, contribution, share, fired : str
        As people read them.
    error : str
        Standard error of the contribution; empty where that is no estimate.
    part : float
        The share without its sign, of the largest on show.
    against : bool
        Whether it speaks against the class.
    link : str
        Address of its card in the report of the run; empty where there is none.
    """

    unit: int
    label: str
    category: str
    colour: int | None
    detector: bool
    certainty: str
    reliable: bool | None
    iou: str
    contribution: str
    error: str
    share: str
    fired: str
    part: float
    against: bool
    link: str


@dataclass(frozen=True, slots=True)
class ConceptView:
    """What all units of a label contributed.

    Attributes
    ----------
    concept, category : str
    colour : int or None
        Number of the category's colour.
    units : int
        How many.
    contribution, share : str
        As people read them.
    part : float
        The share without its sign, of the largest on show.
    against : bool
        Whether it speaks against the class.
    """

    concept: str
    category: str
    colour: int | None
    units: int
    contribution: str
    share: str
    part: float
    against: bool


@dataclass(frozen=True, slots=True)
class LegendView:
    """A concept that some of the image is painted by.

    Attributes
    ----------
    number : int
    concept : str
    detail : str
        Share and area.
    fill, ink : str
        Colours of the number's field and of the number.
    row, column : float
        Where the number stands, as shares of the image.
    """

    number: int
    concept: str
    detail: str
    fill: str
    ink: str
    row: float
    column: float


@dataclass(frozen=True, slots=True)
class ExplanationView:
    """An image and what made its prediction.

    Attributes
    ----------
    number : int
        From 1.
    name, image : str
        Of the file; its path as given.
    class_name, prediction, sentence, meaning : str
        What is said; the last of what contributions are and come to.
    over_concepts : bool
        Whether only concepts have contributions, and units none.
    other : str
        Name of the predicted class where another one is explained; else empty.
    figure : str
        Name of its figures, without endings.
    size : (int, int)
        (width, height) of its photograph.
    legend : tuple of LegendView
    units : tuple of UnitView
    concepts, further : tuple of ConceptView
        Those of largest contributions, and all others; each list by contribution, the highest first.
    """

    number: int
    name: str
    image: str
    class_name: str
    prediction: str
    sentence: str
    meaning: str
    over_concepts: bool
    other: str
    figure: str
    size: tuple[int, int]
    legend: tuple[LegendView, ...]
    units: tuple[UnitView, ...]
    concepts: tuple[ConceptView, ...]
    further: tuple[ConceptView, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the detectors that are told of, each once."""
        return tuple(dict.fromkeys(unit.label for unit in self.units if unit.detector))


def explanation_view(
    one: Explanation,
    parts: Segmentation,
    number: int,
    shown: tuple[str, tuple[int, int]],
    colours: Mapping[str, int],
    cards: str,
) -> ExplanationView:
    """Say what there is of an explanation.

    Parameters
    ----------
    one : Explanation
    parts : Segmentation
        Of it.
    number : int
        Of it, from 1.
    shown : (str, (int, int))
        Name of its figures, without endings; (width, height) of its photograph.
    colours : mapping of str to int
        Number of each category's colour.
    cards : str
        Address of the units' cards in the report of the run, up to the number; empty where there is none.

    Returns
    -------
    ExplanationView
        Which holds neither pixels nor activations.
    """
    figure, size = shown
    largest = sorted(one.concepts, key=lambda concept: -abs(concept.contribution))[:_LISTED]
    most = max((abs(concept.share) for concept in one.concepts), default=0.0)
    most_unit = max((abs(unit.share) for unit in one.units), default=0.0)
    listed = [concept for concept in one.concepts if concept in largest and concept.contribution]
    further = [concept for concept in one.concepts if concept not in largest and concept.contribution]
    return ExplanationView(
        number=number,
        name=Path(one.image).name or one.image,
        image=one.image,
        class_name=one.class_name,
        prediction=prediction(one),
        sentence=concept_sentence(one),
        meaning=_sentence(attribution_sentence(one)),
        over_concepts=one.orders is not None and one.orders.over == "concepts",
        other="" if one.class_index == one.predicted_index else one.predicted_name,
        figure=figure,
        size=size,
        legend=tuple(_legend(parts)),
        units=tuple(_unit(unit, one, most_unit, colours, cards) for unit in one.units),
        concepts=tuple(_concept(concept, most, colours) for concept in listed),
        further=tuple(_concept(concept, most, colours) for concept in further),
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _estimated(contribution: float, error: float | None) -> str:
    said = _signed(f"{contribution:+.4g}")
    return said if error is None else f"{said} (s.e. {error:.2g})"


def _unit(
    unit: UnitContribution, one: Explanation, most: float, colours: Mapping[str, int], cards: str
) -> UnitView:
    certainty = []
    if unit.iou_low is not None and unit.iou_high is not None:
        certainty.append(f"95 % {unit.iou_low:.3f}–{unit.iou_high:.3f}")
    if unit.stability is not None:
        certainty.append(f"stable {100 * unit.stability:.0f} %")
    return UnitView(
        unit=unit.unit,
        label=unit.label or "no concept",
        category=unit.category,
        colour=colours.get(unit.category),
        detector=unit.detector,
        certainty=", ".join(certainty),
        reliable=unit.reliable,
        iou=f"{unit.iou:.3f}",
        contribution=_signed(f"{unit.contribution:+.4g}"),
        error="" if unit.standard_error is None else f"s.e. {unit.standard_error:.2g}",
        share=_signed(f"{100 * unit.share:+.0f} %"),
        fired=fired(unit, (one.pixels.shape[0], one.pixels.shape[1])),
        part=abs(unit.share) / (most or 1),
        against=unit.contribution < 0,
        link=f"{cards}{unit.unit}" if cards else "",
    )


def _concept(concept: ConceptShare, most: float, colours: Mapping[str, int]) -> ConceptView:
    return ConceptView(
        concept=concept.concept,
        category="" if concept.concept == UNLABELLED else concept.category,
        colour=colours.get(concept.category),
        units=len(concept.units),
        contribution=_estimated(concept.contribution, concept.standard_error),
        share=_signed(f"{100 * concept.share:+.0f} %"),
        part=abs(concept.share) / (most or 1),
        against=concept.contribution < 0,
    )


def _signed(text: str) -> str:
    return text.replace("-", "−", 1) if text.startswith("-") else text


def _legend(parts: Segmentation) -> list[LegendView]:
    spots = {spot.number: spot for spot in number_spots(parts.index, len(parts.concepts))}
    return [
        LegendView(
            number=concept.number,
            concept=concept.concept,
            detail=_signed(f"{100 * concept.share:+.0f} %, {area_text(concept.area)} of the image"),
            fill=colour(concept.number),
            ink=ink(concept.number),
            row=spots[concept.number].row,
            column=spots[concept.number].column,
        )
        for concept in parts.concepts
    ]


def choices(views: Sequence[ExplanationView]) -> tuple[list[str], list[str], list[tuple[int, str, int]]]:
    """Tell what the predictions can be chosen by.

    Parameters
    ----------
    views : sequence of ExplanationView

    Returns
    -------
    classes : list of str
        Explained ones, sorted.
    concepts : list of str
        Labels of detectors that are told of, sorted.
    units : list of (int, str, int)
        Each that is told of, with its label and in how many explanations, by number.
    """
    classes = sorted({view.class_name for view in views})
    concepts = sorted({label for view in views for label in view.labels})
    labels: dict[int, str] = {}
    counts: dict[int, int] = {}
    for view in views:
        for unit in view.units:
            labels[unit.unit] = unit.label if unit.detector else f"({unit.label})"
            counts[unit.unit] = counts.get(unit.unit, 0) + 1
    return classes, concepts, [(unit, labels[unit], counts[unit]) for unit in sorted(labels)]
