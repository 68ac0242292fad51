"""Compared layers that saturate: what their runs warned of bears on every difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onnxdissect.experiments.comparison.selection import Selected
from onnxdissect.wording import counted

__all__ = ["saturation_warnings"]


def saturation_warnings(layers: Sequence[Selected]) -> Iterator[str]:
    """Say again which compared layers have units without masks because they saturate, as their runs warn.

    Parameters
    ----------
    layers : sequence of Selected

    Yields
    ------
    str
        A sentence for each that has such units; imported results do not tell.
    """
    for layer in layers:
        count, units = layer.summary.plateau_units, layer.summary.units
        if count:
            verb, who = ("have", "they saturate") if count > 1 else ("has", "it saturates")
            yield (
                f"{layer.name}: {count:,} of {counted(units, 'unit')} {verb} no mask at quantile "
                f"{layer.quantile:g}, because {who} (as ReLU6 does): counts of this layer are of the others, "
                "and other quantiles may give these one"
            )
