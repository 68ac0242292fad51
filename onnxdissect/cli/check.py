"""``onnxdissect check``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from onnxdissect.cli import options
from onnxdissect.cli.console import log, output, print_json
from onnxdissect.cli.tables import plain_table
from onnxdissect.errors import ParameterError

__all__ = ["check"]

_FAILED = 1


def check(
    model: Annotated[Path | None, typer.Argument(help="The candidate, an ONNX file.")] = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="RUN|FILE", help="A run directory or a baseline.json.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Another ONNX file, dissected first.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="DIR|tiny", help="Where the baseline's data lies.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Rules; by default onnxdissect.toml, else pyproject.toml.")
    ] = None,
    write_baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write --baseline RUN as a file to commit, and stop.")
    ] = None,
    init: Annotated[
        bool, typer.Option("--init", help="Write a commented onnxdissect.toml from --baseline, and stop.")
    ] = False,
    image_size: options.ImageSize = None,
    bind: options.Bind = None,
    layout: options.Layout = None,
    custom_ops: options.CustomOps = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML.")] = None,
    sarif: Annotated[Path | None, typer.Option(metavar="FILE", help="Write SARIF 2.1.0.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write Markdown.")] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page with the changed units before and after."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Test whether a model has kept what its baseline knew; exit code 1 if it has not."""
    from onnxdissect.check import baseline as files
    from onnxdissect.check import outputs
    from onnxdissect.check.config import read_config
    from onnxdissect.check.gate import ModelOptions, check_model
    from onnxdissect.check.start import first_config
    from onnxdissect.files import write_text

    if (baseline is None) == (against is None):
        raise ParameterError("a check takes either --baseline or --against", hint="--baseline baseline.json")
    if write_baseline is not None:
        if baseline is None:
            raise ParameterError("--write-baseline takes its figures from --baseline RUN")
        files.write_baseline(write_baseline, files.open_baseline(baseline))
        log().print(f"wrote {write_baseline}", markup=False)
        return
    if init:
        if baseline is None:
            raise ParameterError("--init takes its figures from --baseline")
        target = config or Path("onnxdissect.toml")
        if target.exists():
            raise ParameterError(f"{target} exists already", hint="--config with another name")
        write_text(target, first_config(files.open_baseline(baseline)))
        log().print(f"wrote {target}", markup=False)
        return
    if model is None:
        raise ParameterError("which model is to be checked?", hint="onnxdissect check MODEL --baseline ...")
    console = log()
    verdict = check_model(
        model,
        baseline or against or "",
        read_config(config),
        data=data,
        options=ModelOptions(
            image_size=options.image_size(image_size),
            bind=options.bindings(bind),
            layouts=options.layouts(layout),
            custom_ops=custom_ops or (),
        ),
        page=html,
        notify=lambda line: console.print(line, markup=False),
    )
    for path, text in (
        (junit, outputs.junit),
        (sarif, outputs.sarif),
        (markdown, outputs.markdown),
    ):
        if path is not None:
            write_text(path, text(verdict))
    if as_json:
        print_json(verdict.to_json())
    else:
        rows = [
            [
                f.outcome,
                f.rule,
                f.layer,
                "\n".join([f.message, *f.evidence]),
            ]
            for f in verdict.findings
        ]
        output().print(plain_table(verdict.headline, ["outcome", "rule", "layer", "reason"], rows))
        if os.environ.get("GITHUB_ACTIONS"):
            for line in outputs.github(verdict):
                print(line)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(outputs.markdown(verdict))
    for statement in verdict.statements:
        console.print(statement, markup=False)
    if not verdict.passed:
        raise typer.Exit(_FAILED)
