"""``onnxdissect explain``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxdissect.cli import options
from onnxdissect.cli.printing.console import log, output, print_json
from onnxdissect.cli.printing.explanation import explanation_sentences, explanation_table

if TYPE_CHECKING:
    from onnxdissect.experiments.explanation import Explanation

__all__ = ["explain"]


def explain(
    model: Annotated[Path, typer.Argument(help="The ONNX file of the run.", show_default=False)],
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="Image files of any size.", show_default=False)
    ],
    run: Annotated[
        Path, typer.Option(metavar="RUN", help="The run that labelled the units.", show_default=False)
    ],
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
        str, typer.Option(metavar="auto|linear|ablation", help="What a contribution is.")
    ] = "auto",
    output_name: Annotated[
        str | None, typer.Option("--output", metavar="NAME", help="The output with the scores.")
    ] = None,
    provider: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda|tensorrt", help="Where the network runs.")
    ] = "auto",
    bind: options.Bind = None,
    custom_ops: options.CustomOps = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write explanation.json and figures there.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell which labelled units made a prediction, and where they fired.

    Contributions of a layer's units to the score of a class, with the labels and the thresholds of a run; no
    gradients. Nothing is written without --out.
    """
    from onnxdissect.experiments.explanation import expect_explanation_folder, explanation_json
    from onnxdissect.experiments.explanation.explain import explain as explain_images

    if out is not None:
        expect_explanation_folder(out)
    console = log()
    found = explain_images(
        model,
        images,
        run,
        target=target,
        layer=layer,
        top=top,
        classes=classes,
        attribution=attribution,
        output=output_name,
        provider=provider,
        bind=options.bindings(bind),
        custom_ops=custom_ops or (),
        notify=lambda line: console.print(f"warning: {line}", markup=False),
    )
    files = [] if out is None else _write(found, out)
    if as_json:
        print_json(explanation_json(found) | {"files": [str(path) for path in files]})
        return
    written = output()
    for number, one in enumerate(found):
        if number:
            written.print()
        written.print(explanation_table(one))
        for line in explanation_sentences(one):
            written.print(line, markup=False, soft_wrap=True)
    for path in files:
        console.print(f"written: {path}", markup=False, soft_wrap=True)


def _write(found: Sequence[Explanation], out: Path) -> list[Path]:
    """Write beside, and put it in the place of earlier explanations when all is whole."""
    from onnxdissect.experiments.explanation import expect_explanation_folder, write_explanations
    from onnxdissect.report.figures.explanation import draw_explanations
    from onnxdissect.report.pages.replacing import replacing_folder
    from onnxdissect.storage.disk import write_error
    from onnxdissect.storage.files import make_folder

    # a link stays, and what it leads to is replaced
    target = Path(os.path.realpath(out))
    make_folder(target.parent)
    try:
        with replacing_folder(target) as folder:
            figures = draw_explanations(found, folder)
            written = [write_explanations(found, folder, [path.name for path in figures]), *figures]
            # it may have been filled while the images were explained
            expect_explanation_folder(target)
    except OSError as error:
        raise write_error(out, error, doing=f"write the explanations {out}") from error
    return [out / path.relative_to(folder) for path in written]
