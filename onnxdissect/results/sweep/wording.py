"""A threshold sweep in a sentence."""

from __future__ import annotations

from onnxdissect.results.sweep.records import LayerSweep

__all__ = ["sweep_sentence"]


def sweep_sentence(sweep: LayerSweep) -> str:
    """Say how many labels of a layer stay the same at every quantile, and how generic they become.

    Parameters
    ----------
    sweep : LayerSweep

    Returns
    -------
    str
        Such as ``"11 of 128 units have the same label at every quantile from 0.001 to 0.1; generic among the
        detectors' labels: 9 % at 0.001, 85 % at 0.1"``; without the latter where nothing is detected.
    """
    first, last = sweep.quantiles[0], sweep.quantiles[-1]
    units = len(sweep.units)
    verb = "has" if sweep.same_label == 1 else "have"
    said = (
        f"{sweep.same_label:,} of {units:,} {'unit' if units == 1 else 'units'} {verb} the same label at "
        f"every quantile from {first:g} to {last:g}"
    )
    shares = [
        f"{100 * counts.generic_share:.0f} % at {counts.quantile:g}"
        for counts in sweep.counts
        if counts.generic_share is not None
    ]
    return f"{said}; generic among the detectors' labels: {', '.join(shares)}" if shares else said
