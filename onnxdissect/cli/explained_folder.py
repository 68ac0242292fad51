"""What ``onnxdissect explain --images`` does: right and wrong predictions of labelled images."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxdissect.cli.printing.console import log, output, print_json
from onnxdissect.cli.printing.predictions import class_table, prediction_sentences
from onnxdissect.cli.printing.progress import open_progress
from onnxdissect.errors import ParameterError

if TYPE_CHECKING:
    from onnxdissect.core.progress import Progress
    from onnxdissect.experiments.confusions import LabelledExplanations

__all__ = ["explain_folder"]


def explain_folder(
    model: Path,
    source: str,
    run: Path,
    out: Path | None,
    *,
    as_json: bool,
    images: Sequence[Path] | None,
    target: str,
    single: Mapping[str, bool],
    **options: Any,
) -> None:
    """Explain labelled images, print what was found, and write it where that is asked for."""
    from onnxdissect.experiments.confusions import expect_predictions_folder, predictions_json
    from onnxdissect.experiments.confusions.explain_labelled import explain_labelled

    if images:
        raise ParameterError(
            f"{images[0]} is an image, and --images {source} asks for labelled ones",
            hint="the one or the other: explain MODEL IMAGE..., or explain MODEL --images SOURCE",
        )
    if target != "top":
        raise ParameterError(
            f"--class {target} goes with single images: of labelled ones the class predicted is explained",
            hint="leave --class away, or name images instead of --images",
        )
    given = [name for name, asked in single.items() if asked]
    if given:
        raise ParameterError(
            f"{given[0]} goes with single images, and --images {source} asks for labelled ones",
            hint=f"leave {given[0]} away, or name images instead of --images",
        )
    if out is not None:
        expect_predictions_folder(out)
    console = log()
    progress = open_progress(console)
    try:
        found = explain_labelled(
            model,
            source,
            run,
            examples=0 if out is None else 12,
            progress=progress,
            notify=lambda line: console.print(f"warning: {line}", markup=False),
            **options,
        )
        files = [] if out is None else _write(found, out, progress)
    finally:
        progress.close()
    if as_json:
        print_json(predictions_json(found) | {"files": [str(path) for path in files]})
        return
    written = output()
    written.print(class_table(found))
    for line in prediction_sentences(found):
        written.print(line, markup=False, soft_wrap=True)
    for path in files:
        console.print(f"written: {path}", markup=False, soft_wrap=True)


def _write(found: LabelledExplanations, out: Path, progress: Progress) -> list[Path]:
    """Write beside, and put it in the place of earlier predictions when all is whole."""
    from onnxdissect.experiments.confusions import expect_predictions_folder, write_predictions
    from onnxdissect.report.confusions import build_confusions
    from onnxdissect.report.pages.replacing import replacing_folder
    from onnxdissect.storage.disk import write_error
    from onnxdissect.storage.files import make_folder

    # a link stays, and what it leads to is replaced
    target = Path(os.path.realpath(out))
    make_folder(target.parent)
    try:
        with replacing_folder(target) as folder:
            written = [
                *write_predictions(found, folder),
                build_confusions(found, folder, place=target, progress=progress),
            ]
            # it may have been filled while the images were explained
            expect_predictions_folder(target)
    except OSError as error:
        raise write_error(out, error, doing=f"write the predictions {out}") from error
    return [out / path.relative_to(folder) for path in written]
