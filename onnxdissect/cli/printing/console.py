"""Where things are said: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys

from rich.console import Console

__all__ = ["complain", "log", "output", "print_json"]

# Wide enough that no table of ours is cut when it goes to a file.
_WIDTH_OF_A_PIPE = 140


def output() -> Console:
    """Make the console of stdout; rich honours ``NO_COLOR`` and leaves colour out of pipes."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE, highlight=False)


def log() -> Console:
    """Make the console of stderr."""
    return Console(
        stderr=True,
        width=None if sys.stderr.isatty() else _WIDTH_OF_A_PIPE,
        highlight=False,
        soft_wrap=True,
    )


def complain(kind: str, message: str, candidates: tuple[str, ...] = (), hint: str | None = None) -> None:
    """Say what is wrong, what could have been meant, and what to type next."""
    console = log()
    console.print(f"[bold red]{kind}:[/]", end=" ")
    console.print(message, markup=False)
    if candidates:
        console.print("[bold]candidates:[/]", end=" ")
        console.print(", ".join(candidates), markup=False)
    if hint:
        console.print("[bold cyan]hint:[/]", end=" ")
        console.print(hint, markup=False)


def print_json(value: object) -> None:
    """Print a value as JSON on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
