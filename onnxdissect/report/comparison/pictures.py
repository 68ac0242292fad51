"""Top images of the compared layers' units: which are shown, where photographs and annotations come from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxdissect.report.data.annotations import gather_annotations
from onnxdissect.report.data.facts import section
from onnxdissect.report.data.images import run_images
from onnxdissect.report.data.photos import Photos, gather_known_photos
from onnxdissect.report.data.previous_report import PreviousReport, open_previous_report
from onnxdissect.report.data.rle import text_of_mask
from onnxdissect.report.pages.scripts import rounded
from onnxdissect.wording import counted

if TYPE_CHECKING:
    from onnxdissect.experiments.comparison.records import ComparedLayer
    from onnxdissect.experiments.comparison.result import ComparisonResult
    from onnxdissect.results import Dissection

__all__ = ["ImageSet", "choose_units", "gather_set", "image_sets", "pictures_notes", "unit_records"]

_TILES = 6  # top images of a unit
# Of one data set; with more, all of them would be small.
_MOST_IMAGES = 4000

_Unit = tuple[int, int]  # position of the compared layer, unit
_Concept = tuple[str, str]  # name, category


@dataclass(slots=True)
class ImageSet:
    """The images that some of the runs share, and what is shown of them.

    Attributes
    ----------
    name : str
        Of the data set.
    runs : dict of str to Dissection
        By the names that the comparison has for them; all over the same images.
    layers : list of int
        Positions of their compared layers.
    images : dict of (int, int) to list of (int, float)
        Per compared layer and unit that is pictured, its top images with the largest activation in each.
    concepts : dict of (int, int) to list of (str, str)
        Per such unit, the concepts whose annotations are shown: its label, and what it detects best.
    left_out : set of (int, int)
        Units without pictures, as those of all of them would be too many.
    photos : Photos
    annotations : mapping of (int, int) to str
        Per image and number of a concept, as texts of `onnxdissect.report.data.rle`.
    """

    name: str
    runs: dict[str, Dissection]
    layers: list[int]
    images: dict[_Unit, list[tuple[int, float]]] = field(default_factory=dict)
    concepts: dict[_Unit, list[_Concept]] = field(default_factory=dict)
    left_out: set[_Unit] = field(default_factory=set)
    photos: Photos = field(default_factory=Photos)
    annotations: Mapping[tuple[int, int], str] = field(default_factory=dict)

    @property
    def first(self) -> Dissection:
        """One of the runs."""
        return next(iter(self.runs.values()))

    @property
    def needed(self) -> list[int]:
        """Numbers of the images that are shown, ascending."""
        return sorted({image for found in self.images.values() for image, _ in found})


def image_sets(result: ComparisonResult, runs: Mapping[str, Dissection]) -> list[ImageSet]:
    """Put runs over the same images together.

    Parameters
    ----------
    result : ComparisonResult
    runs : mapping of str to Dissection
        Per run of a compared layer.

    Returns
    -------
    list of ImageSet
        In the order of their first layers; without runs that were imported without images.
    """
    found: dict[Any, ImageSet] = {}
    for position, layer in enumerate(result.layers):
        run = runs[layer.run]
        if not layer.images or not run.images:
            continue
        data = section(run.manifest, "data")
        key = data.get("fingerprint"), tuple((image.name, image.grid) for image in run.images)
        one = found.setdefault(key, ImageSet(str(data.get("name", "")), {}, []))
        one.runs[layer.run] = run
        one.layers.append(position)
    return list(found.values())


def choose_units(result: ComparisonResult, one: ImageSet) -> None:
    """Choose the units whose pictures are shown: detectors first, then matched units, then others.

    Parameters
    ----------
    result : ComparisonResult
    one : ImageSet
        Whose images and concepts are set.
    """
    tops: dict[int, Any] = {}
    labels: dict[int, list[tuple[str, str]]] = {}
    for position in one.layers:
        layer = result.layers[position]
        run = one.runs[layer.run]
        counts = run.counts(layer.layer)
        # copies, as a run keeps the arrays of one layer only
        tops[position] = (counts.top_images[:, :_TILES].copy(), counts.top_values[:, :_TILES].copy())
        labels[position] = [(unit.label, unit.category) for unit in run.units(layer.layer, layer.quantile)]
    shown: set[int] = set()
    for unit in _wanted(result, set(one.layers)):
        if unit in one.images or unit in one.left_out:
            continue
        images, values = tops[unit[0]][0][unit[1]], tops[unit[0]][1][unit[1]]
        further = shown | set(images.tolist())
        if not len(images) or len(further) > _MOST_IMAGES:
            one.left_out.add(unit)
            continue
        shown = further
        one.images[unit] = list(zip(images.tolist(), values.tolist(), strict=True))
        label = labels[unit[0]][unit[1]]
        one.concepts[unit] = [label] if label[0] else []
    for concept in result.concepts:
        key = concept.concept, concept.category
        for position, best in enumerate(concept.best):
            if best and best.detectors:
                known = one.concepts.get((position, best.unit))
                if known is not None and key not in known:
                    known.append(key)


def _wanted(result: ComparisonResult, layers: set[int]) -> Iterator[_Unit]:
    """Name units in the order in which they should have pictures; some more than once."""
    others = []
    for concept in result.concepts:
        for position, best in enumerate(concept.best):
            if best and position in layers:
                if best.detectors:
                    yield position, best.unit
                else:
                    others.append((position, best.unit))
    positions = {layer.name: position for position, layer in enumerate(result.layers)}
    for matching in result.matchings:
        first, second = positions[matching.first], positions[matching.second]
        for pair in sorted(matching.units, key=lambda pair: -pair.score):
            for position, unit in ((first, pair.first), (second, pair.second)):
                if position in layers:
                    yield position, unit
    yield from others


def gather_set(one: ImageSet, folder: Path, former: Sequence[Path]) -> None:
    """Put the photographs of a set of images into a folder, and find the annotations that are shown.

    Parameters
    ----------
    one : ImageSet
        Whose photographs and annotations are set.
    folder : Path
        Where they are put.
    former : sequence of Path
        Folders of an earlier page, which may have some of them.
    """
    needed = one.needed
    folder.mkdir()
    if not needed and not one.left_out:
        return  # nothing was detected or matched that could be shown
    images, note = run_images(one.first)
    for run in list(one.runs.values())[1:]:
        if images is None:
            images, _ = run_images(run)
    places = [(one.first, place) for place in former]
    places += [(run, Path(run.path) / "report") for run in one.runs.values()]
    sources: list[PreviousReport] = []
    missing = set(needed)
    for run, place in places:
        if not missing:
            break
        if (previous := open_previous_report(run, place)) is not None:
            sources.append(previous)
            missing -= previous.photos.keys()
    one.photos = gather_known_photos(images, note, needed, folder, sources)
    numbers = _numbers(one.first)
    wanted = {
        (image, numbers[concept])
        for unit, found in one.images.items()
        for image, _ in found
        for concept in one.concepts[unit]
        if concept in numbers
    }
    known = {key: text for previous in reversed(sources) for key, text in previous.annotations.items()}
    earlier = PreviousReport(folder, one.photos.sizes, known)
    one.annotations = gather_annotations(images, wanted, earlier) if one.photos.available else {}


def _numbers(run: Dissection) -> dict[_Concept, int]:
    return {(concept.name, concept.category): concept.number for concept in reversed(run.concepts)}


def unit_records(
    result: ComparisonResult, one: ImageSet, advance: Callable[[int], None]
) -> Iterator[tuple[_Unit, dict[str, Any]]]:
    """Describe the top images of every unit that is pictured.

    Parameters
    ----------
    result : ComparisonResult
    one : ImageSet
        Complete.
    advance : callable
        Told of every layer that is done.

    Yields
    ------
    unit : (int, int)
        Position of the compared layer, number of the unit.
    record : dict
        ``images`` and ``views`` as the report has them of a unit, a view for each concept that is shown,
        with its ``concept`` (a number) and ``name``; ``masks`` at the quantile of the compared layer.
    """
    units: dict[int, list[int]] = defaultdict(list)
    for position, unit in sorted(one.images):
        units[position].append(unit)
    for position in one.layers:
        layer = result.layers[position]
        run = one.runs[layer.run]
        numbers = _numbers(run)
        for unit in units[position]:
            yield (position, unit), _record(one, run, layer, (position, unit), numbers)
        advance(1)


def _record(
    one: ImageSet, run: Dissection, layer: ComparedLayer, unit: _Unit, numbers: Mapping[_Concept, int]
) -> dict[str, Any]:
    found = one.images[unit]
    images, sizes = run.images, one.photos.sizes
    return {
        "images": [
            {
                "image": image,
                "name": images[image].name,
                "grid": list(images[image].grid),
                "photo": list(sizes[image]) if image in sizes else None,
                "value": rounded(value),
            }
            for image, value in found
        ],
        "masks": [
            text_of_mask(run.top_mask(layer.layer, unit[1], rank, layer.quantile))
            for rank in range(len(found))
        ],
        "views": [
            {
                "concept": numbers[concept],
                "name": list(concept),
                "annotations": [one.annotations.get((image, numbers[concept])) for image, _ in found],
            }
            for concept in one.concepts[unit]
            if concept in numbers
        ],
    }


def pictures_notes(
    result: ComparisonResult, runs: Mapping[str, Dissection], sets: Sequence[ImageSet]
) -> list[str]:
    """Say which pictures are missing and why, and what else is not known without images.

    Parameters
    ----------
    result : ComparisonResult
    runs : mapping of str to Dissection
        Per run of a compared layer.
    sets : sequence of ImageSet
        Complete.

    Returns
    -------
    list of str
    """
    pictured = {position for one in sets for position in one.layers}
    without = list(dict.fromkeys(layer.run for i, layer in enumerate(result.layers) if i not in pictured))
    notes = []
    if without:
        more = f" and {len(without) - 3:,} more" if len(without) > 3 else ""
        have = "has" if len(without) == 1 else "have"
        notes.append(
            f"{', '.join(without[:3])}{more} {have} no images: there are no pictures of these units."
            + (
                " Imported results tell of each unit the best concept of every category, and nothing else: "
                "where no unit meets a concept, its IoU may only be unknown."
                if any(runs[path].imported for path in without)
                else ""
            )
        )
    for one in sets:
        of = f"{one.name}: " if len(sets) > 1 and one.name else ""
        if one.photos.note:
            notes.append(of + one.photos.note)
        if one.left_out and one.photos.available:
            notes.append(
                f"{of}{counted(len(one.left_out), 'unit')} without pictures, as all of them would need more "
                f"than {_MOST_IMAGES:,} images. Detectors come first, then matched units."
            )
    return notes
