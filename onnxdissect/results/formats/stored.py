"""The arrays of a finished run, read from its directory as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.candidates import among, candidates, followed
from onnxdissect.core.scoring import Scores, score
from onnxdissect.errors import LayerNotFoundError, NotPublishedError, ParameterError, RunFormatError, nearest
from onnxdissect.results.formats import arrays, tables
from onnxdissect.results.formats.intervals import Resampling
from onnxdissect.results.formats.manifest import Header
from onnxdissect.results.formats.per_image_counts import (
    PerImageCounts,
    PerImageCountsPart,
    TruthCounts,
    read_per_image_counts,
    read_per_image_parts,
    read_truth,
)
from onnxdissect.results.formats.published import IMPORTED, read_published, spread_iou
from onnxdissect.results.formats.top_maps import TopMaps, read_samples, read_top_maps
from onnxdissect.results.label_units import category_bests, layer_iou, primary_categories
from onnxdissect.results.records import CategoryBests, Concept, ImageInfo, LayerCounts, LayerInfo
from onnxdissect.results.reliability import sample_size
from onnxdissect.statistics.reliability import SampleSize

__all__ = ["StoredRun"]


class StoredRun:
    """A run directory whose tables have been read, and whose arrays are read layer by layer.

    What it is made of and what it has are described with `onnxdissect.results.dissection.Dissection`, which
    adds the verdicts.
    """

    __slots__ = (
        "_category_of",
        "_header",
        "_kept",
        "_sizes_of",
        "candidates",
        "categories",
        "concepts",
        "images",
        "imported",
        "iou_threshold",
        "layers",
        "manifest",
        "min_images",
        "path",
        "quantiles",
        "scoring",
    )

    def __init__(
        self,
        path: Path,
        manifest: dict[str, Any],
        header: Header,
        concepts: tuple[Concept, ...],
        images: tuple[ImageInfo, ...],
    ) -> None:
        self.path = path
        self.manifest = manifest
        self.categories = header.categories
        self.concepts = concepts
        self.quantiles = header.quantiles
        self.layers = header.layers
        self.images = images
        self.imported = IMPORTED in manifest
        held = np.array([concept.images for concept in concepts], np.int64)
        # how many images hold a concept is not published
        self.candidates = candidates(held, 0 if self.imported else header.min_images)
        self.iou_threshold = header.iou_threshold
        self.scoring = header.scoring
        self.min_images = header.min_images
        self._header = header
        self._category_of = primary_categories(concepts, header.categories)
        self._kept: tuple[str, LayerCounts] | None = None
        self._sizes_of: dict[str, arrays.Sizes] = {}

    def layer(self, layer: str) -> LayerInfo:
        """Find a layer of the run.

        Parameters
        ----------
        layer : str
            Its ONNX value name, alias, folder name or node name, the first that fits.

        Returns
        -------
        LayerInfo

        Raises
        ------
        LayerNotFoundError
            If the run holds no such layer.
        """
        for attribute in ("name", "alias", "slug", "node"):
            for info in self.layers:
                if getattr(info, attribute) == layer:
                    return info
        names = list(dict.fromkeys(name for info in self.layers for name in (info.name, info.alias)))
        raise LayerNotFoundError(
            f"the run {self.path} holds no layer {layer!r}", candidates=nearest(layer, names) or names[:5]
        )

    def iou(self, layer: str) -> NDArray[np.float64]:
        """Score every unit of a layer with every concept, in the convention of `scoring`.

        Parameters
        ----------
        layer : str
            Value name, alias or folder name.

        Returns
        -------
        ndarray of float64, shape (Q, K, C)
            0 for concepts that are no candidates for labels, and of imported results where they do not tell:
            see `known_iou`.

        Raises
        ------
        LayerNotFoundError
            If the run holds no such layer.
        RunFormatError
            If its files are missing or damaged.
        """
        if self.imported:
            return spread_iou(self.category_bests(layer), len(self.concepts))
        return among(layer_iou(self.counts(layer), self.scoring, self._category_of), self.candidates)

    def category_bests(self, layer: str) -> CategoryBests:
        """Give the best concept of each category for every unit of a layer, with its counts.

        Parameters
        ----------
        layer : str
            Value name, alias or folder name.

        Returns
        -------
        CategoryBests

        Raises
        ------
        LayerNotFoundError, RunFormatError
            As `iou`.
        """
        info = self.layer(layer)
        if not self.imported:
            return category_bests(self.counts(layer), self.scores(layer), self.scoring)
        folder = self.path / "layers" / info.slug
        return read_published(folder, self._sizes(info).lengths, self.concepts, self._category_of)

    def scores(self, layer: str) -> Scores:
        """Choose the best concepts of every unit of a layer, overall and per category.

        Parameters
        ----------
        layer : str
            Value name, alias or folder name.

        Returns
        -------
        Scores
            Concepts are positions in `concepts`.

        Raises
        ------
        LayerNotFoundError
            If the run holds no such layer.
        RunFormatError
            If its files are missing or damaged.
        """
        return score(self.iou(layer), self._category_of, len(self.categories))

    def counts(self, layer: str) -> LayerCounts:
        """Read the counts of a layer.

        Parameters
        ----------
        layer : str
            Value name, alias or folder name.

        Returns
        -------
        LayerCounts
            Kept until another layer's are asked for; not to be written to.

        Raises
        ------
        LayerNotFoundError
            If the run holds no such layer.
        NotPublishedError
            If the results were imported.
        RunFormatError
            If its files are missing or damaged.
        """
        info = self.layer(layer)
        if self.imported:
            raise NotPublishedError(
                f"the run {self.path} was imported from published results: they hold the best concept of "
                "each category, and no masks, no images and no counts of other concepts",
                hint="Dissection.units, iou, known_iou and category_bests give what they hold",
            )
        kept = self._kept
        if kept is not None and kept[0] == info.name:
            return kept[1]
        folder = self.path / "layers" / info.slug
        numbers = np.array([concept.number for concept in self.concepts], np.int64)
        counts = arrays.read_counts(folder, self._sizes(info), numbers, self.quantiles)
        if counts.truth.tolist() != [concept.truth for concept in self.concepts]:
            raise RunFormatError(f"{folder / arrays.TALLY}: its truth is not that of {tables.CONCEPTS}")
        self._kept = (info.name, counts)
        return counts

    def per_image(self, layer: str) -> PerImageCounts | None:
        """Read the counts of a layer image by image.

        Parameters
        ----------
        layer : str
            Value name, alias or folder name.

        Returns
        -------
        PerImageCounts or None
            Of the candidates for labels; None if the run was made without a bootstrap.

        Raises
        ------
        LayerNotFoundError
            If the run holds no such layer.
        RunFormatError
            If its file is damaged.
        """
        info = self.layer(layer)
        per_image = read_per_image_counts(self.path / "layers" / info.slug, self._sizes(info))
        return None if per_image is None else followed(per_image, self.candidates)

    def per_image_parts(self, layer: str) -> Iterator[PerImageCountsPart] | None:
        """Read the counts by image of a layer part by part, for layers whose counts are too many at once.

        Parameters
        ----------
        layer : str
            Value name, alias or folder name.

        Returns
        -------
        iterator of PerImageCountsPart, or None
            In the order of quantiles and units, of the candidates for labels; None if the run was made
            without. Advancing it raises RunFormatError if the file is damaged.

        Raises
        ------
        LayerNotFoundError
            If the run holds no such layer.
        """
        info = self.layer(layer)
        parts = read_per_image_parts(self.path / "layers" / info.slug, self._sizes(info))
        if parts is None:
            return None
        return (replace(part, per_image=followed(part.per_image, self.candidates)) for part in parts)

    def truth_counts(self) -> TruthCounts | None:
        """Read the pixels of each concept image by image.

        Returns
        -------
        TruthCounts or None
            None if the run was made without a bootstrap.

        Raises
        ------
        RunFormatError
            If the file is damaged.
        """
        return read_truth(self.path, len(self.concepts), len(self.categories), len(self.images))

    def resampling(self) -> Resampling:
        """Tell what the run's intervals and stabilities are made with.

        Returns
        -------
        Resampling
            Of no resamples if the run was made without a bootstrap.
        """
        # manifests of other tools may lack them, or say null
        parameters = self.manifest["parameters"]
        drawn = int(parameters.get("bootstrap") or 0), int(parameters.get("seed") or 0)
        return Resampling(*drawn, scoring=self.scoring)

    def sample_size(self) -> SampleSize:
        """Tell how much the run's intervals and stabilities had to go by.

        Returns
        -------
        SampleSize
            Of no resamples if the run was made without a bootstrap.

        Raises
        ------
        RunFormatError
            If the file of groups is damaged.
        """
        resamples = int(self.manifest["parameters"].get("bootstrap", 0))
        # the images of a run that groups none are counted without reading a file
        truth = self.truth_counts() if resamples and self.manifest["data"].get("groups") else None
        return SampleSize(resamples, len(self.images)) if truth is None else sample_size(truth, resamples)

    def top_maps(self, layer: str) -> TopMaps | None:
        """Read the activation maps of a layer's top images.

        Parameters
        ----------
        layer : str
            Value name, alias or folder name.

        Returns
        -------
        TopMaps or None
            None if the run was made by a version that did not keep them, or imported.

        Raises
        ------
        LayerNotFoundError
            If the run holds no such layer.
        RunFormatError
            If a file is damaged.
        """
        info = self.layer(layer)
        if self.imported:
            return None
        return read_top_maps(
            self.path / "layers" / info.slug, self.counts(layer).top_images.shape, info.shape
        )

    def samples(self, layer: str) -> NDArray[np.float32] | None:
        """Read a sample of the activations of a layer's units, evenly spread over images and cells.

        Parameters
        ----------
        layer : str
            Value name, alias or folder name.

        Returns
        -------
        ndarray of float32, shape (K, S), or None
            Ascending; None if the run was made by a version that did not keep them.

        Raises
        ------
        LayerNotFoundError
            If the run holds no such layer.
        RunFormatError
            If the file is damaged.
        """
        info = self.layer(layer)
        return read_samples(self.path / "layers" / info.slug, info.units)

    def _quantile(self, quantile: float) -> int:
        if quantile not in self.quantiles:
            known = [repr(q) for q in self.quantiles]
            raise ParameterError(f"the run {self.path} was not made at quantile {quantile}", candidates=known)
        return self.quantiles.index(quantile)

    def _sizes(self, info: LayerInfo) -> arrays.Sizes:
        found = self._sizes_of.get(info.name)
        if found is None:
            # Images may be many, and each file of a layer asks.
            grids = [image.grid for image in self.images]
            found = arrays.Sizes.of(self.quantiles, info.units, self.concepts, self.categories, grids)
            self._sizes_of[info.name] = found
        return found
