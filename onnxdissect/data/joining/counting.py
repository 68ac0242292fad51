"""The first reading of all images: whether they can be read, what their files hold, what is in them."""

from __future__ import annotations

import contextlib
import hashlib
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.decoding.ahead import ahead
from onnxdissect.data.decoding.pixels import read_file
from onnxdissect.data.joining.sources import JoinSource
from onnxdissect.data.links import folder_spec
from onnxdissect.errors import DataError, shown_path

__all__ = ["CountedImages", "ImageFile", "count_images", "naming_source"]


@dataclass(frozen=True, slots=True)
class ImageFile:
    """What the file of an image holds.

    Attributes
    ----------
    size : (int, int)
        (ih, iw), as decoded.
    digest : bytes
        SHA-256.
    """

    size: tuple[int, int]
    digest: bytes


@dataclass(frozen=True, slots=True, eq=False)
class CountedImages:
    """What was found in the images.

    Attributes
    ----------
    files : sequence of sequence of ImageFile
        By data set and image.
    held : ndarray of int64, shape (concepts,)
        In how many images each concept of the joined data set is.
    """

    files: Sequence[Sequence[ImageFile]]
    held: NDArray[np.int64]


@contextlib.contextmanager
def naming_source(source: JoinSource) -> Iterator[None]:
    """Name the data set in errors that name a file of it.

    Parameters
    ----------
    source : JoinSource

    Yields
    ------
    None
    """
    try:
        yield
    except DataError as error:
        folder, inside = source.dataset.folder, source.dataset.inside
        spec = shlex.quote(folder_spec(folder, follow_links=inside is None))
        raise type(error)(
            f"{shown_path(folder)}: {error.message}",
            candidates=error.candidates,
            hint=error.hint or f"onnxdissect data check {spec} lists whatever is wrong with it",
        ) from error


def count_images(
    sources: Sequence[JoinSource],
    lookups: Sequence[NDArray[np.int64]],
    concepts: int,
    *,
    workers: int,
    done: Callable[[], None],
) -> CountedImages:
    """Read all images and label maps.

    Parameters
    ----------
    sources : sequence of JoinSource
    lookups : sequence of ndarray of int64
        From the concept index + 1 of each data set to joined concepts + 1.
    concepts : int
        How many joined ones there are.
    workers : int
        Threads.
    done : callable
        Called in this thread after each image.

    Returns
    -------
    CountedImages

    Raises
    ------
    DataError
        If anything of an image cannot be read; the data set and the file are named.
    """
    held = np.zeros(concepts + 1, np.int64)
    files: list[list[ImageFile]] = [[] for _ in sources]
    images = ((s, i) for s, source in enumerate(sources) for i in range(len(source.dataset)))
    found = ahead(
        lambda image: (image[0], *_count(sources[image[0]], image[1], lookups[image[0]])),
        images,
        workers=workers,
        depth=4 * workers,
    )
    with contextlib.closing(found):
        for s, file, joined in found:
            files[s].append(file)
            held[joined] += 1
            done()
    return CountedImages(files, held[1:])


def _count(source: JoinSource, i: int, lookup: NDArray[np.int64]) -> tuple[ImageFile, NDArray[np.int64]]:
    """Find the joined concepts + 1 of an image, once each; called in a worker's thread."""
    dataset = source.dataset
    with naming_source(source):
        height, width = dataset.read_image(i).shape[:2]
        name = f"image {shown_path(dataset.image_name(i))}"
        digest = hashlib.sha256(read_file(dataset.image_path(i), name, dataset.inside)).digest()
        codes: set[int] = set()
        for items in source.cells[i].values():
            for item in items:
                if isinstance(item, str):
                    codes.update(
                        np.flatnonzero(np.bincount(dataset.read_label_map(i, item).ravel())).tolist()
                    )
                else:
                    codes.add(int(dataset.codes[item]))
    joined = np.unique(lookup[sorted(codes)]) if codes else np.zeros(0, np.int64)
    return ImageFile((height, width), digest), joined[joined > 0]
