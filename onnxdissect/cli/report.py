"""``onnxdissect report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onnxdissect.cli import options
from onnxdissect.cli.printing.console import log
from onnxdissect.cli.printing.progress import open_progress

__all__ = ["report"]


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.", show_default=False)],
    data: Annotated[
        str | None, typer.Option(metavar=options.DATA, help="Where the run's data lies, if it has moved.")
    ] = None,
) -> None:
    """Build the pages of a finished run again."""
    from onnxdissect.report import build
    from onnxdissect.results import load

    progress = open_progress(log())
    try:
        page = build(load(run), data=data, progress=progress)
    finally:
        progress.close()
    print(page)
