"""What layers of result files are called that do not say it themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from onnxdissect.errors import ParameterError, shown
from onnxdissect.experiments.published.layers import PublishedLayer
from onnxdissect.experiments.published.table import ResultTable
from onnxdissect.wording import counted

__all__ = ["name_layers"]

# What tools call the file of whatever layer: then its folder tells which.
_GENERIC = {"tally", "netdissect", "result", "results"}
_ENDING = "-result"


def name_layers(found: Sequence[tuple[ResultTable, PublishedLayer]], given: Sequence[str]) -> list[str]:
    """Name the layers of a run.

    Parameters
    ----------
    found : sequence of (ResultTable, PublishedLayer)
        In order, each with its file.
    given : sequence of str
        Names of those that do not tell their own, in order; none takes them from the files' names.

    Returns
    -------
    list of str
        No two alike.

    Raises
    ------
    ParameterError
        If names are given for layers that have some, or too few or too many, or two layers are called alike.
    """
    nameless = [table for table, layer in found if not layer.name]
    if given and len(given) != len(nameless):
        reason = "have no column layer" if len(nameless) != 1 else "has no column layer"
        raise ParameterError(
            f"{counted(len(given), 'name')} given for layers, and {counted(len(nameless), 'file')} {reason}",
            hint="--layer NAME once for each of these files, in their order",
        )
    named = iter(given or [_file_name(table.path) for table in nameless])
    names = [layer.name or next(named) for _, layer in found]
    doubled, times = Counter(names).most_common(1)[0]
    if times > 1 or not all(names):
        said = (
            f"{times} layers would be called {shown(doubled)}" if times > 1 else "a layer has an empty name"
        )
        raise ParameterError(
            said, hint="--layer NAME once for each file without a column layer, in their order"
        )
    return names


def _file_name(path: Path) -> str:
    """``conv5`` of ``conv5-result.csv``, of ``conv5/tally.csv`` and of ``conv5.csv``."""
    name = path.stem.removesuffix(_ENDING)
    if name.casefold() in _GENERIC or name.startswith("netdissect-"):
        name = path.absolute().parent.name
    return name or path.name
