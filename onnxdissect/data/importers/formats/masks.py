"""Images and their masks in two folders, with a list of classes."""

from __future__ import annotations

from pathlib import Path

from onnxdissect.data.importers.imported import ImportedData, ImportedImage
from onnxdissect.data.importers.reading.class_list import parse_ignored, read_class_list
from onnxdissect.data.importers.reading.painted import MaskReader
from onnxdissect.data.importers.reading.trees import IMAGES, MASKS, find_files, match_files, note_others

__all__ = ["read_masks"]


def read_masks(
    images: Path,
    masks: Path,
    classes: Path,
    *,
    category: str = "object",
    ignore: str | None = None,
    mask_suffix: str = "",
) -> ImportedData:
    """Read images with masks.

    Parameters
    ----------
    images, masks : Path
        Folders; an image and its mask have the same path in them, but for the ending, or the same name.
    classes : Path
        List of classes; see `read_class_list`.
    category : str
        Of the classes that name none.
    ignore : str, optional
        Indices and colours that are unlabelled; see `parse_ignored`.
    mask_suffix : str
        What the names of masks have more than those of images, before the ending.

    Returns
    -------
    ImportedData

    Raises
    ------
    DataError
        If there is nothing there, the list is malformed, or it cannot be told which mask is of which image.
    """
    listed = read_class_list(classes, category)
    reader = MaskReader(listed, *parse_ignored(ignore))
    found, painted = find_files(images, IMAGES, "--images"), find_files(masks, MASKS, "--masks")
    if images.resolve() in masks.resolve().parents:
        among = {mask.path.resolve() for mask in painted}
        found = [image for image in found if image.path.resolve() not in among]
    matches = match_files(found, painted, suffix=mask_suffix)
    return ImportedData(
        listed.categories,
        listed.labels,
        [
            ImportedImage(
                image.name, image.path, reader.annotations_of(mask.path), annotated_in=str(mask.path)
            )
            for image, mask in matches.pairs
        ],
        (*note_others(images, IMAGES, "image"), *matches.notes),
    )
