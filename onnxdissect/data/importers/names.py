"""What images are called in the data set that is written: what tables, and all file systems, can hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

from onnxdissect.data.broden.about import one_line
from onnxdissect.errors import DataFormatError, shown

__all__ = ["label_name", "normal", "refuse_collisions", "written_name"]

_OTHERS = re.compile(r'[\\;:*?"<>|\x00-\x1f\x7f\ud800-\udfff]')


def normal(text: str) -> str:
    """Give a name in the one form of those that Unicode has for it.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Composed (NFC): some systems write names of files decomposed.
    """
    return unicodedata.normalize("NFC", text)


def label_name(text: str) -> str:
    """Make the name of a label of that of a folder.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Composed, on one line.
    """
    return one_line(normal(text))


def written_name(name: str, suffix: str | None = None) -> str:
    """Make a name that index.csv and file systems of all kinds can hold.

    Parameters
    ----------
    name : str
        Path of an image in its own data set, with forward slashes.
    suffix : str, optional
        Ending to give it in place of its own.

    Returns
    -------
    str
        Composed, and with a low line for what no table or no file system of some kind holds.

    Raises
    ------
    DataFormatError
        If nothing is left of it.
    """
    parts = []
    for part in PurePosixPath(_OTHERS.sub("_", normal(name))).parts:
        kept = part.strip()
        # Windows knows no names that end in a dot or a blank.
        parts.append(f"{kept.rstrip('. ')}_" if kept.endswith((".", " ")) or not kept else kept)
    path = PurePosixPath(*parts)
    if not path.name:
        raise DataFormatError(f"{shown(name)} cannot be the name of an image", hint="such as train/00001.png")
    return str(path if suffix is None else path.with_suffix(suffix))


def refuse_collisions(sources: Sequence[str], names: Sequence[str], categories: Sequence[str]) -> None:
    """Refuse names of images that would be one file, on some file systems or with those of label maps.

    Parameters
    ----------
    sources : sequence of str
        What the images are called in their own data set, for messages.
    names : sequence of str
        What they are to be called.
    categories : sequence of str
        Of the data set: label maps are named after images and these.

    Raises
    ------
    DataFormatError
        If there are two such.
    """
    stems: dict[str, int] = {}
    for i, name in enumerate(names):
        stem = str(PurePosixPath(name).with_suffix("")).casefold()
        other = stems.setdefault(stem, i)
        if other != i:
            raise DataFormatError(
                f"the images {shown(sources[other])} and {shown(sources[i])} would be one: label maps are "
                f"called by an image's name without its ending, and many systems take capitals and "
                f"other forms of a letter for the same",
                hint="rename one of them, and its annotation if there is one",
            )
    if not categories:
        return
    ending = re.compile("_(?:" + "|".join(re.escape(one.casefold()) for one in categories) + r")(?:_\d+)?$")
    for stem, i in stems.items():
        match = ending.search(stem)
        if match and stem[: match.start()] in stems:
            other = stems[stem[: match.start()]]
            raise DataFormatError(
                f"the image {shown(sources[i])} is called as a label map of {shown(sources[other])} would be",
                hint="rename one of them, and its annotation if there is one",
            )
