"""Where a run's images come from: a folder, or the drawn data set, which is made on first use."""

from __future__ import annotations

from pathlib import Path

from onnxdissect.core.progress import Progress
from onnxdissect.data import Dataset, open_dataset
from onnxdissect.tiny import ensure_tiny

__all__ = ["open_data"]


def open_data(data: str | Path, progress: Progress, groups: str | None) -> Dataset:
    """Open the data set that a run was asked for.

    Parameters
    ----------
    data : str or Path
        A folder in the Broden layout, or ``"tiny"``.
    progress : Progress
        Told how far the drawing is.
    groups : str or None
        What says which images belong together; see `onnxdissect.data.open_dataset`.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If it is no data set.
    """
    if str(data) != "tiny":
        return open_dataset(data, groups=groups)
    drawing = _Drawing(progress)
    folder = ensure_tiny(progress=drawing)
    drawing.finish()
    return open_dataset(folder, groups=groups)


class _Drawing:
    """From `ensure_tiny`'s (done, total) to a phase."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done: int | None = None

    def __call__(self, done: int, total: int) -> None:
        if self._done is None:
            self._progress.start("tiny", total)
            self._done = 0
        self._progress.advance(done - self._done)
        self._done = done

    def finish(self) -> None:
        if self._done is not None:
            self._progress.finish()
