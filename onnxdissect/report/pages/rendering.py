"""The pages of a report, written from its content by templates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from onnxdissect.report.data.bases import BasisReport, basis_page, chance_cosine
from onnxdissect.report.data.report_data import LayerReport, Report
from onnxdissect.report.figures.bars import bar_chart
from onnxdissect.report.figures.depth import depth_chart
from onnxdissect.report.figures.paper import FORMATS
from onnxdissect.report.figures.plots import bars_name, depth_name, thresholds_name
from onnxdissect.report.figures.threshold_charts import threshold_charts
from onnxdissect.report.pages.threshold_files import LABELS_SCRIPT
from onnxdissect.results.sweep import ThresholdSweep
from onnxdissect.statistics.reliability import FALSE_RELIABLE, STABLE
from onnxdissect.templates import render

__all__ = [
    "ASSETS",
    "SWEEP_ASSETS",
    "copy_assets",
    "render_bases",
    "render_basis",
    "render_concepts",
    "render_index",
    "render_layer",
    "render_thresholds",
]

ASSETS = ("report.css", "shared.js", "report.js")
"""Files that are copied from the package to the report's folder."""

SWEEP_ASSETS = (*ASSETS, "thresholds.js")
"""The same for a run at several quantiles."""

_REASONS = (
    ("color", "Colours"),
    ("wide", "Concepts of more than a tenth of all pixels"),
    ("filling", "Textures and materials of more than a quarter of the images they are in"),
)


def copy_assets(folder: Path, assets: Iterable[str] = ASSETS) -> None:
    """Put the style sheet and the scripts beside the pages.

    Parameters
    ----------
    folder : Path
        Folder of the report.
    assets : iterable of str
        Files below the package's folder of templates.
    """
    for name in assets:
        source = files("onnxdissect.report").joinpath("templates", *name.split("/"))
        (folder / name.rpartition("/")[2]).write_bytes(source.read_bytes())


def render_index(report: Report) -> str:
    """Write the overview of a run.

    Parameters
    ----------
    report : Report

    Returns
    -------
    str
        HTML. Every name in it is escaped.
    """
    charts = [depth_chart(report.own_layers, q) for q in range(len(report.quantiles))]
    return _render("index.html.j2", report=report, root="", depth_charts=charts)


def render_layer(report: Report, layer: LayerReport) -> str:
    """Write the page of a layer.

    Parameters
    ----------
    report : Report
    layer : LayerReport

    Returns
    -------
    str
        HTML whose script fills in the units.
    """
    (group,) = (one for one in report.groups if layer is one.own or layer in one.under)
    # neighbours of the same kind: layers of the network, or bases of one layer
    row = group.under if layer in group.under else report.own_layers
    place = row.index(layer)
    around = {
        "before": row[place - 1] if place else None,
        "after": row[place + 1] if place + 1 < len(row) else None,
        "own": None if layer is group.own else group.own,
        "under": group.under,
        "finds": basis_page(layer),
    }
    return _render("layer.html.j2", report=report, root="../", layer=layer, **around)


def render_bases(report: Report, found: Sequence[BasisReport]) -> str:
    """Write the page that compares the bases of each layer.

    Parameters
    ----------
    report : Report
    found : sequence of BasisReport
        Of every layer under a basis.

    Returns
    -------
    str
        HTML: a table for each layer of the network that is under bases.
    """
    by_name = {one.layer.info.name: one for one in found}
    return _render("bases.html.j2", report=report, root="", found=by_name)


def render_basis(report: Report, basis: BasisReport) -> str:
    """Write the page of what a basis finds.

    Parameters
    ----------
    report : Report
    basis : BasisReport

    Returns
    -------
    str
        HTML: new, lost and common concepts. A script draws pictures, and the table of directions.
    """
    sides = {"own": basis.own, "under": basis.layer}
    chance = chance_cosine(basis.own.info.units)
    return _render("basis.html.j2", report=report, root="../", basis=basis, chance_cosine=chance, **sides)


def render_concepts(report: Report, entries: Sequence[Sequence[dict[str, Any]]]) -> str:
    """Write the page of the concepts.

    Parameters
    ----------
    report : Report
    entries : sequence of sequence of dict
        Of `onnxdissect.report.pages.data_files.concept_entries`.

    Returns
    -------
    str
        HTML: an index of all concepts that some unit detects. A script fills in the one that is chosen.
    """
    content = {
        "own_layers": report.own_layers,
        "positions": {layer.info.name: i for i, layer in enumerate(report.layers)},
    }
    return _render("concepts.html.j2", report=report, root="", entries=entries, **content)


def render_thresholds(report: Report, sweep: ThresholdSweep) -> str:
    """Write the page that tells how labels change with the quantile.

    Parameters
    ----------
    report : Report
    sweep : ThresholdSweep
        Of its run.

    Returns
    -------
    str
        HTML. A script fills in the list of units.
    """
    pairs = list(zip(report.layers, sweep.layers, strict=True))
    # the layer that the overview begins with
    first = next(pair for pair in pairs if pair[0] is report.headlines[0][0])
    return _render(
        "thresholds.html.j2",
        report=report,
        root="",
        first=first,
        swept_layers=[(*pair, threshold_charts(pair[1], report.categories)) for pair in pairs],
        reasons=_REASONS,
        labels_script=LABELS_SCRIPT,
        thresholds_name=thresholds_name,
    )


def _render(name: str, **content: Any) -> str:
    report: Report = content["report"]
    content |= {"several": len(report.quantiles) > 1, "has_reliability": report.has_reliability}
    content |= {"stable": STABLE, "false_reliable": FALSE_RELIABLE}
    content |= {"bar_chart": bar_chart, "bars_name": bars_name, "depth_name": depth_name, "formats": FORMATS}
    return render("onnxdissect.report", name, content)
