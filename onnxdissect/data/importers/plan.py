"""What is to be written, decided before any of it is: names, splits, groups, and labels that options add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from onnxdissect.data.broden.table_writer import LabelEntry
from onnxdissect.data.groups import NO_GROUPS, group_rule
from onnxdissect.data.importers.grids.colors import COLORS
from onnxdissect.data.importers.imported import ImportedData, ImportedImage
from onnxdissect.data.importers.names import label_name, normal, refuse_collisions, written_name
from onnxdissect.data.importers.options import ImportOptions
from onnxdissect.data.limits import MOST_ROWS
from onnxdissect.data.vocabulary import HIGHEST_NUMBER
from onnxdissect.errors import DataFormatError, EmptyDataError, ParameterError, shown
from onnxdissect.wording import counted

__all__ = ["COLOR", "SCENE", "Plan", "PlannedImage", "plan", "split_of_folder"]

COLOR, SCENE = "color", "scene"

_SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """An image as it is to be written.

    Attributes
    ----------
    source : ImportedImage
    name : str
    split, group : str
    image_labels : mapping of str to int
        What options add to its annotations, by category.
    """

    source: ImportedImage
    name: str
    split: str
    group: str
    image_labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """A data set as it is to be written.

    Attributes
    ----------
    images : list of PlannedImage
    categories : tuple of str
    labels : tuple of LabelEntry
    notes : tuple of str
    first_color : int
        Number of the first of the colours' labels, which follow each other; 0 where there are none.
    """

    images: list[PlannedImage]
    categories: tuple[str, ...]
    labels: tuple[LabelEntry, ...]
    notes: tuple[str, ...]
    first_color: int = 0


def plan(data: ImportedData, options: ImportOptions) -> Plan:
    """Decide what is to be written.

    Parameters
    ----------
    data : ImportedData
    options : ImportOptions

    Returns
    -------
    Plan

    Raises
    ------
    ParameterError
        If the options ask for what the data set has already.
    DataFormatError
        If two images would be one, or there are more of anything than the layout holds.
    EmptyDataError
        If there is no image.
    """
    images = list(data.images[: options.limit])
    if not images:
        raise EmptyDataError("there is no image to be imported")
    if len(images) > MOST_ROWS:
        raise DataFormatError(f"there are {len(images):,} images; a data set holds {MOST_ROWS:,} at most")
    notes, labels, categories = list(data.notes), list(data.labels), list(data.categories)
    first_color, scenes = 0, [""] * len(images)
    if options.color:
        _refuse_double(COLOR, categories, "--color")
        first_color = _next_number(labels)
        labels += [LabelEntry(first_color + i, f"{name}-c", (COLOR,)) for i, name in enumerate(COLORS)]
        categories.append(COLOR)
    if options.scene is not None:
        _refuse_double(SCENE, categories, f"--scene {options.scene}")
        scenes = [_scene_of_folders(image.name) for image in images]
        notes += _without(scenes, "scene, as they lie in no folder, or in that of a split alone")
        first = _next_number(labels)
        labels += [LabelEntry(first + i, f"{name}-s", (SCENE,)) for i, name in enumerate(_distinct(scenes))]
        categories.append(SCENE)
    if len(labels) > HIGHEST_NUMBER or any(label.number > HIGHEST_NUMBER for label in labels):
        raise DataFormatError(
            f"there are labels with numbers up to {_next_number(labels) - 1:,}, and label maps hold "
            f"{HIGHEST_NUMBER:,}",
            hint="--color and --scene add labels behind those of the data set",
        )
    numbers = {label.name: label.number for label in labels if label.categories == (SCENE,)}
    suffix = ".png" if options.size is not None and not options.link else None
    names = [written_name(image.name, suffix) for image in images]
    notes += _renamed([image.name for image in images])
    refuse_collisions([image.name for image in images], names, categories)
    splits = [image.split for image in images]
    if options.split_from == "folders":
        found = [_split_of_folders(image.name) for image in images]
        notes += _without(found, "split of their own, as no folder of theirs is called train, val or test")
        splits = [one or split for one, split in zip(found, splits, strict=True)]
    planned = [
        PlannedImage(
            image,
            name,
            split,
            _group_of(options.group, image, name),
            {SCENE: numbers[f"{scene}-s"]} if scene else {},
        )
        for image, name, split, scene in zip(images, names, splits, scenes, strict=True)
    ]
    return Plan(planned, tuple(categories), tuple(labels), tuple(notes), first_color)


def _refuse_double(category: str, categories: Sequence[str], option: str) -> None:
    if category in categories:
        raise ParameterError(
            f"{option} adds the category {category!r}, and the data set has one already",
            hint=f"leave out {option}",
        )


def _next_number(labels: Sequence[LabelEntry]) -> int:
    return max((label.number for label in labels), default=0) + 1


def _distinct(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if name})


def _without(found: Sequence[str], what: str) -> list[str]:
    missing = sum(not one for one in found)
    return [f"{missing:,} of {len(found):,} images have no {what}"] if missing else []


def split_of_folder(name: str) -> str:
    """Tell which split a folder holds, by its name.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
        ``train``, ``val`` or ``test``; empty if it is called otherwise.
    """
    return next((split for split, called in _SPLITS.items() if name.casefold() in called), "")


def _split_of_folders(name: str) -> str:
    return next(filter(None, map(split_of_folder, PurePosixPath(name).parts[:-1])), "")


def _scene_of_folders(name: str) -> str:
    folders = reversed(PurePosixPath(name).parts[:-1])
    return label_name(next((folder for folder in folders if not split_of_folder(folder)), ""))


def _group_of(asked: str | None, image: ImportedImage, name: str) -> str:
    if asked is None:
        return normal(image.group).strip()
    if asked == NO_GROUPS:
        return ""
    return group_rule(asked, {}, ())[1]((), name).strip()


def _renamed(names: Sequence[str]) -> list[str]:
    changed = [name for name in names if normal(name) != written_name(name)]
    if not changed:
        return []
    return [
        f"{counted(len(changed), 'image')} got another name, as not every system, or not index.csv, can "
        f"hold theirs: {shown(changed[0])} became {shown(written_name(changed[0]))}"
    ]
