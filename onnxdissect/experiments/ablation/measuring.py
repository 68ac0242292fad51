"""Predictions of all images, chunk by chunk: what is done is kept, and what was done is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.progress import Progress
from onnxdissect.errors import RunMismatchError
from onnxdissect.experiments.ablation.activations import ActivationCache, bytes_of_image, chunks_of
from onnxdissect.experiments.ablation.cases import Cases
from onnxdissect.experiments.ablation.removal import Predictions, predict_without
from onnxdissect.experiments.ablation.variants import Variants
from onnxdissect.experiments.ablation.work import Work
from onnxdissect.experiments.class_scores.scored_layer import ScoredLayer
from onnxdissect.model.runtime.parts.network_parts import NetworkParts

__all__ = ["Measuring", "Outcomes"]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What is predicted of images in V ways of removing units.

    Attributes
    ----------
    predicted : ndarray of int32, shape (V, images)
        Number of the class of the highest score.
    losses : ndarray of float32, shape (V, images)
        Log-loss of the class that the image shows, in nats.
    """

    predicted: NDArray[np.int32]
    losses: NDArray[np.float32]

    def of_images(self, images: slice) -> Outcomes:
        """Take some of the images.

        Parameters
        ----------
        images : slice

        Returns
        -------
        Outcomes
        """
        return Outcomes(self.predicted[:, images], self.losses[:, images])

    def joined(self, other: Outcomes) -> Outcomes:
        """Put other ways of removing units behind these.

        Parameters
        ----------
        other : Outcomes
            Of the same images.

        Returns
        -------
        Outcomes
        """
        return Outcomes(
            np.concatenate([self.predicted, other.predicted]), np.concatenate([self.losses, other.losses])
        )


class Measuring:
    """Removes units of all images.

    Parameters
    ----------
    source : ScoredLayer
        The layer.
    parts : NetworkParts
        Its network, split there.
    cases : Cases
        The images.
    work : Work
        Where what is done is kept.
    progress : Progress
        Told how far it is.

    Attributes
    ----------
    tails : int
        How many times an image went through the tail, in this call or the ones that it goes on from.
    cache : ActivationCache
        Activations.
    """

    def __init__(
        self, source: ScoredLayer, parts: NetworkParts, cases: Cases, work: Work, progress: Progress
    ) -> None:
        self.tails = 0
        self.cache = ActivationCache(source, parts, cases, work.folder)
        self._parts, self._cases, self._work, self._progress = parts, cases, work, progress
        self._chunks = chunks_of(cases, bytes_of_image(parts))
        self._checksums: dict[int, int] = {}

    def units(self, variants: Variants) -> Outcomes:
        """Remove units one by one, of all images.

        Parameters
        ----------
        variants : Variants
            Nothing, and every unit by itself.

        Returns
        -------
        Outcomes

        Raises
        ------
        OnnxDissectError
            If an image cannot be read, a score is not finite, or what is done cannot be written.
        """
        return self._measure("units", self._chunks, variants)

    def sets(self, variants: Variants) -> Outcomes:
        """Remove sets of units, of the images that are measured on.

        Parameters
        ----------
        variants : Variants
            The sets.

        Returns
        -------
        Outcomes

        Raises
        ------
        OnnxDissectError
            As `units`.
        """
        chunks = [one for one in self._chunks if one.start < self._cases.measured]
        return self._measure("sets", chunks, variants)

    def _measure(self, phase: str, chunks: list[slice], variants: Variants) -> Outcomes:
        images = chunks[-1].stop
        predicted = np.empty((len(variants), images), np.int32)
        losses = np.empty((len(variants), images), np.float32)
        self._progress.start(f"ablation {phase}", images)
        for chunk in chunks:
            found = self._of_chunk(phase, chunk, variants)
            predicted[:, chunk], losses[:, chunk] = found.predicted, found.losses
            self.tails += found.tails
            self._progress.advance(chunk.stop - chunk.start)
        self._progress.finish()
        return Outcomes(predicted, losses)

    def _of_chunk(self, phase: str, chunk: slice, variants: Variants) -> Predictions:
        done = self._work.load(phase, chunk, len(variants))
        if done is not None:
            self._expect_same_images(chunk, done[1])
            return done[0]
        activations = self.cache.activations(chunk)
        checksum = self.cache.checksum(chunk)
        self._expect_same_images(chunk, checksum)
        found = predict_without(self._parts, activations, self._cases.truth[chunk], variants.removed)
        self._work.save(phase, chunk, found, checksum)
        return found

    def _expect_same_images(self, chunk: slice, checksum: int) -> None:
        if self._checksums.setdefault(chunk.start, checksum) != checksum:
            raise RunMismatchError(
                f"images of {self._cases.images.source} are others than when this ablation began, such as "
                f"{self._cases.names[chunk.start]} or one of the {chunk.stop - chunk.start - 1} behind it",
                hint="--fresh starts over",
            )
