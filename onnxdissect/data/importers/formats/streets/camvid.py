"""CamVid: frames of five films of streets, in the forms in which it is handed on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from onnxdissect.data.importers.formats.streets.camvid_classes import (
    CAMVID_11,
    CAMVID_32,
    VOID_11,
    VOID_COLOR,
)
from onnxdissect.data.importers.imported import ImportedData, ImportedImage
from onnxdissect.data.importers.plan import split_of_folder
from onnxdissect.data.importers.reading.class_list import parse_ignored
from onnxdissect.data.importers.reading.painted import MaskReader
from onnxdissect.data.importers.reading.trees import IMAGES, FoundFile, find_files, match_files
from onnxdissect.errors import EmptyDataError, shown_path

__all__ = ["read_camvid"]

_COLOURED = "_L"
_INDEXED = "annot"


def read_camvid(root: Path, *, ignore: str | None = None) -> ImportedData:
    """Read CamVid.

    Parameters
    ----------
    root : Path
        Holds frames, and for each a mask in 32 colours called like it with ``_L`` at the end, anywhere; or
        frames in folders such as ``train``, and masks of 11 classes of the same names in ``trainannot``.
    ignore : str, optional
        What else of masks is unlabelled; see `parse_ignored`.

    Returns
    -------
    ImportedData
        Grouped by film; split as folders say, or else all ``train``.

    Raises
    ------
    DataError
        If there is no frame with a mask, or it cannot be told which belong together.
    """
    indices, colors = parse_ignored(ignore)
    files = find_files(root, IMAGES, "--root")
    coloured = [file for file in files if file.stem.endswith(_COLOURED)]
    indexed = [file for file in files if _in_annotations(file)]
    if coloured:
        reader = MaskReader(CAMVID_32, indices, colors | {VOID_COLOR})
        matches = match_files(_others(files, coloured), coloured, suffix=_COLOURED)
    elif indexed:
        reader = MaskReader(CAMVID_11, indices | {VOID_11}, colors)
        matches = match_files(_others(files, indexed), [_beside_frames(file) for file in indexed])
    else:
        raise EmptyDataError(
            f"{shown_path(root)} holds no masks of CamVid: none is called NAME_L, and none lies in a "
            "folder such as trainannot",
            hint="--root takes the folder that holds the frames and their masks",
        )
    listed = reader.listed
    return ImportedData(
        listed.categories,
        listed.labels,
        [
            ImportedImage(
                frame.name,
                frame.path,
                reader.annotations_of(mask.path),
                split=_split(frame.name),
                group=PurePosixPath(frame.name).stem.partition("_")[0],
                annotated_in=str(mask.path),
            )
            for frame, mask in matches.pairs
        ],
        tuple(matches.notes),
    )


def _in_annotations(file: FoundFile) -> bool:
    return any(part.lower().endswith(_INDEXED) for part in PurePosixPath(file.name).parts[:-1])


def _beside_frames(mask: FoundFile) -> FoundFile:
    """Call a mask as if it lay where its frame does."""
    parts = [
        part[: -len(_INDEXED)] if part.lower().endswith(_INDEXED) else part for part in mask.name.split("/")
    ]
    return FoundFile("/".join(filter(None, parts)), mask.path)


def _others(files: Sequence[FoundFile], masks: Iterable[FoundFile]) -> list[FoundFile]:
    names = {mask.name for mask in masks}
    return [file for file in files if file.name not in names]


def _split(name: str) -> str:
    return next(filter(None, map(split_of_folder, PurePosixPath(name).parts[:-1])), "train")
