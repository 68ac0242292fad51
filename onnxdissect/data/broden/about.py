"""``about.json``, which may lie beside index.csv: name and licence of a data set, and what it was made of.

Nothing of it decides a result, so it is no part of a data set's fingerprint nor of what makes a run this run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxdissect.data.limits import LONGEST_ABOUT, MOST_ABOUT_BYTES, MOST_PARTS, MOST_ROWS
from onnxdissect.data.links import link_hint
from onnxdissect.errors import DataFormatError
from onnxdissect.storage.fields import FieldError, Integer, Listed, OrNull, Record, Text, shown
from onnxdissect.storage.files import write_bytes
from onnxdissect.storage.json_file import json_bytes, parse_json
from onnxdissect.storage.regular_files import Enclosure, read_regular_file

__all__ = [
    "ABOUT_FILE",
    "ABOUT_RULE",
    "About",
    "Part",
    "about_of",
    "one_line",
    "parse_about",
    "part_text",
    "read_about",
    "told_about",
    "write_about",
]

ABOUT_FILE = "about.json"
_VERSION = 1
_HINT = "remove the file, or mend it: docs/data.md says what it holds"
_TEXTS = ("name", "licence", "homepage", "citation", "made")
_PART_TEXTS = ("name", "licence", "fingerprint", "homepage")
# Control characters of ASCII and beyond, the separators of lines, and halves of surrogate pairs.
_NOT_ON_A_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Part:
    """A data set that another was made of.

    Attributes
    ----------
    name : str
    licence : str
        Empty where it is not known.
    fingerprint : str
        Of the data set as it was taken; empty where it is not known.
    images : int or None
        How many of its images were taken; None where it is not known.
    homepage : str
    """

    name: str
    licence: str = ""
    fingerprint: str = ""
    images: int | None = None
    homepage: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """Where a data set comes from. All texts are one line each, and empty where nothing is known.

    Attributes
    ----------
    name : str
        What its makers call it.
    licence : str
        Of images and labels, such as ``CC BY 4.0``.
    homepage : str
    citation : str
    made : str
        How this folder was made, such as ``import voc --size 224``.
    from_ : tuple of Part
        What it was made of.
    """

    name: str
    licence: str = ""
    homepage: str = ""
    citation: str = ""
    made: str = ""
    from_: tuple[Part, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON values, as about.json and a run's manifest have it.

        Returns
        -------
        dict
            What is not known is left out.
        """
        parts = [
            _known(part, ("name", "licence", "fingerprint", "images", "homepage")) for part in self.from_
        ]
        said = _known(self, ("name", "licence", "homepage", "citation", "made"))
        return {**said, "from": parts} if parts else said

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> About:
        """Take it from JSON values that `ABOUT_RULE` allows.

        Parameters
        ----------
        value : mapping

        Returns
        -------
        About
        """
        parts = tuple(
            Part(images=one.get("images"), **{name: one.get(name, "") for name in _PART_TEXTS})
            for one in value.get("from", ())
        )
        return cls(**{name: value.get(name, "") for name in _TEXTS}, from_=parts)


def _known(record: About | Part, names: tuple[str, ...]) -> dict[str, Any]:
    found = {name: getattr(record, name) for name in names}
    return {name: value for name, value in found.items() if name == "name" or value not in ("", None)}


@dataclass(frozen=True, slots=True)
class _Line:
    """A text of one line, without control characters."""

    longest: int = LONGEST_ABOUT

    @property
    def wanted(self) -> str:
        """See `onnxdissect.storage.fields.Field`."""
        return f"one line of at most {self.longest:,} characters"

    def check(self, value: Any, place: str) -> None:
        """See `onnxdissect.storage.fields.Field`."""
        Text(self.longest).check(value, place)
        found = _NOT_ON_A_LINE.search(value)
        if found:
            raise FieldError(place, f"holds the character {found[0]!a}, and is one line of text")


@dataclass(frozen=True, slots=True)
class _Name:
    """A line that is not empty."""

    wanted: str = "a name on one line"

    def check(self, value: Any, place: str) -> None:
        """See `onnxdissect.storage.fields.Field`."""
        _Line().check(value, place)
        if not value.strip():
            raise FieldError(place, f"is {shown(value)}, not {self.wanted}")


_LINES = {name: _Line() for name in ("licence", "homepage")}
_PART = Record({"name": _Name()}, {**_LINES, "fingerprint": _Line(), "images": OrNull(Integer(0, MOST_ROWS))})
ABOUT_RULE = Record(
    {"name": _Name()},
    {**_LINES, "citation": _Line(), "made": _Line(), "from": Listed(_PART, longest=MOST_PARTS)},
)
"""What about.json, and ``data.about`` of a manifest, has to hold; other keys say nothing."""


