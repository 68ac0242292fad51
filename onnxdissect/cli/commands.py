"""The commands of the program ``onnxdissect``, in the order of its help text."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from onnxdissect import __version__
from onnxdissect.cli import (
    ablate,
    check,
    compare,
    data,
    doctor,
    explain,
    import_netdissect,
    layers,
    report,
    rescore,
    rotate,
    run,
)
from onnxdissect.cli.printing.console import print_interrupted

__all__ = ["COMMANDS", "INTERRUPTED", "app"]

INTERRUPTED = 130
"""The exit code after Ctrl-C."""


class _Group(TyperGroup):
    """Commands that say on one line that they were interrupted."""

    def invoke(self, ctx: Any) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            print_interrupted(str(error))
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    name="onnxdissect",
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# Each module holds a function of its own name, which is typed with `-` for `_`, or an `app` of
# several commands behind that name.
COMMANDS = (
    run,
    layers,
    data,
    report,
    compare,
    rotate,
    explain,
    ablate,
    check,
    rescore,
    import_netdissect,
    doctor,
)
for _module in COMMANDS:
    _name = _module.__name__.rpartition(".")[2]
    _typed = _name.replace("_", "-")
    if hasattr(_module, "app"):
        app.add_typer(_module.app, name=_typed)
    else:
        app.command(_typed)(getattr(_module, _name))


def _show_version(asked: bool) -> None:
    if asked:
        print(f"onnxdissect {__version__}")
        raise typer.Exit


@app.callback()
def onnxdissect(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Label every unit of an ONNX network with the visual concept it detects (Network Dissection)."""
