"""What units contribute to the network's own scores: *linear*, *ablation* and *shapley*, image by image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.core.progress import Progress
from onnxdissect.experiments.class_scores.labelled import shown_classes, tell_empty_folders
from onnxdissect.experiments.class_scores.scored_layer import ScoredLayer, find_scored_layer
from onnxdissect.experiments.class_scores.target import asked_class
from onnxdissect.experiments.class_scores.variants import (
    Contributions,
    changed_units,
    class_scores,
    set_to,
)
from onnxdissect.experiments.explanation.ablation import ablation_contributions
from onnxdissect.experiments.explanation.entries import AttributedScore, ExplainedLayer, concept_groups
from onnxdissect.experiments.explanation.linear import (
    adds_up,
    expect_additive,
    linear_contributions,
    linear_or_ablation,
)
from onnxdissect.experiments.explanation.records import ShapleyOrders
from onnxdissect.experiments.explanation.reference.images import reference_images, reference_labels
from onnxdissect.experiments.explanation.reference.means import (
    ReferenceMeans,
    means_by_class,
    means_of_all,
)
from onnxdissect.experiments.explanation.request import ExplanationRequest
from onnxdissect.experiments.explanation.shapley import (
    PERMUTATIONS,
    PLAYERS,
    Game,
    shapley_values,
    strongest_units,
)
from onnxdissect.model import Network
from onnxdissect.model.runtime.parts.network_parts import NetworkParts
from onnxdissect.results import Dissection

__all__ = ["ScoreExplainer", "open_score_explainer"]


@dataclass(frozen=True, slots=True)
class ScoreExplainer:
    """Tells of one image after another what made a score of the network.

    Attributes
    ----------
    layer : ExplainedLayer
        What is the same for all images.
    source : ScoredLayer
        Which prepares images.
    parts : NetworkParts
        With the scores as first output.
    request : ExplanationRequest
        What is asked for.
    number : int or None
        The class; None for the one of the highest score.
    attribution : str
        "linear", "ablation" or "shapley".
    means : ReferenceMeans or None
        What units are set to when they are removed; None for zero.
    """

    layer: ExplainedLayer
    source: ScoredLayer
    parts: NetworkParts
    request: ExplanationRequest
    number: int | None
    attribution: str
    means: ReferenceMeans | None

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
        ParameterError
            If *linear* is asked for and does not add up, or all reference images are of the class explained.
        NonFiniteError
            If an activation or a score is not finite.
        """
        activations = self.parts.activations(self.source.prepared(pixels))
        scores = class_scores(self.parts, activations)[0]
        predicted = int(np.argmax(scores))
        number = predicted if self.number is None else self.number
        score = float(scores[number])
        attribution, found, orders = self._contributions(activations, number, score)
        return AttributedScore(
            maps=self.parts.maps(activations)[0],
            predicted=predicted,
            explained=number,
            attribution=attribution,
            contributions=found,
            ablated_to=self.request.ablate,
            reference="" if self.means is None else self.means.said,
            orders=orders,
        )

    def _contributions(
        self, activations: NDArray[np.floating], number: int, score: float
    ) -> tuple[str, Contributions, ShapleyOrders | None]:
        parts = self.parts
        if self.attribution == "linear":
            found = linear_contributions(parts, activations, number, score=score)
            if self.request.attribution != "auto":
                expect_additive(found, parts.layer.name)
            # what is a sum on the graph may be none in float32, where large numbers cancel
            if adds_up(found):
                return "linear", found, None
        removed = np.zeros_like(activations)
        if self.means is not None:
            removed = set_to(parts, activations, self.means.values(number))
        if self.attribution == "shapley":
            return "shapley", *self._shapley(activations, removed, number, score)
        return (
            "ablation",
            ablation_contributions(parts, activations, number, removed=removed, score=score),
            None,
        )

    def _shapley(
        self, activations: NDArray[np.floating], removed: NDArray[np.floating], number: int, score: float
    ) -> tuple[Contributions, ShapleyOrders]:
        request, parts = self.request, self.parts
        groups = list(concept_groups(self.layer.units).values())
        if request.over == "concepts":
            # a concept that no unit responds to adds nothing in any order
            changed = set(changed_units(parts, activations, removed).tolist())
            columns = [i for i, units in enumerate(groups) if changed.intersection(units)]
            players = tuple(tuple(units) for units in groups if changed.intersection(units))
        else:
            most = request.players or PLAYERS
            strongest = strongest_units(parts, activations, removed, number, most, score=score)
            columns, players = list(strongest), tuple((unit,) for unit in strongest)
        game = Game(parts, activations, removed, number, players)
        permutations = request.permutations or PERMUTATIONS
        found = shapley_values(game, permutations, request.seed, score=score)
        drawn = 0 if found.samples is None else permutations
        units = tuple(sorted(unit for one in players for unit in one))
        orders = ShapleyOrders(request.over, len(players), units, drawn, request.seed)
        count = len(groups) if request.over == "concepts" else parts.layer.units
        return _among(found, columns, count), orders


