"""The threshold sweep of a finished run: read, or made where an earlier version did not store it."""

from __future__ import annotations

from dataclasses import replace

from onnxdissect.arguments import checked_arguments
from onnxdissect.errors import ParameterError
from onnxdissect.results.dissection import Dissection
from onnxdissect.results.sweep.counting import count_sweep
from onnxdissect.results.sweep.generic import generic_concepts
from onnxdissect.results.sweep.records import ThresholdSweep
from onnxdissect.results.sweep.tables import read_sweep

__all__ = ["make_sweep", "threshold_sweep"]


@checked_arguments()
def threshold_sweep(dissection: Dissection, layer: str | None = None) -> ThresholdSweep:
    """Tell how the labels of a run change with the quantile level tau (paper section 3.2).

    A strict threshold shows what a unit is selective for; a loose one turns labels into generic ones: a
    colour, a texture, whatever covers much of the images. A run made at several quantiles stores what becomes
    of each label, and this reads it; of runs of earlier versions, and of what `Dissection.rescore` gives, it
    is made of their units.

    Parameters
    ----------
    dissection : Dissection
        Made at two quantiles or more.
    layer : str, optional
        Only this layer, by value name, alias, folder name or node name.

    Returns
    -------
    ThresholdSweep
        Counts are of units; shares are in [0, 1].

    Raises
    ------
    ParameterError
        If the run was made at one quantile.
    LayerNotFoundError
        If the run holds no such layer.
    RunFormatError
        If a stored table is damaged, or of another run.
    """
    if len(dissection.quantiles) < 2:
        raise ParameterError(
            f"the run {dissection.path} was made at one quantile, {dissection.quantiles[0]:g}: "
            "a sweep takes two or more",
            hint="onnxdissect run MODEL --quantile 0.001 --quantile 0.005 --quantile 0.02 --quantile 0.1",
        )
    name = None if layer is None else dissection.layer(layer).name
    found = read_sweep(dissection) if dissection.from_tables else None
    found = found or make_sweep(dissection)
    if name is None:
        return found
    return replace(found, layers=tuple(swept for swept in found.layers if swept.layer == name))


def make_sweep(dissection: Dissection) -> ThresholdSweep:
    """Make the sweep of a run anew, of its units and concepts.

    Parameters
    ----------
    dissection : Dissection
        Made at two quantiles or more.

    Returns
    -------
    ThresholdSweep
    """
    return count_sweep(
        dissection.layers,
        dissection.quantiles,
        dissection.units(),
        dissection.summary(),
        generic_concepts(dissection.concepts, dissection.images),
    )
