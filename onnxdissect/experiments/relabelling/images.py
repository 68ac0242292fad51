"""The images of a run as another data set labels them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.annotation import Annotation
from onnxdissect.data.dataset import Dataset
from onnxdissect.data.neighbours import correlation, thumbnail
from onnxdissect.data.opening import open_data, recorded_spec
from onnxdissect.data.vocabulary import Vocabulary
from onnxdissect.errors import OnnxDissectError, RunMismatchError, nearest
from onnxdissect.results import Dissection

__all__ = ["RelabelledImages", "expect_same_pictures", "resampled"]

_COMPARED = 16
# Two sizes and compressions of one photograph correlate above 0.99, half of all unrelated pairs below 0.3.
_SAME = 0.8
# Levels of grey, of 256: what noise and compression make of a picture of one grey.
_PLAIN = 8


class RelabelledImages:
    """The images of a run, in its order, with the labels of another data set.

    Images are found by name. Label maps on another grid than that of the run are brought to it by nearest
    neighbour: a pixel takes the label at its centre, since the masks are known on the grid of the run.

    Parameters
    ----------
    run : Dissection
    dataset : Dataset
        May hold further images.

    Attributes
    ----------
    vocabulary : Vocabulary
        Of the data set.
    dataset : Dataset
    places : tuple of int
        Where in the data set each image of the run is.
    other_grids : int
        How many images have label maps on another grid.

    Raises
    ------
    RunMismatchError
        If the data set lacks an image of the run, or has several of the same name.
    """

    def __init__(self, run: Dissection, dataset: Dataset) -> None:
        names = [dataset.image_name(i) for i in range(len(dataset))]
        _expect_all(run, dataset, names)
        known = {name: i for i, name in enumerate(names)}
        self.dataset = dataset
        self.places = tuple(known[image.name] for image in run.images)
        self._images = run.images
        self.other_grids = sum(
            dataset.grid(place) != image.grid for place, image in zip(self.places, run.images, strict=True)
        )

    @property
    def vocabulary(self) -> Vocabulary:
        """The concepts of the data set."""
        return self.dataset.vocabulary

    def __len__(self) -> int:
        return len(self.places)

    def image_name(self, i: int) -> str:
        """Name of an image.

        Parameters
        ----------
        i : int
            Number of the image in the run.

        Returns
        -------
        str
        """
        return self._images[i].name

    def split(self, i: int) -> str:
        """Split that an image belongs to in the run.

        Parameters
        ----------
        i : int

        Returns
        -------
        str
        """
        return self._images[i].split

    def grid(self, i: int) -> tuple[int, int]:
        """(sh, sw) of the image's label grid in the run.

        Parameters
        ----------
        i : int

        Returns
        -------
        tuple of int
        """
        return self._images[i].grid

    def groups(self) -> NDArray[np.int64] | None:
        """Tell which group each image is in, by the data set.

        Returns
        -------
        ndarray of int64, shape (images,), or None
            Numbered from 0 as they appear; None if each image stands for itself.
        """
        groups = self.dataset.groups()
        if groups is None:
            return None
        numbers: dict[int, int] = {}
        own = [numbers.setdefault(int(group), len(numbers)) for group in groups[list(self.places)]]
        return np.array(own, np.int64)

    def read_annotation(self, i: int) -> Annotation:
        """Give what the data set says of an image, on the grid of the run.

        Parameters
        ----------
        i : int

        Returns
        -------
        Annotation

        Raises
        ------
        DataError
            If it cannot be read.
        """
        return resampled(self.dataset.read_annotation(self.places[i]), self._images[i].grid)


def resampled(annotation: Annotation, grid: tuple[int, int]) -> Annotation:
    """Bring an annotation to another grid: each pixel takes the labels at its centre.

    Parameters
    ----------
    annotation : Annotation
    grid : (int, int)
        (sh, sw) asked for.

    Returns
    -------
    Annotation
        The same object where its grid is that already.
    """
    if annotation.grid == grid:
        return annotation
    rows, columns = (
        (2 * np.arange(wanted) + 1) * there // (2 * wanted)
        for wanted, there in zip(grid, annotation.grid, strict=True)
    )
    planes = annotation.planes[:, rows[:, None], columns]
    planes = np.ascontiguousarray(planes[planes.any(axis=(1, 2))])
    planes.setflags(write=False)
    return Annotation(grid, planes, annotation.image_labels)


def expect_same_pictures(run: Dissection, images: RelabelledImages) -> str | None:
    """Compare some pictures with those that the run was made on, where these are still to be found.

    Numbers are popular names: ``0001.png`` of one data set is not that of another.

    Parameters
    ----------
    run : Dissection
    images : RelabelledImages

    Returns
    -------
    str or None
        Why nothing could be compared.

    Raises
    ------
    RunMismatchError
        If an image shows something else.
    DataError
        If an image of the other data set cannot be read.
    """
    record = run.manifest["data"]
    spec = recorded_spec(record)
    if spec is None:
        return "the run had its images from memory, so it was not looked at whether they are the same"
    try:
        own = open_data(spec).subset(split=record.get("split"), limit=record.get("limit"))
        places = {own.image_name(i): i for i in range(len(own))}
        chosen = _spread(len(images))
        pictures = {i: own.read_image(places[images.image_name(i)]) for i in chosen}
    except (OnnxDissectError, KeyError) as error:
        said = error.message if isinstance(error, OnnxDissectError) else f"{spec} has no image {error}"
        return f"it was not looked at whether the images are the same: {said}"
    alike = {
        i: _alike(picture, images.dataset.read_image(images.places[i])) for i, picture in pictures.items()
    }
    # Pictures of one grey are no evidence, neither for nor against.
    wanted = (True, None) if True in alike.values() else (True,)
    for i, found in alike.items():
        if found not in wanted:
            raise RunMismatchError(
                f"{images.image_name(i)} shows something else in {images.dataset.name} than in the data of "
                f"the run {run.path}",
                hint="give other labels of the very images of the run",
            )
    return None


def _alike(picture: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool | None:
    """Tell whether two images show the same; None where both are of the same one grey but for noise."""
    if np.array_equal(picture, other):
        return True
    one, two = (thumbnail(image).astype(np.float64) for image in (picture, other))
    if correlation(one, two) >= _SAME:
        return True
    plain = max(np.ptp(one), np.ptp(two), abs(one.mean() - two.mean())) <= _PLAIN
    return None if plain else False


def _spread(count: int) -> list[int]:
    return sorted({count * k // _COMPARED for k in range(_COMPARED)})


def _expect_all(run: Dissection, dataset: Dataset, names: Sequence[str]) -> None:
    times = Counter(names)
    wanted = Counter(image.name for image in run.images)
    missing = [name for name in wanted if name not in times]
    if missing:
        raise RunMismatchError(
            f"{dataset.name} lacks {len(missing):,} of the {len(wanted):,} images of the run {run.path}, "
            f"such as {missing[0]}",
            candidates=nearest(missing[0], names) or tuple(names[:3]),
            hint="masks are of all images of the run: give a data set that labels them under the same names",
        )
    several = [name for name in wanted if times[name] > 1 or wanted[name] > 1]
    if several:
        raise RunMismatchError(
            f"the name {several[0]} stands for several images, in {dataset.name} or in the run {run.path}, "
            "so that labels cannot be told apart",
            hint=f"onnxdissect data check {dataset.source.get('folder', dataset.name)} lists them",
        )
