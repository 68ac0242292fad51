"""The one-line summary of a run: how many units detect a concept, and how many of them reliably."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxdissect.results.records import LayerSummary
from onnxdissect.statistics.reliability import RARE

if TYPE_CHECKING:
    from onnxdissect.results.dissection import Dissection

__all__ = ["advice", "best_layer", "headline", "left_out", "reliable_phrase"]

# Below the first share of reliable detectors a run gives advice; below the second it says that some of the
# reliable ones are luck too.
_FEW, _HARDLY_ANY = 0.5, 0.02
# From this share of rare labels on, leaving them out is worth saying.
_MANY_RARE = 0.1


def headline(summary: LayerSummary) -> str:
    """Count the detectors of a layer in words.

    Parameters
    ----------
    summary : LayerSummary

    Returns
    -------
    str
        Such as ``"91 of 128 units detect a concept, 84 of them reliably"``; without the latter where there
        was no bootstrap, or nothing is detected.
    """
    verb = "detects" if summary.detectors == 1 else "detect"
    said = f"{summary.detectors:,} of {summary.units:,} units {verb} a concept"
    return ", ".join(filter(None, (said, reliable_phrase(summary))))


def reliable_phrase(summary: LayerSummary) -> str:
    """Say how many of a layer's detectors are reliable.

    Parameters
    ----------
    summary : LayerSummary

    Returns
    -------
    str
        Such as ``"84 of them reliably"``; empty if that is not known, or there are no detectors.
    """
    found = summary.reliable_detectors
    if found is None or not summary.detectors:
        return ""
    if summary.detectors == 1:
        return "reliably" if found else "but not reliably"
    many = "none" if not found else "all" if found == summary.detectors else f"{found:,}"
    return f"{many} of them reliably"


def best_layer(run: Dissection, quantile: float) -> LayerSummary | None:
    """Find the layer that a run is summed up by.

    Parameters
    ----------
    run : Dissection
    quantile : float
        One of its levels tau.

    Returns
    -------
    LayerSummary or None
        Of most unique detectors; on a tie one of the network's own, not one under a basis, and of these the
        deepest, as it is what most people look for. None without layers.
    """
    under = {info.name for info in run.layers if info.basis is not None}
    summaries = [summary for summary in run.summary() if summary.quantile == quantile]
    return max(
        reversed(summaries),
        key=lambda summary: (summary.unique_detectors, summary.layer not in under),
        default=None,
    )


def advice(run: Dissection) -> list[str]:
    """Say where fewer than half of a run's detectors are reliable, or none can be, and what would help.

    Parameters
    ----------
    run : Dissection

    Returns
    -------
    list of str
        A statement for each quantile of which that is so; one for all where the run has too few resamples,
        images or groups to tell.
    """
    aliases = {layer.name: layer.alias for layer in run.layers}
    said: list[str] = []
    lack = run.sample_size().lack()
    if lack:
        judged = any(s.reliable_detectors is not None and s.detectors for s in run.summary())
        return [f"no detector counts as reliable: {lack}"] if judged else []
    for quantile in run.quantiles:
        summaries = [summary for summary in run.summary() if summary.quantile == quantile]
        known = [s.reliable_detectors for s in summaries if s.reliable_detectors is not None]
        detectors = sum(summary.detectors for summary in summaries)
        if not known or sum(known) >= _FEW * detectors:
            continue
        where = f" at quantile {quantile:g}" if len(run.quantiles) > 1 else ""
        rare = sum(summary.rare_labels or 0 for summary in summaries)
        layers = [aliases[s.layer] for s in summaries if _lucky(s.reliable_detectors, s.detectors)]
        luck = f" In {_joined(layers)} they are so few that some of these are luck too." if layers else ""
        said.append(
            f"{_unreliable(sum(known), detectors, where)}.{luck} More images would help"
            f"{_fewer(run, rare, detectors)}"
        )
    return said


def _unreliable(reliable: int, detectors: int, where: str) -> str:
    if detectors == 1:
        return (
            f"the only detector{where} is not reliable: on other images of the same kind it may well have "
            "another label, or detect nothing"
        )
    if reliable:
        said = (
            f"only {reliable:,} of {detectors:,} detectors{where} {'is' if reliable == 1 else 'are'} reliable"
        )
        others = "the others"
    else:
        said, others = f"none of {detectors:,} detectors{where} is reliable", "them"
    fate = f"many of {others} would have another label, or detect nothing"
    return f"{said}: on other images of the same kind {fate}"


def _lucky(reliable: int | None, detectors: int) -> bool:
    return reliable is not None and 0 < reliable < _HARDLY_ANY * detectors


def _joined(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _fewer(run: Dissection, rare: int, detectors: int) -> str:
    # Where no concept is frequent, leaving the rare ones out leaves nothing.
    scarce = all(concept.images < RARE for concept in run.concepts)
    if rare < _MANY_RARE * detectors or rare == 0 or run.min_images >= RARE or scarce:
        return ""
    return (
        f", and so would fewer rare concepts: {rare:,} of the labels stand in fewer than {RARE} images, and "
        f"--min-images {RARE} leaves such concepts out"
    )


def left_out(run: Dissection) -> int:
    """Count the concepts that some image holds, but too few for a label.

    Parameters
    ----------
    run : Dissection

    Returns
    -------
    int
    """
    return sum(0 < concept.images < run.min_images for concept in run.concepts)
