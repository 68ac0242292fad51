"""``onnxdissect data pack``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from onnxdissect.cli import options
from onnxdissect.cli.printing.console import log
from onnxdissect.cli.printing.progress import open_progress
from onnxdissect.core.progress import CountedPhase
from onnxdissect.errors import ParameterError
from onnxdissect.machine import cores

__all__ = ["pack"]


def pack(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DIR|SOURCE",
            help="A Broden folder, or a source: tiny, linked:DIR, cleaned:DIR.",
            show_default=False,
        ),
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; new.", show_default=False)],
    groups: options.Groups = None,
) -> None:
    """Pack a data set into one file, which is read faster, and from afar: --data FILE|ADDRESS."""
    from onnxdissect.data import BrodenDataset, PackedDataset, open_data, pack_dataset
    from onnxdissect.storage.disk import size_text

    console = log()
    progress = open_progress(console)
    made, done = CountedPhase(progress, "data"), CountedPhase(progress, "pack")
    try:
        dataset = open_data(data, groups=groups, progress=made)
        made.finish()
        if isinstance(dataset, PackedDataset):
            raise ParameterError(
                f"{data} is packed already", hint=f"onnxdissect run MODEL --data {shlex.quote(data)}"
            )
        if not isinstance(dataset, BrodenDataset):
            raise ParameterError(
                f"{data} gives images that lie in no Broden folder: there is nothing to pack",
                hint="onnxdissect data import writes such a folder, also of what a segmenter labels",
            )
        facts = pack_dataset(dataset, file, workers=max(2, cores()), progress=done)
        done.finish()
    finally:
        progress.close()
    console.print(
        f"{facts.images:,} images, {size_text(facts.file_bytes)}: labels take "
        f"{size_text(facts.label_bytes)}, and took {size_text(facts.label_map_bytes)} as files",
        markup=False,
        highlight=False,
    )
    print(file)
