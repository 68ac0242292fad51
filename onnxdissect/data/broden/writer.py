"""Writing a data set in the Broden layout (paper section 3.1), of any vocabulary.

Images are written one by one, in whatever order, by whatever process; each gives an `ImageRecord`. The tables
are written from all of these at last::

    record = write_image(folder, "a.png", pixels, {"object": [label_map], "scene": [7]}, split="train")
    write_tables(folder, ("object", "scene"), labels, [record, ...])
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from onnxdissect.data.broden.index import COLUMNS
from onnxdissect.data.decoding.pixels import read_image
from onnxdissect.data.limits import LONGEST_CATEGORY
from onnxdissect.data.vocabulary import HIGHEST_NUMBER, has_control
from onnxdissect.errors import DataFormatError, OutputError, shown
from onnxdissect.libraries import import_cv2
from onnxdissect.storage.disk import write_error
from onnxdissect.storage.files import make_folder
from onnxdissect.wording import described

__all__ = ["Annotated", "ImageRecord", "check_category", "label_maps", "write_image"]

Annotated = Sequence[NDArray[np.integer] | int]
"""What an image has in a category: label maps (sh, sw) of label numbers, 0 where unlabelled, and numbers of
labels that hold for the image as a whole."""

_IMAGES = "images"
_IN_NO_PATH = re.compile(r"[\\;\x00-\x1f]")
# Categories stand in names of files and columns, and in label.csv before a count in brackets.
_IN_NO_CATEGORY = re.compile(r"[/\\();\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """What the tables say about one image.

    Attributes
    ----------
    image : str
        Path inside the images folder, with forward slashes.
    split : str
    size : (int, int)
        (ih, iw), of the image.
    grid : (int, int)
        (sh, sw), of its label maps.
    cells : mapping of str to str
        Cell of index.csv by category; a category that the image lacks is absent.
    pixels : mapping of str to mapping of int to int
        Pixels of the label grid by category and label number.
    group : str
        What the image is one of, such as a film; empty where it stands for itself.
    """

    image: str
    split: str
    size: tuple[int, int]
    grid: tuple[int, int]
    cells: Mapping[str, str] = field(default_factory=dict)
    pixels: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    group: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON values, to be sent from another process.

        Returns
        -------
        dict
        """
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ImageRecord:
        """Take it from JSON values.

        Parameters
        ----------
        value : mapping
            As `to_json` gives it; numbers may have become texts where they are keys.

        Returns
        -------
        ImageRecord
        """
        ih, iw = value["size"]
        sh, sw = value["grid"]
        pixels = {
            category: {int(number): count for number, count in found.items()}
            for category, found in value["pixels"].items()
        }
        return cls(
            value["image"], value["split"], (ih, iw), (sh, sw), value["cells"], pixels, value.get("group", "")
        )


