"""``onnxdissect compare``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxdissect.cli.printing.comparison import (
    comparison_csv,
    comparison_markdown,
    comparison_sentences,
    comparison_tables,
)
from onnxdissect.cli.printing.console import log, output, print_json
from onnxdissect.cli.printing.progress import open_progress
from onnxdissect.core.progress import Progress
from onnxdissect.errors import OutputError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onnxdissect.experiments.comparison import ComparisonResult
    from onnxdissect.results import Dissection

__all__ = ["compare"]


def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Run directories, or globs.", show_default=False)
    ],
    layer: Annotated[
        list[str] | None,
        typer.Option(metavar="SEL", help="Value, alias, glob or last, by default all; repeatable."),
    ] = None,
    quantile: Annotated[
        list[float] | None,
        typer.Option(metavar="TAU", help="By default the first of each run; repeatable."),
    ] = None,
    basis: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Layers under this basis too, or a glob; repeatable."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="layer|network|run|quantile|basis|number|KEY",
            help="What to group by; KEY is one of the manifest, such as parameters.min_images.",
        ),
    ] = None,
    series: Annotated[
        bool, typer.Option("--series", help="Groups stand in an order, such as checkpoints of a training.")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="first|previous|all|NAME",
            help="What each group is compared with: first by default, previous in a series.",
        ),
    ] = None,
    resamples: Annotated[
        int | None,
        typer.Option(metavar="N", help="Of the images, by default as in the runs; 0 for none."),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Compare runs of different data or definitions, and mark it.")
    ] = False,
    match: Annotated[
        str | None,
        typer.Option(metavar="masks|profiles", help="Match the units of each pair, one to one."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write tables, figures and a page there.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all numbers as one table in CSV.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
) -> None:
    """Put layers, networks, checkpoints, quantiles or bases side by side.

    Unique detectors by category with intervals, paired differences, concepts gained, lost and kept, and the
    overlap of labels beside what chance gives. Nothing is written without --out.
    """
    from onnxdissect.experiments.comparison import expect_replaceable
    from onnxdissect.experiments.comparison.compare import compare as compare_runs
    from onnxdissect.experiments.comparison.selection import open_runs
    from onnxdissect.experiments.matching.match import check_matched_by

    forms = {"--json": as_json, "--csv": as_csv, "--markdown": as_markdown}
    asked = [name for name, given in forms.items() if given]
    if len(asked) > 1:
        raise ParameterError(f"{asked[0]} and {asked[1]} cannot both go to standard output", hint=asked[0])
    if out is not None:
        expect_replaceable(out)
    if match is not None:
        check_matched_by(match)
    opened = [run.dissection for run in open_runs(runs)]
    progress = open_progress(log())
    try:
        result = compare_runs(
            opened,
            layers=layer or (),
            quantiles=quantile or (),
            bases=basis or (),
            by=by,
            series=series,
            against=against,
            resamples=resamples,
            anyway=anyway,
            match=match,
            progress=progress,
        )
        files = [] if out is None else _write(result, opened, out, progress)
    finally:
        progress.close()
    for mark in result.marks:
        log().print(f"not alike: {mark}", markup=False)
    for warning in result.warnings:
        log().print(f"warning: {warning}", markup=False)
    if as_json:
        from dataclasses import asdict

        print_json(asdict(result) | {"files": [str(path) for path in files]})
    elif as_csv:
        print(comparison_csv(result), end="")
    elif as_markdown:
        print(comparison_markdown(result))
    else:
        _print(result)
    if files and not as_json:
        log().print(f"page: {files[-1]}", markup=False, soft_wrap=True)


def _write(
    result: ComparisonResult, opened: Sequence[Dissection], out: Path, progress: Progress
) -> list[Path]:
    """Write the result beside, and put it in the place of an earlier one when it is whole."""
    from onnxdissect.experiments.comparison import (
        comparison_files,
        expect_outside,
        expect_replaceable,
        write_comparison,
    )
    from onnxdissect.report.comparison import show_comparison
    from onnxdissect.report.pages.replacing import replacing_folder
    from onnxdissect.storage.disk import full_disk, write_error
    from onnxdissect.storage.files import make_folder

    # a link stays, and what it leads to is replaced
    target = Path(os.path.realpath(out))
    runs = {str(run.path): run for run in opened}
    expect_outside(target, runs)
    make_folder(target.parent)
    try:
        with replacing_folder(target) as folder:
            write_comparison(result, folder)
            figures, page = show_comparison(result, runs, folder, progress, earlier=target)
            written = [*comparison_files(folder), *figures, page]
            # it may have been filled while the runs were compared
            expect_replaceable(target)
    except (OSError, OutputError) as error:
        found = full_disk(error) or error
        if isinstance(found, OutputError):
            raise
        # unlike a run's, nothing of it is saved before it is whole
        kept = "nothing of it is left, and an earlier comparison there is as it was"
        raise write_error(out, found, doing=f"write the comparison {out}", kept=kept) from error
    return [out / path.relative_to(folder) for path in written]


def _print(result: ComparisonResult) -> None:
    console = output()
    for table in comparison_tables(result):
        console.print(table)
        console.print()
    for line in comparison_sentences(result):
        console.print(line, markup=False, soft_wrap=True)
