"""Making the whole data set: with worker processes, in a folder of the user's or in the cache."""

from __future__ import annotations

import contextlib
import json
import queue
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import IO

from onnxdissect.data import ImageRecord
from onnxdissect.data.sources import Advance
from onnxdissect.errors import OutputError, ParameterError
from onnxdissect.interrupts import uninterrupted
from onnxdissect.libraries import import_cv2
from onnxdissect.machine import WorkerCommand, cores, worker_command
from onnxdissect.storage.disk import write_error
from onnxdissect.storage.locks import locked
from onnxdissect.storage.user_cache import cache_folder
from onnxdissect.tiny.broden import write_labels
from onnxdissect.tiny.worker import make_images

__all__ = ["IMAGES", "SEED", "VERSION", "cache_folder", "ensure_tiny", "make_tiny"]

VERSION = 1
"""Raised whenever the same seed no longer draws the same data set."""
IMAGES = 2400
SEED = 2017

_MARKER = "tiny.json"
_CACHE_VARIABLE = "WIN_PD_OVERRIDE_LOCAL_APPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
# below this many images a worker's start takes longer than its work
_WORTH_A_WORKER = 100


def make_tiny(
    folder: Path,
    *,
    images: int = IMAGES,
    seed: int = SEED,
    workers: int = 2,
    progress: Advance | None = None,
) -> None:
    """Make the data set in a folder, in the Broden layout.

    The same seed gives the same pixels on every machine, whatever the number of workers. The folder
    appears under its name when it is complete; if drawing is interrupted, nothing is left.

    Parameters
    ----------
    folder : Path
        Where to. It may not exist yet, or be empty. If it already holds this very data set, nothing is
        done.
    images : int
        Number of images; the last of every eight is a texture, the others are scenes.
    seed : int
        Seed of everything random, 0 .. 2**32 - 1.
    workers : int
        Number of worker processes; with 1 the images are drawn in this process.
    progress : callable, optional
        Called in this thread with the images done and the images in all.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.
    OutputError
        If the folder holds something else, or cannot be written.
    InstallationError
        If OpenCV does not load.
    """
    if images < 1:
        raise ParameterError(f"tiny is asked for with {images} images; there must be at least 1")
    if not 0 <= seed < 2**32:
        raise ParameterError(f"the seed of tiny is {seed}; it must lie in 0 .. {2**32 - 1}")
    if workers < 1:
        raise ParameterError(f"tiny is to be made by {workers} workers; there must be at least 1")
    import_cv2()  # said here once rather than by every worker
    folder = Path(folder).absolute()
    marker = {"tiny": VERSION, "seed": seed, "images": images}
    if _already_made(folder, marker):
        return
    partial = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.mkdir(parents=True)
        records = dict(_records(partial, seed, images, workers, progress))
        write_labels(partial, [records[index] for index in range(images)])
        (partial / _MARKER).write_text(json.dumps(marker) + "\n", encoding="utf-8")
        _into_place(partial, folder, marker)
    except OSError as error:
        raise write_error(folder, error, doing=f"write the data set tiny to {folder}") from error
    finally:
        with uninterrupted():
            shutil.rmtree(partial, ignore_errors=True)


def _already_made(folder: Path, marker: dict[str, int]) -> bool:
    """Whether the folder holds what is asked for; an error where it holds anything else."""
    try:
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return False
        if not folder.is_dir():
            raise OutputError(f"the data set tiny cannot be made in {folder}: it is a file")
        found = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise OutputError(
            f"{folder} is not empty and is no data set tiny (it has no {_MARKER}); nothing was written",
            hint="choose a new or an empty folder",
        ) from error
    except (OSError, ValueError) as error:
        raise OutputError(f"{folder} cannot be used for the data set tiny: {error}") from error
    if found != marker:
        raise OutputError(
            f"{folder} holds the data set tiny made with {found}, and {marker} was asked for",
            hint="choose another folder, or remove this one first",
        )
    return True


