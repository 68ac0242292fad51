"""Explain predictions by the labelled units of a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onnxdissect.arguments import checked_arguments
from onnxdissect.errors import ParameterError, nearest
from onnxdissect.experiments.class_scores.picture import Picture, listed_pictures, read_picture
from onnxdissect.experiments.class_scores.run_layer import layer_field
from onnxdissect.experiments.class_scores.scored_layer import ScoredLayer, find_scored_layer
from onnxdissect.experiments.class_scores.target import TOP, asked_class
from onnxdissect.experiments.class_scores.variants import Contributions, class_scores
from onnxdissect.experiments.explanation.ablation import ablation_contributions
from onnxdissect.experiments.explanation.linear import (
    adds_up,
    expect_additive,
    linear_contributions,
    why_not_linear,
)
from onnxdissect.experiments.explanation.records import (
    ATTRIBUTIONS,
    UNLABELLED,
    ConceptShare,
    Explanation,
    UnitContribution,
)
from onnxdissect.model import Network
from onnxdissect.model.runtime.parts.network_parts import NetworkParts
from onnxdissect.results import Dissection
from onnxdissect.results.records import Unit

__all__ = ["explain", "signed_shares"]


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
    output: str | None = None,
    provider: str = "auto",
    bind: Mapping[str, ArrayLike | str] | None = None,
    custom_ops: Sequence[str | Path] = (),
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
        layer: the score less the score with this unit set to zero. "auto": the first that holds.
    output : str, optional
        The network's output with the scores, where there are several.
    provider : str
        Where the network runs, as in `onnxdissect.dissect`.
    bind : mapping of str to array_like or str, optional
        Values of inputs beside the image, as in the run.
    custom_ops : sequence of str or Path
        Libraries of operators that onnxruntime lacks.
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
        class scores, something of the image gets around the layer, an image cannot be read, or *linear* is
        asked for where it does not hold.
    """
    if attribution not in ATTRIBUTIONS:
        raise ParameterError(
            f"there is no attribution {attribution!r}",
            candidates=nearest(attribution, ATTRIBUTIONS) or ATTRIBUTIONS,
        )
    if top < 1:
        raise ParameterError(f"the number of units to tell of cannot be {top}", hint="--top 6")
    pictures = listed_pictures(images)
    if not pictures:
        raise ParameterError("no image was given to explain")
    pixels = [read_picture(picture) for picture in pictures]
    source = find_scored_layer(
        model, run, layer=layer, classes=classes, output=output, bind=bind, custom_ops=custom_ops
    )
    number = asked_class(target, source.scores, source.names)
    parts = source.open(pixels[0], provider=provider, notify=notify)
    explainer = _Explainer(source, parts, top, _attribution(source.network, parts, attribution))
    named = [(_name(picture), image) for picture, image in zip(pictures, pixels, strict=True)]
    found = tuple(explainer.explain(*one, number) for one in named)
    if attribution == "auto" and not all(map(adds_up, found)):
        # what is a sum on the graph may be none in float32, where large numbers cancel
        explainer = replace(explainer, attribution="ablation")
        found = tuple(explainer.explain(*one, number) for one in named)
    for one in found:
        expect_additive(one)
    return found


def _name(picture: Picture) -> str:
    return "array" if isinstance(picture, np.ndarray) else str(picture)


def _attribution(network: Network, parts: NetworkParts, asked: str) -> str:
    if asked == "ablation":
        return asked
    reason = why_not_linear(network, parts)
    if not reason:
        return "linear"
    if asked == "auto":
        return "ablation"
    raise ParameterError(
        f"the score is no sum over the units of {parts.layer.name!r}: {reason}",
        hint="--attribution ablation, or a layer behind it",
    )


