"""The images of a run and their annotations: from a given data set, a folder or a source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from onnxdissect.data.decoding.pixels import read_image
from onnxdissect.data.opening import open_data, recorded_spec
from onnxdissect.errors import DataError, OnnxDissectError, ParameterError, RunMismatchError
from onnxdissect.report.data.facts import section

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from onnxdissect.data import Annotation, Dataset
    from onnxdissect.data.vocabulary import Vocabulary
    from onnxdissect.results import Dissection

__all__ = ["RunImages", "run_images"]


class RunImages(Protocol):
    """Reads images of a run; many threads may at once."""

    def read(self, image: int) -> NDArray[np.uint8]:
        """Read an image, RGB (ih, iw, 3), or raise `DataError`."""

    def annotations(self) -> RunAnnotations | None:
        """Open its annotations; None where they cannot be read."""


class RunAnnotations:
    """Annotations of the images of a run.

    Parameters
    ----------
    dissection : Dissection
    dataset : Dataset
        Holds the images of the run, perhaps among others; they are found by name.
    """

    def __init__(self, dissection: Dissection, dataset: Dataset) -> None:
        self._images = dissection.images
        self._dataset = dataset
        self._places = _places(dataset)

    @property
    def vocabulary(self) -> Vocabulary:
        """What annotations refer to."""
        return self._dataset.vocabulary

    def read(self, image: int) -> Annotation | None:
        """Read the annotation of an image.

        Parameters
        ----------
        image : int
            Number of the image in the run.

        Returns
        -------
        Annotation or None
            None if the data set no longer has the image, or with another label grid.

        Raises
        ------
        DataError
            If it cannot be read.
        """
        info = self._images[image]
        place = self._places.get(info.name)
        if place is None or self._dataset.grid(place) != info.grid:
            return None
        return self._dataset.read_annotation(place)


class _DatasetImages:
    """Images of an open data set."""

    def __init__(self, dissection: Dissection, dataset: Dataset) -> None:
        self._dissection = dissection
        self._dataset = dataset
        self._places = _places(dataset)

    def read(self, image: int) -> NDArray[np.uint8]:
        name = self._dissection.images[image].name
        if name not in self._places:
            raise DataError(f"{self._dataset.name} has no image {name}")
        return self._dataset.read_image(self._places[name])

    def annotations(self) -> RunAnnotations | None:
        return RunAnnotations(self._dissection, self._dataset)


class _FolderImages:
    """Images of a folder, whose tables are read only where annotations are asked for."""

    def __init__(self, dissection: Dissection, folder: Path, groups: str | None) -> None:
        self._dissection = dissection
        self._folder = folder
        self._groups = groups

    def read(self, image: int) -> NDArray[np.uint8]:
        name = self._dissection.images[image].name
        return read_image(self._folder / "images" / name, name)

    def annotations(self) -> RunAnnotations | None:
        from onnxdissect.data import open_dataset

        try:
            # Another column is no reason to refuse the folder.
            dataset = open_dataset(self._folder, groups=self._groups)
        except (DataError, ParameterError):
            return None
        return RunAnnotations(self._dissection, dataset)


def run_images(
    dissection: Dissection, data: str | Path | Dataset | None = None
) -> tuple[RunImages | None, str]:
    """Find where the images of a run are.

    Parameters
    ----------
    dissection : Dissection
    data : str, Path or Dataset, optional
        The data set of the run, or where it lies now; by default where the run says.

    Returns
    -------
    images : RunImages or None
    note : str
        Why there are none.

    Raises
    ------
    RunMismatchError
        If `data` is another data set than that of the run.
    DataError
        If `data` is no data set.
    """
    record = section(dissection.manifest, "data")
    groups = None if record.get("groups") is None else str(record["groups"])
    if data is not None:
        return _DatasetImages(dissection, _open_same_data(record, data, groups)), ""
    if record.get("folder"):
        folder = Path(str(record["folder"]))
        if not (folder / "images").is_dir():
            return None, f"There are no pictures: the images are no longer in {folder}."
        return _FolderImages(dissection, folder, groups), ""
    if record.get("spec"):
        try:
            dataset = _open_same_data(record, recorded_spec(record) or "", groups)
            return _DatasetImages(dissection, dataset), ""
        except OnnxDissectError as error:
            return None, f"There are no pictures: {error.message}."
    return None, (
        "The run does not say where its images are, so there are no pictures. They come from the data set: "
        "onnxdissect.report.build(run, data=...)."
    )


def _open_same_data(record: Mapping[str, Any], data: str | Path | Dataset, groups: str | None) -> Dataset:
    """Open a data set, and make sure that it is the run's."""
    dataset = open_data(data, groups=groups)
    dataset = dataset.subset(split=record.get("split"), limit=record.get("limit"))
    if dataset.fingerprint != record.get("fingerprint"):
        raise RunMismatchError(
            f"{dataset.name} has the fingerprint {dataset.fingerprint[:12]}, the data of the run "
            f"{str(record.get('fingerprint'))[:12]}",
            hint="give the data set that the run was made on",
        )
    return dataset


def _places(dataset: Dataset) -> dict[str, int]:
    return {dataset.image_name(i): i for i in range(len(dataset))}
