"""``onnxdissect data tiny``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onnxdissect.cli.printing.console import log
from onnxdissect.cli.printing.progress import open_progress
from onnxdissect.core.progress import CountedPhase
from onnxdissect.machine import cores

__all__ = ["tiny"]


def tiny(
    folder: Annotated[Path, typer.Argument(help="Where to; new or empty.", show_default=False)],
    images: Annotated[int | None, typer.Option(help="How many images.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed draws other images.")] = None,
) -> None:
    """Draw the data set tiny into a folder of your own."""
    from onnxdissect.tiny import make_tiny

    console = log()
    progress = open_progress(console)
    done = CountedPhase(progress, "tiny")
    asked = {"images": images, "seed": seed}
    given = {name: value for name, value in asked.items() if value is not None}
    try:
        make_tiny(folder, workers=max(2, cores()), progress=done, **given)
        done.finish()
    finally:
        progress.close()
    print(folder)