def signed_shares(contributions: Sequence[float]) -> list[float]:
    """Relate each contribution to the sum of those of its sign.

    Parameters
    ----------
    contributions : sequence of float

    Returns
    -------
    list of float
        Positive ones come to 1 together, negative ones to -1.
    """
    values = np.asarray(contributions, np.float64)
    gained, lost = values[values > 0].sum(), -values[values < 0].sum()
    return [float(v / gained) if v > 0 else float(v / lost) if v < 0 else 0.0 for v in values]


@dataclass(frozen=True, slots=True)
class _Explainer:
    source: ScoredLayer
    parts: NetworkParts
    top: int
    attribution: str

    def explain(self, name: str, pixels: NDArray[np.uint8], number: int | None) -> Explanation:
        source, parts = self.source, self.parts
        info, scores = source.info, source.scores
        activations = parts.activations(source.prepared(pixels))
        predicted = int(np.argmax(class_scores(parts, activations)))
        explained = predicted if number is None else number
        found = self._contributions(activations, explained)
        labelled = source.units()
        plain = Explanation(
            image=name,
            model=str(source.network.path),
            run=str(source.run.path),
            layer=info.name,
            alias=info.alias,
            quantile=source.quantile,
            output=scores.output,
            score_of=scores.value,
            stripped=scores.stripped,
            class_index=explained,
            class_name=source.class_name(explained),
            predicted_index=predicted,
            predicted_name=source.class_name(predicted),
            score=found.score,
            attribution=self.attribution,
            bias=found.bias,
            error=found.error,
            contributions=tuple(found.values.tolist()),
            units=(),
            concepts=_concepts(found, labelled),
            pixels=pixels,
            activations=parts.maps(activations)[0],
            input_size=source.network.size,
            placement=layer_field(info),
        )
        return _with_units(plain, labelled, self.top)

    def _contributions(self, activations: NDArray[np.floating], number: int) -> Contributions:
        if self.attribution == "ablation":
            return ablation_contributions(self.parts, activations, number)
        return linear_contributions(self.parts, activations, number)


def _with_units(plain: Explanation, labelled: Sequence[Unit], top: int) -> Explanation:
    shares = signed_shares(plain.contributions)
    order = sorted(range(len(labelled)), key=lambda k: (-abs(plain.contributions[k]), k))
    units = []
    for k in order[:top]:
        if plain.contributions[k] == 0:
            break
        unit = labelled[k]
        assert unit.threshold is not None, "only imported runs lack thresholds, and they were refused"
        threshold = np.float32(unit.threshold)
        mask = plain.heat(k) > threshold
        units.append(
            UnitContribution(
                unit=k,
                label=unit.label,
                category=unit.category,
                iou=unit.iou,
                iou_low=unit.iou_low,
                iou_high=unit.iou_high,
                stability=unit.stability,
                detector=unit.detector,
                reliable=unit.reliable,
                contribution=plain.contributions[k],
                share=shares[k],
                activation=float(plain.activations[k].max()),
                threshold=float(threshold),
                area=float(mask.mean()),
                box=_box(mask),
            )
        )
    return replace(plain, units=tuple(units))


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _concepts(found: Contributions, labelled: Sequence[Unit]) -> tuple[ConceptShare, ...]:
    """Sum contributions by the labels of detectors."""
    members: dict[tuple[str, str], list[int]] = {}
    for unit in labelled:
        key = (unit.label, unit.category) if unit.detector else (UNLABELLED, "")
        members.setdefault(key, []).append(unit.unit)
    sums = {key: float(found.values[units].sum()) for key, units in members.items()}
    shares = dict(zip(sums, signed_shares(list(sums.values())), strict=True))
    concepts = [
        ConceptShare(
            concept=key[0],
            category=key[1],
            units=tuple(sorted(units, key=lambda k: (-abs(found.values[k]), k))),
            contribution=sums[key],
            share=shares[key],
        )
        for key, units in members.items()
    ]
    return tuple(sorted(concepts, key=lambda one: (-one.contribution, one.concept, one.category)))
