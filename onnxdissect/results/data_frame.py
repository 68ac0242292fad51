"""Rows of a table as a pandas data frame, where pandas is installed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

from onnxdissect.errors import InstallationError

__all__ = ["data_frame"]


def data_frame(rows: Iterable[Iterable[Any]], columns: Sequence[str]) -> Any:
    """Make a data frame.

    Parameters
    ----------
    rows : iterable of iterable
        Cells; None becomes NaN.
    columns : sequence of str
        A name per cell of a row.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    InstallationError
        If pandas is not installed.
    """
    try:
        pandas = import_module("pandas")
    except ImportError as error:
        raise InstallationError(
            f"to_pandas() needs pandas, and it does not load: {error}", hint="pip install pandas"
        ) from error
    cells = [[math.nan if cell is None else cell for cell in row] for row in rows]
    return pandas.DataFrame(cells, columns=list(columns))
