"""From the unit cards of a run's report to the predictions that a unit is told of in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxdissect.experiments.confusions.formats.told_units import PREDICTIONS, read_predicting_units
from onnxdissect.experiments.explanation.formats.folder import INDEX
from onnxdissect.experiments.explanation.formats.told_units import ToldUnits, read_told_units
from onnxdissect.report.pages.addresses import relative_address

if TYPE_CHECKING:
    from onnxdissect.results import Dissection

__all__ = ["UnitLinks", "explanation_links"]


@dataclass(frozen=True, slots=True)
class UnitLinks:
    """Pages of explanations that a report leads to.

    Attributes
    ----------
    pages : tuple of (str, ToldUnits)
        Each one's address, relative to the report, and the units that are told of there.
    """

    pages: tuple[tuple[str, ToldUnits], ...] = field(default=())

    def add_to(self, layer: str, units: Sequence[Sequence[dict[str, Any]]]) -> None:
        """Add to the records of a layer's units where they are told of.

        Parameters
        ----------
        layer : str
            Its ONNX value name.
        units : sequence of sequence of dict
            Per quantile. A unit that is told of anywhere gets ``explained``: per page
            ``[address, name of the folder, how many predictions]``.
        """
        for records in units:
            for record in records:
                found = [
                    [f"{address}#unit={record['unit']}", told.folder.resolve().name, count]
                    for address, told in self.pages
                    if (count := told.counts.get((layer, record["unit"]), 0))
                ]
                if found:
                    record["explained"] = found


def explanation_links(folders: Sequence[str | Path], run: Dissection, report: Path) -> UnitLinks:
    """Read which units are told of in folders of explanations.

    Parameters
    ----------
    folders : sequence of str or Path
        Written by ``explain --out``, of single images or of labelled ones.
    run : Dissection
        The run that labelled the units.
    report : Path
        Folder of its report.

    Returns
    -------
    UnitLinks

    Raises
    ------
    RunNotFoundError
        If a folder holds no explanations.
    RunFormatError
        If they have no page, or are damaged.
    RunMismatchError
        If they are of another run, or another layer.
    """
    pages = []
    for folder in folders:
        read = read_predicting_units if (Path(folder) / PREDICTIONS).exists() else read_told_units
        told = read(folder, run)
        pages.append((relative_address(told.folder / INDEX, report), told))
    return UnitLinks(tuple(pages))
