"""The files of a run of rotations that people look at, which `rotate` and `rescore` write alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from onnxdissect.core.progress import Progress

if TYPE_CHECKING:
    from onnxdissect.experiments.rotation import RotationResult
    from onnxdissect.results import Dissection

__all__ = ["show_rotation"]


def show_rotation(
    result: RotationResult, dissection: Dissection, progress: Progress
) -> tuple[list[Path], Path]:
    """Draw the figures of a result and build its page.

    Parameters
    ----------
    result : RotationResult
    dissection : Dissection
        The run of which it was made.
    progress : Progress
        Told how far the page is.

    Returns
    -------
    figures : list of Path
    page : Path

    Raises
    ------
    OnnxDissectError
        If a file cannot be written, or files of the run are missing or damaged.
    """
    from onnxdissect.report.figures.rotation import draw_rotations
    from onnxdissect.report.rotation import build_rotation

    figures = draw_rotations(result, result.path / "rotation" / "figures")
    return figures, build_rotation(result, dissection, progress=progress)
