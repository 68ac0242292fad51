"""How figures for a paper look, and how they become files: equal figures are equal bytes."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxdissect.storage.characters import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "FORMATS", "MARKERS", "paper_settings", "save_figure"]

FORMATS = ("svg", "pdf", "png")
COLOURS = (
    *("#2f6db5", "#c2541d", "#24784b", "#7a56b3", "#b03070"),
    *("#846a00", "#10707a", "#7a5230", "#5f6673", "#4d7517"),
)
"""By their numbers, as in the style sheet."""

MARKERS = "osD^vP"
"""Of lines, so that they can be told apart without colours."""

_DPI = 200
# Without dates and program names, equal figures are equal files.
_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


@contextlib.contextmanager
def paper_settings() -> Iterator[None]:
    """Draw and save figures as papers want them while the body of the ``with`` runs."""
    import matplotlib as mpl

    settings: Any = {
        "svg.hashsalt": "onnxdissect",
        "svg.fonttype": "none",
        "pdf.fonttype": 42,
        "image.composite_image": False,
        "font.size": 8,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        # a name in a script that the font lacks is drawn as boxes
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def save_figure(figure: Figure, path: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write a figure in several formats.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : Path
        Without its ending.
    formats : sequence of str
        Some of `FORMATS`, by default all.

    Returns
    -------
    list of Path
        What was written.
    """
    written = []
    # names of files and classes may hold what neither a font nor SVG has
    places: list[Any] = [figure, *figure.axes]
    for place in places:
        for text in place.texts:
            text.set_text(printable(text.get_text()))
    for form in formats:
        written.append(path.with_name(f"{path.name}.{form}"))
        figure.savefig(written[-1], format=form, dpi=_DPI, metadata=_METADATA[form])
    return written
