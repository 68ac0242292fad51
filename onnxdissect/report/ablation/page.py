"""``index.html`` of an ablation and the folder ``page`` beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxdissect.errors import RunError
from onnxdissect.experiments.ablation.formats.folder import ARRAYS, FIGURES, INDEX, PAGE, RESULT
from onnxdissect.experiments.ablation.formats.wording import (
    DEFINITIONS,
    ablation_sentences,
    percent,
)
from onnxdissect.report.ablation import views
from onnxdissect.report.ablation.chart import CurveChart, curve_chart, needs_chart
from onnxdissect.report.ablation.data_files import units_record
from onnxdissect.report.data.report_data import category_colours
from onnxdissect.report.figures.ablation import FORMATS
from onnxdissect.report.pages.addresses import relative_address
from onnxdissect.report.pages.rendering import copy_assets
from onnxdissect.report.pages.replacing import replacing_folder
from onnxdissect.report.pages.scripts import write_script
from onnxdissect.results import load
from onnxdissect.storage.disk import write_error
from onnxdissect.storage.files import make_folder, write_text
from onnxdissect.storage.memory import explained_memory
from onnxdissect.templates import render

if TYPE_CHECKING:
    from onnxdissect.experiments.ablation import AblationResult

__all__ = ["build_ablation"]

_ASSETS = ("report.css", "shared.js", "ablation/ablation.css", "ablation/ablation.js")
_MOST_DRAWN = 60
"""Classes with a drawing of their own: those that lose most."""


@explained_memory()
def build_ablation(result: AblationResult, folder: Path) -> Path:
    """Write the page of an ablation.

    An older page stays until the new one is complete.

    Parameters
    ----------
    result : AblationResult
    folder : Path
        Where it is put; made if it does not exist. Tables and figures that lie there are linked to, and so is
        the report of the run that labelled the units, where it has one.

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
    categories = sorted({one.category for one in result.needs if one.category})
    colours = category_colours(tuple(categories))
    report = _report_page(result, folder)
    try:
        with replacing_folder(folder / PAGE) as partial:
            record = units_record(result, colours, report)
            write_script(partial / "data" / "units.js", "dissect.run", (record,))
            copy_assets(partial, _ASSETS)
        # Each file of the folder is there before the page that reads it.
        write_text(folder / INDEX, _render(result, folder, colours, report))
    except OSError as error:
        raise write_error(folder, error, doing=f"write the page of the ablation {folder / INDEX}") from error
    return folder / INDEX


def _report_page(result: AblationResult, folder: Path) -> str:
    """Give the address of the layer's page in the report of its run; empty where there is none."""
    run = Path(str(result.request.get("run", "")))
    if not (run / "report").is_dir():
        return ""
    try:
        page = run / "report" / "layers" / f"{load(run).layer(result.layer).slug}.html"
    except RunError:  # it was changed since
        return ""
    return relative_address(page, folder) if page.is_file() else ""


def _charts(result: AblationResult) -> list[CurveChart]:
    """Draw the mean over classes, and then those that lose most."""
    before = [one.nothing for one in result.classes]
    accuracy = sum(one.accuracy for one in before) / len(before)
    area = sum(one.area for one in before) / len(before)
    mean = f"mean of {len(before):,} classes" if len(before) > 1 else result.classes[0].class_name
    values = [one.value for one in result.removals]
    # the same axis for all, or curves could not be compared
    least = min((accuracy, *(one.accuracy if one.low is None else one.low for one in values)))
    least_area = min((area, *(one.value.area for one in result.removals if one.class_index is None)))
    found = [
        curve_chart(result, None, mean, accuracy, least),
        curve_chart(result, None, mean, area, least_area, area=True),
    ]
    if len(before) == 1:
        return found
    most = max(result.counts)
    left = {
        one.class_index: one.value.accuracy
        for one in result.removals
        if (one.kind, one.n) == ("removed", most)
    }
    order = sorted(result.classes, key=lambda one: left[one.class_index] - one.nothing.accuracy)
    return found + [
        curve_chart(result, one.class_index, one.class_name, one.nothing.accuracy, least)
        for one in order[:_MOST_DRAWN]
    ]


def _render(result: AblationResult, folder: Path, colours: dict[str, int], report: str) -> str:
    lead, *sentences = map(views.printed, ablation_sentences(result))
    figures = [f"{name}.{form}" for name in FIGURES for form in FORMATS]
    content: dict[str, Any] = {
        "root": f"{PAGE}/",
        "result": result,
        "lead": lead,
        "sentences": sentences,
        "definitions": DEFINITIONS,
        "facts": views.page_facts(result),
        "counts": views.told_counts(result),
        "rows": views.class_rows(result),
        "charts": _charts(result),
        "needs": needs_chart(result.needs),
        "files": [name for name in (RESULT, ARRAYS, *figures) if (folder / name).is_file()],
        "colours": colours,
        "report": report,
        "percent": percent,
        "drop_text": views.drop_text,
        "range_text": views.range_text,
    }
    return render("onnxdissect.report", "ablation/index.html.j2", content)
