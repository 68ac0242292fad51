"""A linear classifier of pooled units: the only place that knows scikit-learn."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import InstallationError, ParameterError, shown
from onnxdissect.libraries import raise_interrupt
from onnxdissect.model.bases.blas_threads import one_blas_thread
from onnxdissect.wording import counted

__all__ = ["LinearClassifier", "expect_scikit_learn", "expect_several", "fit_classifier"]

_FOLDS = 5
_STEPS = 5000


@dataclass(frozen=True, slots=True)
class LinearClassifier:
    """Scores of classes as sums over units: weight times standardised mean activation.

    Attributes
    ----------
    classes : tuple of str
        In order of their names.
    means, scales : ndarray of float64, shape (units,)
        Mean and standard deviation of each unit over the images that it was fitted to; 1 instead of 0.
    weights : ndarray of float64, shape (classes, units)
        Of standardised units.
    biases : ndarray of float64, shape (classes,)
    images : int
        How many it was fitted to.
    accuracy : float or None
        Share of images told rightly by classifiers that were fitted without them; None if a class has but
        one image.
    folds : int
        How many such classifiers; 0 without accuracy.
    """

    classes: tuple[str, ...]
    means: NDArray[np.float64]
    scales: NDArray[np.float64]
    weights: NDArray[np.float64]
    biases: NDArray[np.float64]
    images: int
    accuracy: float | None
    folds: int

    def terms(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give what every unit adds to every score.

        Parameters
        ----------
        features : ndarray of float64, shape (units,)
            Of one image.

        Returns
        -------
        ndarray of float64, shape (classes, units)
        """
        return np.asarray(self.weights * ((features - self.means) / self.scales))


def expect_scikit_learn() -> None:
    """Refuse to go on without scikit-learn, before any time is spent.

    Raises
    ------
    InstallationError
        If it is not installed, or does not load.
    """
    _scikit_learn()


def _scikit_learn() -> tuple[Any, ...]:
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedKFold, cross_val_score
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise_interrupt(error)
        raise InstallationError(
            f"--attribution fitted needs scikit-learn, and it does not load: {error}",
            hint='pip install "onnxdissect[fitted]", or pip install scikit-learn',
        ) from error
    return (
        ConvergenceWarning,
        LogisticRegression,
        StratifiedKFold,
        cross_val_score,
        make_pipeline,
        StandardScaler,
    )


def expect_several(labels: Sequence[str], source: str) -> None:
    """Refuse images of one class.

    Parameters
    ----------
    labels : sequence of str
        The class of each image.
    source : str
        What the images are called.

    Raises
    ------
    ParameterError
        If all of them are of one.
    """
    if len(set(labels)) < 2:
        raise ParameterError(
            f"{source} holds {counted(len(labels), 'image')} of one class, {shown(labels[0])}, and a "
            "classifier tells classes apart",
            hint="images of two classes or more: --reference DIR, one folder a class",
        )


def fit_classifier(features: NDArray[np.float64], labels: Sequence[str], seed: int) -> LinearClassifier:
    """Fit a logistic regression to standardised features.

    Parameters
    ----------
    features : ndarray of float64, shape (images, units)
        Pooled units.
    labels : sequence of str
        The class of each image; of two or more.
    seed : int
        Of the folds of the cross-validation.

    Returns
    -------
    LinearClassifier

    Raises
    ------
    InstallationError
        If scikit-learn does not load.
    """
    convergence, regression, stratified, cross_validated, pipeline, scaler = _scikit_learn()
    counts = Counter(labels)
    model = pipeline(scaler(), regression(max_iter=_STEPS))
    names = np.array(labels)
    folds = min(_FOLDS, min(counts.values()))
    accuracy = None
    # of many thousand small products, after each of which more threads would wait for one another
    with warnings.catch_warnings(), one_blas_thread():
        # regularised, so that a step more or less changes nothing that is told
        warnings.simplefilter("ignore", convergence)
        if folds > 1:
            parts = stratified(folds, shuffle=True, random_state=seed)
            rights = cross_validated(model, features, names, cv=parts, scoring=_count_right)
            accuracy = float(sum(rights) / len(names))
        model.fit(features, names)
    scale, linear = model[0], model[1]
    weights, biases = linear.coef_, linear.intercept_
    if len(linear.classes_) == 2:
        # of two classes there is one score, which speaks for the second
        weights, biases = np.concatenate([-weights, weights]), np.concatenate([-biases, biases])
    return LinearClassifier(
        classes=tuple(str(name) for name in linear.classes_),
        means=np.asarray(scale.mean_, np.float64),
        scales=np.asarray(scale.scale_, np.float64),
        weights=np.asarray(weights, np.float64),
        biases=np.asarray(biases, np.float64),
        images=len(names),
        accuracy=accuracy,
        folds=folds if folds > 1 else 0,
    )


def _count_right(model: Any, features: NDArray[np.float64], names: NDArray[np.str_]) -> float:
    return float((model.predict(features) == names).sum())
