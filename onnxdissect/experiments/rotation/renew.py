"""The result of a run of rotations made anew once the run was scored another way."""

from __future__ import annotations

from collections.abc import Callable

from onnxdissect.core.progress import Progress
from onnxdissect.errors import RunFormatError
from onnxdissect.experiments.rotation.formats.stored import read_rotation, read_verification, write_rotation
from onnxdissect.experiments.rotation.measure import measure_rotations
from onnxdissect.experiments.rotation.records import Verification
from onnxdissect.experiments.rotation.result import RotationResult
from onnxdissect.results import Dissection

__all__ = ["renew_rotation"]


def renew_rotation(
    run: Dissection, progress: Progress | None = None, notify: Callable[[str], None] | None = None
) -> RotationResult:
    """Make the result that lies in a run go with the run's scores. No network is run.

    Parameters
    ----------
    run : Dissection
        As `onnxdissect.results.rescore` gives it.
    progress : Progress, optional
        Told of one phase, ``rotations``, if anything has to be made.
    notify : callable, optional
        Told if what `verify` has shown cannot be read any more.

    Returns
    -------
    RotationResult
        What was there if it goes with the run. Otherwise it is made of the run and written, with the
        verification that was there, which no score enters.

    Raises
    ------
    RunNotFoundError
        If the run holds no result.
    RunMismatchError
        If the run is not one of rotations.
    RunFormatError
        If files of the run are missing or damaged.
    OutputError
        If a file cannot be written.
    """
    try:
        return read_rotation(run)
    except RunFormatError:
        result = measure_rotations(run, _verification(run, notify), progress)
    write_rotation(result)
    return result


def _verification(run: Dissection, notify: Callable[[str], None] | None) -> tuple[Verification, ...]:
    try:
        return read_verification(run)
    except RunFormatError as error:
        if notify is not None:
            notify(f"{error.message}: what verifying its layers had shown, if they were, is lost")
        return ()
