"""``onnxdissect rescore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxdissect.cli.printing.console import log, output, print_json
from onnxdissect.cli.printing.progress import open_progress
from onnxdissect.cli.printing.tables import headlines, summary_json, summary_table
from onnxdissect.cli.rotated import show_rotation
from onnxdissect.errors import RunMismatchError

if TYPE_CHECKING:
    from onnxdissect.results import Dissection

__all__ = ["rescore"]


def rescore(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.", show_default=False)],
    scoring: Annotated[
        str | None, typer.Option(metavar="paper|lite|pnas", help="Denominator of the IoU, as published.")
    ] = None,
    iou_threshold: Annotated[
        float | None, typer.Option(help="A unit is a detector if its IoU exceeds this.")
    ] = None,
    min_images: Annotated[
        int | None,
        typer.Option(metavar="N", help="Concepts held by fewer images are no candidates for labels."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score a finished run by another convention, threshold or choice of concepts, from its counts alone."""
    from onnxdissect.results import rescore as rescore_run

    dissection = rescore_run(run, scoring=scoring, iou_threshold=iou_threshold, min_images=min_images)
    if (run / "rotation" / "rotation.json").exists():
        _renew_rotation(dissection)
    if as_json:
        print_json(summary_json(dissection))
        return
    console = output()
    console.print(summary_table(dissection))
    console.print()
    for line in headlines(dissection):
        console.print(line, markup=False, soft_wrap=True)
    if (run / "report").exists():
        log().print(f"the pages still show the former scores; onnxdissect report {run}", markup=False)


def _renew_rotation(dissection: Dissection) -> None:
    """Make what `rotate` has made of the run go with its new scores."""
    from onnxdissect.experiments.rotation import renew_rotation

    console = log()
    progress = open_progress(console)
    try:
        result = renew_rotation(dissection, progress, lambda line: console.print(line, markup=False))
        page = show_rotation(result, dissection, progress)[1]
    except RunMismatchError as error:
        console.print(f"rotation/ stays as it is: {error.message}", markup=False)
        return
    finally:
        progress.close()
    console.print(f"rotation/ was made anew with these scores: {page}", markup=False, soft_wrap=True)
