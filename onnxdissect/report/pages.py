"""Pages from report data."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from onnxdissect.report.data import Report
from onnxdissect.report.figures import bar_chart

__all__ = ["render_index"]


def render_index(report: Report) -> str:
    """Write the page of a run.

    Parameters
    ----------
    report : Report

    Returns
    -------
    str
        HTML that needs nothing but the pictures beside it. Every name in it is escaped.
    """
    environment = Environment(
        loader=PackageLoader("onnxdissect.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("index.html.j2")
    return template.render(report=report, bar_chart=bar_chart)
