"""`linked` as a source of data: a Broden folder whose links may lead out of it, as its user says."""

from __future__ import annotations

from onnxdissect.data.broden.reader import open_dataset
from onnxdissect.data.dataset import Dataset
from onnxdissect.data.links import LINKED
from onnxdissect.data.sources import Advance, Source
from onnxdissect.errors import ParameterError

__all__ = ["SOURCE", "open_linked"]


def open_linked(argument: str, *, groups: str | None = None, progress: Advance | None = None) -> Dataset:
    """Open a folder, and follow its links wherever they lead.

    Parameters
    ----------
    argument : str
        The folder.
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
        If there is no argument.
    DataError
        As for `onnxdissect.data.open_dataset`.
    """
    if not argument:
        raise ParameterError(f"{LINKED} opens a folder, and none was given", hint=f"--data {LINKED}:DIR")
    return open_dataset(argument, groups=groups, follow_links=True)


SOURCE = Source(open_linked)
"""What the entry point ``linked`` of the group ``onnxdissect.data`` refers to."""
