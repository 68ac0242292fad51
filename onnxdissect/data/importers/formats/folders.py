"""Images that each show one class, named by the folder they lie in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from onnxdissect.data.broden.table_writer import LabelEntry
from onnxdissect.data.broden.writer import check_category
from onnxdissect.data.importers.imported import ImageAnnotations, ImportedData, ImportedImage
from onnxdissect.data.importers.names import label_name, normal
from onnxdissect.data.importers.plan import SCENE, split_of_folder
from onnxdissect.data.importers.reading.trees import IMAGES, FoundFile, find_files, note_others
from onnxdissect.errors import DataFormatError, EmptyDataError, shown, shown_path
from onnxdissect.wording import counted

__all__ = ["read_folders"]


def read_folders(images: Path, *, category: str = SCENE) -> ImportedData:
    """Read images of classes.

    Parameters
    ----------
    images : Path
        Holds a folder for each class, with images at any depth; or one for each split, called train, val or
        test, that holds them.
    category : str
        Of the classes.

    Returns
    -------
    ImportedData
        In the category ``scene`` names end in ``-s``, as Broden's do.

    Raises
    ------
    DataError
        If there is no image in a folder of a class, or two classes would be one.
    """
    category = normal(category)
    check_category(category)
    files = find_files(images, IMAGES, "--images")
    splits = _splits(files)
    classes = [_class(file, len(splits) > 0) for file in files]
    names = sorted({name for name in classes if name})
    if not names:
        raise EmptyDataError(
            f"{shown_path(images)} holds no image in a folder of a class",
            hint="--images takes a folder that holds one folder for each class",
        )
    _refuse_alike(names)
    numbers = {name: number for number, name in enumerate(names, 1)}
    loose = [file.name for file, name in zip(files, classes, strict=True) if not name]
    notes = note_others(images, IMAGES, "image")
    called = sorted(name for name in names if split_of_folder(name)) if not splits else []
    if called:
        notes.append(
            f"taken for classes, as not all folders are called like splits: {', '.join(called)}; move the "
            "others away if these are splits"
        )
    if splits:
        notes.append(f"folders of splits, which hold those of classes: {', '.join(sorted(splits))}")
    if loose:
        notes.append(f"left out, in no folder of a class: {counted(len(loose), 'image')}, {shown(loose[0])}")
    return ImportedData(
        (category,),
        tuple(LabelEntry(numbers[name], name + "-s" * (category == SCENE), (category,)) for name in names),
        [
            ImportedImage(
                file.name,
                file.path,
                partial(_annotations, {category: [numbers[name]]}),
                split=splits.get(PurePosixPath(file.name).parts[0], "train"),
            )
            for file, name in zip(files, classes, strict=True)
            if name
        ],
        tuple(notes),
    )


def _splits(files: Sequence[FoundFile]) -> dict[str, str]:
    """Give the splits of folders, if all of the first level are called like some."""
    tops = {PurePosixPath(file.name).parts[0] for file in files if "/" in file.name}
    found = {top: split_of_folder(top) for top in tops}
    return found if all(found.values()) else {}


def _class(file: FoundFile, in_splits: bool) -> str:
    folders = PurePosixPath(file.name).parts[:-1][in_splits:]
    return label_name(folders[0]) if folders else ""


def _refuse_alike(names: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise DataFormatError(
                f"the folders {shown(other)} and {shown(name)} are classes that differ by capitals alone",
                hint="rename one of them, or put their images into one",
            )


def _annotations(labels: ImageAnnotations, size: tuple[int, int]) -> ImageAnnotations:
    return labels
