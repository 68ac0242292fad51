"""The masks of a finished run: those of the top images, and those of all images where they are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.upsampling import Field
from onnxdissect.errors import MasksNotKeptError, ParameterError, RunFormatError
from onnxdissect.results.formats.manifest import Header
from onnxdissect.results.formats.stored import StoredRun
from onnxdissect.results.masks.kept import KeptMasks, image_number, unit_number
from onnxdissect.results.masks.layout import MASKS
from onnxdissect.results.records import Concept, ImageInfo, LayerInfo

__all__ = ["StoredMasks"]


class StoredMasks(StoredRun):
    """A stored run and its masks.

    What it is made of and what it has are described with `onnxdissect.results.dissection.Dissection`.
    """

    __slots__ = ("_kept_masks",)

    def __init__(
        self,
        path: Path,
        manifest: dict[str, Any],
        header: Header,
        concepts: tuple[Concept, ...],
        images: tuple[ImageInfo, ...],
    ) -> None:
        super().__init__(path, manifest, header, concepts, images)
        self._kept_masks: tuple[str, KeptMasks] | None = None

    def masks(self, layer: str) -> KeptMasks:
        """Open the kept masks of a layer, to go through those of a unit or of an image.

        Parameters
        ----------
        layer : str
            Value name, alias or folder name.

        Returns
        -------
        KeptMasks
            Kept until another layer's are asked for.

        Raises
        ------
        LayerNotFoundError
            If the run holds no such layer.
        MasksNotKeptError
            If the run was made without ``--keep-masks``.
        NotPublishedError
            If the results were imported.
        RunFormatError
            If the layer's files are missing or damaged.
        """
        info = self.layer(layer)
        if self.imported:
            self.counts(layer)  # which says that there are none
        if "kept_masks" not in self.manifest:
            raise MasksNotKeptError(f"the run {self.path} keeps no masks", hint=_keep(self.path))
        kept = self._kept_masks
        if kept is None or kept[0] != info.name:
            path = self.path / "layers" / info.slug / MASKS
            thresholds = self.counts(layer).thresholds
            kept = info.name, KeptMasks(path, info, self.images, self.quantiles, thresholds)
            if kept[1].places != (tuple(self.manifest["model"]["size"]), _field(info)):
                raise RunFormatError(
                    f"{path} does not belong to this run: its cells lie elsewhere",
                    hint="dissect again with --keep-masks --fresh",
                )
            self._kept_masks = kept
        return kept[1]

    def mask(
        self, layer: str, unit: int, image: int | str, quantile: float | None = None
    ) -> NDArray[np.bool_]:
        """Give the mask of a unit in an image: of any image if the run keeps masks, else of its top images.

        Parameters
        ----------
        layer : str
            Value name, alias or folder name.
        unit : int
            From 0.
        image : int or str
            Its number, as in ``images.csv`` and `LayerCounts.top_images`, or its name.
        quantile : float, optional
            The level tau; by default the run's first. Kept masks are known at every quantile up to the
            run's largest.

        Returns
        -------
        ndarray of bool, shape (sh, sw)
            On the label grid of the image.

        Raises
        ------
        LayerNotFoundError
            If the run holds no such layer.
        ParameterError
            If there is no such unit or image, or the quantile is larger than the run's largest.
        MasksNotKeptError
            If the run was made without ``--keep-masks``, and the image is none of the unit's top images or
            the quantile none of the run's.
        NotPublishedError
            If the results were imported.
        RunFormatError
            If the layer's files are missing or damaged.
        """
        if "kept_masks" in self.manifest:
            return self.masks(layer).mask(unit, image, quantile)
        if not self.imported and quantile is not None and quantile not in self.quantiles:
            known = ", ".join(map(repr, self.quantiles))
            raise MasksNotKeptError(
                f"the run {self.path} keeps no masks, but those of top images at quantile {known}",
                hint=_keep(self.path),
            )
        top_images = self.counts(layer).top_images
        number = image_number(self.images, image)
        ranks = np.flatnonzero(top_images[unit_number(len(top_images), unit)] == number)
        if not ranks.size:
            raise MasksNotKeptError(
                f"the run {self.path} keeps masks of top images only, and image {number} is none of the "
                f"{top_images.shape[1]} top images of unit {unit} of {layer}",
                hint=_keep(self.path),
            )
        return self.top_mask(layer, unit, int(ranks[0]), quantile)

    def top_mask(self, layer: str, unit: int, rank: int, quantile: float | None = None) -> NDArray[np.bool_]:
        """Give the mask that was counted for one of a unit's top images.

        Parameters
        ----------
        layer : str
            Value name, alias or folder name.
        unit : int
            From 0.
        rank : int
            0 is the image in which the unit is strongest.
        quantile : float, optional
            The level tau; by default the run's first.

        Returns
        -------
        ndarray of bool, shape (sh, sw)
            On the label grid of that image.

        Raises
        ------
        LayerNotFoundError
            If the run holds no such layer.
        ParameterError
            If there is no such unit, rank or quantile.
        RunFormatError
            If the layer's files are missing or damaged.
        """
        counts = self.counts(layer)
        q = 0 if quantile is None else self._quantile(quantile)
        units, ranks = counts.top_images.shape
        unit = unit_number(units, unit)
        if not 0 <= rank < ranks:
            raise ParameterError(
                f"there is no rank {rank}: the run keeps ranks 0 to {ranks - 1} of each unit"
            )
        sh, sw = self.images[counts.top_images[unit, rank]].grid
        bits = np.unpackbits(counts.top_masks[q, unit, rank], count=sh * sw)
        return bits.reshape(sh, sw).astype(np.bool_)


def _keep(run: Path) -> str:
    return f"type the `onnxdissect run` command of {run} again with --keep-masks --fresh"


def _field(layer: LayerInfo) -> Field | None:
    """Where the cells of a layer were upsampled from, as the manifest tells it."""
    told = {"receptive-field": layer.geometry, "effective": layer.effective}.get(layer.upsample)
    if told is None:
        return None
    offset: tuple[float, float] = tuple(told["offset"] or ())
    stride: tuple[float, float] = tuple(told["stride"] or ())
    return offset, stride