def about_of(dataset: object) -> About | None:
    """Tell where a data set comes from.

    Parameters
    ----------
    dataset : Dataset
        Of any class; it tells by an attribute ``about``, which it need not have.

    Returns
    -------
    About or None
        None where that is not known.
    """
    about = getattr(dataset, "about", None)
    return about if isinstance(about, About) else None


def told_about(dataset: object) -> dict[str, Any]:
    """Give what a manifest tells of where a data set comes from.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    dict
        Of the section ``data``; empty where it is not known.
    """
    about = about_of(dataset)
    return {} if about is None else {"about": about.to_json()}


def one_line(text: str, most: int = LONGEST_ABOUT) -> str:
    """Make a line of whatever text there is, such as the name of a folder or a licence of several lines.

    Parameters
    ----------
    text : str
    most : int
        Characters that are kept.

    Returns
    -------
    str
        Blanks and line ends together are one blank; what stands for no character is U+FFFD.
    """
    line = _NOT_ON_A_LINE.sub("\N{REPLACEMENT CHARACTER}", " ".join(text.split()))
    return line if len(line) <= most else f"{line[: most - 3]}..."


def part_text(part: Part) -> str:
    """Write what a data set was made of for people.

    Parameters
    ----------
    part : Part

    Returns
    -------
    str
        Name, images, licence and the first digits of the fingerprint, as far as they are known.
    """
    said = [] if part.images is None else [f"{part.images:,} images"]
    said += [f"licence: {part.licence or 'not known'}"]
    said += [f"fingerprint {part.fingerprint[:12]}"] if part.fingerprint else []
    said += [part.homepage] if part.homepage else []
    return f"{part.name} ({', '.join(said)})"


def read_about(folder: Path, inside: Enclosure | None = None) -> About | None:
    """Read about.json of a data set.

    Parameters
    ----------
    folder : Path
        The data set.
    inside : Enclosure, optional
        The folder that links may not lead out of.

    Returns
    -------
    About or None
        None if there is no such file.

    Raises
    ------
    DataFormatError
        If it cannot be read, is no JSON, or does not hold what it should; the field is named.
    """
    path = folder / ABOUT_FILE
    try:
        content = read_regular_file(path, MOST_ABOUT_BYTES, inside=inside)
    except FileNotFoundError:
        if path.is_symlink():
            raise DataFormatError(f"{path} is a link that leads nowhere", hint=_HINT) from None
        return None
    except OSError as error:
        raise DataFormatError(
            f"cannot read {path}: {error.strerror or error}", hint=link_hint(error, inside) or _HINT
        ) from error
    except ValueError as error:
        raise DataFormatError(f"{path}: {error}", hint=_HINT) from error
    return parse_about(content, str(path))


def parse_about(content: bytes, place: str) -> About:
    """Read the content of an about.json.

    Parameters
    ----------
    content : bytes
    place : str
        Where it lies, for messages.

    Returns
    -------
    About

    Raises
    ------
    DataFormatError
        If it is no JSON, or does not hold what it should; the field is named.
    """
    try:
        value = parse_json(content)
        if isinstance(value, dict) and value.get("format_version") != _VERSION:
            raise FieldError("format_version", f"is {shown(value.get('format_version'))}, not {_VERSION}")
        ABOUT_RULE.check(value, "")
    except ValueError as error:
        raise DataFormatError(f"{place}: {error}", hint=_HINT) from error
    return About.from_json(value)


def write_about(folder: Path, about: About) -> None:
    """Write about.json of a data set.

    Parameters
    ----------
    folder : Path
        The data set; one that is there is replaced.
    about : About

    Raises
    ------
    DataFormatError
        If a text is longer than it may be, or more than one line; see `one_line`.
    OutputError
        If the file cannot be written.
    """
    value = about.to_json()
    try:
        ABOUT_RULE.check(value, "")
    except FieldError as error:
        raise DataFormatError(f"{folder / ABOUT_FILE} cannot be written: {error}") from error
    content = json_bytes({"format_version": _VERSION, **value}, indent=2)
    if len(content) > MOST_ABOUT_BYTES:
        raise DataFormatError(
            f"{folder / ABOUT_FILE} would have {len(content):,} bytes; at most {MOST_ABOUT_BYTES:,} are read"
        )
    write_bytes(folder / ABOUT_FILE, content)
