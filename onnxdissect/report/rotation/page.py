"""``RUN/rotation/index.html`` and the folder ``page`` beside it, written from a run and its rotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxdissect.core.progress import Progress, Silent
from onnxdissect.report.data.annotations import ImageConcept, gather_annotations
from onnxdissect.report.data.facts import section
from onnxdissect.report.data.images import run_images
from onnxdissect.report.data.numbers import count_text
from onnxdissect.report.data.photos import Photos, gather_photos
from onnxdissect.report.data.previous_report import (
    DATA,
    FORMAT_VERSION,
    PreviousReport,
    open_previous_report,
)
from onnxdissect.report.figures.paper import FORMATS
from onnxdissect.report.figures.plots import FIGURES
from onnxdissect.report.figures.rotation import rotation_figure_name
from onnxdissect.report.pages.data_files import most_common_aspect, write_json
from onnxdissect.report.pages.rendering import copy_assets
from onnxdissect.report.pages.replacing import replacing_folder
from onnxdissect.report.pages.scripts import write_script
from onnxdissect.report.rotation.chart import WIDTHS, rotation_chart
from onnxdissect.report.rotation.followed import (
    FollowedUnits,
    concept_pictures,
    concept_records,
    entry_grid,
    follow_units,
)
from onnxdissect.report.rotation.views import RotationPage, gather_rotation
from onnxdissect.storage.disk import write_error
from onnxdissect.storage.files import make_folder, write_text
from onnxdissect.storage.memory import explained_memory
from onnxdissect.templates import render

if TYPE_CHECKING:
    from onnxdissect.data import Dataset
    from onnxdissect.experiments.rotation import RotationResult
    from onnxdissect.results import Dissection, LayerInfo

__all__ = ["build_rotation"]

_FOLDER = "rotation"
_PAGE = "page"
_ASSETS = ("report.css", "shared.js", "rotation/rotation.css", "rotation/rotation.js")


@dataclass(frozen=True, slots=True)
class _Found:
    """What the page shows of single concepts."""

    grids: Mapping[str, list[list[LayerInfo]]]
    numbers: Mapping[tuple[str, str], int]
    units: FollowedUnits


@explained_memory()
def build_rotation(
    result: RotationResult,
    dissection: Dissection,
    *,
    data: str | Path | Dataset | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the page that shows what rotating the layers of a run does to what their units detect.

    An older page stays until the new one is complete. Its pictures and annotations are used again, and those
    of the run's report. If there are none, and the images of the run are no longer where they were, the page
    has no pictures and says so.

    Parameters
    ----------
    result : RotationResult
        Of `onnxdissect.rotate` or `onnxdissect.load_rotation`.
    dissection : Dissection
        The run of which it was made.
    data : str, Path or Dataset, optional
        The data set of the run, or where it lies now; by default where the manifest says.
    progress : Progress, optional
        Told of one phase, ``page``, that counts rotations, images and units.

    Returns
    -------
    Path
        ``RUN/rotation/index.html``, which opens from disk and reads the folder ``page`` beside it. Figures
        that lie in ``RUN/rotation/figures`` and a report in ``RUN/report`` are linked to.

    Raises
    ------
    OutputError
        If the page cannot be written.
    RunFormatError
        If the run's arrays are missing or damaged.
    RunMismatchError
        If `data` is another data set than that of the run.
    DataError
        If `data` is no data set.
    """
    folder = make_folder(Path(dissection.path) / _FOLDER, inside=Path(dissection.path))
    images, note = run_images(dissection, data)
    progress = progress or Silent()
    progress.start("page", len(result.layers) * len(result.alphas) * len(result.seeds))
    grids = entry_grid(result, dissection)
    numbers = {(c.name, c.category): c.number for c in reversed(dissection.concepts)}
    found = _Found(grids, numbers, follow_units(result, dissection, grids, numbers, progress.advance))
    page = gather_rotation(result, dissection)
    try:
        with replacing_folder(folder / _PAGE) as partial:
            previous = _previous(dissection, folder / _PAGE, found.units.needed)
            photos = gather_photos(images, note, found.units.needed, partial, previous, _nothing)
            annotations = gather_annotations(images, found.units.annotations, previous)
            _write_data(dissection, page, found, photos, partial)
            if photos.available:
                _write_pictures(dissection, page, found, (photos, annotations), partial)
            copy_assets(partial, _ASSETS)
        # Each file of the folder is there before the page that reads it.
        write_text(folder / "index.html", _render(page, photos, found.units, folder))
    except OSError as error:
        raise write_error(
            folder, error, doing=f"write the page of rotations {folder / 'index.html'}"
        ) from error
    progress.finish()
    return folder / "index.html"


