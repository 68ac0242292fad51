"""Files that a format names: found inside one folder, also where the names are in another Unicode form."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from onnxdissect.data.importers.names import normal
from onnxdissect.errors import DataFormatError, nearest, shown, shown_path
from onnxdissect.storage.regular_files import Enclosure, OutsideError, is_file, is_folder

__all__ = ["FileFinder", "like_named"]


def like_named(path: Path) -> list[str]:
    """Name files beside one that is not there, whose names are like its own.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of str
        Paths as the one asked for was given, best first.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(path.parent) if is_file(entry.path))
    except OSError:
        return []
    return [str(path.with_name(name)) for name in nearest(path.name, names)]


class FileFinder:
    """A folder in which files are looked for by the names that annotations have for them.

    Systems write letters with accents as one character or as two. What is not there under its own name is
    looked for under the other; `renamed` counts how often.

    Parameters
    ----------
    folder : Path
        Nothing that is found leads out of it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inside = Enclosure(folder)
        self.renamed = 0
        self._listings: dict[str, dict[str, list[str]]] = {}

    def find(self, name: str, called: str) -> Path | None:
        """Look for a file.

        Parameters
        ----------
        name : str
            Path inside the folder, with forward slashes.
        called : str
            What names it, for messages.

        Returns
        -------
        Path or None
            None where there is no such file.

        Raises
        ------
        DataFormatError
            If it leads out of the folder, is no regular file, or two files are called so in other forms.
        """
        path = PurePosixPath(name)
        if not name or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
            raise DataFormatError(
                f"{called} names the file {shown(name)}, which is no path inside {shown_path(self.folder)}",
                hint="names of files have forward slashes, and lead to no folder above",
            )
        found = os.path.join(self.folder, path)  # noqa: PTH118 - a Path is made once it is found
        if not os.path.lexists(found):
            alike = self._alike(path, called)
            if alike is None:
                return None
            self.renamed += 1
            found = alike
        try:
            self.inside.follow(found)
        except OutsideError as error:
            raise DataFormatError(
                f"{called} names the file {shown(name)}: {error.strerror}",
                hint="give the folder that it leads to, or copy the file",
            ) from error
        except OSError as error:
            raise DataFormatError(
                f"{called} names the file {shown(name)}, which cannot be read: {error.strerror or error}"
            ) from error
        if not is_file(found):
            raise DataFormatError(
                f"{called} names {shown(name)}, which is {'a folder' if is_folder(found) else 'no file'}"
            )
        return Path(found)

    def notes(self) -> tuple[str, ...]:
        """Say how many files were found under names of another Unicode form."""
        if not self.renamed:
            return ()
        return (f"{self.renamed:,} of the names of files are in another Unicode form than the files",)

    def _alike(self, path: PurePosixPath, called: str) -> str | None:
        here = str(self.folder)
        for part in path.parts:
            names = self._listing(here).get(normal(part), [])
            if len(names) > 1 and part not in names:
                raise DataFormatError(
                    f"{called} names {shown(part)}; {shown_path(here)} has {len(names)} files of that name, "
                    f"in other Unicode forms"
                )
            if not names:
                return None
            here = os.path.join(here, part if part in names else names[0])  # noqa: PTH118
        return here

    def _listing(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._listings:
            listing: dict[str, list[str]] = {}
            if is_folder(folder):
                for name in sorted(entry.name for entry in os.scandir(folder)):
                    listing.setdefault(normal(name), []).append(name)
            self._listings[folder] = listing
        return self._listings[folder]
