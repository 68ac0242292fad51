"""The two consoles: data goes to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console

from onnxdissect.cli.printing.names import visible
from onnxdissect.errors import listed, shortened
from onnxdissect.storage.json_file import json_text

__all__ = ["log", "output", "print_interrupted", "print_json", "print_problem"]

# Wide enough that no table is cut when it goes to a file.
_WIDTH_OF_A_PIPE = 140


class _NamesShown(Console):
    """A console that obeys nothing that a name holds."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(visible(one) if isinstance(one, str) else one for one in objects), **options)


def output() -> Console:
    """Make the console of stdout; rich honours ``NO_COLOR`` and leaves colour out of pipes."""
    return _NamesShown(width=None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE, highlight=False, emoji=False)


def log() -> Console:
    """Make the console of stderr."""
    return _NamesShown(
        stderr=True,
        width=None if sys.stderr.isatty() else _WIDTH_OF_A_PIPE,
        highlight=False,
        emoji=False,
        soft_wrap=True,
    )


def print_problem(kind: str, message: str, candidates: tuple[str, ...] = (), hint: str | None = None) -> None:
    """Print an error, a warning or a bug: the message, the candidates, and what to type next."""
    console = log()
    console.print(f"[bold red]{kind}:[/]", end=" ")
    console.print(shortened(message), markup=False)
    if candidates:
        console.print("[bold]candidates:[/]", end=" ")
        console.print(listed(candidates), markup=False)
    if hint:
        console.print("[bold cyan]hint:[/]", end=" ")
        console.print(hint, markup=False)


def print_interrupted(consequence: str = "") -> None:
    """Print that the command was interrupted, and on the same line what that means for what it did."""
    log().print(f"interrupted; {consequence}" if consequence else "interrupted", markup=False)


def print_json(value: object) -> None:
    """Print a value as JSON on stdout: what its encoding lacks, and what a terminal obeys, as escapes."""
    text = json_text(value, indent=2)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeError:
        text = json.dumps(value, indent=2)
    print(text)
