"""`cleaned` as a source of data: a Broden folder by the index that a check left beside the original."""

from __future__ import annotations

from onnxdissect.data.broden.files import CLEANED_INDEX
from onnxdissect.data.broden.reader import open_dataset
from onnxdissect.data.dataset import Dataset
from onnxdissect.data.links import CLEANED, LINKED
from onnxdissect.data.sources import Advance, Source
from onnxdissect.errors import ParameterError

__all__ = ["SOURCE", "open_cleaned"]


def open_cleaned(argument: str, *, groups: str | None = None, progress: Advance | None = None) -> Dataset:
    """Open a folder without the images that a check left out.

    Parameters
    ----------
    argument : str
        The folder; behind ``linked:``, its links are followed wherever they lead.
    groups : str, optional
        As for `onnxdissect.data.open_dataset`.
    progress : callable, optional
        Never called.

    Returns
    -------
    Dataset

    Raises
    ------
    ParameterError
        If there is no folder.
    DataError
        As for `onnxdissect.data.open_dataset`; with what writes a cleaned index where there is none.
    """
    folder = argument.removeprefix(f"{LINKED}:")
    if not folder:
        raise ParameterError(f"{CLEANED} opens a folder, and none was given", hint=f"--data {CLEANED}:DIR")
    return open_dataset(folder, groups=groups, follow_links=folder != argument, index=CLEANED_INDEX)


SOURCE = Source(open_cleaned)
"""What the entry point ``cleaned`` of the group ``onnxdissect.data`` refers to."""
