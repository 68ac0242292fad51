"""A finished run in memory: units and layers as records, counts as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.candidates import check_min_images, followed_concepts
from onnxdissect.core.scoring import check_iou_threshold, check_scoring
from onnxdissect.errors import NotPublishedError, ParameterError
from onnxdissect.results.data_frame import data_frame
from onnxdissect.results.formats import tables
from onnxdissect.results.formats.agreement import expect_intervals
from onnxdissect.results.formats.fingerprints import expect_own_intervals
from onnxdissect.results.formats.intervals import missing_intervals, read_intervals
from onnxdissect.results.formats.manifest import Header, compose
from onnxdissect.results.formats.nearest import NearestUnits, expect_nearest, read_nearest_units
from onnxdissect.results.formats.per_image_counts import read_top_concepts
from onnxdissect.results.formats.published import known_concepts
from onnxdissect.results.formats.stored_masks import StoredMasks
from onnxdissect.results.records import Concept, ImageInfo, LayerSummary, Unit
from onnxdissect.statistics.intervals import TopConceptIntervals

__all__ = ["Dissection"]


class Dissection(StoredMasks):
    """A finished run, and what it says about the units.

    Made by `onnxdissect.dissect` and `onnxdissect.load`, never by hand. Tables are read when the run is
    opened, the arrays of a layer when they are first asked for; the arrays of the layer asked for last are
    kept.

    Parameters
    ----------
    path : Path
        The run directory.
    manifest : dict
        What was run, on what and how; see `onnxdissect.results.formats.manifest`.
    header : Header
        The part of it that is used here.
    concepts : tuple of Concept
        In order of their numbers.
    images : tuple of ImageInfo
        In the order they were run in.
    records : (tuple of Unit, tuple of LayerSummary), optional
        Units and summaries; made from the counts if they are not given.

    Attributes
    ----------
    path : Path
        The run directory.
    manifest : dict
        What was run, on what and how.
    categories : tuple of str
        In ``category.csv`` order; the axis G of arrays.
    concepts : tuple of Concept
        In order of their numbers; the axis C of arrays.
    quantiles : tuple of float
        The levels tau; the axis Q of arrays.
    layers : tuple of LayerInfo
        In the order of the graph.
    images : tuple of ImageInfo
        In the order they were run in; `LayerCounts.top_images` counts them from 0.
    iou_threshold : float
        A unit is a detector if its IoU is larger.
    scoring : str
        Which published convention the IoU follows: ``paper``, ``lite`` or ``pnas``.
    min_images : int
        Concepts held by fewer images are no candidates for labels.
    candidates : ndarray of bool, shape (C,)
        Which concepts are.
    imported : bool
        Whether the results were imported, see `onnxdissect.import_netdissect`. They tell of each unit the
        best concept of each category, and what that follows from; there are no images, masks and intervals.
    """

    __slots__ = ("_intervals", "_summaries", "_units")

    def __init__(
        self,
        path: Path,
        manifest: dict[str, Any],
        header: Header,
        concepts: tuple[Concept, ...],
        images: tuple[ImageInfo, ...],
        records: tuple[tuple[Unit, ...], tuple[LayerSummary, ...]] | None = None,
    ) -> None:
        super().__init__(path, manifest, header, concepts, images)
        self._intervals: Mapping[str, TopConceptIntervals] | None = None
        if records is None:
            # Imported here: numba takes a fifth of a second to load, and finished runs are read without.
            from onnxdissect.results.assess import assess

            found = assess(self)
            records, self._intervals = (found.units, found.summaries), found.intervals
        self._units, self._summaries = records

    def __repr__(self) -> str:
        detectors = sum(summary.detectors for summary in self._summaries)
        return (
            f"<Dissection {str(self.path)!r}: {len(self.layers)} layers, {len(self._units)} units, "
            f"{detectors} detectors, {len(self.images)} images>"
        )

    @property
    def from_tables(self) -> bool:
        """Whether its units are those of the run directory's tables, not scored another way in memory."""
        return self._intervals is None

    def units(self, layer: str | None = None, quantile: float | None = None) -> list[Unit]:
        """Give the units with what they detect.

        Parameters
        ----------
        layer : str, optional
            Only units of this layer, by value name, alias or folder name.
        quantile : float, optional
            Only at this level tau.

        Returns
        -------
        list of Unit
            By layer, quantile and unit.

        Raises
        ------
        LayerNotFoundError
            If the run holds no such layer.
        ParameterError
            If the run was not made at this quantile.
        """
        name = None if layer is None else self.layer(layer).name
        tau = None if quantile is None else self.quantiles[self._quantile(quantile)]
        return [
            unit
            for unit in self._units
            if (name is None or unit.layer == name) and (tau is None or unit.quantile == tau)
        ]

    def summary(self) -> list[LayerSummary]:
        """Count the detectors of every layer at every quantile.

        Returns
        -------
        list of LayerSummary
            By layer and quantile.
        """
        return list(self._summaries)

    def intervals(self, layer: str) -> TopConceptIntervals | None:
        """Give the 95 % intervals of the IoUs of all concepts that may become a unit's label.

        Those of the labels are in `units` as well. They are read from the run; only for runs of earlier
        versions, which did not keep them, they are made anew from the counts by image.

        Parameters
        ----------
        layer : str
            Value name, alias, folder name or node name.

        Returns
        -------
        TopConceptIntervals or None
            Concepts are positions in `concepts`; None if the run was made without a bootstrap.

        Raises
        ------
        LayerNotFoundError
            If the run holds no such layer.
        RunFormatError
            If a file is damaged, or of another run.
        """
        info = self.layer(layer)
        if self._intervals is not None:
            return self._intervals.get(info.name)
        folder = self.path / "layers" / info.slug
        found = read_intervals(folder, self._sizes(info), self.resampling())
        if found is not None:
            counted = read_top_concepts(folder, self._sizes(info))
            if counted is not None:
                counted, _ = followed_concepts(counted, self.candidates)
            expect_intervals(found, counted, self.units(info.name), self.concepts, folder)
            expect_own_intervals(self.path, self.manifest, info)
        elif "statistics" in self.manifest and any(
            unit.iou_low is not None for unit in self.units(info.name)
        ):
            raise missing_intervals(folder)
        elif self.resampling().resamples:
            from onnxdissect.results.assess import resample_intervals

            found = resample_intervals(self, info.name)
        return found

    def known_iou(self, layer: str) -> NDArray[np.bool_]:
        """Tell which IoUs a run knows: all of them, unless its results were imported.

        Parameters
        ----------
        layer : str
            Value name, alias or folder name.

        Returns
        -------
        ndarray of bool, shape (Q, K, C)
            Of imported results True for the best concept of each category.

        Raises
        ------
        LayerNotFoundError, RunFormatError
            As `iou`.
        """
        if self.imported:
            return known_concepts(self.category_bests(layer), len(self.concepts))
        return np.ones((len(self.quantiles), self.layer(layer).units, len(self.concepts)), np.bool_)

    def nearest_units(self, layer: str) -> NearestUnits | None:
        """Tell which of the layer's own units each unit under a basis is most like.

        Parameters
        ----------
        layer : str
            A layer under a basis: value name, alias or folder name.

        Returns
        -------
        NearestUnits or None
            As the run has stored them; None if it was made by a version that did not.

        Raises
        ------
        LayerNotFoundError
            If the run holds no such layer.
        ParameterError
            If the layer is not under a basis.
        RunFormatError
            If the file is damaged, or of another run.
        """
        info = self.layer(layer)
        if info.basis is None:
            raise ParameterError(
                f"layer {info.name!r} of {self.path} is under no basis: its units are its own",
                candidates=tuple(one.name for one in self.layers if one.own_layer != one.name)[:5],
                hint="onnxdissect run ... --basis SPEC puts layers under bases",
            )
        folder = self.path / "layers" / info.slug
        found = read_nearest_units(folder, info.units, info.basis["shape"][1])
        if found is not None:
            expect_nearest(folder, info.basis, found)
        return found

    def rescore(
        self,
        scoring: str | None = None,
        iou_threshold: float | None = None,
        min_images: int | None = None,
    ) -> Dissection:
        """Score the same counts another way. Nothing is written.

        Parameters
        ----------
        scoring : {"paper", "lite", "pnas"}, optional
            As now, if not given.
        iou_threshold : float, optional
            As now, if not given.
        min_images : int, optional
            As now, if not given.

        Returns
        -------
        Dissection
            A new one, its intervals and stabilities made anew if the run kept what they are made of. There
            are no p-values where `min_images` is not that of the run's shuffles.

        Raises
        ------
        ParameterError
            If there is no such convention, or the threshold is outside 0..1, or the number of images below 1.
        NotPublishedError
            If the results were imported, and more than the threshold is to be another.
        RunFormatError
            If a layer's files are missing or damaged.
        """
        if self.imported:
            self._expect_published(scoring, min_images)
            scoring = min_images = None
        header = replace(
            self._header,
            scoring=self.scoring if scoring is None else check_scoring(scoring),
            iou_threshold=self.iou_threshold if iou_threshold is None else check_iou_threshold(iou_threshold),
            min_images=self.min_images
            if min_images is None
            else check_min_images(min_images, max((c.images for c in self.concepts), default=0)),
        )
        return Dissection(self.path, compose(self.manifest, header), header, self.concepts, self.images)

    def _expect_published(self, scoring: str | None, min_images: int | None) -> None:
        """Refuse to score in a way that published results do not tell of."""
        said = ""
        if scoring is not None and check_scoring(scoring) != self.scoring:
            said = f"are scored as {self.scoring!r} and hold no counts to score them as {scoring!r}"
        elif min_images is not None and check_min_images(min_images) != self.min_images:
            said = "do not tell how many images hold a concept, so that none can be left out for being rare"
        if said:
            raise NotPublishedError(
                f"the run {self.path} was imported from published results: they {said}",
                hint="--iou-threshold can be another; anything else takes a run of the network itself",
            )

    def to_pandas(self) -> Any:
        """Give the units as a table, with the columns of ``units.csv``.

        Returns
        -------
        pandas.DataFrame
            One row per layer, quantile and unit; intervals are NaN where there are none.

        Raises
        ------
        InstallationError
            If pandas is not installed.
        """
        rows = (tables.unit_row(unit, self.categories) for unit in self._units)
        return data_frame(rows, tables.unit_header(self.categories))
