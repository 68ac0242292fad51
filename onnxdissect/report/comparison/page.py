"""``index.html`` of a comparison and the folder ``page`` beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxdissect.core.progress import Progress, Silent
from onnxdissect.experiments.comparison.formats.folder import FILES
from onnxdissect.report.comparison import views
from onnxdissect.report.comparison.chart import WIDTHS, depth_charts, group_chart, series_chart
from onnxdissect.report.comparison.data_files import (
    comparison_record,
    concept_rows,
    matching_record,
    pair_record,
    report_links,
)
from onnxdissect.report.comparison.pictures import (
    ImageSet,
    choose_units,
    gather_set,
    image_sets,
    pictures_notes,
    unit_records,
)
from onnxdissect.report.data.facts import section
from onnxdissect.report.data.numbers import count_text
from onnxdissect.report.data.previous_report import DATA, FORMAT_VERSION
from onnxdissect.report.data.report_data import category_colours
from onnxdissect.report.figures.comparison import FIGURE_NAMES, draw_comparison
from onnxdissect.report.figures.paper import FORMATS
from onnxdissect.report.figures.plots import FIGURES
from onnxdissect.report.pages.data_files import write_json
from onnxdissect.report.pages.rendering import copy_assets
from onnxdissect.report.pages.replacing import replacing_folder
from onnxdissect.report.pages.scripts import write_script
from onnxdissect.storage.disk import write_error
from onnxdissect.storage.files import make_folder, write_text
from onnxdissect.storage.memory import explained_memory
from onnxdissect.templates import render

if TYPE_CHECKING:
    from onnxdissect.experiments.comparison.result import ComparisonResult
    from onnxdissect.results import Dissection

__all__ = ["build_comparison", "show_comparison"]

_PAGE = "page"
_ASSETS = ("report.css", "shared.js", "comparison/comparison.css", "comparison/comparison.js")
_FILES = (
    *("comparison.json", "comparison.md", "layers.csv", "groups.csv", "pairs.csv", "changes.csv"),
    *("concepts.csv", "matchings.csv"),
)


def show_comparison(
    result: ComparisonResult,
    runs: Mapping[str, Dissection],
    folder: Path,
    progress: Progress | None = None,
    *,
    earlier: Path | None = None,
) -> tuple[list[Path], Path]:
    """Draw the figures of a comparison and build its page.

    Parameters
    ----------
    result : ComparisonResult
    runs : mapping of str to Dissection
        The run of each compared layer, by `ComparedLayer.run`.
    folder : Path
        Where they are put: ``figures/``, ``index.html`` and ``page/``.
    progress : Progress, optional
        Told how far the page is.
    earlier : Path, optional
        Folder of an earlier comparison, whose pictures are used again; by default `folder`.

    Returns
    -------
    figures : list of Path
    page : Path

    Raises
    ------
    OutputError
        If a file cannot be written.
    RunFormatError
        If arrays of a run are missing or damaged.
    """
    figures = draw_comparison(result, Path(folder) / FIGURES)
    return figures, build_comparison(result, runs, folder, progress=progress, earlier=earlier)


@explained_memory()
def build_comparison(
    result: ComparisonResult,
    runs: Mapping[str, Dissection],
    folder: Path,
    *,
    progress: Progress | None = None,
    earlier: Path | None = None,
) -> Path:
    """Write the page of a comparison.

    An older page stays until the new one is complete. Its pictures and annotations are used again, and those
    of the runs' own reports; others come from the data set, where it still lies where the runs say.

    Parameters
    ----------
    result : ComparisonResult
    runs : mapping of str to Dissection
        The run of each compared layer, by `ComparedLayer.run`.
    folder : Path
        Where it is put; made if it does not exist. Figures that lie in its folder ``figures`` are linked to.
    progress : Progress, optional
        Told of one phase, ``page``, that counts layers.
    earlier : Path, optional
        Folder of an earlier comparison, whose pictures are used again; by default `folder`.

    Returns
    -------
    Path
        ``index.html``, which opens from disk and reads the folder ``page`` beside it. Runs that have a report
        of their own are linked to.

    Raises
    ------
    OutputError
        If the page cannot be written.
    RunFormatError
        If arrays of a run are missing or damaged.
    """
    folder = make_folder(Path(folder))
    progress = progress or Silent()
    sets = image_sets(result, runs)
    progress.start("page", sum(len(one.layers) for one in sets))
    colours = category_colours(result.categories)
    links = report_links(result, runs, folder)
    try:
        with replacing_folder(folder / _PAGE) as partial:
            former = sorted((Path(earlier or folder) / _PAGE).glob("images*"))
            for i, one in enumerate(sets):
                choose_units(result, one)
                gather_set(one, partial / f"images{i}", former)
                _write_pictures(result, one, partial / f"images{i}", progress)
            _write_data(result, partial)
            record = comparison_record(result, colours, sets, links)
            write_script(partial / "data" / "run.js", "dissect.run", (record,))
            copy_assets(partial, _ASSETS)
            write_json(partial / FILES, {"files": _listed(folder, partial)})
        # Each file of the folder is there before the page that reads it.
        write_text(folder / "index.html", _render(result, runs, colours, sets, links, folder))
    except OSError as error:
        raise write_error(
            folder, error, doing=f"write the page of the comparison {folder / 'index.html'}"
        ) from error
    progress.finish()
    return folder / "index.html"


def _listed(folder: Path, page: Path) -> list[str]:
    """Name the files of the page and the figures: others among them are seen before they are replaced."""
    of_page = [f"{_PAGE}/{path.relative_to(page).as_posix()}" for path in page.rglob("*") if path.is_file()]
    of_figures = [path for found in _figures(folder).values() for path in found.values()]
    return sorted((*of_page, f"{_PAGE}/{FILES}", *of_figures))


def _figures(folder: Path) -> dict[str, dict[str, str]]:
    """Give the paths of all figures, by name and format."""
    return {
        name: {form: path for form in FORMATS if (folder / (path := f"{FIGURES}/{name}.{form}")).is_file()}
        for name in FIGURE_NAMES
    }


def _write_data(result: ComparisonResult, folder: Path) -> None:
    write_script(folder / "data" / "concepts.js", "dissect.concepts", (concept_rows(result),))
    for i, pair in enumerate(result.pairs):
        write_script(folder / "data" / f"pair-{i}.js", "dissect.pair", (i, pair_record(result, pair)))
    for i, matching in enumerate(result.matchings):
        write_script(folder / "data" / f"matching-{i}.js", "dissect.matching", (i, matching_record(matching)))


def _write_pictures(result: ComparisonResult, one: ImageSet, folder: Path, progress: Progress) -> None:
    """Write a script for each unit, and what a later page needs to take the pictures from here."""
    if not one.photos.available:
        progress.advance(len(one.layers))
        return
    for (position, unit), record in unit_records(result, one, progress.advance):
        path = folder / "units" / str(position) / f"{unit}.js"
        write_script(path, "dissect.unit", (str(position), unit, record))
    run = one.first
    write_json(
        folder / DATA,
        {
            "format_version": FORMAT_VERSION,
            "fingerprint": section(run.manifest, "data").get("fingerprint"),
            "photos": [
                {"image": image, "name": run.images[image].name, "width": width, "height": height}
                for image, (width, height) in one.photos.sizes.items()
            ],
        },
    )


def _render(
    result: ComparisonResult,
    runs: Mapping[str, Dissection],
    colours: Mapping[str, int],
    sets: Sequence[ImageSet],
    links: Sequence[tuple[str, str]],
    folder: Path,
) -> str:
    versions = {str(section(run.manifest, "versions").get("onnxdissect", "")) for run in runs.values()}
    content: dict[str, Any] = {
        "root": f"{_PAGE}/",
        "result": result,
        "title": views.comparison_title(result),
        "headline": views.headline(result),
        "facts": views.comparison_facts(result),
        "notes": pictures_notes(result, runs, sets),
        "reasons": views.unpaired_reasons(result.pairs),
        "pictures": any(one.photos.available for one in sets),
        "colours": colours,
        "links": links,
        "figures": {name: found for name, found in _figures(folder).items() if found},
        "files": [name for name in _FILES if (folder / name).is_file()],
        "versions": sorted(versions - {""}),
        "charts": [group_chart(result, colours, width) for width in WIDTHS],
        "series_chart": series_chart(result, colours),
        "depth_charts": depth_charts(result, colours),
        "count_text": count_text,
        "views": views,
    }
    return render("onnxdissect.report", "comparison/index.html.j2", content)
