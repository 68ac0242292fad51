"""What is left of a network's detectors when the space of a layer is rotated, as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxdissect.errors import LayerNotFoundError, ParameterError, nearest
from onnxdissect.experiments.rotation.entries import RotationEntries
from onnxdissect.experiments.rotation.formats.table import COLUMNS, rotation_rows
from onnxdissect.experiments.rotation.records import RotatedLayer, RotationCurve, RotationPoint, Verification
from onnxdissect.results import Dissection
from onnxdissect.results.data_frame import data_frame

__all__ = ["RotationResult"]


@dataclass(frozen=True, slots=True)
class RotationResult:
    """What is left of a network's detectors when the space of a layer is rotated (CVPR 2017, section 4.2).

    Attributes
    ----------
    path : Path
        The run directory, which `onnxdissect.load` reads.
    alphas : tuple of float
        Shares of the rotations, ascending from 0 to 1.
    seeds : tuple of int
        Of the rotations, and of the random directions.
    quantiles : tuple of float
        The levels tau.
    categories : tuple of str
        In the run's order.
    layers : tuple of RotatedLayer
        In the order of the graph.
    resamples : int
        Resamples of the images that intervals are made of; 0 for none.
    iou_threshold : float
        A unit is a detector if its IoU is larger.
    points : tuple of RotationPoint
        By layer and quantile; of each the layer's own units, rotations by seed and alpha, the permutation,
        directions by seed.
    curves : tuple of RotationCurve
        By layer and quantile.
    verification : tuple of Verification
        One per layer, if that was asked for.
    """

    path: Path
    alphas: tuple[float, ...]
    seeds: tuple[int, ...]
    quantiles: tuple[float, ...]
    categories: tuple[str, ...]
    layers: tuple[RotatedLayer, ...]
    resamples: int
    iou_threshold: float
    points: tuple[RotationPoint, ...]
    curves: tuple[RotationCurve, ...]
    verification: tuple[Verification, ...]

    @classmethod
    def of_run(
        cls,
        run: Dissection,
        entries: Sequence[RotationEntries],
        points: Sequence[RotationPoint],
        curves: Sequence[RotationCurve],
        verification: Sequence[Verification],
    ) -> RotationResult:
        """Bring together what was found in a run.

        Parameters
        ----------
        run : Dissection
        entries : sequence of RotationEntries
            Of the run, by layer.
        points : sequence of RotationPoint
        curves : sequence of RotationCurve
        verification : sequence of Verification

        Returns
        -------
        RotationResult
        """
        return cls(
            path=Path(run.path),
            alphas=entries[0].alphas,
            seeds=entries[0].seeds,
            quantiles=run.quantiles,
            categories=run.categories,
            layers=tuple(of_layer.layer for of_layer in entries),
            resamples=run.resampling().resamples,
            iou_threshold=run.iou_threshold,
            points=tuple(points),
            curves=tuple(curves),
            verification=tuple(verification),
        )

    def curve(self, layer: str | None = None, quantile: float | None = None) -> RotationCurve:
        """Give the curve of a layer.

        Parameters
        ----------
        layer : str, optional
            Value name or alias; by default the last one.
        quantile : float, optional
            By default the first one.

        Returns
        -------
        RotationCurve

        Raises
        ------
        LayerNotFoundError
            If no such layer was rotated.
        ParameterError
            If the run was not made at this quantile.
        """
        place = len(self.layers) - 1 if layer is None else self._layer(layer)
        return self.curves[place * len(self.quantiles) + self._quantile(quantile)]

    def points_of(self, layer: str | None = None, quantile: float | None = None) -> list[RotationPoint]:
        """Give the points of a layer.

        Parameters
        ----------
        layer : str, optional
            Value name or alias; by default the last one.
        quantile : float, optional
            By default the first one.

        Returns
        -------
        list of RotationPoint

        Raises
        ------
        LayerNotFoundError
            If no such layer was rotated.
        ParameterError
            If the run was not made at this quantile.
        """
        curve = self.curve(layer, quantile)
        return [p for p in self.points if (p.layer, p.quantile) == (curve.layer, curve.quantile)]

    def to_pandas(self) -> Any:
        """Give points and curves as a table, with the columns of ``rotation.csv``.

        Returns
        -------
        pandas.DataFrame
            One row per point and curve value, in all and by category; NaN where there is nothing to say.

        Raises
        ------
        InstallationError
            If pandas is not installed.
        """
        return data_frame(rotation_rows(self.points, self.curves), COLUMNS)

    def _layer(self, layer: str) -> int:
        for names in ([one.name for one in self.layers], [one.alias for one in self.layers]):
            if layer in names:
                return names.index(layer)
        known: Sequence[str] = [name for one in self.layers for name in dict.fromkeys((one.name, one.alias))]
        raise LayerNotFoundError(
            f"{self.path} holds no rotations of a layer {layer!r}",
            candidates=nearest(layer, known) or known[:5],
        )

    def _quantile(self, quantile: float | None) -> int:
        if quantile is None:
            return 0
        if quantile not in self.quantiles:
            raise ParameterError(
                f"{self.path} was not made at quantile {quantile}",
                candidates=[repr(q) for q in self.quantiles],
            )
        return self.quantiles.index(quantile)
