"""Options that several commands share, and how their text is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from onnxdissect.errors import ParameterError, shown
from onnxdissect.storage.numerals import any_number, whole_number

__all__ = [
    "DATA",
    "Bind",
    "CustomOps",
    "ImageSize",
    "Layout",
    "MinImages",
    "ProbeTimeout",
    "Reduce",
    "ScoresOutput",
    "batch_size",
    "bindings",
    "image_size",
    "layouts",
    "numbers",
    "probe_timeout",
]

_LONGEST_SIDE = 10**9
DATA = "DIR|FILE|SOURCE"
"""How help texts write a data set: a Broden folder, a packed file, or a source such as ``tiny``."""

ImageSize = Annotated[
    str | None, typer.Option(metavar="HxW", help="For graphs that take images of any size.")
]
Groups = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN|folder|prefix:N|none",
        help="Images that belong together: a column of index.csv, by default group, or their paths.",
    ),
]
Bind = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE", help="Value of an input beside the image: numbers or an .npy file; repeatable."
    ),
]
Layout = Annotated[
    list[str] | None,
    typer.Option(
        metavar="VALUE=LAYOUT",
        help="Where the graph leaves it open: NCHW, NHWC, NTC[:BEFORE[:HxW]], TNC or NC; repeatable.",
    ),
]
MinImages = Annotated[
    int, typer.Option(metavar="N", help="Concepts held by fewer images are no candidates for labels.")
]
ScoresOutput = Annotated[
    str | None, typer.Option("--output", metavar="NAME", help="The output with the scores.")
]
Reduce = Annotated[
    str | None,
    typer.Option(
        metavar="mean|max[:AXIS]",
        help="Make one score of a class of those at all places: of segmenters, detectors.",
    ),
]
CustomOps = Annotated[
    list[Path] | None,
    typer.Option(metavar="LIB", help="A library of operators that onnxruntime lacks; repeatable."),
]


ProbeTimeout = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="How long the network may take when it is run to learn of it: 300 by default, inf for no limit.",
    ),
]


def image_size(text: str | None) -> tuple[int, int] | None:
    """Read height x width."""
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    rows = whole_number(height, least=1, most=_LONGEST_SIDE)
    columns = whole_number(width, least=1, most=_LONGEST_SIDE)
    if rows is None or columns is None:
        raise ParameterError(
            f"--image-size takes height x width, each up to {_LONGEST_SIDE:,}, not {shown(text)}",
            hint="--image-size 224x224",
        )
    return rows, columns


def numbers(option: str, text: str | None, example: str = "0.485,0.456,0.406") -> list[float] | None:
    """Read numbers between commas."""
    if text is None:
        return None
    found = []
    for part in text.split(","):
        value = any_number(part)
        if value is None:
            wrong = f", in which {shown(part)} is none" if part.strip() and part != text else ""
            raise ParameterError(
                f"{option} takes numbers between commas, not {shown(text)}{wrong}", hint=f"{option} {example}"
            )
        found.append(value)
    return found


def batch_size(text: str) -> int | Literal["auto"]:
    """Read a number of images, or ``auto``."""
    if text == "auto":
        return "auto"
    try:
        return int(text)
    except ValueError:
        raise ParameterError(
            f"--batch-size takes a number or auto, not {shown(text)}", hint="--batch-size auto"
        ) from None


def bindings(given: Sequence[str] | None) -> dict[str, str]:
    """Read ``NAME=VALUE`` texts; the first equals sign parts them, since paths may hold others."""
    return _pairs("--bind", given, "--bind scale=1", last=False)


def layouts(given: Sequence[str] | None) -> dict[str, str]:
    """Read ``VALUE=LAYOUT`` texts; names of values may hold equals signs, layouts never do."""
    return _pairs("--layout", given, "--layout tokens=NTC:1:14x14", last=True)


def _pairs(option: str, given: Sequence[str] | None, example: str, *, last: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.rpartition("=") if last else text.partition("=")
        if not equals or not name or not value:
            raise ParameterError(f"{option} takes a name and what it is given, not {text!r}", hint=example)
        if name in found:
            raise ParameterError(f"{option} is given twice for {name!r}", hint=example)
        found[name] = value
    return found


def probe_timeout(seconds: float | None) -> float:
    """Read a limit of time, or give the one where none is asked for."""
    from onnxdissect.model.runtime.time_limit import PROBE_SECONDS, check_seconds

    return PROBE_SECONDS if seconds is None else check_seconds(seconds)
