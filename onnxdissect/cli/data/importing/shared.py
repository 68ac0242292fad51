"""What every format's command has: where to, the options of writing, and what is printed."""

from __future__ import annotations

import functools
import inspect
import shlex
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from onnxdissect.cli.printing.console import log, output, print_json
from onnxdissect.cli.printing.progress import open_progress
from onnxdissect.cli.printing.tables import plain_table
from onnxdissect.core.progress import CountedPhase
from onnxdissect.errors import ParameterError
from onnxdissect.machine import cores
from onnxdissect.wording import counted

if TYPE_CHECKING:
    from onnxdissect.data.importers.imported import ImportedData
    from onnxdissect.data.importers.report import ImportReport

__all__ = ["Ignore", "Root", "SharedOptions", "import_command"]

Root = Annotated[
    Path, typer.Option("--root", metavar="DIR", help="The data set's folder, as it was unpacked.")
]
"""Of formats whose folders have names of their own."""
Ignore = Annotated[
    str | None,
    typer.Option(metavar="0,255", help="Indices, or colours as #rrggbb, of pixels that are unlabelled."),
]
"""Of formats with masks."""


@dataclass(frozen=True, kw_only=True)
class SharedOptions:
    """Options of every format; those but `as_json` are `onnxdissect.data.importers.options.ImportOptions`."""

    size: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Images become NxN, label grids half of that; else all keep their sizes."
        ),
    ] = None
    aspect: Annotated[
        str | None,
        typer.Option(metavar="stretch|crop|pad", help="How an image becomes a square; stretch by default."),
    ] = None
    resample: Annotated[
        str | None,
        typer.Option(
            metavar="nearest|majority",
            help="What a cell takes of a label map: by default majority for parts, nearest for all else.",
        ),
    ] = None
    upright: Annotated[
        bool,
        typer.Option("--upright", help="Annotations lie over images turned as their EXIF data say."),
    ] = False
    link: Annotated[
        bool, typer.Option("--link", help="Leave images where they are, with a link to each.")
    ] = False
    color: Annotated[bool, typer.Option("--color", help="Label each pixel with one of 11 colours.")] = False
    scene: Annotated[
        str | None, typer.Option(metavar="folders", help="Label each image with its folder as a scene.")
    ] = None
    limit: Annotated[int | None, typer.Option(metavar="N", help="Only the first N images.")] = None
    split_from: Annotated[
        str | None,
        typer.Option(
            metavar="folders|hash", help="Splits by folders called train, val, test; or by content."
        ),
    ] = None
    group: Annotated[
        str | None,
        typer.Option(metavar="folder|prefix:N|none", help="Images that belong together, by their paths."),
    ] = None
    name: Annotated[str, typer.Option(metavar="TEXT", help="Of the data set; by default its folder's.")] = ""
    licence: Annotated[str, typer.Option(metavar="TEXT", help="Of images and labels, kept with them.")] = ""
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False


def import_command(read: Callable[..., ImportedData]) -> Callable[..., None]:
    """Make a command of a function that reads a format: its options, and those that all formats share."""
    assert isinstance(read, FunctionType)

    def command(*, out: Path, **given: Any) -> None:
        as_json = given.pop("as_json")
        _refuse_inside(out, given)
        made = _made(read, given)
        shared = {field.name: given.pop(field.name) for field in fields(SharedOptions) if field.name in given}
        _print(_import(lambda: read(**given), out, {**shared, "made": made}), as_json=as_json)

    where = inspect.Parameter(
        "out",
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        annotation=Annotated[Path, typer.Argument(help="Where to; new or empty.", show_default=False)],
    )
    options = [*_parameters(read, read), *_parameters(SharedOptions, SharedOptions.__init__)]
    functools.update_wrapper(command, read)
    del command.__wrapped__  # type: ignore[attr-defined]
    command.__signature__ = inspect.Signature([where, *options])  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in (where, *options)}
    return command


def _parameters(holder: Any, function: Any) -> list[inspect.Parameter]:
    """Parameters as keywords, their annotations evaluated; what is returned is not imported for that."""
    here = getattr(function, "__globals__", {}) if function is holder else globals()
    bare = FunctionType((lambda: None).__code__, here)
    bare.__annotations__ = {name: hint for name, hint in holder.__annotations__.items() if name != "return"}
    hints = get_type_hints(bare, include_extras=True)
    known = inspect.signature(function).parameters
    return [
        known[name].replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hint)
        for name, hint in hints.items()
    ]


def _refuse_inside(out: Path, given: dict[str, Any]) -> None:
    """Refuse to write among what is read: the next import would take it for images."""
    for name, value in given.items():
        if isinstance(value, Path) and value.is_dir() and out.resolve().is_relative_to(value.resolve()):
            raise ParameterError(
                f"{out} lies in {value}, which --{name.replace('_', '-')} takes images or annotations from",
                hint="name a folder elsewhere",
            )


def _made(read: FunctionType, given: dict[str, Any]) -> str:
    """Say how the data set is made: by options that decide what it holds, not where it lay."""
    defaults = {name: one.default for name, one in inspect.signature(read).parameters.items()}
    said = [f"import {read.__name__}"]
    for name, value in given.items():
        paths = value if isinstance(value, list) else [value]
        if name in ("name", "licence") or value in (None, False, "", []) or value == defaults.get(name):
            continue
        if not any(isinstance(one, Path) for one in paths):
            said += [f"--{name.replace('_', '-')}" + f" {one}" * (one is not True) for one in paths]
    return " ".join(said)


def _import(read: Callable[[], ImportedData], out: Path, shared: dict[str, Any]) -> ImportReport:
    from onnxdissect.data.importers.options import ImportOptions
    from onnxdissect.data.importers.writing import KEPT, write_imported
    from onnxdissect.storage.new_folder import refuse_filled

    options = ImportOptions(workers=max(2, cores()), **shared)
    refuse_filled(out, KEPT)  # here as well, since some formats read for long
    progress = open_progress(log())
    done = CountedPhase(progress, "import")
    try:
        report = write_imported(read(), out, options, done)
        done.finish()
    finally:
        progress.close()
    return report


def _print(report: ImportReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report.to_json())
        return
    console = output()
    console.print(
        plain_table(
            None,
            ["category", ">concepts", ">images", ">pixels"],
            [[one.name, one.concepts, one.images, f"{one.pixels:,}"] for one in report.categories],
        )
    )
    splits = ", ".join(f"{name} {count:,}" for name, count in report.splits.items())
    console.print(
        f"{report.name}: {counted(report.images, 'image')} ({splits}), {counted(report.concepts, 'concept')}",
        markup=False,
    )
    for note in report.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    console.print(f"--data {shlex.quote(report.spec)}", markup=False, soft_wrap=True)
