"""What an ablation that is killed goes on from: predictions chunk by chunk, in a folder of their own."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import OutputError, RunFormatError, RunMismatchError, shown, shown_path
from onnxdissect.experiments.ablation.formats.folder import WORK, former_request, remove_result
from onnxdissect.experiments.ablation.predicting.removal import Predictions
from onnxdissect.storage.archive_reader import read_archive
from onnxdissect.storage.archive_writer import write_archive
from onnxdissect.storage.files import make_folder, sweep_partial, write_bytes
from onnxdissect.storage.json_file import json_bytes
from onnxdissect.storage.locks import locked
from onnxdissect.storage.schema import ArraySpec, Schema

__all__ = ["Work", "expect_same_request", "working"]

_REQUEST = "request.json"
_LOCK = "lock"
_PLACES = ("run",)
_PREDICTED = ("predicted", "losses", "own_scores", "scores")
_SCHEMA = Schema(
    {
        "predicted": ArraySpec("int32", "VM"),
        "losses": ArraySpec("float32", "VM"),
        "own_scores": ArraySpec("float32", "OM"),
        "scores": ArraySpec("float32", "AMC"),
        "counts": ArraySpec("int64", "."),
    },
    hint="--fresh starts over",
)


class Work:
    """Predictions that are done.

    Parameters
    ----------
    folder : Path
        Where they are kept.
    saves : bool
        Whether they are kept at all.
    """

    def __init__(self, folder: Path, saves: bool) -> None:
        self.folder = folder
        self._saves = saves

    def load(self, phase: str, chunk: slice, lengths: Mapping[str, int]) -> tuple[Predictions, int] | None:
        """Give what is done of a chunk.

        Parameters
        ----------
        phase : str
            "units" or "sets".
        chunk : slice
            Of the images.
        lengths : mapping of str to int
            V ways of removing units, of which scores of one class are kept in O, and of C classes in A.

        Returns
        -------
        (Predictions, int) or None
            With the checksum of the images; None where it is not done.

        Raises
        ------
        RunFormatError
            If the file is damaged.
        """
        path = self._path(phase, chunk)
        if not self._saves or not path.exists():
            return None
        found = read_archive(path, _SCHEMA, lengths={**lengths, "M": chunk.stop - chunk.start})
        if len(found["counts"]) != 2:
            raise RunFormatError(f"{path} is damaged", hint=_SCHEMA.hint)
        tails, checksum = map(int, found["counts"])
        return Predictions(**{name: found[name] for name in _PREDICTED}, tails=tails), checksum

    def save(self, phase: str, chunk: slice, found: Predictions, checksum: int) -> None:
        """Keep what is done of a chunk.

        Parameters
        ----------
        phase, chunk
            As for `load`.
        found : Predictions
        checksum : int
            Of the images.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        if self._saves:
            arrays: Mapping[str, NDArray[Any]] = {
                "predicted": found.predicted,
                "losses": found.losses,
                "own_scores": found.own_scores,
                "scores": found.scores,
                "counts": np.array([found.tails, checksum], np.int64),
            }
            write_archive(self._path(phase, chunk), _SCHEMA, arrays, compress=False)

    def _path(self, phase: str, chunk: slice) -> Path:
        return self.folder / f"{phase}-{chunk.start:08}.npz"


@contextlib.contextmanager
def working(out: Path | None, request: Mapping[str, Any], *, fresh: bool) -> Iterator[Work]:
    """Lock a folder, and lend it for what is done so far.

    Parameters
    ----------
    out : Path or None
        Where the result goes; None where nothing is kept.
    request : mapping
        What makes this ablation this one, as JSON values.
    fresh : bool
        Whether to start over, whatever ablation is there.

    Yields
    ------
    Work
        Its folder is removed when the body has ended well.

    Raises
    ------
    RunMismatchError
        If what is there is of something else.
    OutputError
        If the folder cannot be written, or another process is writing it.
    """
    if out is None:
        with tempfile.TemporaryDirectory(prefix="onnxdissect-ablation-") as folder:
            yield Work(Path(folder), saves=False)
        return
    work = make_folder(out / WORK, inside=out)
    taken = OutputError(
        f"another process is writing the ablation in {out}",
        hint="wait for it to end, or write elsewhere with --out DIR",
    )
    with locked(work / _LOCK, taken=taken):
        _prepare(out, work, request, fresh)
        yield Work(work, saves=True)
    shutil.rmtree(work, ignore_errors=True)


def _prepare(out: Path, work: Path, request: Mapping[str, Any], fresh: bool) -> None:
    former = None if fresh else former_request(work / _REQUEST)
    if former is not None:
        expect_same_request(out, former, request)
    else:
        for path in work.iterdir():
            if path.name != _LOCK:
                path.unlink()
        remove_result(out)
        write_bytes(work / _REQUEST, json_bytes(request, indent=1))
    sweep_partial(work)
    sweep_partial(out)


def expect_same_request(out: Path, former: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    """Refuse to go on with, or to read, an ablation of something else.

    Parameters
    ----------
    out : Path
        Where it is.
    former, request : mapping
        What was asked for there, and what is asked for now.

    Raises
    ------
    RunMismatchError
        Naming what differs.
    """
    # JSON has lists for tuples; runs are compared by their labels, wherever they lie
    there, asked = json.loads(json.dumps([former, request]))
    differing = [name for name in asked if name not in _PLACES and there.get(name) != asked[name]]
    if differing:
        said = "; ".join(
            f"{name}: {_said(there.get(name))} there, {_said(asked[name])} asked for" for name in differing
        )
        raise RunMismatchError(
            f"{shown_path(out)} holds another ablation; it differs in {said}",
            hint="--fresh to overwrite it, or --out to write elsewhere",
        )


def _said(value: object) -> str:
    return shown(value, 60) if isinstance(value, str) else repr(value)[:200]
