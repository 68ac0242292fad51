"""Addresses of the pages of a real run's report, and the units of one of its layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnxdissect.results import Dissection

LAYER = "relu6"


def address(report: Path, name: str, fragment: str = "") -> str:
    return (report / name).as_uri() + (f"#{fragment}" if fragment else "")


def layer_address(run: Dissection, fragment: str = "", alias: str = LAYER) -> str:
    return address(run.path / "report", f"layers/{run.layer(alias).slug}.html", fragment)


def by_iou(run: Dissection, quantile: int = 0) -> list[Any]:
    units = run.units(LAYER, run.quantiles[quantile])
    return sorted(units, key=lambda unit: (-unit.iou, unit.unit))
