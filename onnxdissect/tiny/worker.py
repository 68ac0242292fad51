"""A process that draws some of the images: ``python -m onnxdissect.tiny.worker FOLDER SEED START STOP STEP``.

It writes a line of JSON to standard output for each image. A worker that cannot write a file says why in its
last line. Workers are programs of their own, since `multiprocessing` would import the caller's main script
again, which runs it unless it is guarded.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Generator
from pathlib import Path

from onnxdissect.data import ImageRecord
from onnxdissect.errors import OutputError
from onnxdissect.tiny.broden import write_drawing
from onnxdissect.tiny.drawing import draw
from onnxdissect.tiny.painting.bump_maps import BumpMaps

__all__ = ["main", "make_images"]


def make_images(folder: Path, seed: int, indices: range) -> Generator[tuple[int, ImageRecord], None, None]:
    """Draw and write some images.

    Parameters
    ----------
    folder : Path
        The data set.
    seed : int
        Seed of the data set.
    indices : range
        Which images.

    Yields
    ------
    int, ImageRecord
        Index and record of each image, in order.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    bump_maps = BumpMaps()
    for index in indices:
        yield index, write_drawing(folder, index, draw(seed, index, bump_maps))


def main(arguments: list[str]) -> int:
    """Make the images asked for on the command line.

    Parameters
    ----------
    arguments : list of str
        Folder, seed, and start, stop and step of the indices.

    Returns
    -------
    int
        Exit code: 0, or 1 after a file could not be written.
    """
    # Ctrl-C reaches every process of the terminal. Only the parent reacts to it, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder = Path(arguments[0])
    seed, start, stop, step = map(int, arguments[1:])
    try:
        for index, record in make_images(folder, seed, range(start, stop, step)):
            line = {"index": index, "record": record.to_json()}
            print(json.dumps(line, separators=(",", ":")), flush=True)
    except BrokenPipeError:
        # the parent process has ended: the rest is not needed, and flushing at exit would fail again
        os._exit(1)
    except OutputError as error:
        print(json.dumps({"error": error.message}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
