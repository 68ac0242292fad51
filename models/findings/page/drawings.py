"""The figures of `docs/findings.md`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxdissect.report.figures.comparison.marks import (
    DARK,
    GREY,
    WIDTH,
    category_styles,
    draw_legend,
    series_places,
)
from onnxdissect.report.figures.paper import COLOURS, paper_settings
from page.answer_records import Variant
from page.evidence import CATEGORIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from page.estimates import Estimate

__all__ = ["FIGURES", "digest_of", "draw_all"]

_TASKS = {
    "base": "scenes",
    "objects": "objects",
    "parts": "parts",
    "rotation": "rotation",
    "jigsaw": "jigsaw",
}
_CONDITIONS = (
    "base", "dropout", "batch-norm", "no-decay", "strong-decay",
    "half-width", "double-width", "shallower", "deeper",
)  # fmt: skip

# of hatches: a dense pattern of dots takes half a megabyte
_DENSITY = 3

Answers = Mapping[str, Any]


def _tasks(answers: Answers) -> Figure:
    """Draw unique detectors by category, a bar for each task."""
    from matplotlib.figure import Figure

    shown = {"untrained": answers["untrained"]}
    shown |= {name: answers["variants"][variant] for variant, name in _TASKS.items()}
    figure = Figure(figsize=(WIDTH, 2.5), layout="constrained")
    axes = figure.add_subplot()
    named = _stack(axes, list(shown.values()))
    axes.set_xticks(range(len(shown)), list(shown), fontsize=7)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("unique detectors")
    draw_legend(figure, named, 4)
    return figure


def _stack(axes: Axes, variants: Sequence[Variant]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    floors = [0.0] * len(variants)
    places = range(len(variants))
    for category, style in category_styles(CATEGORIES).items():
        values = [variant.categories[category].value for variant in variants]
        if not any(values):
            continue
        # hatches tell categories apart where colours are printed in grey
        named[category] = axes.bar(
            places,
            values,
            0.74,
            floors,
            color=style.colour,
            hatch=style.hatch[:_DENSITY],
            edgecolor="white",
            linewidth=0.5,
        )
        floors = [floor + value for floor, value in zip(floors, values, strict=True)]
    unique = [variant.unique for variant in variants]
    named["95 % interval"] = axes.errorbar(
        places, [u.value for u in unique], yerr=_reach(unique), ls="", color=DARK, elinewidth=0.9, capsize=1.8
    )
    return named


def _reach(estimates: Sequence[Estimate]) -> list[list[float]]:
    return [
        [max(e.value - e.low, 0.0) for e in estimates],
        [max(e.high - e.value, 0.0) for e in estimates],
    ]


def _conditions(answers: Answers) -> Figure:
    """Draw unique detectors and accuracy of every condition, a dot for each seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 2.7), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.6, 1))
    for place, name in enumerate(_CONDITIONS):
        variant = answers["variants"][name]
        seeds = [place + 0.16 * (seed - 1) for seed in range(len(variant.scores))]
        low, high = _reach([variant.unique])
        left.errorbar(
            [variant.unique.value], [place], xerr=[low, high], fmt="o", color=COLOURS[0], ms=4, capsize=2
        )
        left.plot(variant.unique.seeds, seeds, "|", color=DARK, ms=4)
        right.plot([variant.score], [place], "o", color=COLOURS[0], ms=4)
        right.plot(variant.scores, seeds, "|", color=DARK, ms=4)
    left.axvline(answers["variants"]["base"].unique.value, color=GREY, lw=0.7, ls=":")
    left.set_yticks(range(len(_CONDITIONS)), _CONDITIONS)
    left.invert_yaxis()
    left.set_xlim(left=0)
    left.set_xlabel("unique detectors")
    right.set_xlabel("accuracy")
    right.margins(x=0.12)
    for axes in (left, right):
        axes.tick_params(axis="y", length=0)
    return figure


def _lines(
    axes: Axes, places: Sequence[float], by_category: Mapping[str, Sequence[Estimate]]
) -> dict[str, Any]:
    """Draw the categories that some place has; give what the legend names."""
    named: dict[str, Any] = {}
    for category, style in category_styles(CATEGORIES).items():
        estimates = by_category[category]
        if any(estimate.value for estimate in estimates):
            (named[category],) = axes.plot(
                places,
                [estimate.value for estimate in estimates],
                color=style.colour,
                marker=style.marker,
                ls=style.dashes,
                ms=3,
                lw=1.1,
            )
            axes.fill_between(
                places,
                [e.low for e in estimates],
                [e.high for e in estimates],
                color=style.colour,
                alpha=0.15,
                lw=0,
            )
    axes.set_ylim(bottom=0)
    axes.set_ylabel("unique detectors")
    return named


def _iterations(answers: Answers) -> Figure:
    """Draw unique detectors by category over the iterations of `base`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 2.5), layout="constrained")
    axes = figure.add_subplot()
    checkpoints = answers["checkpoints"]
    places, ticks, _ = series_places(list(checkpoints))
    by_category = {c: [v.categories[c] for v in checkpoints.values()] for c in CATEGORIES}
    named = _lines(axes, places, by_category)
    axes.set_xticks([place for place, _ in ticks], [text for _, text in ticks])
    axes.set_xlabel("iterations (log axis)")
    draw_legend(figure, named, 4)
    return figure


def _depth(answers: Answers) -> Figure:
    """Draw unique detectors by category over the layers of `base`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 2.3), layout="constrained")
    axes = figure.add_subplot()
    depth = answers["depth"]
    named = _lines(axes, range(len(depth)), {c: [layer[c] for layer in depth.values()] for c in CATEGORIES})
    axes.set_xticks(range(len(depth)), list(depth))
    draw_legend(figure, named, 4)
    return figure


