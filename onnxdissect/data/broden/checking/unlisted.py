"""Files in the images folder that no row of the index lists."""

from __future__ import annotations

import os
import posixpath
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from onnxdissect.data.broden.checking.problems import Problem
from onnxdissect.data.broden.index import COLUMNS
from onnxdissect.data.broden.reader import BrodenDataset
from onnxdissect.data.broden.tables import read_table
from onnxdissect.errors import shown_path
from onnxdissect.storage.regular_files import kind_of_file

__all__ = ["unlisted_files"]

_MOST_NAMED = 1000


def unlisted_files(dataset: BrodenDataset) -> Iterator[Problem]:
    """Find files that nothing refers to: forgotten images, label maps whose image went.

    Rows that cannot be read count as well, and so do images that a subset leaves out.

    Parameters
    ----------
    dataset : BrodenDataset

    Yields
    ------
    Problem
        A warning for each of up to 1,000 of them, by path, then one for the others.
    """
    images = dataset.folder / "images"
    root = os.path.realpath(images)
    # A folder that leads out is not read; that is said of every image in it.
    if dataset.inside is not None and not _is_below(root, os.path.realpath(dataset.folder)):
        return
    tree = _Tree(images, None if dataset.inside is None else os.path.realpath(dataset.folder))
    listed, stems = _listed_paths(dataset)
    found = sorted(path for path in tree.walk() if path not in listed)
    real = {os.path.realpath(images / path) for path in listed} if found and tree.linked else set()
    folded = {_folded(path): path for path in listed} if found else {}
    left = 0
    for path in found:
        if tree.linked and os.path.realpath(images / path) in real:
            continue
        # where case says nothing, a row may spell a name in another way
        other = folded.get(_folded(path))
        if other is not None and _is_same(images / path, images / other):
            continue
        left += 1
        if left <= _MOST_NAMED:
            yield Problem(
                "warning", path, None, f"no row of {dataset.index} lists {_what(images, path, stems)}"
            )
    if left > _MOST_NAMED:
        message = f"{left - _MOST_NAMED:,} more files in images/ that no row of {dataset.index} lists"
        yield Problem("warning", dataset.index, None, message)
    for path, reason in tree.closed:
        yield Problem("warning", path, None, f"this folder cannot be looked into: {reason}")


@dataclass
class _Tree:
    """Walks a folder; notes links and folders that it may not look into."""

    images: Path
    inside: str | None
    linked: bool = False
    closed: list[tuple[str, str]] = field(default_factory=list)

    def walk(self) -> Iterator[str]:
        """Give the paths of all that is no folder, with forward slashes; each folder is walked once."""
        waiting, seen = [""], set[tuple[int, int]]()
        while waiting:
            folder = waiting.pop()
            try:
                own = (self.images / folder).stat()
                # on Windows, where folders have no numbers in what is told of them, links are a privilege
                if own.st_ino and (own.st_dev, own.st_ino) in seen:
                    continue
                seen.add((own.st_dev, own.st_ino))
                with os.scandir(self.images / folder) as entries:
                    for entry in entries:
                        path = f"{folder}/{entry.name}" if folder else entry.name
                        link = entry.is_symlink()
                        self.linked |= link
                        if not entry.is_dir():
                            yield path
                        elif not link or self._may_enter(entry.path):
                            waiting.append(path)
            except OSError as error:
                self.closed.append((folder or "images", error.strerror or str(error)))

    def _may_enter(self, link: str) -> bool:
        return self.inside is None or _is_below(os.path.realpath(link), self.inside)


def _listed_paths(dataset: BrodenDataset) -> tuple[set[str], dict[str, str]]:
    """Every path in a cell of the index, and the images among them by their paths without suffix."""
    table = read_table(dataset.folder / dataset.index, COLUMNS, inside=dataset.inside, uneven=True)
    image = table.columns["image"]
    fixed = {table.columns[name] for name in COLUMNS}
    others = [position for position in table.columns.values() if position not in fixed]
    listed: set[str] = set()
    stems: dict[str, str] = {}
    for _, cells in table.rows:
        name = _plain(cells[image])
        stems[name.rpartition(".")[0] or name] = name
        listed.add(name)
        for position in others:
            listed.update(_plain(item) for item in cells[position].split(";"))
    return listed, stems


def _plain(text: str) -> str:
    return posixpath.normpath(text.strip().replace("\\", "/"))


def _what(images: Path, path: str, stems: dict[str, str]) -> str:
    try:
        mode = (images / path).lstat().st_mode
    except OSError:  # gone by now
        return "this file"
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        return f"this, which is {kind_of_file(mode)}"
    if path.lower().endswith(".png"):
        stem = path
        while "_" in stem.rpartition("/")[2]:
            stem = stem.rpartition("_")[0]
            if stem in stems:
                return f"this label map, by its name one of {shown_path(stems[stem])}"
    return "this file"


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
