"""`segmenter` as a source of data."""

from __future__ import annotations

from onnxdissect.data import Dataset, Source
from onnxdissect.data.sources import Advance
from onnxdissect.segmenter.dataset import open_dataset
from onnxdissect.segmenter.spec import parse_spec

__all__ = ["SOURCE", "open_segmenter"]


def open_segmenter(argument: str, *, groups: str | None = None, progress: Advance | None = None) -> Dataset:
    """Open plain images that a segmenter labels.

    Parameters
    ----------
    argument : str
        ``MODEL.onnx?images=DIR&classes=FILE`` with further arguments; see `SegmenterSpec`.
    groups : str, optional
        What groups images that belong together: "folder", "prefix:N" or "none".
    progress : callable, optional
        Never called: images are labelled when they are read.

    Returns
    -------
    Dataset

    Raises
    ------
    OnnxDissectError
        If what is asked for, a file of it, or the network is not as it should be.
    """
    return open_dataset(parse_spec(argument), groups=groups)


SOURCE = Source(open_segmenter)
"""What the entry point ``segmenter`` of the group ``onnxdissect.data`` refers to."""
