"""What images are called in the joined data set: under a folder for each data set, no two alike anywhere."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from pathlib import PurePosixPath

from onnxdissect.data.joining.sources import JoinSource

__all__ = ["joined_names"]

_NOT_IN_PATHS = re.compile(r"[\\;\x00-\x1f\x7f]")
_COUNTED = re.compile(r"_[0-9]+\Z")
# A name ends at 255 bytes nearly everywhere; label maps add their category, their count and a suffix.
_LONGEST_NAME, _LONGEST_ENDING = 255, len("_1024.png") + 8
_NO_SUFFIX = ".image"


def joined_names(sources: Sequence[JoinSource], categories: Sequence[str]) -> list[list[str]]:
    """Name all images.

    Parameters
    ----------
    sources : sequence of JoinSource
    categories : sequence of str
        Of the joined data set: label maps are called after them.

    Returns
    -------
    list of list of str
        By data set and image: the image's name under the folder of its data set, but for what tables or file
        systems do not hold, and for a number behind those that would be one file with another image or with
        a label map.
    """
    endings = tuple(f"_{_key(category)}" for category in categories)
    longest = _LONGEST_NAME - _LONGEST_ENDING - max((len(one.encode()) for one in endings), default=0)
    plain = [
        [f"{source.name}/{_plain(entry.image, longest)}" for entry in source.dataset.entries]
        for source in sources
    ]
    stems = {_stem(name) for names in plain for name in names}
    taken: set[str] = set()
    tried: dict[str, int] = defaultdict(lambda: 1)
    named = []
    for names in plain:
        own = []
        for name in names:
            path = PurePosixPath(name)
            if not _is_free(_stem(name), stems, taken, endings):
                others = ((n, str(path.with_stem(f"{path.stem}-{n}"))) for n in count(tried[_stem(name)] + 1))
                number, new = next(one for one in others if _is_new(_stem(one[1]), stems, endings))
                # where thousands have one name, each is not to try the numbers of all before it
                tried[_stem(name)], name = number, new
            own.append(name)
            taken.add(_stem(own[-1]))
            stems.add(_stem(own[-1]))
        named.append(own)
    return named


def _is_free(stem: str, stems: set[str], taken: set[str], endings: Sequence[str]) -> bool:
    if stem in taken:
        return False
    # it could be a label map of another image: a.png has a_object.png, or a_object_1.png
    for name in {stem, _COUNTED.sub("", stem)}:
        if any(name.endswith(ending) and name.removesuffix(ending) in stems for ending in endings):
            return False
    return True


def _is_new(stem: str, stems: set[str], endings: Sequence[str]) -> bool:
    """Whether a name that no data set has can be given to an image."""
    return _is_free(stem, stems, stems, endings) and not any(f"{stem}{ending}" in stems for ending in endings)


def _plain(image: str, longest: int) -> str:
    path = PurePosixPath(_NOT_IN_PATHS.sub("_", unicodedata.normalize("NFC", image)))
    if len(path.stem.encode()) > longest:
        path = path.with_stem(path.stem.encode()[:longest].decode(errors="ignore"))
    name = path.as_posix()
    return name if path.suffix else f"{name}{_NO_SUFFIX}"


def _stem(name: str) -> str:
    return _key(str(PurePosixPath(name).with_suffix("")))


def _key(name: str) -> str:
    """Give what names have in common that are one on some file system."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
