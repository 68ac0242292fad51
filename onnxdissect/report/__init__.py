"""The report: static pages that show what each unit sees."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from onnxdissect.errors import OutputError
from onnxdissect.report.data import describe
from onnxdissect.report.pages import render_index
from onnxdissect.report.pictures import draw_sheets

if TYPE_CHECKING:
    from onnxdissect.core.pipeline import Progress
    from onnxdissect.results import Dissection

__all__ = ["build"]

_FOLDER = "report"
_PARTIAL = ".partial"


def build(dissection: Dissection, *, progress: Progress | None = None) -> Path:
    """Write the report of a finished run into its directory.

    An older report is replaced when the new one is whole; until then it stays as it is. If the images of the
    run are no longer where they were, the report is made without pictures and says so.

    Parameters
    ----------
    dissection : Dissection
    progress : Progress, optional
        Told of one phase, ``report``, that counts units.

    Returns
    -------
    Path
        ``RUN/report/index.html``, which opens from disk.

    Raises
    ------
    OutputError
        If the report cannot be written.
    RunFormatError
        If the run's arrays are missing or damaged.
    """
    if progress is not None:
        progress.start("report", sum(info.units for info in dissection.layers))
    target = Path(dissection.path) / _FOLDER
    try:
        with _replacing_folder(target) as folder:
            sheets = draw_sheets(dissection, folder, progress.advance if progress else lambda units: None)
            page = render_index(describe(dissection, sheets))
            (folder / "index.html").write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError(f"cannot write the report {target}: {error.strerror or error}") from error
    if progress is not None:
        progress.finish()
    return target / "index.html"


@contextlib.contextmanager
def _replacing_folder(target: Path) -> Iterator[Path]:
    """Fill a folder that appears under its name only when it is whole."""
    for leftover in target.parent.glob(f"{target.name}.*{_PARTIAL}"):
        _remove(leftover)
    token = secrets.token_hex(4)
    partial = target.with_name(f"{target.name}.{token}{_PARTIAL}")
    older = target.with_name(f"{target.name}.{token}.older{_PARTIAL}")
    partial.mkdir()
    try:
        yield partial
        # a folder that is not empty cannot be replaced in one step
        if target.exists() or target.is_symlink():
            target.rename(older)
        try:
            partial.rename(target)
        except OSError:
            if older.exists() or older.is_symlink():
                older.rename(target)
            raise
    finally:
        _remove(partial)
        _remove(older)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
