"""Cityscapes: streets of fifty cities, ``leftImg8bit`` with ``gtFine`` or ``gtCoarse`` beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from onnxdissect.data.importers.formats.streets.cityscapes_classes import CITYSCAPES, VOID, VOID_COLORS
from onnxdissect.data.importers.imported import ImportedData, ImportedImage
from onnxdissect.data.importers.reading.class_list import parse_ignored
from onnxdissect.data.importers.reading.painted import MaskReader
from onnxdissect.data.importers.reading.trees import (
    IMAGES,
    MASKS,
    FoundFile,
    find_files,
    match_files,
    require_folder,
)
from onnxdissect.errors import DataNotFoundError, EmptyDataError, shown_path
from onnxdissect.storage.regular_files import is_folder
from onnxdissect.wording import counted

__all__ = ["read_cityscapes"]

_IMAGES = "leftImg8bit"
_KINDS = ("labelIds", "color")
_WITHHELD = "test"


def read_cityscapes(root: Path, *, coarse: bool = False, ignore: str | None = None) -> ImportedData:
    """Read Cityscapes.

    Parameters
    ----------
    root : Path
        Holds ``leftImg8bit`` and ``gtFine`` or ``gtCoarse``, each with a folder for each split, and in it one
        for each city.
    coarse : bool
        Whether the coarse annotations are taken.
    ignore : str, optional
        What else of masks is unlabelled; see `parse_ignored`.

    Returns
    -------
    ImportedData
        Grouped by city, split as the folders are. Images of the split ``test`` are left out, as their
        annotations are not handed on. Masks of numbers are taken, where there are none those of colours.

    Raises
    ------
    DataError
        If there is no image with a mask, or it cannot be told which belong together.
    """
    kind = "gtCoarse" if coarse else "gtFine"
    require_folder(root, "--root")
    _require_part(root, _IMAGES)
    images = [_without(file, f"_{_IMAGES}") for file in find_files(root / _IMAGES, IMAGES, "--root")]
    labelled = [image for image in images if PurePosixPath(image.name).parts[0] != _WITHHELD]
    if not labelled:
        raise EmptyDataError(f"{shown_path(root / _IMAGES)} holds no image but of the split {_WITHHELD}")
    _require_part(root, kind)
    masks = find_files(root / kind, MASKS, "--root")
    endings = [f"_{kind}_{one}" for one in _KINDS]
    ending = next((one for one in endings if any(mask.stem.endswith(one) for mask in masks)), None)
    if ending is None:
        raise EmptyDataError(
            f"{shown_path(root / kind)} holds no mask whose name ends in {' or '.join(endings)}",
            hint="masks are called such as aachen_000000_000019_gtFine_labelIds.png",
        )
    indices, colors = parse_ignored(ignore)
    reader = MaskReader(CITYSCAPES, indices | VOID, colors | VOID_COLORS)
    of_kind = [
        mask for mask in masks if mask.stem.endswith(ending) and not mask.name.startswith(f"{_WITHHELD}/")
    ]
    if not of_kind:
        raise EmptyDataError(f"{shown_path(root / kind)} holds no mask but of the split {_WITHHELD}")
    matches = match_files(labelled, of_kind, suffix=ending)
    return ImportedData(
        CITYSCAPES.categories,
        CITYSCAPES.labels,
        [_image(image, mask, reader) for image, mask in matches.pairs],
        (*_withheld(images, labelled), *matches.notes),
    )


def _require_part(root: Path, name: str) -> None:
    if not is_folder(root / name):
        below: list[Path] = []
        with contextlib.suppress(OSError):
            below = [entry for entry in sorted(root.iterdir()) if is_folder(entry / name)]
        raise DataNotFoundError(
            f"{shown_path(root)} holds no folder {name}",
            candidates=[str(entry) for entry in below],
            hint=f"--root takes the folder that holds {_IMAGES} and gtFine, or gtCoarse with --coarse",
        )


def _without(file: FoundFile, ending: str) -> FoundFile:
    """Call an image without what all images are called, so that masks are called like it."""
    path = PurePosixPath(file.name)
    return FoundFile(str(path.with_stem(path.stem.removesuffix(ending))), file.path)


def _image(image: FoundFile, mask: FoundFile, reader: MaskReader) -> ImportedImage:
    parts = PurePosixPath(image.name).parts
    return ImportedImage(
        image.name,
        image.path,
        reader.annotations_of(mask.path),
        split=parts[0] if len(parts) > 1 else "train",
        group=parts[-2] if len(parts) > 2 else parts[-1].partition("_")[0],
        annotated_in=str(mask.path),
    )


def _withheld(images: Sequence[FoundFile], labelled: Sequence[FoundFile]) -> list[str]:
    left = len(images) - len(labelled)
    said = f"{counted(left, 'image')} of the split {_WITHHELD} left out, whose labels are not public"
    return [said] if left else []
