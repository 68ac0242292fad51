"""Predictions of all images, chunk by chunk: what is done is kept, and what was done is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.progress import Progress
from onnxdissect.errors import NonFiniteError, RunMismatchError, shown_path
from onnxdissect.experiments.ablation.cases import Cases
from onnxdissect.experiments.ablation.predicting.activations import (
    KEPT_BYTES,
    ActivationCache,
    chunks_of,
)
from onnxdissect.experiments.ablation.predicting.removal import KeptScores, Predictions, predict_without
from onnxdissect.experiments.ablation.predicting.work import Work
from onnxdissect.experiments.ablation.variants import Variants
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
    own_scores : ndarray of float32, shape (O, images)
        In each way that has a class of its own, the scores of that class; of single units none.
    scores : ndarray of float32, shape (A, images, C)
        In each other way, those of all classes that images show; of single units none.
    """

    predicted: NDArray[np.int32]
    losses: NDArray[np.float32]
    own_scores: NDArray[np.float32]
    scores: NDArray[np.float32]

    def of_images(self, images: slice) -> Outcomes:
        """Take some of the images.

        Parameters
        ----------
        images : slice

        Returns
        -------
        Outcomes
        """
        return Outcomes(
            self.predicted[:, images],
            self.losses[:, images],
            self.own_scores[:, images],
            self.scores[:, images],
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
        self.cache = ActivationCache(source, parts, cases, work.folder, KEPT_BYTES)
        self._parts, self._cases, self._work, self._progress = parts, cases, work, progress
        self._chunks = chunks_of(cases, parts)
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
        return self._measure("units", self._chunks, variants, None)

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
        classes = self._cases.classes
        own = np.where(variants.of_class >= 0, classes[variants.of_class], -1)
        return self._measure("sets", chunks, variants, KeptScores(own, classes))

    def _measure(
        self, phase: str, chunks: list[slice], variants: Variants, kept: KeptScores | None
    ) -> Outcomes:
        images = chunks[-1].stop
        alone = 0 if kept is None else int((kept.own >= 0).sum())
        others, classes = (0, 0) if kept is None else (len(variants) - alone, len(kept.classes))
        all_found = Outcomes(
            np.empty((len(variants), images), np.int32),
            np.empty((len(variants), images), np.float32),
            np.empty((alone, images), np.float32),
            np.empty((others, images, classes), np.float32),
        )
        lengths = {"V": len(variants), "O": alone, "A": others, "C": classes}
        self._progress.start(f"ablation {phase}", images)
        for chunk in chunks:
            found = self._of_chunk(phase, chunk, variants, kept, lengths)
            for name in ("predicted", "losses", "own_scores", "scores"):
                getattr(all_found, name)[:, chunk] = getattr(found, name)
            self.tails += found.tails
            self._progress.advance(chunk.stop - chunk.start)
        self._progress.finish()
        return all_found

    def _of_chunk(
        self,
        phase: str,
        chunk: slice,
        variants: Variants,
        kept: KeptScores | None,
        lengths: Mapping[str, int],
    ) -> Predictions:
        done = self._work.load(phase, chunk, lengths)
        if done is not None:
            self._expect_same_images(chunk, done[1])
            return done[0]
        activations = self.cache.activations(chunk)
        checksum = self.cache.checksum(chunk)
        self._expect_same_images(chunk, checksum)
        truth = self._cases.truth[chunk]
        try:
            found = predict_without(self._parts, activations, truth, variants.removed, kept)
        except NonFiniteError as error:
            raise NonFiniteError(
                f"{error.message}, of {self._images_of(chunk)}: with all units there, or when some are zero",
                hint="--layer takes another layer; a network that divides by what its units add up to gives "
                "no number without them",
            ) from error
        self._work.save(phase, chunk, found, checksum)
        return found

    def _expect_same_images(self, chunk: slice, checksum: int) -> None:
        if self._checksums.setdefault(chunk.start, checksum) != checksum:
            raise RunMismatchError(
                f"images of {self._cases.images.source} are others than when this ablation began, such as "
                f"{self._images_of(chunk)}",
                hint="--fresh starts over",
            )

    def _images_of(self, chunk: slice) -> str:
        """Name the first image of a chunk, and say how many there are with it."""
        first, others = shown_path(self._cases.names[chunk.start]), chunk.stop - chunk.start - 1
        return f"{first} or one of the {others} measured with it" if others else first
