"""The XML of CVAT, read as it comes: no entity is expanded, and documents that declare any are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from onnxdissect.data.importers.reading.class_names import clean_name
from onnxdissect.data.importers.reading.finding import like_named
from onnxdissect.data.limits import MOST_ANNOTATION_BYTES, MOST_SIDE
from onnxdissect.errors import DataFormatError, DataNotFoundError, shown, shown_path
from onnxdissect.storage.memory import explained_memory
from onnxdissect.storage.numerals import whole_number
from onnxdissect.storage.regular_files import open_regular_file

__all__ = ["AnnotatedImage", "AnnotationFile", "Element", "read_annotation_file"]

_PIECE, _DEEPEST = 1 << 20, 60
_ENCODINGS = ("utf-8", "utf-16", "iso-8859-1", "us-ascii")
_HINT = 'export the task as "CVAT for images 1.1"'
_IMAGE = ("annotations", "image")
_LABEL_NAMES = (
    ("annotations", "meta", "task", "labels", "label", "name"),
    ("annotations", "meta", "project", "labels", "label", "name"),
    ("annotations", "meta", "job", "labels", "label", "name"),
)


@dataclass(frozen=True, slots=True)
class Element:
    """What was drawn on an image.

    Attributes
    ----------
    kind : str
        Such as ``polygon``.
    label : str
        Its class.
    attributes : mapping of str to str
        As they are written.
    line : int
        Of the file, for messages.
    """

    kind: str
    label: str
    attributes: Mapping[str, str]
    line: int


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """An image of the file.

    Attributes
    ----------
    name : str
    size : (int, int)
        Height and width.
    subset : str
        Empty where it is of none.
    elements : list of Element
    """

    name: str
    size: tuple[int, int]
    subset: str
    elements: list[Element] = field(default_factory=list)


@dataclass
class AnnotationFile:
    """What the file holds.

    Attributes
    ----------
    path : Path
    labels : list of str
        Classes as they are listed; empty where they are not.
    images : list of AnnotatedImage
    """

    path: Path
    labels: list[str] = field(default_factory=list)
    images: list[AnnotatedImage] = field(default_factory=list)


@explained_memory()
def read_annotation_file(path: Path) -> AnnotationFile:
    """Read the XML of CVAT.

    Parameters
    ----------
    path : Path

    Returns
    -------
    AnnotationFile
        Images are there once each. What was drawn is not looked at yet.

    Raises
    ------
    DataNotFoundError
        If there is no such file.
    DataFormatError
        If it is no such XML, declares a document type, or is of a film.
    """
    reader = _Reader(path)
    try:
        with open_regular_file(path) as file:
            read = 0
            while piece := file.read(_PIECE):
                read += len(piece)
                if read > MOST_ANNOTATION_BYTES:
                    raise DataFormatError(
                        f"{shown_path(path)} has more than {MOST_ANNOTATION_BYTES:,} bytes, and no more are "
                        f"read",
                        hint="export fewer images at a time, and join the data sets",
                    )
                reader.feed(piece)
            reader.feed(b"", last=True)
    except FileNotFoundError as error:
        raise DataNotFoundError(
            f"there is no file of annotations {shown_path(path)}", candidates=like_named(path), hint=_HINT
        ) from error
    except OSError as error:
        raise DataFormatError(f"{shown_path(path)} cannot be read: {error.strerror or error}") from error
    except expat.ExpatError as error:
        said = "it is empty" if error.code == _NO_ELEMENTS and not read else expat.ErrorString(error.code)
        raise DataFormatError(
            f"{shown_path(path)}, line {error.lineno}, is no XML: {said}", hint=_HINT
        ) from error
    return reader.found


_NO_ELEMENTS = expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]


class _Reader:
    """Takes elements as they begin and end."""

    def __init__(self, path: Path) -> None:
        self.found = AnnotationFile(path)
        self._open: list[str] = []
        self._text: list[str] = []
        self._names: set[str] = set()
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.XmlDeclHandler = self._check_encoding
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._take_text

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        self._parser.Parse(piece, last)

    def _called(self) -> str:
        return f"{shown_path(self.found.path)}, line {self._parser.CurrentLineNumber}"

    def _check_encoding(self, version: str, encoding: str | None, standalone: int) -> None:
        # of others the parser asks Python, which raises errors of its own
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise DataFormatError(
                f"{self._called()}: it is written in {shown(encoding)}; {', '.join(_ENCODINGS)} are read",
                hint="save it as UTF-8",
            )

    def _refuse_doctype(self, name: str, *declared: object) -> None:
        raise DataFormatError(
            f"{self._called()}, declares a document type, whose entities could grow without end",
            hint="CVAT writes none: take the line <!DOCTYPE ...> out",
        )

    def _begin(self, kind: str, attributes: dict[str, str]) -> None:
        if not self._open and kind != _IMAGE[0]:
            raise DataFormatError(
                f"{self._called()}: {shown(kind)} stands where annotations should", hint=_HINT
            )
        if self._open == [_IMAGE[0]] and kind == "track":
            raise DataFormatError(f"{self._called()}: the file is of a film, with tracks", hint=_HINT)
        self._open.append(kind)
        if len(self._open) > _DEEPEST:
            raise DataFormatError(f"{self._called()}: it is nested more than {_DEEPEST} levels deep")
        if tuple(self._open) == _IMAGE:
            self._begin_image(attributes)
        elif len(self._open) == len(_IMAGE) + 1 and tuple(self._open[:-1]) == _IMAGE:
            label = clean_name(attributes.get("label"), f"{self._called()}: the class of a {kind}")
            self.found.images[-1].elements.append(
                Element(kind, label, attributes, self._parser.CurrentLineNumber)
            )
        self._text = []

    def _begin_image(self, attributes: Mapping[str, str]) -> None:
        name = attributes.get("name", "")
        if not name:
            raise DataFormatError(f"{self._called()}: an image without a name")
        height, width = (
            whole_number(attributes.get(side, ""), most=MOST_SIDE, least=1) for side in ("height", "width")
        )
        if height is None or width is None:
            raise DataFormatError(
                f"{self._called()}: height and width of the image {shown(name)} are not from 1 to "
                f"{MOST_SIDE:,}"
            )
        subset = attributes.get("subset", "")
        key = f"{subset}/{name}"
        if key in self._names:
            raise DataFormatError(f"{self._called()}: the image {shown(name)} is there twice")
        self._names.add(key)
        self.found.images.append(AnnotatedImage(name, (height, width), subset))

    def _take_text(self, text: str) -> None:
        if tuple(self._open) in _LABEL_NAMES:
            self._text.append(text)

    def _end(self, kind: str) -> None:
        if tuple(self._open) in _LABEL_NAMES:
            name = clean_name("".join(self._text), f"{self._called()}: a label")
            if name not in self.found.labels:
                self.found.labels.append(name)
        self._open.pop()
