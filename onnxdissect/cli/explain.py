"""``onnxdissect explain``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onnxdissect.cli import options
from onnxdissect.cli.explained_folder import explain_folder
from onnxdissect.cli.printing.console import log, output, print_json
from onnxdissect.cli.printing.explanation import explanation_sentences, explanation_table
from onnxdissect.cli.printing.progress import open_progress

if TYPE_CHECKING:
    from rich.table import Table

    from onnxdissect.experiments.explanation import Explanation

__all__ = ["explain"]


def explain(
    model: Annotated[Path, typer.Argument(help="The ONNX file of the run.", show_default=False)],
    run: Annotated[
        Path, typer.Option(metavar="RUN", help="The run that labelled the units.", show_default=False)
    ],
    images: Annotated[
        list[Path] | None,
        typer.Argument(metavar="IMAGE", help="Image files of any size.", show_default=False),
    ] = None,
    labelled: Annotated[
        str | None,
        typer.Option(
            "--images",
            metavar="DIR|CSV|SOURCE",
            help="Labelled images instead: a folder a class, a table, or a data set with scenes.",
        ),
    ] = None,
    target: Annotated[
        str,
        typer.Option(
            "--class", metavar="NAME|NUMBER|top", help="The class to explain, by default the one predicted."
        ),
    ] = "top",
    layer: Annotated[
        str | None, typer.Option(metavar="L", help="Of the run; by default its deepest that all passes.")
    ] = None,
    top: Annotated[int, typer.Option(metavar="N", help="Units to tell of.")] = 6,
    classes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Names of the classes, one a line.")
    ] = None,
    attribution: Annotated[
        str, typer.Option(metavar="auto|linear|ablation|shapley|fitted", help="What a contribution is.")
    ] = "auto",
    ablate: Annotated[
        str, typer.Option(metavar="zero|mean|other-classes", help="What removed units are set to.")
    ] = "zero",
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|CSV|SPEC",
            help="Images of such means, or that fitted learns from; by default the run's own.",
        ),
    ] = None,
    over: Annotated[str, typer.Option(metavar="units|concepts", help="What shapley is over.")] = "units",
    players: Annotated[
        int | None, typer.Option(metavar="N", help="Units that shapley is over, by default the strongest 32.")
    ] = None,
    permutations: Annotated[
        int | None,
        typer.Option(metavar="N", help="Orders that shapley draws, by default 64, each with its reverse."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of what is drawn.")] = 0,
    output_name: options.ScoresOutput = None,
    reduce: options.Reduce = None,
    provider: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda|tensorrt", help="Where the network runs.")
    ] = "auto",
    bind: options.Bind = None,
    custom_ops: options.CustomOps = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write explanation.json, figures and a page there.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell which labelled units made a prediction, and where they fired.

    Contributions of a layer's units to the score of a class, with the labels and the thresholds of a run; no
    gradients. Nothing is written without --out.
    """
    from onnxdissect.experiments.explanation import expect_explanation_folder, explanations_json
    from onnxdissect.experiments.explanation.explain import explanations
    from onnxdissect.experiments.explanation.request import ExplanationRequest

    if labelled is not None:
        explain_folder(
            model, labelled, run, out, as_json=as_json, images=images, target=target, layer=layer, top=top,
            classes=classes, attribution=attribution, output=output_name, reduce=reduce,
            provider=provider, bind=options.bindings(bind), custom_ops=custom_ops or (),
            single={
                "--ablate": ablate != "zero", "--reference": reference is not None, "--over": over != "units",
                "--players": players is not None, "--permutations": permutations is not None,
            },
        )  # fmt: skip
        return
    if out is not None:
        expect_explanation_folder(out)
    console = log()
    progress = open_progress(console)
    request = ExplanationRequest(
        target=target,
        layer=layer,
        top=top,
        classes=classes,
        attribution=attribution,
        ablate=ablate,
        reference=reference,
        over=over,
        players=players,
        permutations=permutations,
        seed=seed,
        output=output_name,
        reduce=reduce,
        provider=provider,
        bind=options.bindings(bind),
        custom_ops=custom_ops or (),
    )
    try:
        found = explanations(
            model,
            images or [],
            run,
            request,
            progress=progress,
            notify=lambda line: console.print(f"warning: {line}", markup=False),
        )
        told = _Told(top, [], [], [])
        if out is None:
            for one in found:
                told.add(one)
        else:
            _write(told, found, len(images or []), out)
    finally:
        progress.close()
    if as_json:
        print_json(explanations_json(told.records) | {"files": [str(path) for path in told.files]})
        return
    _print(told)
    for path in told.files:
        console.print(f"written: {path}", markup=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class _Told:
    """What is kept of explanations once their images are let go: it is printed when all is whole."""

    top: int
    records: list[dict[str, Any]]
    tables: list[tuple[Table, list[str]]]
    files: list[Path]

    def add(self, one: Explanation) -> None:
        from onnxdissect.experiments.explanation import explanation_record

        self.records.append(explanation_record(one))
        self.tables.append((explanation_table(one, self.top), list(explanation_sentences(one))))


def _print(told: _Told) -> None:
    written = output()
    for number, (table, sentences) in enumerate(told.tables):
        if number:
            written.print()
        written.print(table)
        for line in sentences:
            written.print(line, markup=False, soft_wrap=True)


def _write(told: _Told, found: Iterable[Explanation], count: int, out: Path) -> None:
    """Write beside, and put it in the place of earlier explanations when all is whole."""
    from onnxdissect.experiments.explanation import expect_explanation_folder, write_records
    from onnxdissect.report.explanation import ExplanationPage
    from onnxdissect.report.figures.explanation import draw_explanation, figure_name
    from onnxdissect.report.pages.replacing import replacing_folder
    from onnxdissect.storage.disk import write_error
    from onnxdissect.storage.files import make_folder

    # a link stays, and what it leads to is replaced
    target = Path(os.path.realpath(out))
    make_folder(target.parent)
    try:
        with replacing_folder(target) as folder:
            figures: list[str] = []
            page = ExplanationPage(folder, make_folder(folder / "page"), count)
            for number, one in enumerate(found, 1):
                told.add(one)
                drawn = draw_explanation(one, folder, figure_name(number, count, one.image))
                figures += [path.name for path in drawn]
                page.add(one)
            write_records(told.records, folder, figures)
            page.write()
            # it may have been filled while the images were explained
            expect_explanation_folder(target)
    except OSError as error:
        raise write_error(out, error, doing=f"write the explanations {out}") from error
    told.files.extend(out / name for name in ("explanation.json", *figures, "segments.json", "index.html"))
