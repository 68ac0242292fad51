"""``onnxdissect data info`` and ``data check``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxdissect.cli import options
from onnxdissect.cli.printing.console import log, output, print_json
from onnxdissect.cli.printing.progress import open_progress
from onnxdissect.cli.printing.tables import plain_table
from onnxdissect.core.progress import CountedPhase
from onnxdissect.data.links import CLEANED, LINKED, folder_spec
from onnxdissect.errors import ParameterError
from onnxdissect.machine import cores
from onnxdissect.storage.regular_files import is_folder
from onnxdissect.wording import counted

if TYPE_CHECKING:
    from onnxdissect.data import BrodenDataset, CleanedIndex, DatasetFacts, DatasetReport, PackedDataset

__all__ = ["check", "info", "print_facts"]

_CHECK_FAILED = 1
_SHOWN = 200

_Folder = Annotated[
    str,
    typer.Argument(
        metavar=options.DATA,
        help="A Broden folder, a packed file or its address, or a source: tiny, linked:DIR, cleaned:DIR.",
        show_default=False,
    ),
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def info(folder: _Folder, groups: options.Groups = None, as_json: _Json = False) -> None:
    """Say what a data set holds, from its tables."""
    from onnxdissect.data import describe

    facts = describe(_broden(folder, groups))
    if as_json:
        print_json(facts.to_json())
        return
    print_facts(facts)


def print_facts(facts: DatasetFacts, *others: tuple[str, str]) -> None:
    """Print what a data set holds, and under the same heading what else is known of it."""
    console = output()
    for name, value in (*_facts(facts), *others):
        console.print(f"{name + ':':<14}{value}", markup=False, soft_wrap=True)
    console.print()
    console.print(
        plain_table(
            None,
            ["category", ">concepts", ">images", "largest concepts (in whole images)"],
            [
                [c.name, c.concepts, c.images, ", ".join(f"{name} {area:.1f}" for name, area in c.largest)]
                for c in facts.categories
            ],
        )
    )


def check(
    folder: _Folder,
    groups: options.Groups = None,
    min_images: Annotated[
        int | None, typer.Option(metavar="N", help="Tell of concepts in fewer images: 10 by default.")
    ] = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Write an index beside, without the rows that cannot be read.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Look at every image and label of a data set; exit 1 if a run over it would fail."""
    from onnxdissect.data import clean_index

    place = _fixable(folder, groups) if fix else None
    report = _checked(folder, groups, min_images)
    cleaned = None if place is None else clean_index(place[0], report, follow_links=place[1])
    if as_json:
        print_json(report.to_json() | ({} if cleaned is None else {"cleaned": cleaned.to_json()}))
    else:
        _print_report(report)
        if cleaned is not None:
            _print_cleaned(folder, cleaned)
    if not report.ok and cleaned is None:
        raise typer.Exit(_CHECK_FAILED)


def _folder_of(spec: str) -> tuple[Path, bool] | None:
    """Give a folder, and whether its links are followed; None for anything else.

    It is checked row by row, also where it does not open. Anything else has to be opened first.
    """
    from onnxdissect.data import installed_sources

    name, argument = installed_sources().find(spec) or ("", spec)
    return (Path(argument), bool(name)) if name in ("", LINKED) and is_folder(argument) else None


def _checked(folder: str, groups: str | None, min_images: int | None) -> DatasetReport:
    from onnxdissect.data import PackedDataset, check_dataset, check_folder, check_packed

    place = _folder_of(folder)
    opened = None if place else _broden(folder, groups)
    bound = {} if min_images is None else {"min_images": min_images}
    if isinstance(opened, PackedDataset):
        _refuse_unused(folder, {"--groups": groups, "--min-images": min_images})
    progress = open_progress(log())
    done = CountedPhase(progress, "check")
    try:
        workers = max(2, cores())
        if isinstance(opened, PackedDataset):
            report = check_packed(opened, workers=workers, progress=done)
        elif opened is not None:
            report = check_dataset(opened, workers=workers, progress=done, **bound)
        elif place is not None:
            report = check_folder(
                place[0], groups=groups, follow_links=place[1], workers=workers, progress=done, **bound
            )
        done.finish()
    finally:
        progress.close()
    return report


def _refuse_unused(spec: str, given: dict[str, object]) -> None:
    for option, value in given.items():
        if value is not None:
            raise ParameterError(
                f"{option} is about images and concepts of a folder; of the packed file {spec} it is only "
                "looked at whether it is whole",
                hint=f"onnxdissect data check DIR {option} {value}, of the folder that it was packed from",
            )


