"""The two layers that are matched, and what of their runs they are matched by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.scoring import NO_CONCEPT
from onnxdissect.errors import ParameterError, RunMismatchError, shown_path
from onnxdissect.results import Dissection, Unit
from onnxdissect.statistics.matching.mask_correlations import MaskCorrelations, MaskPixels
from onnxdissect.statistics.matching.profile_cosines import ProfileCosines

__all__ = ["MatchedLayer", "mask_correlations", "profile_cosines"]

_BY_PROFILES = "match them by profiles: IoUs of concepts need no images in common"


@dataclass(frozen=True, slots=True)
class MatchedLayer:
    """A layer of a run at one quantile.

    Attributes
    ----------
    run : Dissection
    name : str
        Value name of the layer.
    quantile : int
        Its position in the run.
    units : tuple of Unit
        What they detect.
    """

    run: Dissection
    name: str
    quantile: int
    units: tuple[Unit, ...]

    @classmethod
    def of(cls, run: Dissection, layer: str, quantile: float) -> MatchedLayer:
        """Find a layer of a run.

        Parameters
        ----------
        run : Dissection
        layer : str
            Value name, alias, folder name or node name.
        quantile : float
            The level tau.

        Returns
        -------
        MatchedLayer

        Raises
        ------
        LayerNotFoundError
            If the run holds no such layer.
        ParameterError
            If the run was not made at this quantile.
        """
        units = run.units(layer, quantile)
        return cls(run, run.layer(layer).name, run.quantiles.index(quantile), tuple(units))

    def mask_pixels(self) -> MaskPixels:
        """Read the pixels of its masks image by image, and no more of the counts than a part at a time.

        Returns
        -------
        MaskPixels

        Raises
        ------
        ParameterError
            If the run does not keep them.
        RunFormatError
            If the file is damaged.
        """
        parts = self.run.per_image_parts(self.name)
        if self.run.imported:
            raise ParameterError(
                f"the run {shown_path(self.run.path)} was imported from published results, which tell of no "
                "masks to match units by",
                hint=_BY_PROFILES,
            )
        if parts is None:
            raise ParameterError(
                f"the run {shown_path(self.run.path)} keeps no mask pixels of single images of layer "
                f"{self.name!r}: they are kept with a bootstrap",
                hint=f"dissect again with --bootstrap 1000 --fresh, or {_BY_PROFILES}",
            )
        masks, image, pixels = [np.zeros(1, np.int64)], [], []
        for part in parts:
            if part.quantile > self.quantile:
                break
            if part.quantile == self.quantile:
                masks.append(np.diff(part.per_image.starts))
                image.append(part.per_image.image)
                # a copy, as the part's other counts would stay in memory with a view
                pixels.append(part.per_image.activation.copy())
        starts = np.cumsum(np.concatenate(masks))
        return MaskPixels(starts, np.concatenate(image), np.concatenate(pixels), len(self.run.images))


def mask_correlations(first: MatchedLayer, second: MatchedLayer) -> MaskCorrelations:
    """Prepare to match two layers by the pixels of their masks, image by image.

    Parameters
    ----------
    first, second : MatchedLayer

    Returns
    -------
    MaskCorrelations

    Raises
    ------
    RunMismatchError
        If the runs are not of the same images.
    ParameterError
        If a run does not keep what is needed.
    RunFormatError
        If a file is damaged.
    """
    _expect_same_images(first.run, second.run)
    pixels = first.mask_pixels()
    same = (first.run is second.run) and (first.name, first.quantile) == (second.name, second.quantile)
    return MaskCorrelations(pixels, pixels if same else second.mask_pixels())


def profile_cosines(first: MatchedLayer, second: MatchedLayer) -> ProfileCosines:
    """Prepare to match two layers by the IoUs of their units with the concepts that both runs have.

    Parameters
    ----------
    first, second : MatchedLayer

    Returns
    -------
    ProfileCosines
        Of concepts of the same name and category that are candidates for labels in both runs. Imported
        results know of each unit the best concept of each category: where one side's are, the other's IoUs
        with all else are left out as well.

    Raises
    ------
    RunMismatchError
        If there are none.
    RunFormatError
        If a file is missing or damaged.
    """
    places = [_candidates(side.run) for side in (first, second)]
    shared = [concept for concept in places[0] if concept in places[1]]
    if not shared:
        runs = f"{shown_path(first.run.path)} and {shown_path(second.run.path)}"
        raise RunMismatchError(
            f"no concept is a candidate for labels in both {runs}: their units have nothing to be matched by",
            hint="compare runs on data sets with concepts of the same names and categories",
        )
    best_only = first.run.imported or second.run.imported
    profiles = [
        _iou(side, best_only)[:, [place[concept] for concept in shared]]
        for side, place in zip((first, second), places, strict=True)
    ]
    return ProfileCosines(*profiles)


def _iou(side: MatchedLayer, best_only: bool) -> NDArray[np.float64]:
    """Give the IoUs of the units, shape (K, C); if asked, 0 but for the best concept of each category."""
    if side.run.imported or not best_only:
        of_layer: NDArray[np.float64] = side.run.iou(side.name)[side.quantile]
        return of_layer
    scores = side.run.scores(side.name)
    best = scores.category_concept[side.quantile]
    unit, category = np.nonzero(best != NO_CONCEPT)
    found = np.zeros(scores.iou.shape[1:])
    found[unit, best[unit, category]] = scores.category_best[side.quantile][unit, category]
    return found


def _candidates(run: Dissection) -> dict[tuple[str, str], int]:
    """Positions of the candidates for labels, by name and category; the first of several of one name."""
    found: dict[tuple[str, str], int] = {}
    for i in np.flatnonzero(run.candidates).tolist():
        found.setdefault((run.concepts[i].name, run.concepts[i].category), i)
    return found


def _expect_same_images(first: Dissection, second: Dissection) -> None:
    told = [run.manifest.get("data") or {} for run in (first, second)]
    for what in ("images", "split", "limit", "fingerprint"):
        one, other = (data.get(what) for data in told)
        if one != other:
            raise _other_images(first, second, f"{what} {one!r} of the first, {other!r} of the second")
    if first.images != second.images:
        raise _other_images(first, second, "their images differ in name, split or label grid")


def _other_images(first: Dissection, second: Dissection, why: str) -> RunMismatchError:
    return RunMismatchError(
        f"masks are matched image by image, and {shown_path(first.path)} and {shown_path(second.path)} are "
        f"not of the same images: {why}",
        hint=_BY_PROFILES,
    )
