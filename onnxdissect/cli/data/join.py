"""``onnxdissect data join``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxdissect.cli.printing.console import log, output, print_json
from onnxdissect.cli.printing.progress import open_progress
from onnxdissect.cli.printing.tables import plain_table
from onnxdissect.core.progress import CountedPhase
from onnxdissect.data.sources import folder_spec
from onnxdissect.errors import listed
from onnxdissect.machine import cores

if TYPE_CHECKING:
    from onnxdissect.data import JoinReport
    from onnxdissect.data.joining.report import JoinedConcept

__all__ = ["join"]

_SHOWN = 100


def join(
    folders: Annotated[
        list[str],
        typer.Argument(metavar="DIR|SOURCE...", help="Broden folders, or sources.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to; new or empty.", show_default=False)],
    synonyms: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV with the columns synonym and name, beside the shipped table."),
    ] = None,
    min_images: Annotated[int, typer.Option(metavar="N", help="Concepts in fewer images are dropped.")] = 1,
    splits: Annotated[
        str,
        typer.Option(
            metavar="keep|NAME=SHARE,...", help="Splits as they are, or drawn by what the files hold."
        ),
    ] = "keep",
    link: Annotated[
        bool, typer.Option("--link", help="Leave images where they are, and link to them.")
    ] = False,
    name: Annotated[str, typer.Option(help="What about.json calls it; by default the folder's name.")] = "",
    licence: Annotated[str, typer.Option(help="For about.json; by default that of the data sets.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Join data sets into one vocabulary, as Broden was made."""
    from onnxdissect.data.joining.join import join_datasets
    from onnxdissect.data.joining.options import JoinOptions, parse_splits

    asked = JoinOptions(
        synonyms, min_images, parse_splits(splits), link, name, licence, workers=max(2, cores())
    )
    progress = open_progress(log())
    phases = {phase: CountedPhase(progress, phase) for phase in ("data", "counting", "joining")}

    def tell(phase: str, done: int, total: int) -> None:
        phases[phase](done, total)
        if done == total:
            phases[phase].finish()

    try:
        report = join_datasets(folders, out, asked, progress=tell)
    finally:
        progress.close()
    spec = folder_spec(out, linked=link)
    if as_json:
        print_json({"folder": str(out), "spec": spec, **report.to_json()})
        return
    _print_report(report)
    output().print(f"\nonnxdissect run MODEL --data {shlex.quote(spec)}", markup=False, soft_wrap=True)


def _print_report(report: JoinReport) -> None:
    console = output()
    console.print(
        plain_table(
            None,
            ["data set", ">images", ">concepts", "licence"],
            [
                [part.name, part.images, part.concepts, part.part.licence or "not known"]
                for part in report.parts
            ],
        )
    )
    renamed = [concept for concept in report.merged if len(concept.names) > 1]
    if renamed:
        console.print()
        console.print(
            plain_table(
                None,
                ["merged into", "category", ">images", "from"],
                [[c.name, c.category, c.images, _origins(c)] for c in renamed[:_SHOWN]],
            )
        )
        if len(renamed) > _SHOWN:
            console.print(f"... and {len(renamed) - _SHOWN:,} more; joined.json names all")
    console.print()
    for line in _told(report):
        console.print(line, markup=False, soft_wrap=True)


def _origins(concept: JoinedConcept) -> str:
    return ", ".join(f"{origin.source}: {origin.name} ({origin.number})" for origin in concept.origins)


def _told(report: JoinReport) -> Iterator[str]:
    splits = ", ".join(f"{name or 'no split'} {count:,}" for name, count in report.splits.items())
    categories = ", ".join(f"{name} {count:,}" for name, count in report.categories.items())
    yield f"images:       {report.images:,} ({splits})"
    yield f"concepts:     {len(report.concepts):,} ({categories})"
    yield f"made of:      {report.renumbered:,} concepts; {len(report.merged):,} are made of several"
    if report.dropped:
        names = listed([concept.name for concept in report.dropped])
        few = (
            f"fewer than {report.min_images:,} images, now unlabelled"
            if report.min_images > 1
            else "no image"
        )
        yield f"dropped:      {len(report.dropped):,} in {few}: {names}"
    for part in report.parts:
        for own, theirs in part.categories.items():
            yield f"category:     {own} of {part.name} is {theirs}"
        if part.nameless:
            numbers = listed([str(number) for number in part.nameless])
            yield f"nameless:     {numbers} of {part.name}: no concepts, unlabelled now"
    for apart in report.kept_apart:
        yield f"kept apart:   {apart.synonym} and {apart.name}, which {apart.source} tells apart"
    if report.unknown_synonyms:
        yield f"unknown:      no data set has {listed(report.unknown_synonyms)} of the table of synonyms"
    if report.doubles:
        one, other, *_ = report.doubles[0]
        extra = sum(len(names) - 1 for names in report.doubles)
        yield f"doubles:      {extra:,} images are there once more, such as {other}, which is {one}"
    if report.renamed:
        before, now = next(iter(report.renamed.items()))
        yield f"renamed:      {len(report.renamed):,} images, such as {before}, which is {now}"
