"""Explain predictions by the labelled units of a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onnxdissect.arguments import checked_arguments
from onnxdissect.core.progress import Progress, Silent
from onnxdissect.data import Dataset
from onnxdissect.errors import ParameterError
from onnxdissect.experiments.class_scores.picture import Picture, listed_pictures, read_picture
from onnxdissect.experiments.class_scores.target import TOP
from onnxdissect.experiments.explanation.entries import explanation_of
from onnxdissect.experiments.explanation.fitted.explainer import FittedExplainer, open_fitted_explainer
from onnxdissect.experiments.explanation.records import Explanation
from onnxdissect.experiments.explanation.request import ExplanationRequest
from onnxdissect.experiments.explanation.scored import ScoreExplainer, open_score_explainer
from onnxdissect.results import Dissection
from onnxdissect.storage.regular_files import is_file

__all__ = ["PHASE", "explain", "explanations"]

PHASE = "explanations"
"""Of a progress."""


@checked_arguments(but=("images",))
def explain(
    model: str | Path,
    images: Picture | Sequence[Picture],
    run: str | Path | Dissection,
    *,
    target: str | int = TOP,
    layer: str | None = None,
    top: int = 6,
    classes: str | Path | Sequence[str] | None = None,
    attribution: str = "auto",
    ablate: str = "zero",
    reference: str | Path | Dataset | None = None,
    over: str = "units",
    players: int | None = None,
    permutations: int | None = None,
    seed: int = 0,
    output: str | None = None,
    reduce: str | None = None,
    provider: str = "auto",
    bind: Mapping[str, ArrayLike | str] | None = None,
    custom_ops: Sequence[str | Path] = (),
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
) -> tuple[Explanation, ...]:
    """Tell which labelled units of a layer made a prediction, and where they fired.

    Parameters
    ----------
    model : str or Path
        The ONNX file that the run was made of.
    images : str, Path, ndarray or sequence of them
        Files of any size, or pixels: RGB, uint8, (height, width, 3).
    run : str, Path or Dissection
        The finished run whose labels and thresholds units have.
    target : str or int
        The class to explain: its name, its number, or "top", the one of the highest score.
    layer : str, optional
        A layer of the run, by default the deepest through which everything reaches the scores.
    top : int
        Units to tell of, those of the largest contributions.
    classes : str, Path or sequence of str, optional
        Names of the classes, or a file with one a line; by default those of the model's metadata.
    attribution : str
        What a unit's contribution is. "linear", exact where nothing but linear operators follows the step
        that mixes units: the score with only this unit active less the score with none. "ablation", of any
        layer: the score less the score with this unit removed. "shapley", of any layer: what the unit adds
        when it joins others, averaged over orders of joining. "fitted": weight times standardised mean
        activation in a linear classifier that is fitted to labelled images. "auto": linear where it holds,
        which is decided for each image, else ablation.
    ablate : str
        What *ablation* and *shapley* set a removed unit to, at all places: "zero", its "mean" over reference
        images, or its mean over those of "other-classes" than the one explained.
    reference : str, Path or Dataset, optional
        The images of those means, or those that *fitted* is fitted to: a folder with one folder for each
        class, a CSV file with the columns image and class, or a data set. By default the run's own.
    over : str
        Whether the players of *shapley* are "units" or "concepts", all units of a label together.
    players : int, optional
        Of *shapley* over units, how many take part, the strongest by ablation; by default 32. The others stay
        as they are.
    permutations : int, optional
        Orders that *shapley* draws, each taken with its reverse; by default 64.
    seed : int
        Of these orders, and of the parts that the accuracy of *fitted* is told on.
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
    progress : Progress, optional
        Told how far it is.
    notify : callable, optional
        Told, in a line each, what a person should know.

    Returns
    -------
    tuple of Explanation
        One for each image.

    Raises
    ------
    OnnxDissectError
        If the run is of another model, there is no such class, layer or output, the output is no vector of
        class scores, something of the image gets around the layer, an image cannot be read, *linear* is
        asked for where it does not hold, reference images are missing or have no classes, or scikit-learn is
        not installed.
    """
    request = ExplanationRequest(
        target=target,
        layer=layer,
        top=top,
        classes=classes,
        attribution=attribution,
        ablate=ablate,
        reference=reference,
        over=over,
        players=players,
        permutations=permutations,
        seed=seed,
        output=output,
        reduce=reduce,
        provider=provider,
        bind=bind,
        custom_ops=custom_ops,
    )
    return tuple(explanations(model, images, run, request, progress=progress, notify=notify))


def explanations(
    model: str | Path,
    images: Picture | Sequence[Picture],
    run: str | Path | Dissection,
    request: ExplanationRequest,
    *,
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
) -> Iterator[Explanation]:
    """Explain one image after another, so that no more than one has to be held.

    What is asked for is looked at first, and the network loaded; images are read as they are asked for.

    Parameters
    ----------
    model : str or Path
        The ONNX file that the run was made of.
    images : str, Path, ndarray or sequence of them
        Files of any size, or pixels: RGB, uint8, (height, width, 3).
    run : str, Path or Dissection
        The finished run whose labels and thresholds units have.
    request : ExplanationRequest
        What is asked for.
    progress : Progress, optional
        Told how far it is.
    notify : callable, optional
        Told, in a line each, what a person should know.

    Returns
    -------
    iterator of Explanation

    Raises
    ------
    OnnxDissectError
        See `explain`.
    """
    request.check()
    pictures = listed_pictures(images)
    if not pictures:
        raise ParameterError(
            "no image was given to explain",
            hint="explain MODEL IMAGE... --run RUN, or explain MODEL --images SOURCE of labelled ones",
        )
    for picture in pictures:
        if isinstance(picture, np.ndarray) or not is_file(Path(picture)):
            # what is missing is told before anything is explained
            read_picture(picture)
    progress = Silent() if progress is None else progress
    notify = (lambda line: None) if notify is None else notify
    first = read_picture(pictures[0])
    explainer: ScoreExplainer | FittedExplainer
    if request.attribution == "fitted":
        explainer = open_fitted_explainer(model, run, request, progress=progress, notify=notify)
    else:
        explainer = open_score_explainer(model, run, request, first, progress=progress, notify=notify)
    return _one_by_one(explainer, pictures, first, request.top, progress)


def _one_by_one(
    explainer: ScoreExplainer | FittedExplainer,
    pictures: Sequence[Picture],
    first: NDArray[np.uint8],
    top: int,
    progress: Progress,
) -> Iterator[Explanation]:
    # of one image there is nothing to tell
    progress = progress if len(pictures) > 1 else Silent()
    progress.start(PHASE, len(pictures))
    for number, picture in enumerate(pictures):
        pixels = read_picture(picture) if number else first
        name = "array" if isinstance(picture, np.ndarray) else str(picture)
        yield explanation_of(explainer.layer, name, pixels, explainer.attribute(pixels), top)
        progress.advance(1)
    progress.finish()
