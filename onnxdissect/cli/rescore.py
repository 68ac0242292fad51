"""``onnxdissect rescore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from onnxdissect.cli import options
from onnxdissect.cli.printing.console import log, output, print_json
from onnxdissect.cli.printing.progress import open_progress
from onnxdissect.cli.printing.tables import headlines, summary_json, summary_table
from onnxdissect.cli.rotated import show_rotation
from onnxdissect.errors import ParameterError, RunMismatchError

if TYPE_CHECKING:
    from onnxdissect.results import Dissection

__all__ = ["rescore"]


class _Scores(NamedTuple):
    scoring: str | None
    iou_threshold: float | None
    min_images: int | None


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
    data: Annotated[
        str | None,
        typer.Option(
            metavar=options.DATA,
            help="Score the masks that the run has kept against these labels of its images; a new run.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="With --data: the new run. Default: dissections/<model>-<data>.")
    ] = None,
    groups: options.Groups = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="With --data: start over.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score a finished run by another convention, threshold, choice of concepts, or by other labels."""
    scores = _Scores(scoring, iou_threshold, min_images)
    if data is None:
        _refuse(out=out, groups=groups, fresh=fresh)
        dissection = _rescored(run, scores)
    else:
        dissection = _relabelled(run, data, out, groups, fresh, scores)
    _show(dissection, as_json)
    if data is None and (run / "report").exists() and not as_json:
        log().print(f"the pages still show the former scores; onnxdissect report {run}", markup=False)


def _refuse(**given: object) -> None:
    for name, value in given.items():
        if value:
            raise ParameterError(
                f"--{name} goes with --data: without it a run is scored in its place",
                hint=f"onnxdissect rescore RUN --data DATA --{name} ...",
            )


def _rescored(run: Path, scores: _Scores) -> Dissection:
    from onnxdissect.results import rescore as rescore_run

    dissection = rescore_run(
        run, scoring=scores.scoring, iou_threshold=scores.iou_threshold, min_images=scores.min_images
    )
    if (run / "rotation" / "rotation.json").exists():
        _renew_rotation(dissection)
    return dissection


def _relabelled(
    run: Path, data: str, out: Path | None, groups: str | None, fresh: bool, scores: _Scores
) -> Dissection:
    from onnxdissect.experiments.relabelling.relabel import relabel

    console = log()
    progress = open_progress(console)
    try:
        dissection = relabel(
            run,
            data,
            out=out,
            groups=groups,
            scoring=scores.scoring,
            iou_threshold=scores.iou_threshold,
            min_images=scores.min_images,
            fresh=fresh,
            progress=progress,
            notify=lambda line: console.print(line, markup=False, soft_wrap=True),
        )
    finally:
        progress.close()
    console.print(f"{dissection.path}: onnxdissect report {dissection.path}", markup=False, soft_wrap=True)
    return dissection


def _show(dissection: Dissection, as_json: bool) -> None:
    if as_json:
        print_json(summary_json(dissection))
        return
    console = output()
    console.print(summary_table(dissection))
    console.print()
    for line in headlines(dissection):
        console.print(line, markup=False, soft_wrap=True)


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