def _fixable(spec: str, groups: str | None) -> tuple[Path, bool]:
    """Tell where a cleaned index goes, and whether links may lead out of there."""
    from onnxdissect.data import PackedDataset, refuse_cleaned

    place = _folder_of(spec)
    if place is None:
        opened = _broden(spec, groups)
        if isinstance(opened, PackedDataset):
            raise ParameterError(
                f"{spec} is a packed file, which stays as it was packed",
                hint="onnxdissect data check DIR --fix, of the folder that it was packed from",
            )
        place = opened.folder, opened.inside is None
        if spec.startswith(f"{CLEANED}:"):
            whole = shlex.quote(folder_spec(place[0], follow_links=place[1]))
            raise ParameterError(
                f"{spec} is cleaned already, and what is wrong with it came since",
                hint=f"remove {place[0] / opened.index}, then onnxdissect data check {whole} --fix",
            )
    refuse_cleaned(place[0])
    return place


def _print_report(report: DatasetReport) -> None:
    console = output()
    # errors, of which one is enough to stop a run, before warnings where not all are shown
    many = len(report.problems) > _SHOWN
    shown = sorted(report.problems, key=lambda p: many and p.level != "error")[:_SHOWN]
    if shown:
        console.print(
            plain_table(
                None,
                ["level", "file", ">row", "problem"],
                [[p.level, p.file, "" if p.row is None else p.row, p.message] for p in shown],
            )
        )
    if many:
        console.print(f"... and {len(report.problems) - _SHOWN:,} more; --json prints all")
    warnings = len(report.problems) - report.errors
    console.print(f"{report.name}: {report.images} images, {report.errors} errors, {warnings} warnings")


def _print_cleaned(spec: str, cleaned: CleanedIndex) -> None:
    console = output()
    if cleaned.path is None:
        console.print("every row can be read: nothing was written")
        return
    for row in cleaned.dropped:
        console.print(f"left out: line {row.line}, {row.image}: {row.reason}", markup=False, soft_wrap=True)
    rows = counted(len(cleaned.dropped), "row")
    console.print(
        f"{cleaned.path} lists {counted(cleaned.images, 'image')}; {rows} left out. "
        f"Run on it: --data {shlex.quote(f'{CLEANED}:{spec}')}",
        markup=False,
        soft_wrap=True,
    )


def _broden(spec: str, groups: str | None) -> BrodenDataset | PackedDataset:
    """Open a data set, and refuse one without tables to look at: only folders and packed files have them."""
    from onnxdissect.data import BrodenDataset, PackedDataset, open_data

    progress = open_progress(log())
    done = CountedPhase(progress, "data")
    try:
        found = open_data(spec, groups=groups, progress=done)
        done.finish()
    finally:
        progress.close()
    if not isinstance(found, BrodenDataset | PackedDataset):
        raise ParameterError(
            f"{spec} gives {len(found)} images that lie in no Broden folder: there are no tables to look at",
            hint=f"onnxdissect run MODEL --data {shlex.quote(spec)}",
        )
    return found


def _origin(facts: DatasetFacts) -> list[tuple[str, str]]:
    from onnxdissect.data.broden.about import part_text

    missing = f"none, as files are missing: onnxdissect data check {facts.folder} names them"
    lines = [("fingerprint", facts.fingerprint or missing)]
    about = facts.about
    if about is None:
        return lines
    told = (
        ("called", about.name),
        ("licence", about.licence or "not known"),
        ("homepage", about.homepage),
        ("citation", about.citation),
        ("made by", about.made),
        *(("from", part_text(part)) for part in about.from_),
    )
    return lines + [(name, value) for name, value in told if value]


def _facts(facts: DatasetFacts) -> list[tuple[str, str]]:
    def counted(items: dict[str, int]) -> str:
        return ", ".join(f"{name} {count}" for name, count in items.items())

    lines = [
        ("data set", f"{facts.name} ({facts.folder})"),
        *_origin(facts),
        ("images", f"{facts.images}, {facts.bare} of them without annotation"),
        ("concepts", str(facts.concepts)),
        ("splits", counted(facts.splits)),
        ("sources", counted(facts.sources)),
        ("image sizes", counted(facts.sizes)),
        ("label grids", counted(facts.grids)),
        ("groups", "none" if facts.groups is None else f"{facts.groups}, by {facts.grouped_by}"),
    ]
    if facts.several:
        lines.append(("in several", ", ".join(facts.several)))
    if facts.empty:
        lines.append(("empty", ", ".join(facts.empty)))
    return lines
