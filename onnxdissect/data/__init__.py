"""The data side: what a `Dataset` is, Broden folders, packed files and arrays as such, decoding ahead.

`open_data` gives one from whatever was asked for; ``sources`` lets packages add kinds of their own. Nothing
here knows of models. OpenCV is imported when the first file is decoded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxdissect.data.annotation import Annotation, annotate
    from onnxdissect.data.arrays import ArrayDataset
    from onnxdissect.data.broden.about import About, Part, about_of, write_about
    from onnxdissect.data.broden.check import DatasetReport, Problem, check_dataset, check_folder
    from onnxdissect.data.broden.checking.cleaning import CleanedIndex, clean_index, refuse_cleaned
    from onnxdissect.data.broden.info import DatasetFacts, describe
    from onnxdissect.data.broden.reader import BrodenDataset, open_dataset
    from onnxdissect.data.broden.table_writer import LabelEntry, write_tables
    from onnxdissect.data.broden.writer import ImageRecord, write_image
    from onnxdissect.data.dataset import Dataset
    from onnxdissect.data.decoding.stream import Batch, batches
    from onnxdissect.data.download.download import Download, download_broden
    from onnxdissect.data.download.watching import Patience, Watch
    from onnxdissect.data.importers.formats.folders import read_folders
    from onnxdissect.data.importers.formats.masks import read_masks
    from onnxdissect.data.importers.formats.streets.camvid import read_camvid
    from onnxdissect.data.importers.formats.streets.cityscapes import read_cityscapes
    from onnxdissect.data.importers.imported import ImportedData, ImportedImage
    from onnxdissect.data.importers.options import ImportOptions
    from onnxdissect.data.importers.report import ImportReport
    from onnxdissect.data.importers.writing import write_imported
    from onnxdissect.data.joining.join import join_datasets
    from onnxdissect.data.joining.options import JoinOptions
    from onnxdissect.data.joining.report import JoinReport
    from onnxdissect.data.opening import open_data
    from onnxdissect.data.packed.check import check_packed
    from onnxdissect.data.packed.dataset import PackedDataset
    from onnxdissect.data.packed.opening import open_packed
    from onnxdissect.data.packed.writer import PackedFacts, pack_dataset
    from onnxdissect.data.sources import Source, Sources, installed_sources
    from onnxdissect.data.vocabulary import Concept, Vocabulary, make_vocabulary

__all__ = [
    "About",
    "Annotation",
    "ArrayDataset",
    "Batch",
    "BrodenDataset",
    "CleanedIndex",
    "Concept",
    "Dataset",
    "DatasetFacts",
    "DatasetReport",
    "Download",
    "ImageRecord",
    "ImportOptions",
    "ImportReport",
    "ImportedData",
    "ImportedImage",
    "JoinOptions",
    "JoinReport",
    "LabelEntry",
    "PackedDataset",
    "PackedFacts",
    "Part",
    "Patience",
    "Problem",
    "Source",
    "Sources",
    "Vocabulary",
    "Watch",
    "about_of",
    "annotate",
    "batches",
    "check_dataset",
    "check_folder",
    "check_packed",
    "clean_index",
    "describe",
    "download_broden",
    "installed_sources",
    "join_datasets",
    "make_vocabulary",
    "open_data",
    "open_dataset",
    "open_packed",
    "pack_dataset",
    "read_camvid",
    "read_cityscapes",
    "read_folders",
    "read_masks",
    "refuse_cleaned",
    "write_about",
    "write_image",
    "write_imported",
    "write_tables",
]

_HOMES = {
    "About": "broden.about",
    "Annotation": "annotation",
    "ArrayDataset": "arrays",
    "Batch": "decoding.stream",
    "BrodenDataset": "broden.reader",
    "CleanedIndex": "broden.checking.cleaning",
    "Concept": "vocabulary",
    "Dataset": "dataset",
    "DatasetFacts": "broden.info",
    "DatasetReport": "broden.check",
    "Download": "download.download",
    "ImageRecord": "broden.writer",
    "ImportOptions": "importers.options",
    "ImportReport": "importers.report",
    "ImportedData": "importers.imported",
    "ImportedImage": "importers.imported",
    "JoinOptions": "joining.options",
    "JoinReport": "joining.report",
    "LabelEntry": "broden.table_writer",
    "PackedDataset": "packed.dataset",
    "PackedFacts": "packed.writer",
    "Part": "broden.about",
    "Patience": "download.watching",
    "Problem": "broden.check",
    "Source": "sources",
    "Sources": "sources",
    "Vocabulary": "vocabulary",
    "Watch": "download.watching",
    "about_of": "broden.about",
    "annotate": "annotation",
    "batches": "decoding.stream",
    "check_dataset": "broden.check",
    "check_folder": "broden.check",
    "check_packed": "packed.check",
    "clean_index": "broden.checking.cleaning",
    "describe": "broden.info",
    "download_broden": "download.download",
    "installed_sources": "sources",
    "join_datasets": "joining.join",
    "make_vocabulary": "vocabulary",
    "open_data": "opening",
    "open_dataset": "broden.reader",
    "open_packed": "packed.opening",
    "pack_dataset": "packed.writer",
    "read_camvid": "importers.formats.streets.camvid",
    "read_cityscapes": "importers.formats.streets.cityscapes",
    "read_folders": "importers.formats.folders",
    "read_masks": "importers.formats.masks",
    "refuse_cleaned": "broden.checking.cleaning",
    "write_about": "broden.about",
    "write_image": "broden.writer",
    "write_imported": "importers.writing",
    "write_tables": "broden.table_writer",
}


def __getattr__(name: str) -> object:
    # `onnxdissect --help` must not wait for NumPy.
    if name in _HOMES:
        return getattr(import_module(f"onnxdissect.data.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
