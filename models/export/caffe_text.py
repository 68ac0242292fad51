"""The architecture in a `.prototxt`: protobuf's text format, and the layers that a network is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from caffe_wire import CaffeError

__all__ = ["Architecture", "CaffeLayer", "Message", "parse_architecture"]

_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<word>[\w.+-]+)|(?P<mark>[:{}<>\[\],;])"""
)

# Layers of the first schema were named by constants.
_OLD_TYPES = {
    "BNLL": "BNLL",
    "CONCAT": "Concat",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DECONVOLUTION": "Deconvolution",
    "DROPOUT": "Dropout",
    "ELTWISE": "Eltwise",
    "FLATTEN": "Flatten",
    "IMAGE_DATA": "ImageData",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "POOLING": "Pooling",
    "POWER": "Power",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}


class Message:
    """A message of the text format; every field is a list, since any may be repeated."""

    def __init__(self) -> None:
        self.fields: dict[str, list[Any]] = {}

    def all(self, name: str) -> list[Any]:
        """Give every value of a field.

        Parameters
        ----------
        name : str

        Returns
        -------
        list
        """
        return self.fields.get(name, [])

    def get(self, name: str, default: Any = None) -> Any:
        """Give the last value of a field, as protobuf does.

        Parameters
        ----------
        name : str
        default : object, optional
            Where there is none.

        Returns
        -------
        object
        """
        return self.fields[name][-1] if name in self.fields else default


@dataclass(frozen=True, slots=True)
class CaffeLayer:
    """A layer.

    Attributes
    ----------
    name : str
        Its name, under which the weights are kept.
    type : str
        Such as "Convolution".
    bottoms, tops : tuple of str
        Blobs it reads and writes; the same name in both is a change in place.
    message : Message
        All its fields.
    """

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    message: Message

    def parameters(self, name: str) -> Message:
        """Give the parameters of its type.

        Parameters
        ----------
        name : str
            Such as "convolution_param".

        Returns
        -------
        Message
            Empty where there are none, which means the defaults.
        """
        found = self.message.get(name)
        return found if isinstance(found, Message) else Message()


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network without its weights.

    Attributes
    ----------
    name : str
        Its name.
    inputs : dict of str to tuple of int
        Shape of each input blob, batch first.
    layers : tuple of CaffeLayer
        Those that run when the network is used, in order.
    """

    name: str
    inputs: dict[str, tuple[int, ...]]
    layers: tuple[CaffeLayer, ...]


def parse_architecture(text: str) -> Architecture:
    """Read a `.prototxt` for deployment.

    Parameters
    ----------
    text : str
        Its contents.

    Returns
    -------
    Architecture

    Raises
    ------
    CaffeError
        If it cannot be read, or says nothing of its input's shape.
    """
    net = _parse(text)
    inputs: dict[str, tuple[int, ...]] = {}
    shapes = [tuple(shape.all("dim")) for shape in net.all("input_shape")]
    dims = net.all("input_dim")
    shapes += [tuple(dims[i : i + 4]) for i in range(0, len(dims), 4)]
    inputs.update(zip(net.all("input"), shapes, strict=False))
    layers = []
    for message in net.all("layer") or net.all("layers"):
        if not _used(message):
            continue
        kind = str(message.get("type", ""))
        layer = CaffeLayer(
            str(message.get("name", "")),
            _OLD_TYPES.get(kind, kind),
            tuple(message.all("bottom")),
            tuple(message.all("top")),
            message,
        )
        if layer.type == "Input":
            given = [tuple(shape.all("dim")) for shape in layer.parameters("input_param").all("shape")]
            inputs.update(zip(layer.tops, given * len(layer.tops), strict=False))
        else:
            layers.append(layer)
    if not inputs or not all(inputs.values()):
        raise CaffeError("the shape of its input is not in it: a prototxt for deployment is needed")
    return Architecture(str(net.get("name", "")), inputs, tuple(layers))


def _used(message: Message) -> bool:
    """Whether a layer is there when the network is used, not trained."""
    included = [rule.get("phase", "TEST") for rule in message.all("include")]
    excluded = [rule.get("phase") for rule in message.all("exclude")]
    return "TEST" not in excluded and (not included or "TEST" in included)


def _parse(text: str) -> Message:
    tokens = list(_tokens(text))
    message, at = _message(tokens, 0, "")
    if at != len(tokens):
        raise CaffeError(f"unexpected {tokens[at][1]!r} on line {tokens[at][2]}")
    return message


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    at, line = 0, 1
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise CaffeError(f"unexpected {text[at]!r} on line {line}: is this a prototxt?")
        if found.lastgroup and found[0] not in ",;":
            yield found.lastgroup, found[0], line
        line += found[0].count("\n")
        at = found.end()


def _message(tokens: list[tuple[str, str, int]], at: int, closing: str) -> tuple[Message, int]:
    message = Message()
    while at < len(tokens):
        kind, name, line = tokens[at]
        if name == closing:
            return message, at + 1
        if kind != "word" or at + 1 >= len(tokens):
            raise CaffeError(f"expected the name of a field on line {line}, found {name!r}")
        at += 1
        if tokens[at][1] == ":":
            at += 1
        if at >= len(tokens):
            break
        values = message.fields.setdefault(name, [])
        if tokens[at][1] in "{<":
            inner, at = _message(tokens, at + 1, "}" if tokens[at][1] == "{" else ">")
            values.append(inner)
        elif tokens[at][1] == "[":
            at += 1
            while at < len(tokens) and tokens[at][1] != "]":
                values.append(_value(tokens[at]))
                at += 1
            at += 1
        else:
            values.append(_value(tokens[at]))
            at += 1
    if closing:
        raise CaffeError(f"cut short: no {closing!r} for a message that was begun")
    return message, at


def _value(token: tuple[str, str, int]) -> str | int | float | bool:
    kind, text, line = token
    if kind == "string":
        return text[1:-1].encode().decode("unicode_escape")
    if kind != "word":
        raise CaffeError(f"expected a value on line {line}, found {text!r}")
    if text in ("true", "false"):
        return text == "true"
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            pass
    return text