def write_image(
    folder: Path,
    name: str,
    image: NDArray[np.uint8] | Path,
    annotations: Mapping[str, Annotated],
    *,
    split: str = "train",
    group: str = "",
    grid: tuple[int, int] | None = None,
    link: bool = False,
    decoded: tuple[int, int] | None = None,
) -> ImageRecord:
    """Write an image and its label maps. May be called from several threads and processes at once.

    Parameters
    ----------
    folder : Path
        The data set. Folders that are not there yet are made.
    name : str
        Path of the image inside the images folder, with forward slashes. Its label maps lie beside it as
        ``<name without suffix>_<category>.png``, or ``..._<category>_<n>.png`` where there are several.
    image : ndarray of uint8, shape (ih, iw, 3), or Path
        RGB, written as PNG, so that `name` must end so; or a file, which is copied as it is.
    annotations : mapping of str to sequence of (ndarray of int, shape (sh, sw), or int)
        By category. All label maps of an image are of one shape; maps without any label are left out.
    split : str
    group : str
        What the image is one of; empty where it stands for itself.
    grid : (int, int), optional
        (sh, sw), where there is no label map to tell; by default that of the image. With label maps, theirs.
    link : bool
        Whether a file stays where it is, and a symbolic link leads there.
    decoded : (int, int), optional
        (ih, iw) of a file that has been decoded already; by default it is decoded to see that it can be.

    Returns
    -------
    ImageRecord
        For `write_tables`.

    Raises
    ------
    DataFormatError
        If an array has another type or shape than it should, if a number does not fit into a label map, or
        if no such name can stand in index.csv.
    ImageFileError
        If the file of the image is missing, damaged or no image.
    OutputError
        If a file cannot be written, or is there already.
    """
    path = _image_path(name)
    for text in (split, group):
        if not isinstance(text, str) or not _is_text(text) or has_control(text):
            raise DataFormatError(
                f"{name}: the split and the group of an image are texts of one line, not {text!r:.60}"
            )
        if text != text.strip():
            raise DataFormatError(f"{name}: {text!r} begins or ends with a blank, which tables do not keep")
    for category in annotations:
        check_category(category)
    if isinstance(image, Path):
        size = decoded or _extent(read_image(image, name))
    else:
        if not isinstance(image, np.ndarray):
            raise DataFormatError(f"{name}: an image is an array or the Path of a file, not {image!r:.60}")
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise DataFormatError(
                f"{name}: an image is an array of uint8 (height, width, 3), not {image.dtype} {image.shape}"
            )
        if path.suffix.lower() != ".png":
            raise DataFormatError(f"{name}: arrays are written as PNG", hint=f"call it {path.stem}.png")
        size = _extent(image)
    maps = {category: label_maps(name, category, items) for category, items in annotations.items()}
    grid = _grid(name, [one for found in maps.values() for one in found], grid, size)
    numbers = {category: _label_numbers(name, items) for category, items in annotations.items()}

    files: dict[str, bytes | Path] = {name: image if isinstance(image, Path) else _png(image)}
    cells: dict[str, str] = {}
    pixels: dict[str, dict[int, int]] = {}
    for category, found in maps.items():
        written = []
        for ending, label_map in _endings(category, found):
            if label_map.any():
                written.append(f"{path.with_suffix('')}_{ending}.png")
                files[written[-1]] = _label_png(label_map)
        cell = [*written, *map(str, numbers[category])]
        if cell:
            cells[category] = ";".join(cell)
            pixels[category] = _covered(found) | dict.fromkeys(numbers[category], grid[0] * grid[1])
    _write_all(folder, files, link=link)
    return ImageRecord(name, split, size, grid, cells, pixels, group)


def check_category(name: str) -> None:
    """Refuse names of categories that the layout cannot hold.

    Parameters
    ----------
    name : str

    Raises
    ------
    DataFormatError
        If it is such a name.
    """
    if name in COLUMNS:
        raise DataFormatError(f"{name!r} cannot be a category's name: index.csv has a column of that name")
    if not name or name != name.strip() or _IN_NO_CATEGORY.search(name) or not _is_text(name):
        raise DataFormatError(
            f"{name!r} cannot be a category's name: it holds no slash, bracket or semicolon, and neither "
            f"begins nor ends with a blank"
        )
    if len(name.encode()) > LONGEST_CATEGORY:
        raise DataFormatError(
            f"{shown(name)} cannot be a category's name: it is longer than {LONGEST_CATEGORY} bytes"
        )


