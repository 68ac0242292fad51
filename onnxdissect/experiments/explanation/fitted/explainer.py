"""What units contribute to the scores of a classifier that is fitted to labelled images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.progress import Progress
from onnxdissect.experiments.class_scores.labelled import tell_empty_folders
from onnxdissect.experiments.class_scores.target import asked_class
from onnxdissect.experiments.class_scores.variants import Contributions
from onnxdissect.experiments.explanation.entries import AttributedScore, ExplainedLayer
from onnxdissect.experiments.explanation.fitted.classifier import (
    LinearClassifier,
    expect_scikit_learn,
    expect_several,
    fit_classifier,
)
from onnxdissect.experiments.explanation.fitted.features import PooledLayer, open_pooled_layer, pooled
from onnxdissect.experiments.explanation.records import Fit
from onnxdissect.experiments.explanation.reference.images import reference_labels
from onnxdissect.experiments.explanation.request import ExplanationRequest
from onnxdissect.model.scores.class_scores import ClassScores
from onnxdissect.results import Dissection, load
from onnxdissect.wording import counted

__all__ = ["FittedExplainer", "open_fitted_explainer"]

_OUTPUT = "fitted classifier"


@dataclass(frozen=True, slots=True)
class FittedExplainer:
    """Tells of one image after another what made a score of the classifier.

    Attributes
    ----------
    layer : ExplainedLayer
        What is the same for all images.
    source : PooledLayer
        Which computes the layer.
    classifier : LinearClassifier
    number : int or None
        The class; None for the one of the highest score.
    reference : str
        The images that it was fitted to.
    """

    layer: ExplainedLayer
    source: PooledLayer
    classifier: LinearClassifier
    number: int | None
    reference: str

    def attribute(self, pixels: NDArray[np.uint8]) -> AttributedScore:
        """Find what made the score of an image.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 3)

        Returns
        -------
        AttributedScore

        Raises
        ------
        NonFiniteError
            If an activation is not finite.
        """
        fitted = self.classifier
        maps = self.source.maps(self.source.prepared(pixels))[0]
        terms = fitted.terms(pooled(maps))
        scores = terms.sum(axis=1) + fitted.biases
        predicted = int(np.argmax(scores))
        number = predicted if self.number is None else self.number
        return AttributedScore(
            maps=maps,
            predicted=predicted,
            explained=number,
            attribution="fitted",
            contributions=Contributions(terms[number], float(scores[number]), float(fitted.biases[number])),
            reference=self.reference,
            fit=Fit(fitted.images, fitted.classes, fitted.accuracy, fitted.folds),
        )


def open_fitted_explainer(
    model: str | Path,
    run: str | Path | Dissection,
    request: ExplanationRequest,
    *,
    progress: Progress,
    notify: Callable[[str], None],
) -> FittedExplainer:
    """Compute the layer of labelled images, and fit a classifier to it.

    Parameters
    ----------
    model : str or Path
        The ONNX file that the run was made of.
    run : str, Path or Dissection
        A finished run.
    request : ExplanationRequest
        What is asked for.
    progress : Progress
    notify : callable
        Told, in a line each, what a person should know.

    Returns
    -------
    FittedExplainer

    Raises
    ------
    OnnxDissectError
        See `onnxdissect.explain`.
    """
    expect_scikit_learn()
    source = open_pooled_layer(
        model,
        run if isinstance(run, Dissection) else load(run),
        layer=request.layer,
        provider=request.provider,
        bind=request.bind,
        custom_ops=request.custom_ops,
    )
    images = reference_labels(source.run, request.reference)
    tell_empty_folders(images, notify)
    classes = tuple(sorted(set(images.classes)))
    expect_several(images.classes, images.source)
    own = ClassScores(_OUTPUT, _OUTPUT, "", len(classes))
    number = asked_class(request.target, own, classes)
    for line in source.session.warnings:
        notify(line)
    features = source.features(images.read, len(images), progress)
    classifier = fit_classifier(features, images.classes, request.seed)
    layer = ExplainedLayer(
        network=source.network,
        run=source.run,
        info=source.info,
        units=tuple(source.run.units(source.info.name, source.run.quantiles[0])),
        output="",
        score_of="",
        stripped="",
        names=classifier.classes,
    )
    return FittedExplainer(
        layer, source, classifier, number, f"the {counted(len(images), 'labelled image')} of {images.source}"
    )
