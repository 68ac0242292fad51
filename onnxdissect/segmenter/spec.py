"""What is asked of a segmenter: ``segmenter:MODEL.onnx?images=DIR&classes=FILE``, read and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from onnxdissect.errors import ParameterError, nearest, shown
from onnxdissect.segmenter.percent_coding import decoded, encoded
from onnxdissect.storage.numerals import any_number, whole_number

__all__ = ["PROVIDERS", "SEGMENTER", "ClassFile", "SegmenterSpec", "make_spec", "parse_spec"]

SEGMENTER = "segmenter"
"""The source whose SPECs these are."""
PROVIDERS = ("cpu", "cuda", "tensorrt")
"""Where a segmenter can be asked to run; which one, decides the last bits of its scores."""

_EXAMPLE = f"--data '{SEGMENTER}:MODEL.onnx?images=DIR&classes=FILE'"
_LONGEST_SIDE = 10**6
_SCORES = ("logits", "probabilities")
_LINKS = ("inside", "follow")

Size = tuple[int, int]
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ClassFile:
    """A file that names the classes of an output.

    Attributes
    ----------
    category : str
        Of the head whose classes these are; "" where the network has one head.
    path : Path
    """

    category: str
    path: Path


@dataclass(frozen=True, slots=True)
class SegmenterSpec:
    """What is asked of a segmenter.

    Attributes
    ----------
    model : Path
        The ONNX file.
    images : Path
        The folder of images.
    classes : tuple of ClassFile
        One, or one a head.
    output : str or None
        Of several outputs, the one that labels pixels.
    heads : tuple of (str, str)
        Categories and the outputs that label pixels with concepts of them; empty for one output.
    confidence : float or None
        A pixel is unlabelled where the probability of its class is below.
    scores : str or None
        "logits" or "probabilities", where the graph does not tell which it gives.
    ignore : tuple of str
        Classes that mean unlabelled, by number or name.
    grid : (int, int) or None
        Label grid (sh, sw), where it is to be another than the output's own.
    size : (int, int) or None
        (height, width) that a network runs at which takes any.
    preset : str or None
    mean, std : tuple of float or None
    scale : float or None
    channels : str or None
        Of the preprocessing, as `onnxdissect.model.choose_preprocessing` takes them.
    layout : tuple of (str, str)
        Layouts of the input or of outputs that the graph leaves open.
    provider : str
        One of `PROVIDERS`.
    links : str
        "inside" where links may not lead out of the folder of images, "follow" where they may.
    """

    model: Path
    images: Path
    classes: tuple[ClassFile, ...]
    output: str | None = None
    heads: Pairs = ()
    confidence: float | None = None
    scores: str | None = None
    ignore: tuple[str, ...] = ()
    grid: Size | None = None
    size: Size | None = None
    preset: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    scale: float | None = None
    channels: str | None = None
    layout: Pairs = ()
    provider: str = PROVIDERS[0]
    links: str = _LINKS[0]

    def absolute(self) -> SegmenterSpec:
        """Give the same with absolute paths, so that it means the same from any folder."""
        return replace(
            self,
            model=self.model.absolute(),
            images=self.images.absolute(),
            classes=tuple(ClassFile(one.category, one.path.absolute()) for one in self.classes),
        )

    def text(self) -> str:
        """Write it as a SPEC, which `parse_spec` reads as the same.

        Returns
        -------
        str
        """
        said = {"images": encoded(str(self.images)), "classes": ",".join(map(_class_file, self.classes))}
        for name, (_, written) in _ARGUMENTS.items():
            value = getattr(self, name)
            if value != _DEFAULTS[name]:
                said[name] = written(value)
        query = "&".join(f"{name}={value}" for name, value in said.items())
        return f"{SEGMENTER}:{encoded(str(self.model))}?{query}"

    def decisive(self) -> dict[str, Any]:
        """Give what decides the labels of an image, beside the files themselves, as JSON values.

        Returns
        -------
        dict of str to object
        """
        said = asdict(self)
        for place in ("model", "images", "classes", "links"):
            del said[place]
        return said

    def preprocessing(self) -> dict[str, Any]:
        """Give the arguments of `onnxdissect.model.choose_preprocessing`."""
        return {name: getattr(self, name) for name in ("preset", "mean", "std", "scale", "channels")}


def make_spec(model: Path, images: Path, classes: str, arguments: Mapping[str, str | None]) -> SegmenterSpec:
    """Read what is asked for in options, which are called as the arguments of a SPEC are.

    Parameters
    ----------
    model, images : Path
        As they are, without percent codes.
    classes : str
        A path likewise; with heads, one for each as in a SPEC.
    arguments : mapping of str to str or None
        Everything else, as in a SPEC; None for what is not given.

    Returns
    -------
    SegmenterSpec

    Raises
    ------
    ParameterError
        As `parse_spec`.
    """
    given = {name: text.replace("&", "%26") for name, text in arguments.items() if text is not None}
    query = {
        "images": encoded(str(images)),
        "classes": classes.replace("&", "%26") if "heads" in given else encoded(classes),
        **given,
    }
    return parse_spec(f"{encoded(str(model))}?" + "&".join(f"{n}={text}" for n, text in query.items()))


def parse_spec(argument: str) -> SegmenterSpec:
    """Read what follows the colon of a SPEC.

    Parameters
    ----------
    argument : str
        ``MODEL.onnx?images=DIR&classes=FILE``, with further arguments between ``&``.

    Returns
    -------
    SegmenterSpec

    Raises
    ------
    ParameterError
        If an argument is unknown, missing, given twice or cannot be read.
    """
    model, question, query = argument.partition("?")
    if not model or not question:
        raise ParameterError(
            f"{SEGMENTER} labels images by a network, and {shown(argument) if argument else 'none'} was given"
            + " without images and classes" * bool(model),
            hint=_EXAMPLE,
        )
    given = _arguments(query)
    known = ("images", "classes", *_ARGUMENTS)
    for name in given:
        if name not in known:
            raise ParameterError(
                f"{SEGMENTER} has no argument {shown(name)}", candidates=nearest(name, known) or known
            )
    for name in ("images", "classes"):
        if name not in given:
            raise ParameterError(f"{SEGMENTER} was asked for without {name}=", hint=_EXAMPLE)
    values = {name: _ARGUMENTS[name][0](name, text) for name, text in given.items() if name in _ARGUMENTS}
    heads = values.get("heads", ())
    if heads and "output" in values:
        raise ParameterError("output= and heads= both say which outputs label pixels", hint="leave one out")
    return SegmenterSpec(
        model=Path(decoded(model)),
        images=Path(_text("images", given["images"])),
        classes=_class_files(given["classes"], [category for category, _ in heads]),
        **values,
    )


def _arguments(query: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        name = decoded(name)
        if not equals or not name or not value:
            raise ParameterError(
                f"behind the question mark stand arguments name=value between &, not {shown(part)}",
                hint=f"{_EXAMPLE}; %26 is an & in a path",
            )
        if name in given:
            raise ParameterError(f"{name}= is given twice", hint=f"leave one {name}= out")
        given[name] = value
    return given


def _class_files(text: str, categories: Sequence[str]) -> tuple[ClassFile, ...]:
    """Read the one file of a network with one output, or one a head."""
    if len(categories) < 2 and (len(categories) != 1 or not text.startswith(f"{categories[0]}:")):
        return (ClassFile("", Path(decoded(text))),)
    found = dict(_pairs_by(":", "classes", text))
    example = ",".join(f"{category}:FILE" for category in categories)
    if set(found) != set(categories):
        odd = sorted(set(found) ^ set(categories))[0]
        trouble = "has no file of classes" if odd in categories else "is none of the heads"
        raise ParameterError(f"{shown(odd)} {trouble}", hint=f"classes={example}")
    return tuple(ClassFile(category, Path(found[category])) for category in categories)


def _class_file(one: ClassFile) -> str:
    path = encoded(str(one.path), ":" if one.category else "")
    return f"{encoded(one.category, ':')}:{path}" if one.category else path


def _text(name: str, text: str) -> str:
    return decoded(text)


def _texts(name: str, text: str) -> tuple[str, ...]:
    found = tuple(decoded(part).strip() for part in text.split(","))
    if not all(found):
        raise ParameterError(f"{name}= takes names between commas, not {shown(text)}", hint=f"{name}=0,255")
    return found


def _pairs_by(sign: str, name: str, text: str) -> Pairs:
    found: dict[str, str] = {}
    for part in text.split(","):
        # names of values may hold equals signs, layouts never do; a category holds no colon
        left, _, right = part.rpartition(sign) if sign == "=" else part.partition(sign)
        key, value = decoded(left).strip(), decoded(right).strip()
        if not key or not value:
            raise ParameterError(
                f"{name}= takes pairs like a{sign}b between commas, not {shown(part)}",
                hint=f"{name}={_PAIR_EXAMPLES[name]}",
            )
        if key in found:
            raise ParameterError(f"{name}= names {shown(key)} twice", hint=f"{name}={_PAIR_EXAMPLES[name]}")
        found[key] = value
    return tuple(found.items())


_PAIR_EXAMPLES = {
    "heads": "object:OUTPUT,part:OUTPUT",
    "classes": "object:FILE,part:FILE",
    "layout": "image=NHWC",
}


def _heads(name: str, text: str) -> Pairs:
    return _pairs_by(":", name, text)


def _layouts(name: str, text: str) -> Pairs:
    return _pairs_by("=", name, text)


def _size(name: str, text: str) -> Size:
    height, by, width = decoded(text).lower().partition("x")
    rows = whole_number(height, least=1, most=_LONGEST_SIDE)
    columns = whole_number(width, least=1, most=_LONGEST_SIDE) if by else rows
    if rows is None or columns is None:
        raise ParameterError(
            f"{name}= takes height x width, 1 to {_LONGEST_SIDE:,} each, not {shown(text)}",
            hint=f"{name}=112x112",
        )
    return rows, columns


def _number(name: str, text: str) -> float:
    value = any_number(decoded(text))
    if value is None:
        raise ParameterError(f"{name}= takes a number, not {shown(text)}", hint=f"{name}=0.5")
    return value


def _numbers(name: str, text: str) -> tuple[float, ...]:
    found = [any_number(decoded(part)) for part in text.split(",")]
    values = tuple(value for value in found if value is not None)
    if len(values) != len(found):
        raise ParameterError(
            f"{name}= takes numbers between commas, not {shown(text)}", hint=f"{name}=0.485,0.456,0.406"
        )
    return values


def _confidence(name: str, text: str) -> float:
    value = _number(name, text)
    if not 0 < value <= 1:
        raise ParameterError(
            f"{name}= is the least probability of a label, above 0 and at most 1, not {value:g}",
            hint=f"{name}=0.5",
        )
    return value


def _one_of(words: Sequence[str]) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        word = decoded(text)
        if word not in words:
            raise ParameterError(f"{name}= cannot be {shown(word)}", candidates=words)
        return word

    return read


def _written_pairs(sign: str) -> Callable[[Pairs], str]:
    return lambda pairs: ",".join(f"{encoded(a, ':')}{sign}{encoded(b, ':')}" for a, b in pairs)


def _written_numbers(values: Sequence[float]) -> str:
    return ",".join(map(repr, values))


def _written_size(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _written_texts(texts: Sequence[str]) -> str:
    return ",".join(map(encoded, texts))


_Written = Callable[[Any], str]
_ARGUMENTS: Mapping[str, tuple[Callable[[str, str], Any], _Written]] = {
    "output": (_text, encoded),
    "heads": (_heads, _written_pairs(":")),
    "confidence": (_confidence, repr),
    "scores": (_one_of(_SCORES), encoded),
    "ignore": (_texts, _written_texts),
    "grid": (_size, _written_size),
    "size": (_size, _written_size),
    "preset": (_text, encoded),
    "mean": (_numbers, _written_numbers),
    "std": (_numbers, _written_numbers),
    "scale": (_number, repr),
    "channels": (_text, encoded),
    "layout": (_layouts, _written_pairs("=")),
    "provider": (_one_of(PROVIDERS), encoded),
    "links": (_one_of(_LINKS), encoded),
}
_DEFAULTS = {name: SegmenterSpec.__dataclass_fields__[name].default for name in _ARGUMENTS}
