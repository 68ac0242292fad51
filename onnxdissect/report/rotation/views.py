"""What the page of rotations says of each layer at each quantile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onnxdissect.report.data.facts import Fact, model_name, section
from onnxdissect.report.data.numbers import count_text
from onnxdissect.report.data.report_data import category_colours
from onnxdissect.wording import counted

if TYPE_CHECKING:
    from onnxdissect.experiments.rotation import (
        CurveValue,
        RotatedLayer,
        RotationCurve,
        RotationPoint,
        RotationResult,
        Spread,
    )
    from onnxdissect.results import Dissection

__all__ = ["Headline", "RotationPage", "RotationView", "gather_rotation"]


@dataclass(frozen=True, slots=True)
class Headline:
    """What became of a layer's unique detectors, as pieces of a sentence.

    Attributes
    ----------
    before, after : str
        Unique detectors at alpha 0 and, mean over the seeds, at alpha 1.
    verb : str
        ``fall``, ``rise`` or ``stay``.
    change : str
        By how much, such as ``-52 %``; empty where there is nothing that could fall.
    interval : str
        Its 95 % interval, such as ``-63 to -41 %``; empty where it is not known.
    chance : bool
        Whether the interval holds 0.
    half_life : str
        A sentence about when half of them are gone; empty where there are none.
    """

    before: str
    after: str
    verb: str
    change: str
    interval: str
    chance: bool
    half_life: str


@dataclass(frozen=True, slots=True)
class RotationView:
    """A layer at a quantile.

    Attributes
    ----------
    layer : RotatedLayer
    slug : str
        Folder of the layer in the run.
    quantile : float
    place : (int, int)
        Positions of layer and quantile in the result.
    curve : RotationCurve
    seeds : tuple of tuple of int, shape (seeds, alphas)
        Unique detectors of every rotation.
    random : tuple of int
        Of the random directions of every seed.
    permuted : int
        Of the layer with its units in another order.
    headline : Headline
    facts : tuple of Fact
        Half-life, control, baseline.
    """

    layer: RotatedLayer
    slug: str
    quantile: float
    place: tuple[int, int]
    curve: RotationCurve
    seeds: tuple[tuple[int, ...], ...]
    random: tuple[int, ...]
    permuted: int
    headline: Headline
    facts: tuple[Fact, ...]

    @property
    def classes(self) -> str:
        """What the style sheet knows it by."""
        return f"view l{self.place[0]} q{self.place[1]}"

    @property
    def categories(self) -> tuple[str, ...]:
        """Those with a unique detector at some alpha, or among random directions."""
        values = (*self.curve.values, self.curve.directions)
        return tuple(c for c in values[0].by_category if any(value.by_category[c].most for value in values))

    @property
    def rows(self) -> tuple[tuple[str, CurveValue], ...]:
        """Rows of the table: alphas, then the baseline, each with its name."""
        named = ((f"{value.alpha:g}", value) for value in self.curve.values)
        return (*named, ("random directions", self.curve.directions))


@dataclass(frozen=True, slots=True)
class RotationPage:
    """The content of the page, except what becomes of single concepts.

    Attributes
    ----------
    title : str
        File name of the model.
    data : str
        Name of the data set, may be empty.
    version : str
        Of this package, empty if the manifest does not say.
    result : RotationResult
    views : tuple of RotationView
        By layer and quantile.
    colours : mapping of str to int
        Number of each category's colour in the style sheet.
    facts : tuple of Fact
        How the run was made.
    warnings : tuple of str
        What is not as it should be.
    """

    title: str
    data: str
    version: str
    result: RotationResult
    views: tuple[RotationView, ...]
    colours: Mapping[str, int]
    facts: tuple[Fact, ...]
    warnings: tuple[str, ...]


def gather_rotation(result: RotationResult, run: Dissection) -> RotationPage:
    """Put into words what rotating the layers of a run has found.

    Parameters
    ----------
    result : RotationResult
    run : Dissection
        Of which it was made.

    Returns
    -------
    RotationPage
    """
    quantiles = len(result.quantiles)
    views = tuple(
        _view(result, run, curve, (i // quantiles, i % quantiles)) for i, curve in enumerate(result.curves)
    )
    manifest = run.manifest
    told = [str(warning) for warning in manifest.get("warnings") or ()]
    return RotationPage(
        title=model_name(manifest),
        data=str(section(manifest, "data").get("name", "")),
        version=str(section(manifest, "versions").get("onnxdissect", "")),
        result=result,
        views=views,
        colours=category_colours(result.categories),
        facts=tuple(_facts(result, run)),
        warnings=(*(text for view in views for text in _differences(view)), *told),
    )


def _view(
    result: RotationResult, run: Dissection, curve: RotationCurve, place: tuple[int, int]
) -> RotationView:
    points = result.points_of(curve.layer, curve.quantile)
    own = next(point.unique_detectors for point in points if point.kind == "own")
    layer = result.layers[place[0]]
    permuted = next(point.unique_detectors for point in points if point.kind == "permutation")
    return RotationView(
        layer=layer,
        slug=run.layer(layer.name).slug,
        quantile=curve.quantile,
        place=place,
        curve=curve,
        seeds=tuple((own, *_of_seed(points, seed)) for seed in result.seeds),
        random=tuple(point.unique_detectors for point in points if point.kind == "directions"),
        permuted=permuted,
        headline=_headline(curve),
        facts=tuple(_view_facts(curve, permuted)),
    )


def _of_seed(points: list[RotationPoint], seed: int) -> list[int]:
    return [
        point.unique_detectors for point in points if point.kind == "rotation" and point.seed == seed
    ]  # by alpha


def _headline(curve: RotationCurve) -> Headline:
    before, after = curve.own, curve.values[-1].unique.mean
    change, interval, chance = "", "", False
    fall = curve.fall
    if fall is not None:
        change = _percent(-fall.share)
        if fall.low is not None and fall.high is not None:
            chance = fall.low <= 0 <= fall.high
            interval = f"{_percent(-fall.high).removesuffix(' %')} to {_percent(-fall.low)}"
    half = ""
    if curve.half_life is not None:
        half = f"Half of them are gone at alpha {curve.half_life:.2f}."
    elif before:
        half = "More than half of them are left at every alpha."
    verb = "fall" if after < before else "rise" if after > before else "stay"
    return Headline(f"{before:,}", count_text(after), verb, change, interval, chance, half)


def _percent(share: float) -> str:
    rounded = f"{100 * share:+.0f}".replace("-", "\u2212")
    return ("0" if rounded[1:] == "0" else rounded) + " %"


def _view_facts(curve: RotationCurve, permuted: int) -> list[Fact]:
    random = curve.directions.unique
    differ = len(curve.permutation_differences)
    half = "never" if curve.half_life is None else f"alpha {curve.half_life:.2f}"
    control = "changes nothing but unit numbers" if not differ else counted(differ, "difference")
    return [
        Fact(
            "Half-life",
            half if curve.own else "nothing to lose",
            "where half of them are gone",
        ),
        Fact("Permuted units", f"{permuted:,} unique", control),
        Fact("Random directions", f"{count_text(random.mean)} unique", _spread_text(random)),
    ]


def _spread_text(found: Spread) -> str:
    said = f"{found.least:,} to {found.most:,} over the seeds" if found.least != found.most else ""
    if found.low is not None and found.high is not None:
        interval = f"95 % interval {count_text(found.low)} to {count_text(found.high)}"
        said = f"{said}, {interval}" if said else interval
    return said


def _differences(view: RotationView) -> list[str]:
    found = view.curve.permutation_differences
    if not found:
        return []
    where = f"{view.layer.alias} at quantile {view.quantile:g}"
    more = f", and {len(found) - 3:,} more" if len(found) > 3 else ""
    return [
        f"The permutation of {where} should change nothing but unit numbers, and it does: "
        f"{'; '.join(found[:3])}{more}. Something is wrong with this run."
    ]


def _facts(result: RotationResult, run: Dissection) -> list[Fact]:
    data = section(run.manifest, "data")
    seeds, alphas = len(result.seeds), len(result.alphas)
    facts = [
        Fact(
            "Rotations",
            counted(seeds, "seed"),
            f"{alphas} shares of each, alpha {', '.join(f'{alpha:g}' for alpha in result.alphas)}"
            if alphas <= 12
            else f"{alphas} shares of each, alpha 0 to 1",
        ),
        Fact(
            "Data",
            str(data.get("name", "")),
            f"{counted(len(run.images), 'image')} · {counted(len(run.concepts), 'concept')}"
            + (f" · intervals over {counted(result.resamples, 'resample')}" if result.resamples else ""),
        ),
        Fact("Detector", f"IoU above {result.iou_threshold:g}", f"“{run.scoring}” scoring"),
    ]
    aliases = {layer.name: layer.alias for layer in result.layers}
    for verified in result.verification:
        worst = max(verified.outputs, key=lambda output: output.error, default=None)
        layer = aliases.get(verified.layer, verified.layer)
        images = counted(verified.images, "image")
        facts.append(
            Fact(
                "Turned and turned back",
                "the same outputs" if worst is None else f"outputs off by {worst.error:.1e}",
                f"{layer}, on {images}; rounding explains {verified.tolerance:g}",
            )
        )
    return facts
