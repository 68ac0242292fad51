"""What the script of the page of an ablation reads: every unit, and which classes need it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from onnxdissect.report.pages.scripts import rounded

if TYPE_CHECKING:
    from onnxdissect.experiments.ablation import AblationResult

__all__ = ["units_record"]


def units_record(result: AblationResult, colours: Mapping[str, int], report: str) -> dict[str, Any]:
    """Give what the script needs.

    Parameters
    ----------
    result : AblationResult
    colours : mapping of str to int
        Number of each category's colour.
    report : str
        Address of the layer's page in the report of its run; empty where there is none.

    Returns
    -------
    dict
        ``units``: of each its number, label, category, colour, IoU, whether it is a detector, the classes
        that need it, the mean drop of accuracy, the class that loses most, and how much.
    """
    return {
        "report": report,
        "units": [
            [
                one.unit,
                one.label,
                one.category,
                colours.get(one.category, 0),
                rounded(one.iou),
                one.detector,
                list(one.classes),
                rounded(one.mean_drop),
                one.worst_class,
                rounded(one.worst_drop),
            ]
            for one in result.needs
        ],
    }
