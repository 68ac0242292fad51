"""Finished runs: reading, writing and rescoring a run directory.

    RUN/
      manifest.json                what was run, on what, how; written last (`manifest`)
      units.csv  layers.csv  concepts.csv  images.csv        (`tables`)
      quantiles.csv  labels_by_quantile.csv  generic_labels.csv, of several quantiles (`sweep`)
      layers/<slug>/tally.npz      counts; top_masks.npz, masks of the top images (`arrays`)
      layers/<slug>/masks.npz      what makes the masks of all images, if kept (`masks`)
      layers/<slug>/published.npz  of imported results, all there is (`published`)
      layers/<slug>/netdissect.csv the original's result format (`netdissect`)

`docs/formats.md` describes every column and array. A folder whose manifest does not say ``complete`` is
never read as a result.
"""

from __future__ import annotations

from onnxdissect.results.dissection import Dissection
from onnxdissect.results.formats.manifest import FORMAT_VERSION, write_manifest
from onnxdissect.results.formats.nearest import NearestUnits
from onnxdissect.results.formats.reader import load
from onnxdissect.results.formats.top_maps import TopMaps
from onnxdissect.results.formats.writer import (
    rescore,
    save_layer,
    save_published,
    save_truth,
    write_rescored,
    write_results,
)
from onnxdissect.results.masks.kept import KeptMasks
from onnxdissect.results.records import (
    CategoryBests,
    Concept,
    ImageInfo,
    LayerCounts,
    LayerInfo,
    LayerSummary,
    Unit,
)
from onnxdissect.results.sweep import ThresholdSweep, threshold_sweep

__all__ = [
    "FORMAT_VERSION",
    "CategoryBests",
    "Concept",
    "Dissection",
    "ImageInfo",
    "KeptMasks",
    "LayerCounts",
    "LayerInfo",
    "LayerSummary",
    "NearestUnits",
    "ThresholdSweep",
    "TopMaps",
    "Unit",
    "load",
    "rescore",
    "save_layer",
    "save_published",
    "save_truth",
    "threshold_sweep",
    "write_manifest",
    "write_rescored",
    "write_results",
]
