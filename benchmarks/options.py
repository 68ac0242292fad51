"""Command-line options that the benchmarks share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

_PREPROCESSING = ("mean", "std", "scale", "preset")


def common(description: str | None) -> argparse.ArgumentParser:
    """A parser for a model, a data set, layers, and how pixels become the network's input."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=_data_folder, help="a folder in the Broden layout, or tiny")
    parser.add_argument("--layer", action="append", help="default: stages; may be repeated")
    parser.add_argument("--limit", type=int, help="so many images, spread evenly")
    parser.add_argument("--mean", type=float, nargs="+")
    parser.add_argument("--std", type=float, nargs="+")
    parser.add_argument("--scale", type=float)
    parser.add_argument("--preset")
    return parser


def _data_folder(given: str) -> Path:
    """A data set's folder: benchmarks read its tables themselves, so the drawn one is named by its place."""
    from onnxdissect.tiny.generate import ensure_tiny

    return ensure_tiny() if given == "tiny" else Path(given)


def preprocessing(given: argparse.Namespace) -> dict[str, Any]:
    """What was said about preprocessing, as `onnxdissect.dissect` takes it."""
    return {name: getattr(given, name) for name in _PREPROCESSING}