def _rotations(answers: Answers) -> Figure:
    """Draw unique detectors over the share of the rotation, trained and untrained."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 2.3), layout="constrained")
    axes = figure.add_subplot()
    named: dict[str, Any] = {}
    looks = (("trained", COLOURS[0], "o", "-"), ("untrained", COLOURS[1], "s", (0, (4, 1.5))))
    for name, colour, marker, dashes in looks:
        rotated = answers[f"{name}_rotations"]
        alphas, estimates = list(rotated.curve), list(rotated.curve.values())
        (named[name],) = axes.plot(
            alphas, [e.value for e in estimates], color=colour, marker=marker, ls=dashes, ms=3, lw=1.2
        )
        axes.fill_between(
            alphas, [e.low for e in estimates], [e.high for e in estimates], color=colour, alpha=0.15, lw=0
        )
    directions = answers["trained_rotations"].directions.value
    named["random directions"] = axes.axhline(directions, color=GREY, lw=0.8, ls=":")
    axes.set_xlabel("share of the rotation, alpha")
    axes.set_ylabel("unique detectors")
    axes.set_ylim(bottom=0)
    draw_legend(figure, named, 2)
    return figure


def _thresholds(answers: Answers) -> Figure:
    """Draw the share of generic labels over the quantile."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 2.0), layout="constrained")
    axes = figure.add_subplot()
    swept = answers["thresholds"]
    quantiles, shares = [s.quantile for s in swept], [s.generic for s in swept]
    axes.plot(quantiles, [s.value for s in shares], color=COLOURS[0], marker="o", ms=3, lw=1.2)
    axes.fill_between(
        quantiles, [s.low for s in shares], [s.high for s in shares], color=COLOURS[0], alpha=0.15, lw=0
    )
    axes.set_xscale("log")
    axes.set_xticks(quantiles, [f"{quantile:g}" for quantile in quantiles])
    axes.minorticks_off()
    axes.set_xlabel("quantile tau (log axis)")
    axes.set_ylabel("generic labels\nof detectors, share")
    axes.set_ylim(bottom=0)
    return figure


def _transfer(answers: Answers) -> Figure:
    """Draw what becomes of the detectors of `base` while it is taught objects."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 2.3), layout="constrained")
    axes = figure.add_subplot()
    followed = answers["transfer"]
    named: dict[str, Any] = {}
    floors = [0.0] * len(followed)
    looks = {"kept": "", "changed": "///", "lost": "...", "new": "xxx"}
    names = {
        "kept": "same label",
        "changed": "other label",
        "lost": "no detector any more",
        "new": "new detector",
    }
    for number, (field, hatch) in enumerate(looks.items()):
        values = [sum(getattr(step, field)) / len(step.kept) for step in followed]
        named[names[field]] = axes.bar(
            range(len(followed)),
            values,
            0.74,
            floors,
            color=COLOURS[number],
            hatch=hatch,
            edgecolor="white",
            lw=0.5,
        )
        floors = [floor + value for floor, value in zip(floors, values, strict=True)]
    axes.set_xticks(range(len(followed)), [f"{step.iteration:,}" for step in followed])
    axes.set_xlabel("iterations of fine-tuning")
    axes.set_ylabel("units")
    draw_legend(figure, named, 2)
    return figure


FIGURES: Mapping[str, Callable[[Answers], Figure]] = {
    "tasks": _tasks,
    "conditions": _conditions,
    "iterations": _iterations,
    "depth": _depth,
    "rotations": _rotations,
    "thresholds": _thresholds,
    "transfer": _transfer,
}
"""By the name of their file."""

_SHOWN = {
    "tasks": ("untrained", "variants"),
    "conditions": ("variants",),
    "iterations": ("checkpoints",),
    "depth": ("depth",),
    "rotations": ("trained_rotations", "untrained_rotations"),
    "thresholds": ("thresholds",),
    "transfer": ("transfer",),
}


def digest_of(answers: Answers, figure: str) -> str:
    """Hash the numbers that a figure shows; it stands in its file.

    Parameters
    ----------
    answers : mapping
        As `answers.answers` gives them.
    figure : str
        One of `FIGURES`.

    Returns
    -------
    str
    """
    text = repr([answers[name] for name in _SHOWN[figure]])
    # the last digits are those of the machine
    text = re.sub(r"\d+\.\d+(e-?\d+)?", lambda found: f"{float(found[0]):.4f}", text)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def draw_all(answers: Answers, folder: Path) -> None:
    """Write every figure as SVG.

    Parameters
    ----------
    answers : mapping
    folder : Path
        It is made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with paper_settings():
        for name, draw in FIGURES.items():
            metadata = {"Date": None, "Creator": None, "Description": f"numbers {digest_of(answers, name)}"}
            draw(answers).savefig(folder / f"{name}.svg", format="svg", metadata=metadata)
