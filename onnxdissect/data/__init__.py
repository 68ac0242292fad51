"""The data side: data sets in the Broden layout, their concepts, and decoding ahead of inference.

Nothing here knows of models. OpenCV is imported when the first file is decoded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxdissect.data.annotation import Annotation
    from onnxdissect.data.broden.check import DatasetReport, Problem, check_dataset, check_folder
    from onnxdissect.data.broden.info import DatasetFacts, describe
    from onnxdissect.data.broden.reader import Dataset, open_dataset
    from onnxdissect.data.broden.table_writer import LabelEntry, write_tables
    from onnxdissect.data.broden.writer import ImageRecord, write_image
    from onnxdissect.data.stream import Batch, batches
    from onnxdissect.data.vocabulary import Concept, Vocabulary

__all__ = [
    "Annotation",
    "Batch",
    "Concept",
    "Dataset",
    "DatasetFacts",
    "DatasetReport",
    "ImageRecord",
    "LabelEntry",
    "Problem",
    "Vocabulary",
    "batches",
    "check_dataset",
    "check_folder",
    "describe",
    "open_dataset",
    "write_image",
    "write_tables",
]

_HOMES = {
    "Annotation": "annotation",
    "Batch": "stream",
    "Concept": "vocabulary",
    "Dataset": "broden.reader",
    "DatasetFacts": "broden.info",
    "DatasetReport": "broden.check",
    "ImageRecord": "broden.writer",
    "LabelEntry": "broden.table_writer",
    "Problem": "broden.check",
    "Vocabulary": "vocabulary",
    "batches": "stream",
    "check_dataset": "broden.check",
    "check_folder": "broden.check",
    "describe": "broden.info",
    "open_dataset": "broden.reader",
    "write_image": "broden.writer",
    "write_tables": "broden.table_writer",
}


def __getattr__(name: str) -> object:
    # `onnxdissect --help` must not wait for NumPy.
    if name in _HOMES:
        return getattr(import_module(f"onnxdissect.data.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
