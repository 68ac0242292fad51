"""``onnxdissect data download``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxdissect.cli.data.looking import print_facts
from onnxdissect.cli.printing.console import log, print_json
from onnxdissect.cli.printing.progress import open_progress
from onnxdissect.cli.printing.transfer import TransferProgress
from onnxdissect.core.progress import CountedPhase
from onnxdissect.wording import counted

if TYPE_CHECKING:
    from onnxdissect.data import Download, Patience

__all__ = ["download"]


def download(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="broden1_224, broden1_227 or broden1_384.", show_default=False),
    ],
    folder: Annotated[Path, typer.Argument(help="Where to; new or empty.", show_default=False)],
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="URL|ZIP", help="Where it lies, if not where it was published."),
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(metavar="HEX", help="What the archive must have as its SHA-256.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How long nothing may come: 30 by default.")
    ] = None,
    tries: Annotated[
        int | None, typer.Option(metavar="N", help="Tries in a row that get no further: 5 by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Download Broden, unpack it, and say what it holds; interrupted, the same command goes on."""
    from onnxdissect.data import Patience, describe
    from onnxdissect.data.broden.reader import read_folder

    own = Patience()
    patience = Patience(own.timeout if timeout is None else timeout, own.tries if tries is None else tries)
    found = _downloaded(name, folder, source, sha256, patience)
    dataset, problems = read_folder(found.folder)
    facts = describe(dataset)
    if problems:
        log().print(
            f"{counted(len(problems), 'row')} of its index cannot be read: onnxdissect data check "
            f"{found.folder} --fix",
            markup=False,
        )
    if as_json:
        print_json(asdict(found) | {"folder": str(found.folder), "holds": facts.to_json()})
        return
    if not found.new:
        log().print(f"{found.folder} holds {found.name} already; nothing was downloaded", markup=False)
    print_facts(facts, ("SHA-256", f"{found.sha256} (of {found.size:,} bytes from {found.source})"))


def _downloaded(
    name: str, folder: Path, source: str | None, sha256: str | None, patience: Patience
) -> Download:
    from onnxdissect.data import Watch, download_broden

    console = log()
    transfer = TransferProgress(console)
    progress = open_progress(console)
    unpacked = CountedPhase(progress, "unpack")

    def files(done: int, total: int) -> None:
        if done == 1:
            transfer.close()
        unpacked(done, total)

    watch = Watch(transfer, files, transfer.say)
    try:
        found = download_broden(name, folder, source=source, sha256=sha256, patience=patience, watch=watch)
        unpacked.finish()
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on from there") from None
    finally:
        transfer.close()
        progress.close()
    return found
