"""What a worker opens once, and all its tasks work with: the run's network, data and plan."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

from distributed import WorkerPlugin

from onnxdissect.core.plan import Plan
from onnxdissect.core.progress import Silent
from onnxdissect.distributed.versions import decisive_versions, differing_versions
from onnxdissect.errors import ClusterError, OnnxDissectError
from onnxdissect.model import Layer
from onnxdissect.pipeline.options import ExecutionOptions, RunOptions
from onnxdissect.pipeline.prepare import Prepared, prepare
from onnxdissect.pipeline.request import open_request

__all__ = ["Opened", "OpenedRun", "RunToOpen"]


@dataclass(frozen=True, slots=True, eq=False)
class RunToOpen:
    """What a worker has to know to open a run.

    Attributes
    ----------
    options : RunOptions
        As asked for, with absolute paths.
    execution : ExecutionOptions
        With the provider and the batch size that were chosen.
    layers : sequence of Layer
        What is dissected, layers under bases among it.
    plan : Plan
        That of the run: every worker's own has to be of the same fingerprint.
    versions : dict of str to str
        See `onnxdissect.distributed.versions.decisive_versions`.
    sha256 : str
        Of the network's file.
    model : bytes or None
        The file itself, where workers do not see its path.
    """

    options: RunOptions
    execution: ExecutionOptions
    layers: Sequence[Layer]
    plan: Plan
    versions: dict[str, str]
    sha256: str
    model: bytes | None


@dataclass(frozen=True, eq=False)
class Opened:
    """A run that a worker has opened; as long as anything refers to this it stays so.

    Attributes
    ----------
    prepared : Prepared
    """

    prepared: Prepared


class OpenedRun(WorkerPlugin):  # type: ignore[misc]
    """Opens a run on a worker when its first task comes; workers that join later do so too.

    Parameters
    ----------
    run : RunToOpen
    """

    def __init__(self, run: RunToOpen) -> None:
        self._run = run

    def setup(self, worker: Any) -> None:
        """Be told of the worker."""
        self._worker = worker
        self._lock = Lock()
        # What the client holds keeps it: where the client is gone without a word, it goes with the parts.
        self._opened: weakref.ref[Opened] | None = None

    def opened(self) -> Opened:
        """Give the run ready for a pass by one thread, opened if it is not yet, or no longer.

        Returns
        -------
        Opened

        Raises
        ------
        ClusterError
            If this worker cannot open it, or would compute something else; it is named.
        """
        with self._lock:
            opened = None if self._opened is None else self._opened()
            if opened is None:
                try:
                    opened = Opened(self._open())
                except OnnxDissectError as error:
                    raise ClusterError(
                        f"the worker {self._worker.address} cannot take part in the run: {error.message}",
                        candidates=error.candidates,
                        hint=error.hint,
                    ) from error
                self._opened = weakref.ref(opened)
            return opened

    def _open(self) -> Prepared:
        run = self._run
        difference = differing_versions(run.versions, decisive_versions())
        if difference:
            raise ClusterError(
                f"it has other versions: {difference}",
                hint="install there what is installed here, in the same versions",
            )
        request = open_request(replace(run.options, model=self._model()), Silent())
        chosen = replace(request.options, execution=run.execution)
        prepared = prepare(replace(request, options=chosen, layers=run.layers), _say_nothing)
        run.plan.fingerprint().expect(prepared.plan.fingerprint())
        workers = 1 if prepared.session.provider == "cpu" else prepared.workers
        return replace(prepared, plan=replace(run.plan, threads=1), workers=workers)

    def _model(self) -> Path:
        """Find the network's file: at its path, or as it was sent."""
        run, path = self._run, self._run.options.model
        if run.model is None or (path.is_file() and _sha256(path) == run.sha256):
            return path
        folder = Path(self._worker.local_directory) / f"onnxdissect-model-{run.sha256}"
        folder.mkdir(exist_ok=True)
        sent = folder / path.name
        sent.write_bytes(run.model)
        return sent


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _say_nothing(message: str) -> None:
    pass
