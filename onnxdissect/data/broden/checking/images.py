"""An image and its label maps, decoded whole."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.annotation import annotate
from onnxdissect.data.broden.checking.problems import Problem
from onnxdissect.data.broden.files import called
from onnxdissect.data.broden.label_maps import decode_codes
from onnxdissect.data.broden.reader import BrodenDataset
from onnxdissect.data.decoding.pixels import read_file
from onnxdissect.data.neighbours import thumbnail
from onnxdissect.errors import DataError

__all__ = ["GREY", "PALETTE", "ImageFindings", "look_at"]

GREY, PALETTE = "grey", "palette"
# where a PNG's header tells how colours are stored, and those that tell more than the layout asks for
_COLOURS = 25
_KINDS = {0: GREY, 3: PALETTE, 4: GREY}
_DIGEST_BYTES = 16


@dataclass(slots=True)
class ImageFindings:
    """What was found of an image.

    Attributes
    ----------
    held : ndarray of bool, shape (concepts,)
        Concepts that it holds, as far as its label maps can be read.
    problems : list of Problem
    thumbnail : ndarray of uint8, shape (256,), or None
        None if it cannot be read.
    digest : bytes or None
        Of its size and pixels; None if it cannot be read.
    stored : dict of str to list of str
        Its label maps that are stored as grey or with a palette, by these.
    """

    held: NDArray[np.bool_]
    problems: list[Problem] = field(default_factory=list)
    thumbnail: NDArray[np.uint8] | None = None
    digest: bytes | None = None
    stored: dict[str, list[str]] = field(default_factory=dict)


def look_at(dataset: BrodenDataset, i: int) -> ImageFindings:
    """Decode an image and its label maps, and say what is wrong with them.

    Parameters
    ----------
    dataset : BrodenDataset
    i : int
        Position of the image.

    Returns
    -------
    ImageFindings
    """
    entry = dataset.entries[i]
    concepts = len(dataset.vocabulary.concepts)
    found = ImageFindings(np.zeros(concepts, np.bool_))
    try:
        image = dataset.read_image(i)
    except DataError as error:
        found.problems.append(Problem("error", entry.image, entry.line, error.message))
    else:
        found.thumbnail = thumbnail(image)
        found.digest = _digest(image)
        height, width = image.shape[:2]
        if (height, width) != entry.size:
            ih, iw = entry.size
            message = f"the image is {height}x{width}; by its ih and iw it should be {ih}x{iw}"
            found.problems.append(Problem("warning", entry.image, entry.line, message))
    maps = []
    for path in entry.maps:
        name = called(entry, path, dataset.index)
        try:
            data = read_file(f"{dataset.folder}/images/{path}", name, dataset.inside)
            maps.append(decode_codes(data, entry.grid, dataset.codes, name))
        except DataError as error:
            found.problems.append(Problem("error", path, entry.line, error.message))
        else:
            if kind := _KINDS.get(data[_COLOURS]):
                found.stored.setdefault(kind, []).append(path)
    if not (entry.maps or entry.image_labels):
        found.problems.append(
            Problem("warning", entry.image, entry.line, "the image has no annotation at all")
        )
    image_labels = dataset.concepts_of(entry.image_labels)
    found.held = annotate(entry.grid, maps, image_labels).truth(concepts) > 0
    return found


def _digest(image: NDArray[np.uint8]) -> bytes:
    found = hashlib.blake2b(repr(image.shape).encode(), digest_size=_DIGEST_BYTES)
    found.update(np.ascontiguousarray(image).data)
    return found.digest()
