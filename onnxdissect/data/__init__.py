"""The data side: data sets in the Broden layout, their concepts, and decoding ahead of inference.

Nothing here knows of models. OpenCV is imported when the first file is decoded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxdissect.data.annotation import Annotation
    from onnxdissect.data.broden import Dataset, open_dataset
    from onnxdissect.data.check import DatasetReport, Problem, check_dataset, check_folder
    from onnxdissect.data.concepts import Concept, Vocabulary
    from onnxdissect.data.info import DatasetFacts, describe
    from onnxdissect.data.stream import Batch, batches

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
    "Concept": "concepts",
    "Dataset": "broden",
    "DatasetFacts": "info",
    "DatasetReport": "check",
    "Problem": "check",
    "Vocabulary": "concepts",
    "batches": "stream",
    "check_dataset": "check",
    "check_folder": "check",
    "describe": "info",
    "open_dataset": "broden",
}


def __getattr__(name: str) -> object:
    # `onnxdissect --help` must not wait for NumPy.
    if name in _HOMES:
        return getattr(import_module(f"onnxdissect.data.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
