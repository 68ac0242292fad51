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
    from onnxdissect.data.stream import Batch, batches
    from onnxdissect.data.vocabulary import Concept, Vocabulary

__all__ = [
    "Annotation",
    "Batch",
    "Concept",
    "Dataset",
    "DatasetFacts",
    "DatasetReport",
    "Problem",
    "Vocabulary",
    "batches",
    "check_dataset",
    "check_folder",
    "describe",
    "open_dataset",
]

_HOMES = {
    "Annotation": "annotation",
    "Batch": "stream",
    "Concept": "vocabulary",
    "Dataset": "broden.reader",
    "DatasetFacts": "broden.info",
    "DatasetReport": "broden.check",
    "Problem": "broden.check",
    "Vocabulary": "vocabulary",
    "batches": "stream",
    "check_dataset": "broden.check",
    "check_folder": "broden.check",
    "describe": "broden.info",
    "open_dataset": "broden.reader",
}


def __getattr__(name: str) -> object:
    # `onnxdissect --help` must not wait for NumPy.
    if name in _HOMES:
        return getattr(import_module(f"onnxdissect.data.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
