"""``onnxdissect import-netdissect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from onnxdissect.cli.printing.console import log, output, print_json
from onnxdissect.cli.printing.tables import best_units, headlines, summary_json, summary_table

__all__ = ["import_netdissect"]


def import_netdissect(
    csv: Annotated[
        list[Path],
        typer.Argument(metavar="CSV...", help="Result files, one or one per layer.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(metavar="RUN", help="The run directory.", show_default=False)],
    layer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Name of each file's layer, by default made of the file's name."),
    ] = None,
    network: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the network, by default that of RUN.")
    ] = None,
    data_name: Annotated[str, typer.Option(metavar="NAME", help="Name of the data set.")] = "",
    quantile: Annotated[
        float, typer.Option(metavar="TAU", help="What the results were made at; files do not tell.")
    ] = 0.005,
    scoring: Annotated[
        str | None,
        typer.Option(metavar="paper|lite|pnas", help="Denominator of their IoU; by default as numbers look."),
    ] = None,
    iou_threshold: Annotated[
        float, typer.Option(help="A unit is a detector if its IoU exceeds this.")
    ] = 0.04,
    fresh: Annotated[bool, typer.Option("--fresh", help="Overwrite a run that is in --out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a run of published NetDissect results, to compare with.

    It holds units, labels and IoUs, and no images.
    """
    from onnxdissect.experiments.published.importing import import_netdissect as import_results

    console = log()
    run = import_results(
        csv,
        out,
        layers=layer or (),
        network=network,
        data_name=data_name,
        quantile=quantile,
        scoring=scoring,
        iou_threshold=iou_threshold,
        fresh=fresh,
        notify=lambda line: console.print(line, markup=False),
    )
    if as_json:
        print_json(summary_json(run))
        return
    told = output()
    told.print(summary_table(run))
    told.print()
    told.print(best_units(run))
    told.print()
    for line in headlines(run):
        told.print(line, markup=False, soft_wrap=True)
    told.print(f"run:    {run.path}", markup=False, soft_wrap=True)
    told.print(f"pages:  onnxdissect report {run.path}", markup=False, soft_wrap=True)
