"""Explain the predictions of labelled images: which are right, and which units made the wrong ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onnxdissect.arguments import checked_arguments
from onnxdissect.core.progress import Progress, Silent
from onnxdissect.data import Dataset
from onnxdissect.data.labelled_images import LabelledImages, labelled_images
from onnxdissect.errors import ParameterError
from onnxdissect.experiments.class_scores.labelled import shown_classes, tell_empty_folders
from onnxdissect.experiments.class_scores.scored_layer import ScoredLayer, find_scored_layer
from onnxdissect.experiments.confusions.accuracy import class_accuracies, share_of
from onnxdissect.experiments.confusions.confused_units import find_confusions
from onnxdissect.experiments.confusions.contributions import Contributor, choose_attribution
from onnxdissect.experiments.confusions.held_shares import held_shares
from onnxdissect.experiments.confusions.image_masks import ImageMasks, layer_masks
from onnxdissect.experiments.confusions.image_pass import PassedImages, make_examples, pass_images
from onnxdissect.experiments.confusions.records import PredictedImage
from onnxdissect.experiments.confusions.result import Example, LabelledExplanations
from onnxdissect.experiments.confusions.strongest import choose_examples, image_units, strongest_units
from onnxdissect.experiments.explanation.linear import NotAdditiveError
from onnxdissect.results import Dissection
from onnxdissect.results.formats.manifest_schema import MOST_RESAMPLES
from onnxdissect.results.records import Unit
from onnxdissect.storage.memory import explained_memory
from onnxdissect.wording import counted

__all__ = ["explain_labelled"]


@checked_arguments()
@explained_memory("fewer images at once take less, as does a layer of fewer units")
def explain_labelled(
    model: str | Path,
    images: str | Path | Dataset,
    run: str | Path | Dissection,
    *,
    layer: str | None = None,
    top: int = 6,
    classes: str | Path | Sequence[str] | None = None,
    attribution: str = "auto",
    output: str | None = None,
    reduce: str | None = None,
    provider: str = "auto",
    bind: Mapping[str, ArrayLike | str] | None = None,
    custom_ops: Sequence[str | Path] = (),
    resamples: int = 1000,
    seed: int = 0,
    examples: int = 12,
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
) -> LabelledExplanations:
    """Tell which predictions of labelled images are right, and which labelled units made the wrong ones.

    Parameters
    ----------
    model : str or Path
        The ONNX file that the run was made of.
    images : str, Path or Dataset
        A folder with a folder of images for each class, a CSV file with the columns ``image`` and ``class``,
        or a data set whose scenes are the classes.
    run : str, Path or Dissection
        The finished run whose labels and thresholds units have.
    layer : str, optional
        A layer of the run, by default the deepest through which everything reaches the scores.
    top : int
        Units to tell of, of an image and of a confusion.
    classes : str, Path or sequence of str, optional
        Names of the classes, or a file with one a line; by default those of the model's metadata.
    attribution : str
        What a unit's contribution is, as `onnxdissect.explain` has it.
    output : str, optional
        The network's output with the scores, where there are several.
    reduce : str, optional
        Where the output scores classes at many places (maps of a segmenter, boxes of a detector), how they
        are made one score of a class: their "mean" or "max". "max:2" says that classes lie along axis 2.
    provider : str
        Where the network runs, as in `onnxdissect.dissect`.
    bind : mapping of str to array_like or str, optional
        Values of inputs beside the image, as in the run.
    custom_ops : sequence of str or Path
        Libraries of operators that onnxruntime lacks.
    resamples : int
        Of the images, for intervals of held shares; 0 for none.
    seed : int
        Of the resamples.
    examples : int
        Images of each class for a page, told right, and as many told wrong; 0 for none.
    progress : Progress, optional
        Told of the phases ``predictions`` and ``examples``, which count images.
    notify : callable, optional
        Told, in a line each, what a person should know.

    Returns
    -------
    LabelledExplanations

    Raises
    ------
    OnnxDissectError
        If the run is of another model, there is no such layer or output, the output is no vector of class
        scores, an image is labelled by what is no class of it or cannot be read, all images are of one class,
        something of the image gets around the layer, or *linear* is asked for where it does not hold.
    """
    _expect_numbers(top, resamples, seed, examples)
    labelled = labelled_images(images)
    source = find_scored_layer(
        model,
        run,
        layer=layer,
        classes=classes,
        output=output,
        reduce=reduce,
        bind=bind,
        custom_ops=custom_ops,
    )
    tell_empty_folders(labelled, notify)
    shown = shown_classes(labelled, source.scores, source.names)
    _expect_classes(labelled, shown)
    parts = source.open(labelled.read(0), provider=provider, notify=notify)
    progress = progress or Silent()
    units = source.units()
    masks = layer_masks(source, units, labelled)
    contributor = Contributor(parts, choose_attribution(source.network, parts, attribution))
    try:
        passed = pass_images(source, contributor, masks, shown, progress)
    except NotAdditiveError:
        if attribution == "linear":
            raise
        contributor = Contributor(parts, "ablation")
        passed = pass_images(source, contributor, masks, shown, progress)
    asked = _Asked(source, units, masks, contributor, top, resamples, seed)
    return asked.explanations(labelled, passed, str(model), examples, progress)


def _expect_numbers(top: int, resamples: int, seed: int, examples: int) -> None:
    if top < 1:
        raise ParameterError(f"the number of units to tell of cannot be {top}", hint="--top 6")
    if not 0 <= resamples <= MOST_RESAMPLES:
        raise ParameterError(f"resamples are 0 to {MOST_RESAMPLES:,}, not {resamples:,}")
    if not 0 <= seed < 2**64:
        raise ParameterError(f"the seed of resamples is 0 to 2**64 - 1, not {seed}")
    if examples < 0:
        raise ParameterError(f"there cannot be {examples} images of a class on a page")


def _expect_classes(images: LabelledImages, shown: NDArray[np.int64]) -> None:
    """Refuse what has nothing to be confused with."""
    if len(set(shown.tolist())) < 2:
        raise ParameterError(
            f"{images.source} holds {counted(len(images), 'image')} of one class, {images.classes[0]!r}, and "
            "right and wrong are told of two classes at least",
            hint="onnxdissect explain MODEL IMAGE... --run RUN explains images of one class",
        )


def _groups(images: LabelledImages) -> NDArray[np.int64] | None:
    """Tell which images belong together, numbered from 0; None if each stands for itself."""
    annotated = images.annotated
    groups = None if annotated is None else annotated.data.groups()
    if annotated is None or groups is None:
        return None
    numbered: NDArray[np.int64] = np.unique(groups[list(annotated.positions)], return_inverse=True)[1]
    return numbered.astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Asked:
    source: ScoredLayer
    units: Sequence[Unit]
    masks: ImageMasks
    contributor: Contributor
    top: int
    resamples: int
    seed: int

    def explanations(
        self, labelled: LabelledImages, passed: PassedImages, model: str, examples: int, progress: Progress
    ) -> LabelledExplanations:
        source, arrays = self.source, passed.arrays
        detectors = np.array([unit.detector for unit in self.units])
        strongest = strongest_units(arrays.contribution, arrays.fired, detectors, self.top)
        images = tuple(
            PredictedImage(
                name=name,
                class_index=int(arrays.class_index[i]),
                predicted_index=int(arrays.predicted_index[i]),
                class_score=float(passed.class_score[i]),
                predicted_score=float(passed.predicted_score[i]),
                units=image_units(arrays, i, strongest[i]),
            )
            for i, name in enumerate(labelled.names)
        )
        right = sum(image.right for image in images)
        return LabelledExplanations(
            model=model,
            run=str(source.run.path),
            source=labelled.source,
            layer=source.info.name,
            alias=source.info.alias,
            quantile=source.quantile,
            output=source.scores.output,
            score_of=source.scores.score_of,
            stripped=source.scores.stripped,
            reduced=source.scores.reduced,
            attribution=self.contributor.attribution,
            error=passed.error,
            top=self.top,
            left_out=labelled.left_out,
            resamples=self.resamples,
            seed=self.seed,
            right=right,
            accuracy=share_of(right, len(images)),
            classes=class_accuracies(arrays.class_index, arrays.predicted_index, source.class_name),
            confusions=find_confusions(arrays, self.units, self.top, source.class_name),
            held=held_shares(arrays, strongest, self.resamples, self.seed, _groups(labelled)),
            images=images,
            categories=tuple(source.run.categories),
            labels=tuple((u.label, u.category) if u.detector else ("", "") for u in self.units),
            arrays=arrays,
            examples=self._examples(images, examples, progress),
            pictures=labelled,
        )

    def _examples(
        self, images: Sequence[PredictedImage], most: int, progress: Progress
    ) -> tuple[Example, ...]:
        chosen = [(i, [one.unit for one in images[i].units]) for i in choose_examples(images, most)]
        return make_examples(self.source, self.contributor, self.masks, chosen, progress) if chosen else ()