def _into_place(partial: Path, folder: Path, marker: dict[str, int]) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()  # an empty one; Windows renames onto no folder at all
    try:
        partial.rename(folder)
    except OSError:
        # another process may have been faster, with the very same pixels
        if not (folder.exists() and _already_made(folder, marker)):
            raise


def _records(
    folder: Path, seed: int, images: int, workers: int, progress: Advance | None
) -> Iterator[tuple[int, ImageRecord]]:
    workers = min(workers, max(1, images // _WORTH_A_WORKER))
    found = worker_command(f"{__package__}.worker") if workers > 1 else None
    if found is None:
        source = make_images(folder, seed, range(images))
    else:
        source = _from_workers(found, folder, seed, images, workers)
    if progress is not None:
        progress(0, images)
    with contextlib.closing(source):
        for done, record in enumerate(source, 1):
            yield record
            if progress is not None:
                progress(done, images)


def _from_workers(
    found: WorkerCommand, folder: Path, seed: int, images: int, workers: int
) -> Generator[tuple[int, ImageRecord], None, None]:
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    processes: list[subprocess.Popen[str]] = []
    readers: list[threading.Thread] = []
    try:
        for first in range(workers):
            # Whatever was started is known below, where it is ended.
            with uninterrupted():
                process = subprocess.Popen(
                    [*found.command, *map(str, (folder, seed, first, images, workers))],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    encoding="utf-8",
                    env=found.environment,
                )
                processes.append(process)
                assert process.stdout is not None
                readers.append(threading.Thread(target=_forward, args=(process.stdout, lines), daemon=True))
                readers[-1].start()
        running = workers
        while running:
            line = lines.get()
            if line is None:
                running -= 1
                continue
            value = json.loads(line)
            if "error" in value:
                raise OutputError(value["error"])
            yield value["index"], ImageRecord.from_json(value["record"])
        for process in processes:
            if process.wait() != 0:
                raise OSError(f"a worker process ended with exit code {process.returncode}")
    finally:
        with uninterrupted():
            for process in processes:
                process.kill()
                process.wait()
            for reader in readers:
                reader.join()
            for process in processes:
                if process.stdout is not None:
                    process.stdout.close()


def _forward(stream: IO[str], lines: queue.SimpleQueue[str | None]) -> None:
    for line in stream:
        # a killed worker's last line may lack its end
        if line.endswith("\n"):
            lines.put(line)
    lines.put(None)


def ensure_tiny(cache: Path | None = None, *, progress: Advance | None = None) -> Path:
    """Find the data set in the user's cache, and make it there on first use.

    Parameters
    ----------
    cache : Path, optional
        Folder to keep it under; `cache_folder` if not given.
    progress : callable, optional
        Called with the images done and the images in all while it is made; never called where it is there.

    Returns
    -------
    Path
        The folder of the data set.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    cache = cache_folder() if cache is None else Path(cache).absolute()
    folder = cache / f"tiny-v{VERSION}"
    marker = {"tiny": VERSION, "seed": SEED, "images": IMAGES}
    if _already_made(folder, marker):
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            # where there are no locks, whoever makes it at the same time does the work twice
            with contextlib.suppress(OutputError):
                stack.enter_context(locked(cache / f"{folder.name}.lock"))
            # whoever made these no longer runs, or it would hold the lock
            for stale in cache.glob(f"{folder.name}.*.partial"):
                shutil.rmtree(stale, ignore_errors=True)
            workers = max(2, min(cores(), 8))
            make_tiny(folder, images=IMAGES, seed=SEED, workers=workers, progress=progress)
    except OSError as error:
        said = write_error(cache, error, doing=f"write the data set tiny to {cache}")
        raise OutputError(
            said.message, hint=said.hint or f"set {_CACHE_VARIABLE} to a folder that can be written"
        ) from error
    return folder
