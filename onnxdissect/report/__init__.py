"""The report: static pages that show what each unit detects, with its top images.

``data`` gathers the content, ``figures`` lays out the charts, ``pages`` and ``templates`` write the files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from onnxdissect.core.progress import Progress, Silent
from onnxdissect.errors import NotPublishedError, shown_path
from onnxdissect.experiments.basis_findings import Side
from onnxdissect.report.data.annotations import ImageConcept, gather_annotations, wanted_annotations
from onnxdissect.report.data.bases import basis_record, gather_bases
from onnxdissect.report.data.images import run_images
from onnxdissect.report.data.photos import gather_photos, imported_note, needed_images
from onnxdissect.report.data.previous_report import DATA, open_previous_report
from onnxdissect.report.data.report_data import Report, gather_report
from onnxdissect.report.data.units import layer_units, unit_top_maps
from onnxdissect.report.explanation.links import UnitLinks, explanation_links
from onnxdissect.report.figures.beside import FigureProcess, drawing_figures
from onnxdissect.report.pages.data_files import concept_entries, data_json, run_record, write_json
from onnxdissect.report.pages.rendering import (
    ASSETS,
    SWEEP_ASSETS,
    copy_assets,
    render_bases,
    render_basis,
    render_concepts,
    render_index,
    render_layer,
    render_thresholds,
)
from onnxdissect.report.pages.replacing import replacing_folder
from onnxdissect.report.pages.scripts import write_script
from onnxdissect.report.pages.threshold_files import LABELS_SCRIPT, unit_labels
from onnxdissect.storage.disk import write_error
from onnxdissect.storage.files import utf8
from onnxdissect.storage.memory import explained_memory

if TYPE_CHECKING:
    from onnxdissect.data import Dataset
    from onnxdissect.results import Dissection

__all__ = ["build"]

_FOLDER = "report"
# With so many photographs to shrink, another process has drawn the figures before they are done.
_WORTH_A_PROCESS = 300


@explained_memory()
def build(
    dissection: Dissection,
    *,
    data: str | Path | Dataset | None = None,
    progress: Progress | None = None,
    figures: FigureProcess | None = None,
    explanations: Sequence[str | Path] = (),
) -> Path:
    """Write the report of a finished run into its directory.

    An older report stays until the new one is complete. Its pictures and annotations are used again. If there
    is none, and the images of the run are no longer where they were, the report has no pictures and says so.

    Parameters
    ----------
    dissection : Dissection
    data : str, Path or Dataset, optional
        The data set of the run, or where it lies now; by default where the manifest says. A run on images in
        memory does not store them, so its report has no pictures unless the data set is given.
    progress : Progress, optional
        Told of one phase, ``report``, that counts images and units.
    figures : FigureProcess, optional
        Draws the figures, if it was started. By default a process is started where there are many
        photographs to shrink meanwhile.
    explanations : sequence of str or Path
        Folders that ``explain --out`` wrote by this run: units that are told of there lead to them.

    Returns
    -------
    Path
        ``RUN/report/index.html``, which opens from disk.

    Raises
    ------
    OutputError
        If the report cannot be written.
    RunFormatError
        If the run's arrays or explanations are missing or damaged, or a folder holds no page of them.
    RunNotFoundError
        If a folder holds no explanations.
    NotPublishedError
        If `data` is given for imported results.
    RunMismatchError
        If `data` is another data set than that of the run, or explanations are of another run.
    DataError
        If `data` is no data set.
    """
    if dissection.imported and data is not None:
        raise NotPublishedError(
            f"the run {dissection.path} was imported from published results, which name no images: no data "
            "set gives it pictures",
            hint=f"onnxdissect report {shown_path(dissection.path)}",
        )
    images, note = (None, imported_note(dissection)) if dissection.imported else run_images(dissection, data)
    needed = needed_images(dissection)
    progress = progress or Silent()
    progress.start("report", len(needed) + sum(info.units for info in dissection.layers))
    target = Path(dissection.path) / _FOLDER
    links = explanation_links(explanations, dissection, target)
    try:
        with replacing_folder(target) as folder:
            previous = open_previous_report(dissection, target)
            shrunk = 0 if images is None or (previous and previous.holds(needed)) else len(needed)
            report = gather_report(dissection)
            with drawing_figures(report, folder, apart=shrunk >= _WORTH_A_PROCESS, process=figures):
                photos = gather_photos(
                    images,
                    note,
                    needed,
                    folder,
                    previous,
                    progress.advance,
                    imported=dissection.imported,
                )
                annotations = gather_annotations(images, wanted_annotations(dissection), previous)
                complete = replace(report, photos=photos)
                _write_pages(dissection, complete, annotations, links, folder, progress.advance)
    except OSError as error:
        raise write_error(target, error, doing=f"write the report {target}") from error
    progress.finish()
    return target / "index.html"


def _write_pages(
    dissection: Dissection,
    report: Report,
    annotations: Mapping[ImageConcept, str],
    links: UnitLinks,
    folder: Path,
    advance: Callable[[int], None],
) -> None:
    units, sides = {}, {}
    for info in dissection.layers:
        # while its counts are in memory
        units[info.slug] = layer_units(dissection, info)
        links.add_to(info.name, units[info.slug])
        if report.links[0].kinds[0] == "bases":
            sides[info.name] = Side.of(dissection, info.name)
        write_script(folder / "data" / f"{info.slug}.js", "dissect.layer", (info.slug, units[info.slug]))
        for unit, top_maps in enumerate(unit_top_maps(dissection, info, report.photos, annotations)):
            path = folder / "units" / info.slug / f"{unit}.js"
            write_script(path, "dissect.unit", (info.slug, unit, top_maps))
            advance(1)
    entries = concept_entries(dissection)
    write_script(folder / "data" / "run.js", "dissect.run", (run_record(report),))
    write_script(folder / "data" / "concepts.js", "dissect.concepts", (entries,))
    found = gather_bases(dissection, report, sides)
    records = {basis.layer.info.slug: basis_record(basis) for basis in found}
    for slug, record in records.items():
        write_script(folder / "bases" / f"{slug}.js", "dissect.basis", (slug, record))
    write_json(folder / DATA, data_json(report, dissection, units, records))
    copy_assets(folder, SWEEP_ASSETS if report.sweep else ASSETS)
    (folder / "layers").mkdir()
    pages = {
        "index.html": render_index(report),
        "concepts.html": render_concepts(report, entries),
        **{f"layers/{layer.info.slug}.html": render_layer(report, layer) for layer in report.layers},
    }
    if report.sweep:
        pages["thresholds.html"] = render_thresholds(report, report.sweep)
        write_script(folder / LABELS_SCRIPT, "thresholds.labels", (unit_labels(report, report.sweep),))
    if found:
        pages["bases.html"] = render_bases(report, found)
        pages |= {f"bases/{one.layer.info.slug}.html": render_basis(report, one) for one in found}
    for name, text in pages.items():
        (folder / name).write_bytes(utf8(text))
