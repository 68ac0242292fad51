"""`tiny` as a source of data: made in the user's cache on first use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from onnxdissect.data import Dataset, Source, open_dataset
from onnxdissect.data.sources import Advance
from onnxdissect.errors import ParameterError
from onnxdissect.tiny.broden import ABOUT
from onnxdissect.tiny.generate import ensure_tiny

__all__ = ["SOURCE", "open_tiny"]


def open_tiny(argument: str, *, groups: str | None = None, progress: Advance | None = None) -> Dataset:
    """Open the drawn data set.

    Parameters
    ----------
    argument : str
        Always empty.
    groups : str, optional
        As for `onnxdissect.data.open_dataset`.
    progress : callable, optional
        Called with (images done, images) while it is drawn.

    Returns
    -------
    Dataset

    Raises
    ------
    ParameterError
        If there is an argument.
    OutputError
        If the cache cannot be written.
    """
    if argument:
        raise ParameterError(
            f"tiny takes no argument, and {argument!r} was given",
            hint="--data tiny; onnxdissect data tiny FOLDER draws another one",
        )
    dataset = open_dataset(ensure_tiny(progress=progress), groups=groups)
    # one that an earlier version has left in the cache does not tell
    return dataset if dataset.about else replace(dataset, about=ABOUT)


def _recognise(record: Mapping[str, Any]) -> str | None:
    return "tiny" if str(record.get("name")).startswith("tiny-v") else None


SOURCE = Source(open_tiny, _recognise)
"""What the entry point ``tiny`` of the group ``onnxdissect.data`` refers to."""
