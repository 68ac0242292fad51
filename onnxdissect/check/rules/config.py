"""Settings of the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from onnxdissect.statistics.reliability import STABLE

__all__ = ["Config", "LayerMinimum"]


@dataclass(frozen=True, slots=True)
class LayerMinimum:
    """What one layer must have.

    Attributes
    ----------
    detectors, unique : int
        Units that are detectors, and their distinct labels.
    """

    detectors: int = 0
    unique: int = 0


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of a check's rules.

    Attributes
    ----------
    levels : mapping of str to str
        Per rule whose level is stated: ``error``, ``warning`` or ``off``. The others have their own.
    provider : str
        Execution provider the candidate must run on.
    data : str
        Where the baseline's data lies; empty for where it lay.
    significance : float
        Largest chance of even one false alarm that each paired rule may have, over all its tests (Holm).
    resamples, seed : int
        Of the paired bootstrap.
    iou_margin, unique_margin : float
        Share of a unit's IoU, or of a layer's unique detectors, that may be lost.
    labels_kept : float
        Share of the baseline's reliable detectors that must keep their label.
    stable : float
        A reliable detector's stability exceeds this; all count as reliable where the run has none.
    minimum_detectors, minimum_unique : int
        Over all layers: units, and distinct labels.
    categories : mapping of str to int
        Minimum of distinct labels per category, over all layers.
    layers : mapping of str to LayerMinimum
        Minima of single layers, by the baseline's value names, node names or aliases.
    required, forbidden : tuple of str
        Concepts that must, and must not, have a detector.
    new_dead, new_duplicates : int
        How many units of a layer may be dead, or copies of others, that were not so in the baseline.
    drift : float
        How far the median unit's activations may move, as a share of their spread.
    parity : float
        Largest relative RMS difference of a layer's activations, where two models are compared directly.
    parity_images : int
        On how many images.
    """

    levels: Mapping[str, str] = field(default_factory=dict)
    provider: str = "auto"
    data: str = ""
    significance: float = 0.05
    resamples: int = 1000
    seed: int = 0
    iou_margin: float = 0.1
    unique_margin: float = 0.05
    labels_kept: float = 0.8
    stable: float = STABLE
    minimum_detectors: int = 0
    minimum_unique: int = 0
    categories: Mapping[str, int] = field(default_factory=dict)
    layers: Mapping[str, LayerMinimum] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    new_dead: int = 0
    new_duplicates: int = 0
    drift: float = 0.1
    parity: float = 0.05
    parity_images: int = 64

    def on(self, rule: str) -> bool:
        """Tell whether a rule is to be tested.

        Parameters
        ----------
        rule : str
            Its name.

        Returns
        -------
        bool
        """
        return self.levels.get(rule) != "off"
