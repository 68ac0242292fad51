"""``index.html`` of right and wrong predictions and the folder ``page`` beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from onnxdissect.core.progress import Progress, Silent
from onnxdissect.errors import RunError
from onnxdissect.experiments.confusions.confused_units import FEWEST
from onnxdissect.experiments.confusions.formats import wording
from onnxdissect.report.confusions import views
from onnxdissect.report.confusions.data_files import predictions_record
from onnxdissect.report.data.photos import gather_photos
from onnxdissect.report.data.report_data import category_colours
from onnxdissect.report.pages.rendering import copy_assets
from onnxdissect.report.pages.replacing import replacing_folder
from onnxdissect.report.pages.scripts import write_script
from onnxdissect.results import load
from onnxdissect.storage.disk import write_error
from onnxdissect.storage.files import make_folder, write_text
from onnxdissect.storage.memory import explained_memory
from onnxdissect.templates import render

if TYPE_CHECKING:
    from onnxdissect.experiments.confusions import LabelledExplanations

__all__ = ["build_confusions"]

_PAGE = "page"
_ASSETS = ("report.css", "shared.js", "confusions/confusions.css", "confusions/confusions.js")
_FILES = ("predictions.json", "predictions.csv", "predictions.npz")


@explained_memory()
def build_confusions(
    result: LabelledExplanations,
    folder: Path,
    *,
    place: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the page of right and wrong predictions.

    Parameters
    ----------
    result : LabelledExplanations
        Its examples are the images that the page shows.
    folder : Path
        Where it is put; made if it does not exist.
    place : Path, optional
        Where the folder will lie when it is whole, from where the report of the run is linked to; by default
        `folder`.
    progress : Progress, optional
        Told of one phase, ``photos``, that counts images.

    Returns
    -------
    Path
        ``index.html``, which opens from disk and reads the folder ``page`` beside it.

    Raises
    ------
    OutputError
        If the page cannot be written.
    """
    folder = make_folder(Path(folder))
    progress = progress or Silent()
    progress.start("photos", len(result.examples))
    colours = category_colours(result.categories)
    report = _report_page(result, Path(place or folder))
    try:
        with replacing_folder(folder / _PAGE) as partial:
            needed = [example.image for example in result.examples]
            none = "The page shows no pictures, as none were asked for."
            photos = gather_photos(
                result.pictures if needed else None, none, needed, partial, None, progress.advance
            )
            record = predictions_record(result, colours, photos, report)
            write_script(partial / "data" / "predictions.js", "dissect.run", (record,))
            copy_assets(partial, _ASSETS)
        # Each file of the folder is there before the page that reads it.
        note = photos.note if needed else none
        write_text(folder / "index.html", _render(result, folder, colours, note, report))
    except OSError as error:
        raise write_error(
            folder, error, doing=f"write the page of the predictions {folder / 'index.html'}"
        ) from error
    progress.finish()
    return folder / "index.html"


def _report_page(result: LabelledExplanations, place: Path) -> str:
    """Give the address of the layer's page in the report of its run; empty where there is none."""
    run = Path(result.run)
    if not (run / "report").is_dir():
        return ""
    try:
        page = run / "report" / "layers" / f"{load(run).layer(result.layer).slug}.html"
    except RunError:  # it was changed since
        return ""
    if not page.is_file():
        return ""
    try:
        return quote(Path(os.path.relpath(page.resolve(), place.resolve())).as_posix())
    except ValueError:  # on another drive of Windows
        return page.resolve().as_uri()


def _render(
    result: LabelledExplanations, folder: Path, colours: dict[str, int], note: str, report: str
) -> str:
    content: dict[str, Any] = {
        "root": f"{_PAGE}/",
        "result": result,
        "title": views.page_title(result),
        "facts": views.page_facts(result),
        "notes": views.page_notes(result, note),
        "matrix": views.confusion_matrix(result),
        "told": views.told_confusions(result),
        "held_rows": views.held_rows(result) if result.held else [],
        "files": [name for name in _FILES if (folder / name).is_file()],
        "colours": colours,
        "report": report,
        "fewest": FEWEST,
        "views": views,
        "wording": wording,
    }
    return render("onnxdissect.report", "confusions/index.html.j2", content)
