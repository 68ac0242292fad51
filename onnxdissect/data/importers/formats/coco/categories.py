"""Categories of files of annotations, as labels of one data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnxdissect.data.importers.formats.coco.annotation_file import AnnotationFile
from onnxdissect.data.importers.reading.class_names import clean_name
from onnxdissect.data.vocabulary import HIGHEST_NUMBER
from onnxdissect.errors import DataFormatError, shown, shown_path

__all__ = ["number_categories", "own_numbers"]


def number_categories(files: Sequence[AnnotationFile]) -> tuple[dict[str, int], list[str]]:
    """Give every name of a category a label number: its id, as long as all ids are label numbers.

    Parameters
    ----------
    files : sequence of AnnotationFile

    Returns
    -------
    numbers : dict of str to int
        By name, in the order of numbers.
    notes : list of str
        What was left out, and what became one.

    Raises
    ------
    DataFormatError
        If a category is called otherwise in two files, if a name is none of a concept, or if there are more
        than label maps can hold.
    """
    of_id: dict[int, str] = {}
    of_name: dict[str, list[int]] = {}
    notes = []
    for file in files:
        for key in sorted(file.categories):
            if key in file.rest:
                notes.append(
                    f"{file.path.name}: the category {key} ({file.categories[key]}), all that is none of the "
                    f"others, is left out"
                )
                continue
            name = _name(file, key)
            if of_id.setdefault(key, name) != name:
                raise DataFormatError(
                    f"{shown_path(file.path)}: the category {key} is called {shown(name)}, and "
                    f"{shown(of_id[key])} in a file before it",
                    hint="files of one data set have the same categories; import others apart, and join them",
                )
            if key not in of_name.setdefault(name, []):
                of_name[name].append(key)
    for name, ids in of_name.items():
        if len(ids) > 1:
            told = ", ".join(map(str, ids))
            notes.append(f"the categories {told} are all called {shown(name)} and become one")
    if len(of_name) > HIGHEST_NUMBER:
        raise DataFormatError(f"there are {len(of_name):,} categories; label maps hold {HIGHEST_NUMBER:,}")
    ordered = sorted(of_name, key=lambda name: of_name[name][0])
    if all(1 <= of_name[name][0] <= HIGHEST_NUMBER for name in ordered):
        return {name: of_name[name][0] for name in ordered}, notes
    return {name: number for number, name in enumerate(ordered, 1)}, notes


def own_numbers(file: AnnotationFile, numbers: Mapping[str, int]) -> dict[int, int]:
    """Give the label number of each category of a file.

    Parameters
    ----------
    file : AnnotationFile
    numbers : mapping of str to int
        As `number_categories` gives them.

    Returns
    -------
    dict of int to int
        By id, 0 for one that is left out.
    """
    return {key: 0 if key in file.rest else numbers[_name(file, key)] for key in file.categories}


def _name(file: AnnotationFile, key: int) -> str:
    return clean_name(file.categories[key], f"{shown_path(file.path)}: the category {key}")