def _nothing(_: int) -> None:
    """Take no notice: how many pictures there are is known only once all rotations were looked at."""


def _previous(dissection: Dissection, folder: Path, needed: list[int]) -> PreviousReport | None:
    """Open the page to be replaced, or the run's report where that has more; with annotations of both."""
    opened = [open_previous_report(dissection, place) for place in (folder, Path(dissection.path) / "report")]
    both = [previous for previous in opened if previous is not None]
    if not both:
        return None
    first = next((previous for previous in both if previous.holds(needed)), both[0])
    texts = {key: text for previous in both for key, text in previous.annotations.items()}
    return replace(first, annotations=texts)


def _write_data(
    dissection: Dissection, page: RotationPage, found: _Found, photos: Photos, folder: Path
) -> None:
    result = page.result
    labels: dict[float, dict[str, list[tuple[str, float]]]] = {q: {} for q in result.quantiles}
    for unit in dissection.units():
        labels[unit.quantile].setdefault(unit.layer, []).append((unit.label, unit.iou))
    for view in page.views:
        records = concept_records(
            dissection, view.curve, found.grids[view.layer.name], found.numbers, labels[view.quantile]
        )
        name = f"{view.slug}-q{view.place[1]}.js"
        write_script(folder / "data" / name, "dissect.concepts", (*view.place, records))
    report = Path(dissection.path) / "report"
    write_script(
        folder / "data" / "run.js", "dissect.run", (_run_record(page, found, photos, report.is_dir()),)
    )
    write_json(
        folder / DATA,
        {
            "format_version": FORMAT_VERSION,
            "fingerprint": section(dissection.manifest, "data").get("fingerprint"),
            "photos": [
                {"image": image, "name": dissection.images[image].name, "width": width, "height": height}
                for image, (width, height) in photos.sizes.items()
            ],
        },
    )


def _write_pictures(
    dissection: Dissection,
    page: RotationPage,
    found: _Found,
    pictures: tuple[Photos, Mapping[ImageConcept, str]],
    folder: Path,
) -> None:
    """Write a script for each concept, where a later page finds annotations as in the units of a report."""
    for view in page.views:
        name = f"{view.slug}-q{view.place[1]}"
        grid = found.grids[view.layer.name]
        for concept in view.curve.concepts:
            number = found.numbers[concept.concept, concept.category]
            record = concept_pictures(dissection, view.curve, found.units, concept, number, grid, pictures)
            write_script(folder / "units" / name / f"{number}.js", "dissect.unit", (name, number, record))


def _run_record(page: RotationPage, found: _Found, photos: Photos, report: bool) -> dict[str, Any]:
    result = page.result
    slugs = {view.layer.name: view.slug for view in page.views}
    return {
        "alphas": list(result.alphas),
        "seeds": list(result.seeds),
        "quantiles": list(result.quantiles),
        "iou_threshold": result.iou_threshold,
        "pictures": photos.available,
        "pictured_seeds": found.units.seeds,
        "report": report,
        "aspect": most_common_aspect(photos),
        "colours": dict(page.colours),
        "layers": [
            {
                "alias": layer.alias,
                "slug": slugs[layer.name],
                "entries": [[info.slug for info in row] for row in found.grids[layer.name]],
            }
            for layer in result.layers
        ],
    }


def _render(page: RotationPage, photos: Photos, units: FollowedUnits, folder: Path) -> str:
    names = {view.place: rotation_figure_name(view.slug, view.place[1]) for view in page.views}
    figures = {
        place: {form: path for form in FORMATS if (folder / (path := f"{FIGURES}/{name}.{form}")).is_file()}
        for place, name in names.items()
    }
    files = [name for name in ("rotation.csv", "rotation.json") if (folder / name).is_file()]
    content: dict[str, Any] = {
        "root": f"{_PAGE}/",
        "rotation": page,
        "result": page.result,
        "photos": photos,
        "pictured_seeds": units.seeds,
        "figures": figures,
        "files": files,
        "report": (folder.parent / "report" / "index.html").is_file(),
        "chart_widths": WIDTHS,
        "chart": rotation_chart,
        "count_text": count_text,
    }
    return render("onnxdissect.report", "rotation/index.html.j2", content)
