"""``onnxdissect report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onnxdissect.cli import options
from onnxdissect.cli.printing.console import log
from onnxdissect.cli.printing.progress import open_progress
from onnxdissect.errors import RunFormatError

__all__ = ["report"]


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.", show_default=False)],
    data: Annotated[
        str | None, typer.Option(metavar=options.DATA, help="Where the run's data lies, if it has moved.")
    ] = None,
    explanations: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="What explain --out wrote: units link to predictions that they made; repeatable.",
        ),
    ] = None,
) -> None:
    """Build the pages of a finished run again."""
    from onnxdissect.report import build
    from onnxdissect.results import load

    console = log()
    progress = open_progress(console)
    try:
        dissection = load(run)
        pages = [build(dissection, data=data, progress=progress, explanations=explanations or ())]
        if (run / "rotation" / "rotation.json").exists():
            from onnxdissect.experiments.rotation import read_rotation
            from onnxdissect.report.rotation import build_rotation

            try:
                result = read_rotation(dissection)
            except RunFormatError as error:
                # The report of the run itself is there all the same.
                console.print(f"the page of rotations stays as it is: {error.message}", markup=False)
            else:
                pages.append(build_rotation(result, dissection, data=data, progress=progress))
    finally:
        progress.close()
    for page in pages:
        print(page)
