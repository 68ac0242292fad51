"""Files of a kind in a folder, at any depth, and which of two folders belong to each other."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from onnxdissect.data.importers.names import normal
from onnxdissect.data.limits import MOST_ROWS
from onnxdissect.errors import DataFormatError, DataNotFoundError, EmptyDataError, nearest, shown, shown_path
from onnxdissect.storage.regular_files import Enclosure, OutsideError, is_file, is_folder
from onnxdissect.wording import counted

__all__ = [
    "IMAGES",
    "MASKS",
    "FoundFile",
    "Matches",
    "find_files",
    "match_files",
    "note_others",
    "require_folder",
    "unmatched",
]

IMAGES = frozenset(
    (
        *(
            ".jpg",
            ".jpeg",
            ".jpe",
            ".jfif",
            ".png",
            ".webp",
            ".bmp",
            ".tif",
            ".tiff",
            ".gif",
            ".jp2",
            ".avif",
        ),
        *(".ppm", ".pgm", ".pbm", ".pnm"),
    )
)
"""Endings of images."""
MASKS = frozenset((".png", ".tif", ".tiff", ".bmp", ".gif", ".jpg", ".jpeg", ".webp"))
"""Endings of masks; those that lose what they hold are found to be refused."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file in a folder.

    Attributes
    ----------
    name : str
        Its path in the folder, with forward slashes, as the system writes it.
    path : Path
    """

    name: str
    path: Path

    @property
    def stem(self) -> str:
        """The name without its ending, composed."""
        return normal(str(PurePosixPath(self.name).with_suffix("")))


@dataclass(frozen=True, slots=True)
class Matches:
    """Files of two folders that belong to each other.

    Attributes
    ----------
    pairs : list of (FoundFile, FoundFile)
        In the order of the first folder.
    notes : list of str
        What has no counterpart, or one by another form of its name.
    """

    pairs: list[tuple[FoundFile, FoundFile]]
    notes: list[str]


def require_folder(folder: Path, option: str) -> None:
    """Make sure that a folder is there.

    Parameters
    ----------
    folder : Path
    option : str
        What it was given by.

    Raises
    ------
    DataNotFoundError
        If it is not, with what may have been meant.
    """
    if is_folder(folder):
        return
    if is_file(folder):
        raise DataNotFoundError(f"{shown_path(folder)} is a file; {option} takes a folder")
    parent = folder.absolute().parent
    try:
        siblings = sorted(entry.name for entry in os.scandir(parent) if entry.is_dir())
    except OSError:
        siblings = []
    raise DataNotFoundError(
        f"there is no folder {shown_path(folder)}, which {option} takes",
        candidates=[str(folder.with_name(name)) for name in nearest(folder.name, siblings)],
    )


def find_files(folder: Path, endings: Collection[str], option: str) -> list[FoundFile]:
    """List the files of a kind in a folder, at any depth.

    Parameters
    ----------
    folder : Path
    endings : collection of str
        In small letters, with their dots.
    option : str
        What the folder was given by, for messages.

    Returns
    -------
    list of FoundFile
        In an order that is the same on every machine. Hidden files are left out, and folders that are
        hidden or links.

    Raises
    ------
    DataNotFoundError
        If there is no such folder.
    DataFormatError
        If it cannot be read, a link leads out of it, or there are more files than a data set holds.
    EmptyDataError
        If there is none.
    """
    require_folder(folder, option)
    inside = Enclosure(folder)
    found: list[FoundFile] = []
    for entry in _walk(folder, inside):
        if _ending(entry.name) in endings:
            found.append(_found(folder, entry, inside))
            if len(found) > MOST_ROWS:
                raise DataFormatError(f"{shown_path(folder)} holds more than {MOST_ROWS:,} files")
    if not found:
        kinds = ", ".join(sorted(endings))
        raise EmptyDataError(
            f"{shown_path(folder)}, given by {option}, holds no file that ends in {kinds}",
            hint=f"{option} takes the folder that they lie in, at any depth",
        )
    return sorted(found, key=lambda one: (normal(one.name), one.name))


def note_others(folder: Path, endings: Collection[str], what: str) -> list[str]:
    """Tell of files of other kinds, which `find_files` leaves out.

    Parameters
    ----------
    folder : Path
    endings : collection of str
        Of those that it finds.
    what : str
        What these are, such as "image".

    Returns
    -------
    list of str
        A sentence, or none.
    """
    others = [os.path.relpath(entry.path, folder) for entry in _walk(folder, Enclosure(folder))]
    others = sorted(name for name in others if _ending(name) not in endings)
    if not others:
        return []
    told = ", ".join(map(shown, others[:3])) + ", ..." * (len(others) > 3)
    is_none = f"is no {what} by its ending" if len(others) == 1 else f"are no {what}s by their endings"
    return [f"{counted(len(others), 'file')} {is_none}, and left out: {told}"]


def _walk(folder: Path, inside: Enclosure) -> Iterator[os.DirEntry[str]]:
    """Files at any depth, in any order; links to folders only have to lead inside."""
    open_folders = [str(folder)]
    try:
        while open_folders:
            with os.scandir(open_folders.pop()) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        open_folders.append(entry.path)
                    elif entry.is_dir():
                        # one that leads inside leads to what is found in any case
                        _require_inside(entry.path, inside)
                    else:
                        yield entry
    except OSError as error:
        raise DataFormatError(
            f"{shown_path(error.filename or folder)} cannot be read: {error.strerror or error}"
        ) from error


def _ending(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def _found(folder: Path, entry: os.DirEntry[str], inside: Enclosure) -> FoundFile:
    path = Path(entry.path)
    if entry.is_symlink():
        _require_inside(entry.path, inside)
    return FoundFile(path.relative_to(folder).as_posix(), path)


def _require_inside(path: str, inside: Enclosure) -> None:
    try:
        inside.follow(path)
    except OutsideError as error:
        raise DataFormatError(
            f"{shown_path(path)} is a link that is not followed: {error.strerror}",
            hint="name the folder that such links lead to, or copy what they lead to",
        ) from error
    except OSError as error:
        raise DataFormatError(
            f"{shown_path(path)} is a link that leads nowhere: {error.strerror or error}"
        ) from error


def match_files(
    images: Sequence[FoundFile], masks: Sequence[FoundFile], *, suffix: str = "", what: str = "mask"
) -> Matches:
    """Find the mask of each image: of the same path but for the ending, or else of the same name elsewhere.

    Parameters
    ----------
    images, masks : sequence of FoundFile
    suffix : str
        What the names of masks have more than those of images, before the ending.
    what : str
        What masks are called in messages.

    Returns
    -------
    Matches

    Raises
    ------
    DataFormatError
        If it cannot be told which belong to each other.
    EmptyDataError
        If none do.
    """
    if not images:
        raise EmptyDataError(
            f"there are {what}s such as {shown(masks[0].name)}, and no images beside them",
            hint="name the folder that holds the images as well",
        )
    by_stem = _by_stem(masks, suffix, what)
    of_images = _by_stem(images, "", "image")
    pairs: dict[str, FoundFile] = {stem: by_stem[stem] for stem in of_images if stem in by_stem}
    used, same_path = set(pairs), len(pairs)
    left = [stem for stem in of_images if stem not in pairs]
    by_name = _by_last_part([stem for stem in by_stem if stem not in used])
    for name, stems in _by_last_part(left).items():
        candidates = by_name.get(name, [])
        if (len(stems) > 1 and candidates) or len(candidates) > 1:
            several = [
                *(of_images[stem].name for stem in stems),
                *(by_stem[stem].name for stem in candidates),
            ]
            raise DataFormatError(
                f"which {what} belongs to which image cannot be told by the name {shown(name)}: "
                + ", ".join(map(shown, several[:6])),
                hint=f"give each {what} the path of its image, but for the ending",
            )
        if candidates:
            pairs[stems[0]] = by_stem[candidates[0]]
            used.add(candidates[0])
    by_name_alone = [(of_images[stem], pairs[stem]) for stem in list(pairs)[same_path:]]
    if not pairs:
        raise EmptyDataError(
            f"no {what} is called like an image: images are called like {shown(images[0].name)}, "
            f"{what}s like {shown(masks[0].name)}",
            hint=f"a {what} has the name of its image, but for the ending"
            + (f" and {suffix!r} before it" if suffix else "; --mask-suffix tells what else"),
        )
    # Masks may lie among the images.
    taken = {mask.path for mask in pairs.values()}
    lacking = [of_images[stem] for stem in of_images if stem not in pairs]
    notes = unmatched([image.name for image in lacking if image.path not in taken], "image", what)
    notes += unmatched([by_stem[stem].name for stem in by_stem if stem not in used], what, "image")
    notes += _other_forms(pairs, of_images, suffix)
    if same_path and by_name_alone:
        image, mask = by_name_alone[0]
        are = f"{what} is" if len(by_name_alone) == 1 else f"{what}s are"
        notes.append(
            f"{len(by_name_alone):,} {are} matched by name alone, though others lie where their images do: "
            f"{shown(image.name)} has {shown(mask.name)}"
        )
    return Matches([(image, pairs[stem]) for stem, image in of_images.items() if stem in pairs], notes)


def _by_stem(files: Sequence[FoundFile], suffix: str, what: str) -> dict[str, FoundFile]:
    found: dict[str, FoundFile] = {}
    for file in files:
        stem = file.stem
        if suffix:
            if not stem.endswith(normal(suffix)):
                continue
            stem = stem[: -len(normal(suffix))]
        other = found.setdefault(stem, file)
        if other is not file:
            raise DataFormatError(
                f"{shown(other.name)} and {shown(file.name)} are both the {what} {shown(stem)}",
                hint="move one of them away",
            )
    return found


def _by_last_part(stems: Sequence[str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for stem in stems:
        found.setdefault(stem.rpartition("/")[2], []).append(stem)
    return found


def unmatched(names: Sequence[str], what: str, lacking: str) -> list[str]:
    """Say that files are left out since something of theirs is not there.

    Parameters
    ----------
    names : sequence of str
    what : str
        What they are, in the singular.
    lacking : str
        What they lack.

    Returns
    -------
    list of str
        A sentence; none without names.
    """
    if not names:
        return []
    told = ", ".join(map(shown, names[:3])) + ", ..." * (len(names) > 3)
    are = "is" if len(names) == 1 else "are"
    return [f"{counted(len(names), what)} without {lacking} {are} left out: {told}"]


def _other_forms(pairs: Mapping[str, FoundFile], images: Mapping[str, FoundFile], suffix: str) -> list[str]:
    def differs(stem: str, mask: FoundFile) -> bool:
        image = str(PurePosixPath(images[stem].name).with_suffix("")).rpartition("/")[2]
        own = str(PurePosixPath(mask.name).with_suffix("")).rpartition("/")[2]
        return image + suffix != own

    other = [images[stem].name for stem, mask in pairs.items() if differs(stem, mask)]
    if not other:
        return []
    called = "1 image and its mask are" if len(other) == 1 else f"{len(other):,} images and their masks are"
    return [
        f"{called} called by the same letters in other forms of Unicode, and taken for the same: "
        f"{shown(other[0])}"
    ]
