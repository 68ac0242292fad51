"""The result of comparing runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from onnxdissect.arguments import checked_arguments
from onnxdissect.errors import ParameterError, nearest
from onnxdissect.experiments.comparison.formats.tables import TABLES, table_rows
from onnxdissect.experiments.comparison.records import (
    ComparedConcept,
    ComparedGroup,
    ComparedLayer,
    ComparedPair,
    UnitMatching,
)
from onnxdissect.results.data_frame import data_frame

__all__ = ["ComparisonResult"]


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """What a comparison of runs has found; made by `onnxdissect.compare`.

    Attributes
    ----------
    by : str
        What was grouped by: ``layer``, ``network``, ``run``, ``quantile``, ``basis``, or a manifest key.
    series : bool
        Whether groups stand along a series, such as checkpoints of one training.
    categories : tuple of str
        Of all runs, in the order of ``category.csv``.
    iou_threshold : float or None
        None where the runs differ in it.
    scoring : str or None
        Likewise.
    resamples : int
        Of the bootstrap; 0 where nothing was resampled.
    marks : tuple of str
        In what the runs differ that should not differ, a sentence each. But for another ``upsample``, which
        is compared as it is, empty unless it was compared anyway.
    warnings : tuple of str
        What the runs of the compared layers warn of, and what bears on their counts, a sentence each.
    layers : tuple of ComparedLayer
        In the order in which they were given.
    groups : tuple of ComparedGroup
        In the order of their first members, in a series by position.
    pairs : tuple of ComparedPair
        Each layer with the one that it is compared with.
    concepts : tuple of ComparedConcept
        Those that are detected anywhere, by category and name.
    matchings : tuple of UnitMatching
        Of pairs whose units were matched.
    """

    by: str
    series: bool
    categories: tuple[str, ...]
    iou_threshold: float | None
    scoring: str | None
    resamples: int
    marks: tuple[str, ...]
    warnings: tuple[str, ...]
    layers: tuple[ComparedLayer, ...]
    groups: tuple[ComparedGroup, ...]
    pairs: tuple[ComparedPair, ...]
    concepts: tuple[ComparedConcept, ...]
    matchings: tuple[UnitMatching, ...]

    @checked_arguments()
    def layer(self, name: str) -> ComparedLayer:
        """Find a compared layer.

        Parameters
        ----------
        name : str
            As the comparison calls it.

        Returns
        -------
        ComparedLayer

        Raises
        ------
        ParameterError
            If there is none of that name.
        """
        return self.layers[_place(name, [one.name for one in self.layers], "layer")]

    @checked_arguments()
    def pair(self, second: str, first: str | None = None) -> ComparedPair:
        """Find two layers that were compared.

        Parameters
        ----------
        second : str
            Name of the layer that is compared with another.
        first : str, optional
            Name of that one; by default the first that it was compared with.

        Returns
        -------
        ComparedPair

        Raises
        ------
        ParameterError
            If it was compared with none, or not with that one.
        """
        found = [pair for pair in self.pairs if pair.second == second]
        if not found:
            _place(second, [pair.second for pair in self.pairs], "layer that is compared with another")
        return found[0 if first is None else _place(first, [p.first for p in found], f"pair of {second!r}")]

    @checked_arguments()
    def to_pandas(self, table: str = "layers") -> Any:
        """Give a table of the result, with the columns of its CSV file.

        Parameters
        ----------
        table : {"layers", "groups", "pairs", "changes", "concepts", "matchings"}

        Returns
        -------
        pandas.DataFrame
            NaN where there is nothing to say.

        Raises
        ------
        InstallationError
            If pandas is not installed.
        ParameterError
            If there is no such table.
        """
        _place(table, list(TABLES), "table")
        return data_frame(table_rows(self, table), TABLES[table])

    def _repr_html_(self) -> str:
        heads = ["layer", "units", "detectors", "unique", "95 %", *self.categories]
        rows = [
            [
                one.name,
                one.units,
                one.detectors,
                f"{one.unique.value:g}",
                "" if one.unique.low is None else f"{one.unique.low:g} to {one.unique.high:g}",
                *(f"{one.unique_by_category[name].value:g}" for name in self.categories),
            ]
            for one in self.layers
        ]
        head = "".join(f"<th>{escape(name)}</th>" for name in heads)
        body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
        marks = "".join(f"<p>{escape(mark)}</p>" for mark in (*self.marks, *self.warnings))
        return f"{marks}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _place(name: str, known: Sequence[str], what: str) -> int:
    if name not in known:
        raise ParameterError(
            f"the comparison has no {what} {name!r}", candidates=nearest(name, known) or known[:5]
        )
    return known.index(name)
