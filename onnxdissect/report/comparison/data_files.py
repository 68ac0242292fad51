"""What the script of the page reads: the layers, the concepts, and one file for each pair and matching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxdissect.report.comparison.pictures import ImageSet
from onnxdissect.report.pages.addresses import relative_address
from onnxdissect.report.pages.data_files import most_common_aspect
from onnxdissect.report.pages.scripts import rounded

if TYPE_CHECKING:
    from onnxdissect.experiments.comparison.records import (
        BestUnit,
        ComparedPair,
        ConceptChange,
        UnitMatching,
    )
    from onnxdissect.experiments.comparison.result import ComparisonResult
    from onnxdissect.results import Dissection

__all__ = [
    "comparison_record",
    "concept_rows",
    "matching_record",
    "pair_record",
    "report_links",
]


def report_links(
    result: ComparisonResult, runs: Mapping[str, Dissection], folder: Path
) -> list[tuple[str, str]]:
    """Find each layer's page in the report of its own run.

    Parameters
    ----------
    result : ComparisonResult
    runs : mapping of str to Dissection
    folder : Path
        Of the page that links to it.

    Returns
    -------
    list of (str, str)
        One per compared layer: address of the page, and what chooses the quantile in it. The address is empty
        where the run has no report.
    """
    links = []
    for layer in result.layers:
        run = runs[layer.run]
        page = Path(run.path) / "report" / "layers" / f"{run.layer(layer.layer).slug}.html"
        place = run.quantiles.index(layer.quantile)
        links.append(
            (relative_address(page, folder) if page.is_file() else "", f"q={place}" if place else "")
        )
    return links


def comparison_record(
    result: ComparisonResult,
    colours: Mapping[str, int],
    sets: Sequence[ImageSet],
    links: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """Give what the script needs before anything else.

    Parameters
    ----------
    result : ComparisonResult
    colours : mapping of str to int
        Number of each category's colour.
    sets : sequence of ImageSet
    links : sequence of (str, str)
        Of `report_links`.

    Returns
    -------
    dict
    """
    of_layer = {position: i for i, one in enumerate(sets) for position in one.layers}
    positions = {layer.name: position for position, layer in enumerate(result.layers)}
    return {
        "iou_threshold": result.iou_threshold,
        "categories": [{"name": name, "colour": colour} for name, colour in colours.items()],
        "sets": [
            {"pictures": one.photos.available, "aspect": most_common_aspect(one.photos)} for one in sets
        ],
        "layers": [
            {
                "name": layer.name,
                "set": of_layer.get(position, -1),
                "report": links[position][0],
                "q": links[position][1],
                "without": sorted(unit for one in sets for at, unit in one.left_out if at == position),
            }
            for position, layer in enumerate(result.layers)
        ],
        "pairs": [[positions[pair.first], positions[pair.second]] for pair in result.pairs],
        "matchings": [[positions[one.first], positions[one.second]] for one in result.matchings],
    }


def concept_rows(result: ComparisonResult) -> list[list[Any]]:
    """List the concepts that are detected anywhere.

    Parameters
    ----------
    result : ComparisonResult

    Returns
    -------
    list of list
        Per concept its name, the position of its category, and per compared layer 0 where no unit meets it,
        else [best unit, IoU, units that detect it...].
    """
    place = {category: i for i, category in enumerate(result.categories)}
    return [
        [concept.concept, place[concept.category], [_cell(best) for best in concept.best]]
        for concept in result.concepts
    ]


def _cell(best: BestUnit | None) -> Any:
    return 0 if best is None else [best.unit, _digits(best.iou), *best.detectors]


def _digits(iou: float) -> float:
    # A page shows two or three; rounded twice they must not differ. There may be a hundred thousand of them.
    return round(iou, 6)


def pair_record(result: ComparisonResult, pair: ComparedPair) -> dict[str, Any]:
    """Give what a closer look at a pair shows.

    Parameters
    ----------
    result : ComparisonResult
    pair : ComparedPair

    Returns
    -------
    dict
        ``gained``, ``lost`` and ``kept``: [concept, position of its category, IoU of the first, of the
        second]; ``categories``: [difference, low, high, p after correction] of each.
    """
    place = {category: i for i, category in enumerate(result.categories)}

    def rows(changes: Sequence[ConceptChange]) -> list[list[Any]]:
        return [[c.concept, place[c.category], _digits(c.first), _digits(c.second)] for c in changes]

    differences = (pair.unique_by_category[category] for category in result.categories)
    return {
        "gained": rows(pair.gained),
        "lost": rows(pair.lost),
        "kept": rows(pair.kept),
        "categories": [
            [rounded(d.value), rounded(d.low), rounded(d.high), rounded(d.p_adjusted)] for d in differences
        ],
    }


def matching_record(matching: UnitMatching) -> list[list[Any]]:
    """List the pairs of a matching.

    Parameters
    ----------
    matching : UnitMatching

    Returns
    -------
    list of list
        [first unit, second unit, score, label of the first, of the second].
    """
    return [
        [pair.first, pair.second, rounded(pair.score), pair.first_label, pair.second_label]
        for pair in matching.units
    ]
