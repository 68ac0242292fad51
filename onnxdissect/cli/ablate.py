"""``onnxdissect ablate``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxdissect.cli import options
from onnxdissect.cli.printing.ablation import ablation_tables
from onnxdissect.cli.printing.console import log, output, print_json
from onnxdissect.cli.printing.progress import open_progress
from onnxdissect.errors import ParameterError, shown
from onnxdissect.storage.numerals import whole_number

if TYPE_CHECKING:
    from onnxdissect.experiments.ablation import AblationResult

__all__ = ["ablate"]


def ablate(
    model: Annotated[Path, typer.Argument(help="The ONNX file of the run.", show_default=False)],
    run: Annotated[
        Path, typer.Option(metavar="RUN", help="The run that labelled the units.", show_default=False)
    ],
    images: Annotated[
        str,
        typer.Option(
            metavar="DIR|CSV|SOURCE",
            help="A folder for each class, a table of image and class, or a data set of scenes.",
            show_default=False,
        ),
    ],
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            metavar="NAME|NUMBER",
            help="Whose most important units are removed, by default all that are shown; repeatable.",
        ),
    ] = None,
    layer: Annotated[
        str | None, typer.Option(metavar="L", help="Of the run; by default its deepest that all passes.")
    ] = None,
    top_n: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...", help="How many units to remove and to keep; by default 1,2,4,... and 20."
        ),
    ] = None,
    groups: Annotated[
        list[str] | None,
        typer.Option(
            metavar="concept|category|NAME",
            help="Detectors to remove together, such as all of tree; repeatable.",
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(metavar="N", help="Draws of random units, for comparison.")] = 5,
    rank_on: Annotated[
        str, typer.Option(metavar="half|all", help="Images that units are ranked on; the rest measures.")
    ] = "half",
    rank_by: Annotated[
        str, typer.Option(metavar="accuracy|log-loss", help="What makes a unit important for a class.")
    ] = "accuracy",
    seed: Annotated[int, typer.Option(metavar="N", help="Of halves, random units and resamples.")] = 0,
    bootstrap: Annotated[int, typer.Option(help="Resamples of the images for intervals; 0 for none.")] = 1000,
    limit: Annotated[
        int | None, typer.Option(metavar="N", help="Images, as many of each class as can be.")
    ] = None,
    classes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Names of the classes, one a line.")
    ] = None,
    output_name: options.ScoresOutput = None,
    reduce: options.Reduce = None,
    provider: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda|tensorrt", help="Where the network runs.")
    ] = "auto",
    bind: options.Bind = None,
    custom_ops: options.CustomOps = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write tables, arrays, figures and a page there, and go on."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over, whatever is in --out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Remove units, and measure which classes the network can no longer tell.

    Each unit by itself, the most important ones of each class and all but these, beside random ones, and
    groups of detectors. Nothing is written without --out; typed again with it, it goes on, or reads what is
    there.
    """
    from onnxdissect.experiments.ablation import ablation_json
    from onnxdissect.experiments.ablation.ablate import ablate as ablate_units

    console = log()
    progress = open_progress(console)
    try:
        result = ablate_units(
            model,
            images,
            run,
            target=target or (),
            layer=layer,
            top_n=_counts(top_n),
            groups=groups or (),
            repeats=repeats,
            rank_on=rank_on,
            rank_by=rank_by,
            seed=seed,
            resamples=bootstrap,
            limit=limit,
            classes=classes,
            output=output_name,
            reduce=reduce,
            provider=provider,
            bind=options.bindings(bind),
            custom_ops=custom_ops or (),
            out=out,
            fresh=fresh,
            progress=progress,
            notify=lambda line: console.print(f"warning: {line}", markup=False),
        )
        files = [] if out is None else _written(result, out)
    except KeyboardInterrupt:
        said = "the same command again goes on from the last chunk of images"
        raise KeyboardInterrupt(said if out is not None else "with --out DIR it could go on") from None
    finally:
        progress.close()
    if as_json:
        print_json(ablation_json(result) | {"files": [str(path) for path in files]})
        return
    _print(result)
    for path in files:
        console.print(f"written: {path}", markup=False, soft_wrap=True)


def _counts(text: str | None) -> Sequence[int]:
    found = [whole_number(part.strip(), least=1, most=2**31) for part in (text or "").split(",")]
    if text is None:
        return ()
    if None in found:
        raise ParameterError(
            f"--top-n takes numbers of units between commas, not {shown(text)}", hint="--top-n 1,4,20"
        )
    return [number for number in found if number is not None]


def _written(result: AblationResult, out: Path) -> list[Path]:
    from onnxdissect.experiments.ablation import ablation_files
    from onnxdissect.report.ablation import build_ablation
    from onnxdissect.report.figures.ablation import draw_ablation

    # the page links to the figures that are there
    return [*ablation_files(out), *draw_ablation(result, out), build_ablation(result, out)]


def _print(result: AblationResult) -> None:
    from onnxdissect.experiments.ablation.formats.wording import ablation_sentences

    console = output()
    for table in ablation_tables(result):
        console.print(table)
        console.print()
    for line in ablation_sentences(result):
        console.print(line, markup=False, soft_wrap=True)
