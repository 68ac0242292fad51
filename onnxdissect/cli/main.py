"""The program ``onnxdissect``: its commands, and how errors leave it."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from typing import Annotated

import typer

from onnxdissect import __version__
from onnxdissect.cli import check, data, doctor, layers, report, rescore, run
from onnxdissect.cli.printing.console import print_problem
from onnxdissect.cli.printing.streams import guard_streams
from onnxdissect.errors import OnnxDissectError
from onnxdissect.storage.memory import explained_memory

__all__ = ["COMMANDS", "app", "main"]

_WRONG_REQUEST = 2
_BUG = 70
# New objects after which Python looks for circles of them. Compiling kernels and importing make hundreds of
# thousands, hardly any in a circle: the default of 700 costs a tenth of a short run.
_COLLECTED_AFTER = 20_000

app = typer.Typer(
    name="onnxdissect",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# The commands, in the order of the help text. Each module holds a function of its own name, or an `app` of
# several commands behind that name.
COMMANDS = (run, layers, data, report, check, rescore, doctor)
for _module in COMMANDS:
    _name = _module.__name__.rpartition(".")[2]
    if hasattr(_module, "app"):
        app.add_typer(_module.app, name=_name)
    else:
        app.command(_name)(getattr(_module, _name))


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


def main() -> None:
    """Run the command line and leave with its exit code.

    0: done; 1: a check failed; 2: the request or the input is wrong; 70: a bug; 130: interrupted.
    """
    guard_streams()
    gc.set_threshold(_COLLECTED_AFTER)
    try:
        try:
            with explained_memory():
                app()
        finally:
            # What is still held back must not fail after the last word on how the command went.
            sys.stdout.flush()
    except OnnxDissectError as error:
        print_problem("error", error.message, error.candidates, error.hint)
        sys.exit(_WRONG_REQUEST)
    except Exception as error:  # anything that is not the user's error is a bug of this package
        if os.environ.get("ONNXDISSECT_TRACEBACK"):
            traceback.print_exc()
        print_problem(
            "bug",
            f"{type(error).__name__}: {error}",
            hint="this is not your fault; ONNXDISSECT_TRACEBACK=1 shows where it happened",
        )
        sys.exit(_BUG)
