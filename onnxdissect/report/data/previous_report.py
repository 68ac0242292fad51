"""Photographs and annotations of an earlier report of the same run.

A new report takes them from there, so that the data set need not be present any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxdissect.errors import RunFormatError
from onnxdissect.report.data.facts import section
from onnxdissect.report.pages.scripts import read_script

if TYPE_CHECKING:
    from onnxdissect.results import Dissection

__all__ = ["DATA", "FORMAT_VERSION", "PreviousReport", "open_previous_report"]

DATA = "data.json"
FORMAT_VERSION = 1
"""Of ``data.json`` and of everything else in the report's folder."""


@dataclass(frozen=True, slots=True)
class PreviousReport:
    """A report that is about to be replaced.

    Attributes
    ----------
    folder : Path
        Where it lies.
    photos : mapping of int to (int, int)
        Per image of the run, (width, height) of its photograph.
    annotations : mapping of (int, int) to str
        Per image and concept number, the annotation as the text of a mask.
    """

    folder: Path
    photos: Mapping[int, tuple[int, int]]
    annotations: Mapping[tuple[int, int], str]

    def holds(self, images: Iterable[int]) -> bool:
        """Tell whether it has a photograph of each of these images of the run.

        Parameters
        ----------
        images : iterable of int

        Returns
        -------
        bool
        """
        return self.photos.keys() >= set(images)


def open_previous_report(dissection: Dissection, folder: Path) -> PreviousReport | None:
    """Open the report that a run directory already has.

    Parameters
    ----------
    dissection : Dissection
    folder : Path
        Folder of the report.

    Returns
    -------
    PreviousReport or None
        None if there is no report, or it shows other images, or another version made it.
    """
    try:
        content = json.loads((folder / DATA).read_text(encoding="utf-8"))
        same = content["format_version"] == FORMAT_VERSION and content["fingerprint"] == section(
            dissection.manifest, "data"
        ).get("fingerprint")
        photos = {
            int(photo["image"]): (int(photo["width"]), int(photo["height"]))
            for photo in content["photos"]
            if dissection.images[int(photo["image"])].name == photo["name"]
        }
        whole = len(photos) == len(content["photos"]) and all(
            (folder / "photos" / f"{image}.webp").is_file() for image in photos
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
    if not same or not whole:
        return None
    annotations: dict[tuple[int, int], str] = {}
    for path in sorted((folder / "units").glob("*/*.js")):
        try:
            _, _, unit = read_script(path)
            annotations.update(_annotations(unit))
        except (RunFormatError, KeyError, TypeError, ValueError):
            continue
    return PreviousReport(folder, photos, annotations)


def _annotations(unit: Mapping[str, Any]) -> dict[tuple[int, int], str]:
    return {
        (image["image"], view["concept"]): text
        for view in unit["views"]
        for image, text in zip(unit["images"], view["annotations"], strict=True)
        if text is not None
    }
