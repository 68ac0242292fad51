"""The concepts that are followed along the rotations, and the pictures of the units that detect each best."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onnxdissect.report.data.annotations import ImageConcept
from onnxdissect.report.data.photos import Photos
from onnxdissect.report.data.rle import text_of_mask
from onnxdissect.report.pages.scripts import rounded

if TYPE_CHECKING:
    from onnxdissect.experiments.rotation import FollowedConcept, RotationCurve, RotationResult
    from onnxdissect.results import Dissection, LayerInfo

__all__ = ["FollowedUnits", "concept_pictures", "concept_records", "entry_grid", "follow_units"]

_TILES = 6  # top images of a unit
# With more images than these, all of them would be small: then only the first rotations have pictures.
_MOST_IMAGES = 4000

_Unit = tuple[str, int]  # folder of an entry, unit


@dataclass(frozen=True, slots=True)
class FollowedUnits:
    """The units whose pictures are shown: each that detects a followed concept best at some alpha.

    Attributes
    ----------
    images : mapping of (str, int) to list of (int, float)
        Per folder of an entry and unit, its top images with the largest activation in each.
    masks : mapping of (str, int) to dict of (int to list of str)
        Per unit and position of the quantile, its masks in them.
    concepts : mapping of (str, int) to set of (int, int)
        Per unit, what it detects best: position of the quantile, number of the concept.
    seeds : int
        Of so many rotations, the first ones, they are. Those of others have no pictures.
    """

    images: Mapping[_Unit, list[tuple[int, float]]]
    masks: Mapping[_Unit, dict[int, list[str]]]
    concepts: Mapping[_Unit, set[tuple[int, int]]]
    seeds: int

    @property
    def needed(self) -> list[int]:
        """Numbers of the images, ascending."""
        return sorted({image for found in self.images.values() for image, _ in found})

    @property
    def annotations(self) -> set[ImageConcept]:
        """Which concept is shown in which image."""
        return {
            (image, number)
            for unit, found in self.images.items()
            for image, _ in found
            for _, number in self.concepts[unit]
        }


def entry_grid(result: RotationResult, run: Dissection) -> dict[str, list[list[LayerInfo]]]:
    """Find the entry of every rotation in a run.

    Parameters
    ----------
    result : RotationResult
    run : Dissection

    Returns
    -------
    dict of str to list of list of LayerInfo, shape (seeds, alphas)
        Per layer, by its name. Alpha 0 is the layer itself.
    """
    grids = {}
    for layer in result.layers:
        at = {
            (point.seed, point.alpha): point.entry
            for point in result.points_of(layer.name)
            if point.kind == "rotation"
        }
        grids[layer.name] = [
            [run.layer(at.get((seed, alpha), layer.name)) for alpha in result.alphas] for seed in result.seeds
        ]
    return grids


def follow_units(
    result: RotationResult,
    run: Dissection,
    grids: Mapping[str, list[list[LayerInfo]]],
    numbers: Mapping[tuple[str, str], int],
    advance: Callable[[int], None],
) -> FollowedUnits:
    """Gather top images and masks of the units that detect each concept best.

    Of as many rotations as the pictures allow, but at least of the first one.

    Parameters
    ----------
    result : RotationResult
    run : Dissection
    grids : mapping
        Of `entry_grid`.
    numbers : mapping of (str, str) to int
        Number of each concept, by name and category.
    advance : callable
        Told how many more entries are done.

    Returns
    -------
    FollowedUnits
    """
    images: dict[_Unit, list[tuple[int, float]]] = {}
    masks: dict[_Unit, dict[int, list[str]]] = defaultdict(dict)
    concepts: dict[_Unit, set[tuple[int, int]]] = defaultdict(set)
    shown: set[int] = set()
    seeds = 0
    for s in range(len(result.seeds)):
        of_seed = _wanted(result, run, grids, numbers, s)
        tops: dict[_Unit, list[tuple[int, float]]] = {}
        drawn: dict[_Unit, dict[int, list[str]]] = {}
        for entry, units in of_seed.items():
            # One entry after the other, as a run keeps the arrays of one.
            slug = run.layer(entry).slug
            for unit, top in _top_images(run, entry, units).items():
                tops[slug, unit] = top
                drawn[slug, unit] = {
                    q: [
                        text_of_mask(run.top_mask(entry, unit, rank, run.quantiles[q]))
                        for rank in range(len(top))
                    ]
                    for q in {q for q, _ in units[unit]} - masks[slug, unit].keys()
                }
            advance(1)
        further = {image for top in tops.values() for image, _ in top}
        if s and len(shown | further) > _MOST_IMAGES:
            break
        shown |= further
        seeds += 1
        images |= tops
        for entry, units in of_seed.items():
            for unit, views in units.items():
                key = run.layer(entry).slug, unit
                concepts[key] |= views
                masks[key] |= drawn[key]
    return FollowedUnits(images, masks, concepts, seeds)


def _wanted(
    result: RotationResult,
    run: Dissection,
    grids: Mapping[str, list[list[LayerInfo]]],
    numbers: Mapping[tuple[str, str], int],
    s: int,
) -> dict[str, dict[int, set[tuple[int, int]]]]:
    """Per entry of a rotation and unit: at which quantile it is the best of which concept."""
    found: dict[str, dict[int, set[tuple[int, int]]]] = {
        info.name: defaultdict(set) for grid in grids.values() for info in grid[s]
    }
    for curve in result.curves:
        q = run.quantiles.index(curve.quantile)
        for followed in curve.concepts:
            number = numbers[followed.concept, followed.category]
            for info, unit in zip(grids[curve.layer][s], followed.unit[s], strict=True):
                if unit >= 0:
                    found[info.name][unit].add((q, number))
    return found


def _top_images(
    run: Dissection, entry: str, units: Mapping[int, set[tuple[int, int]]]
) -> dict[int, list[tuple[int, float]]]:
    counts = run.counts(entry)
    return {
        unit: list(
            zip(
                counts.top_images[unit, :_TILES].tolist(),
                counts.top_values[unit, :_TILES].tolist(),
                strict=True,
            )
        )
        for unit in units
    }


def concept_pictures(
    run: Dissection,
    curve: RotationCurve,
    followed: FollowedUnits,
    concept: FollowedConcept,
    number: int,
    grid: list[list[LayerInfo]],
    pictures: tuple[Photos, Mapping[ImageConcept, str]],
) -> dict[str, Any]:
    """Describe the pictures of the units that detect a concept best.

    Parameters
    ----------
    run : Dissection
    curve : RotationCurve
        Which follows the concept.
    followed : FollowedUnits
    concept : FollowedConcept
    number : int
        Of the concept.
    grid : list of list of LayerInfo, shape (seeds, alphas)
        Entries of the curve.
    pictures : (Photos, mapping of (int, int) to str)
        Photographs, and annotations by image and concept.

    Returns
    -------
    dict
        ``images`` and ``views``, one view with the annotations of the concept in all of them, as the report
        has them of a unit; ``units``: per folder and number of a unit, separated by a slash, ``top``
        (positions in ``images``, strongest first), ``values`` and ``masks``.
    """
    photos, annotations = pictures
    q = run.quantiles.index(curve.quantile)
    wanted = [
        (info.slug, unit)
        for entries, found in list(zip(grid, concept.unit, strict=True))[: followed.seeds]
        for info, unit in zip(entries, found, strict=True)
        if unit >= 0
    ]
    images = sorted({image for key in wanted for image, _ in followed.images[key]})
    place = {image: i for i, image in enumerate(images)}
    return {
        "images": [
            {
                "image": image,
                "name": run.images[image].name,
                "grid": list(run.images[image].grid),
                "photo": list(photos.sizes[image]) if image in photos.sizes else None,
            }
            for image in images
        ],
        "views": [{"concept": number, "annotations": [annotations.get((image, number)) for image in images]}],
        "units": {
            f"{slug}/{unit}": {
                "top": [place[image] for image, _ in followed.images[slug, unit]],
                "values": [rounded(value) for _, value in followed.images[slug, unit]],
                "masks": followed.masks[slug, unit][q],
            }
            for slug, unit in dict.fromkeys(wanted)
        },
    }


def concept_records(
    run: Dissection,
    curve: RotationCurve,
    grid: list[list[LayerInfo]],
    numbers: Mapping[tuple[str, str], int],
    labels: Mapping[str, list[tuple[str, float]]],
) -> list[dict[str, Any]]:
    """Describe what becomes of each concept of a curve, for the page's script.

    Parameters
    ----------
    run : Dissection
    curve : RotationCurve
    grid : list of list of LayerInfo, shape (seeds, alphas)
        Its entries.
    numbers : mapping of (str, str) to int
        Number of each concept, by name and category.
    labels : mapping of str to list of (str, float)
        Per entry, the units' labels and their IoU at the curve's quantile.

    Returns
    -------
    list of dict
        In order of categories and names.
    """
    images = {concept.number: concept.images for concept in run.concepts}
    records = []
    for followed in curve.concepts:
        number = numbers[followed.concept, followed.category]
        rows = [list(zip(grid[s], units, strict=True)) for s, units in enumerate(followed.unit)]
        records.append(
            {
                "number": number,
                "name": followed.concept,
                "category": followed.category,
                "images": images[number],
                "unit": [list(units) for units in followed.unit],
                "iou": [[rounded(iou) for iou in of_seed] for of_seed in followed.iou],
                "detected": [[int(yes) for yes in of_seed] for of_seed in followed.detected],
                # A unit may meet the concept best of all units, and another concept better.
                "other": [
                    [_other(labels[info.name], unit, followed.concept) for info, unit in row] for row in rows
                ],
            }
        )
    return records


def _other(labels: list[tuple[str, float]], unit: int, concept: str) -> list[Any] | None:
    if unit < 0 or labels[unit][0] == concept:
        return None
    return [labels[unit][0], rounded(labels[unit][1])]