def _among(found: Contributions, columns: Sequence[int], count: int) -> Contributions:
    """Put what players contributed at their places among all that could have been players."""
    values = np.zeros(count, np.float64)
    values[columns] = found.values
    samples = None
    if found.samples is not None:
        samples = np.zeros((len(found.samples), count), np.float64)
        samples[:, columns] = found.samples
    return Contributions(values, found.score, found.bias, samples)


def open_score_explainer(
    model: str | Path,
    run: str | Path | Dissection,
    request: ExplanationRequest,
    first: NDArray[np.uint8],
    *,
    progress: Progress,
    notify: Callable[[str], None],
) -> ScoreExplainer:
    """Find what is asked for, load the network, and average reference images if means are wanted.

    Parameters
    ----------
    model : str or Path
        The ONNX file that the run was made of.
    run : str, Path or Dissection
        A finished run.
    request : ExplanationRequest
        What is asked for.
    first : ndarray of uint8, shape (height, width, 3)
        An image on which the parts of the network have to compute what all of it does.
    progress : Progress
    notify : callable
        Told, in a line each, what a person should know.

    Returns
    -------
    ScoreExplainer

    Raises
    ------
    OnnxDissectError
        See `onnxdissect.explain`.
    """
    source = find_scored_layer(
        model,
        run,
        layer=request.layer,
        classes=request.classes,
        output=request.output,
        reduce=request.reduce,
        bind=request.bind,
        custom_ops=request.custom_ops,
    )
    number = asked_class(request.target, source.scores, source.names)
    if request.players is not None and request.players > source.info.units:
        notify(
            f"no more than the {source.info.units:,} units of the layer take part, where "
            f"{request.players:,} were asked for"
        )
    # what reference images there are is found before anything is run
    reference = _reference(source, request, notify)
    parts = source.open(first, provider=request.provider, notify=notify)
    attribution = _attribution(source.network, parts, request)
    layer = ExplainedLayer(
        network=source.network,
        run=source.run,
        info=source.info,
        units=tuple(source.units()),
        output=source.scores.output,
        score_of=source.scores.score_of,
        stripped=source.scores.stripped,
        reduced=source.scores.reduced,
        names=source.names,
    )
    means = None if reference is None else reference(parts, progress)
    return ScoreExplainer(layer, source, parts, request, number, attribution, means)


def _reference(
    source: ScoredLayer, request: ExplanationRequest, notify: Callable[[str], None]
) -> Callable[[NetworkParts, Progress], ReferenceMeans] | None:
    """Find reference images, and say how units are averaged over them."""
    if request.ablate == "zero":
        return None
    if request.ablate == "mean":
        images = reference_images(source.run, request.reference)
        return lambda parts, progress: means_of_all(source, parts, images, progress)
    labelled = reference_labels(source.run, request.reference)
    tell_empty_folders(labelled, notify)
    classes = shown_classes(labelled, source.scores, source.names)
    return lambda parts, progress: means_by_class(source, parts, labelled, classes, progress)


def _attribution(network: Network, parts: NetworkParts, request: ExplanationRequest) -> str:
    asked = request.attribution
    if asked == "shapley":
        return asked
    # with units set to anything but zero there is but one that can be meant
    if asked == "ablation" or request.ablate != "zero":
        return "ablation"
    return linear_or_ablation(network, parts, asked)
