"""What bases find, as the pages about them show it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from onnxdissect.experiments.basis_findings import BasisFindings, Side, basis_findings
from onnxdissect.report.data.report_data import LayerReport, Report, View
from onnxdissect.report.pages.scripts import rounded

if TYPE_CHECKING:
    from onnxdissect.experiments.basis_findings import BestUnit, ConceptFinding
    from onnxdissect.results import Dissection

__all__ = ["BasisReport", "BasisView", "basis_page", "basis_record", "chance_cosine", "gather_bases"]


@dataclass(frozen=True, slots=True)
class BasisView:
    """A layer under a basis beside the layer itself, at one quantile.

    Attributes
    ----------
    view, own : View
        Under the basis, and of the layer itself.
    findings : BasisFindings
    iou_threshold : float
        Of detectors.
    """

    view: View
    own: View
    findings: BasisFindings
    iou_threshold: float

    @property
    def doubts(self) -> tuple[str, ...]:
        """What limits the numbers of new and lost concepts, as sentences."""
        said = []
        sides = ((self.findings.new, "new", "unit"), (self.findings.lost, "lost", "direction"))
        for found, name, other in sides:
            unsure = sum(bool(one.unsure) for one in found)
            if unsure:
                some = _share(unsure, len(found), name)
                said.append(f"{some} unsure: no detector of such a concept is reliable.")
            otherwise = sum(one.labelled_otherwise(self.iou_threshold) for one in found)
            if otherwise:
                some = _share(otherwise, len(found), name)
                said.append(
                    f"{some} matched above {self.iou_threshold:g} by a {other} too, which has another label."
                )
        return tuple(said)


@dataclass(frozen=True, slots=True)
class BasisReport:
    """A layer under a basis, and the layer itself.

    Attributes
    ----------
    layer, own : LayerReport
        Under the basis, and the layer itself.
    page : str
        Address of the page of what the basis finds, relative to the report's folder.
    views : tuple of BasisView
        One per quantile.
    has_nearest : bool
        Whether the run has stored which own unit each direction is nearest to.
    """

    layer: LayerReport
    own: LayerReport
    page: str
    views: tuple[BasisView, ...]
    has_nearest: bool

    @property
    def name(self) -> str:
        """Of the basis."""
        basis = self.layer.info.basis
        return "" if basis is None else str(basis["name"])


def basis_page(layer: LayerReport) -> str:
    """Tell where the page of what a basis finds lies.

    Parameters
    ----------
    layer : LayerReport
        Under the basis.

    Returns
    -------
    str
        Relative to the report's folder.
    """
    return layer.page.replace("layers/", "bases/", 1)


def chance_cosine(units: int) -> float:
    """Tell how near a random direction is to the axis that it is nearest to: half of them are nearer.

    Parameters
    ----------
    units : int
        Of the layer, n; from some tens on.

    Returns
    -------
    float
        The median of the largest of n coordinates of a unit vector, which are about normal with variance 1/n.
    """
    return float(NormalDist().inv_cdf(0.5 ** (1 / units))) / math.sqrt(units)


def gather_bases(dissection: Dissection, report: Report, sides: Mapping[str, Side]) -> list[BasisReport]:
    """Gather what the bases of a run find.

    Parameters
    ----------
    dissection : Dissection
    report : Report
        Of it.
    sides : mapping of str to Side
        Layers that have been read, by value name.

    Returns
    -------
    list of BasisReport
        One for each layer under a basis, by the layer itself; empty for a run without bases.
    """
    found = []
    for group in report.groups:
        for layer in group.under:
            findings = basis_findings(dissection, layer.info.name, sides)
            views = zip(layer.views, group.own.views, findings, strict=True)
            found.append(
                BasisReport(
                    layer=layer,
                    own=group.own,
                    page=basis_page(layer),
                    views=tuple(BasisView(*view, dissection.iou_threshold) for view in views),
                    has_nearest=all(one.directions[0].nearest is not None for one in findings),
                )
            )
    return found


def basis_record(found: BasisReport) -> dict[str, Any]:
    """Give what the page of a basis and ``data.json`` say of it.

    Parameters
    ----------
    found : BasisReport

    Returns
    -------
    dict
        Documented in ``docs/report.md``.
    """
    directions = found.views[0].findings.directions
    nearest = [None if one.nearest is None else one.nearest.unit for one in directions]
    return {
        "name": found.name,
        "layer": found.own.info.name,
        "slug": found.own.info.slug,
        "nearest": nearest if found.has_nearest else None,
        "cosine": [rounded(one.cosine) for one in directions] if found.has_nearest else None,
        "views": [
            {
                kind: _entries(getattr(view.findings, kind), view.iou_threshold)
                for kind in ("new", "lost", "both")
            }
            for view in found.views
        ],
    }


def _entries(found: Iterable[ConceptFinding], iou_threshold: float) -> Sequence[dict[str, Any]]:
    return [
        {
            "concept": one.concept.number,
            "direction": _best(one.direction),
            "own": _best(one.own),
            "unsure": one.unsure,
            "otherwise": one.labelled_otherwise(iou_threshold),
        }
        for one in found
    ]


def _best(best: BestUnit) -> dict[str, Any]:
    return {
        "unit": best.unit,
        "iou": rounded(best.iou),
        "low": rounded(best.low),
        "high": rounded(best.high),
        "detectors": best.detectors,
        "reliable": best.reliable,
    }


def _share(count: int, of: int, what: str) -> str:
    """Begin a sentence about some of the new or lost concepts."""
    if count == of:
        return f"The one {what} concept is" if of == 1 else f"Each of the {of:,} {what} concepts is"
    return f"{count:,} of the {of:,} {what} concepts {'is' if count == 1 else 'are'}"