def _is_text(text: str) -> bool:
    """Whether it can be written as UTF-8: halves of surrogate pairs cannot."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _image_path(name: str) -> PurePosixPath:
    """Refuse what index.csv cannot hold, or would be read back as something else."""
    path = PurePosixPath(name)
    if (
        not path.suffix
        or name != name.strip()
        or path.is_absolute()
        or name[1:2] == ":"
        or ".." in path.parts
        or path.as_posix() != name
        or _IN_NO_PATH.search(name)
        or not _is_text(name)
    ):
        raise DataFormatError(
            f"{name!r} cannot be the name of an image: it is a path inside the images folder, with forward "
            f"slashes, a suffix and no semicolon",
            hint="such as train/00001.png",
        )
    return path


def label_maps(name: str, category: str, items: Annotated) -> list[NDArray[np.uint16]]:
    """Take label maps out of annotations.

    Parameters
    ----------
    name : str
        Of the image, for messages.
    category : str
    items : sequence of ndarray or int

    Returns
    -------
    list of ndarray of uint16, shape (sh, sw)

    Raises
    ------
    DataFormatError
        If one is no map of label numbers.
    """
    if not isinstance(items, Sequence):
        raise DataFormatError(
            f"{name}: annotations in the category {category} stand in a list, not in {described(items)}",
            hint=f"{{{category!r}: [label_map]}}",
        )
    found = []
    for item in items:
        if not isinstance(item, np.ndarray) or not item.ndim:
            continue
        if item.ndim != 2 or not item.size or not np.issubdtype(item.dtype, np.integer):
            raise DataFormatError(
                f"{name}: a label map of {category} is an array of whole numbers (height, width), "
                f"not {item.dtype} {item.shape}"
            )
        if item.min() < 0 or item.max() > HIGHEST_NUMBER:
            raise DataFormatError(
                f"{name}: a label map of {category} holds the numbers {item.min()} to {item.max()}; "
                f"label maps hold 0 to {HIGHEST_NUMBER}"
            )
        found.append(item.astype(np.uint16))
    return found


def _label_numbers(name: str, items: Annotated) -> list[int]:
    """Numbers that hold for a whole image, once each."""
    whole = [item for item in items if not (isinstance(item, np.ndarray) and item.ndim)]
    for item in whole:
        if isinstance(item, bool) or not np.issubdtype(np.asarray(item).dtype, np.integer) or np.ndim(item):
            raise DataFormatError(
                f"{name}: an annotation is a label map as an array, or a label number, not {item!r:.60}"
            )
    numbers = [int(item) for item in whole]
    wrong = [number for number in numbers if not 0 < number <= HIGHEST_NUMBER]
    if wrong:
        raise DataFormatError(f"{name}: {wrong[0]} is no label number; they are 1 to {HIGHEST_NUMBER}")
    return list(dict.fromkeys(numbers))


def _grid(
    name: str, maps: Sequence[NDArray[np.uint16]], asked: tuple[int, int] | None, size: tuple[int, int]
) -> tuple[int, int]:
    if asked is not None and not (
        len(asked) == 2 and all(isinstance(extent, int | np.integer) and extent > 0 for extent in asked)
    ):
        raise DataFormatError(f"{name}: a grid is (height, width), whole numbers from 1, not {asked}")
    grids = {(one.shape[0], one.shape[1]) for one in maps}
    if len(grids) > 1:
        told = ", ".join(f"{height}x{width}" for height, width in sorted(grids))
        raise DataFormatError(f"{name}: its label maps are of different sizes: {told}")
    if asked is not None and grids and grids != {tuple(asked)}:
        height, width = grids.pop()
        raise DataFormatError(
            f"{name}: the grid {asked[0]}x{asked[1]} was asked for, and its label maps are {height}x{width}",
            hint="leave out grid= where there are label maps",
        )
    return grids.pop() if grids else asked or size


def _endings(category: str, maps: Sequence[NDArray[np.uint16]]) -> Iterable[tuple[str, NDArray[np.uint16]]]:
    if len(maps) == 1:
        return [(category, maps[0])]
    return [(f"{category}_{n}", one) for n, one in enumerate(maps, 1)]


def _covered(maps: Sequence[NDArray[np.uint16]]) -> dict[int, int]:
    """Pixels by number; one that holds a number in several maps counts once."""
    if not maps:
        return {}
    stacked = np.stack(maps)
    # equal numbers of a pixel become neighbours, and all but the first of them nothing
    stacked.sort(axis=0)
    stacked[1:][stacked[1:] == stacked[:-1]] = 0
    numbers, counts = np.unique(stacked, return_counts=True)
    return {number: count for number, count in zip(numbers.tolist(), counts.tolist(), strict=True) if number}


def _extent(image: NDArray[np.uint8]) -> tuple[int, int]:
    return image.shape[0], image.shape[1]


def _label_png(numbers: NDArray[np.uint16]) -> bytes:
    label = np.zeros((*numbers.shape, 3), np.uint8)
    label[:, :, 0], label[:, :, 1] = numbers % 256, numbers // 256
    return _png(label)


def _png(image: NDArray[np.uint8]) -> bytes:
    # through bytes: OpenCV's own writer fails silently, and on Windows at any name beyond ASCII
    cv2 = import_cv2()
    _, content = cv2.imencode(".png", image[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return cast(bytes, content.tobytes())


def _write_all(folder: Path, files: Mapping[str, bytes | Path], *, link: bool) -> None:
    """Write the files of an image, or none of them: so that it can be written again."""
    written: list[Path] = []
    try:
        for name, content in files.items():
            if isinstance(content, Path) and link:
                _link(folder, name, content)
            else:
                _write(folder, name, content.read_bytes() if isinstance(content, Path) else content)
            written.append(folder / _IMAGES / name)
    except OutputError:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def _write(folder: Path, name: str, content: bytes) -> None:
    path = folder / _IMAGES / name
    make_folder(path.parent)
    try:
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise write_error(path, error) from error


def _link(folder: Path, name: str, image: Path) -> None:
    path = folder / _IMAGES / name
    make_folder(path.parent)
    try:
        path.symlink_to(Path(os.path.realpath(image)))
    except (OSError, NotImplementedError) as error:
        if isinstance(error, FileExistsError):
            raise write_error(path, error) from error
        said = getattr(error, "strerror", None) or error
        raise OutputError(
            f"cannot make {path}, a link to {image}: {said}", hint="without --link images are copied"
        ) from error
