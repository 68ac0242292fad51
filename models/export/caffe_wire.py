"""Weights of a `.caffemodel`: protobuf's wire format, read and written as far as Caffe uses it.

A message is a run of fields, each a key (field number and wire type) and a value; what a number means is
Caffe's published schema:

==================  ======================================================================
NetParameter        1 name, 2 layers (V1LayerParameter), 100 layer (LayerParameter)
LayerParameter      1 name, 2 type, 7 blobs
V1LayerParameter    4 name, 6 blobs
BlobProto           1..4 num, channels, height, width; 5 data, 7 shape, 8 double_data
BlobShape           1 dim
==================  ======================================================================
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from math import prod

import numpy as np
from numpy.typing import NDArray

__all__ = ["CaffeError", "read_blobs", "write_blobs"]

Array = NDArray[np.float32]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class CaffeError(ValueError):
    """A file that is no Caffe network, or one with something that is not converted."""


def read_blobs(data: bytes) -> dict[str, list[Array]]:
    """Read the weights of every layer that has some.

    Parameters
    ----------
    data : bytes
        Contents of a `.caffemodel`.

    Returns
    -------
    dict of str to list of ndarray
        By the layer's name, float32, in Caffe's shapes.

    Raises
    ------
    CaffeError
        If it is no such file, or cut short.
    """
    found: dict[str, list[Array]] = {}
    for number, layer in _fields(data):
        if number in (2, 100) and isinstance(layer, bytes):
            name, blobs = _layer(layer, old=number == 2)
            if blobs:
                found[name] = blobs
    if not found:
        raise CaffeError("no layer with weights is in it: is this a .caffemodel?")
    return found


def _layer(data: bytes, *, old: bool) -> tuple[str, list[Array]]:
    name, blobs = "", []
    for number, value in _fields(data):
        if isinstance(value, bytes):
            if number == (4 if old else 1):
                name = value.decode()
            elif number == (6 if old else 7):
                blobs.append(_blob(value))
    return name, blobs


def _blob(data: bytes) -> Array:
    legacy = {1: 1, 2: 1, 3: 1, 4: 1}
    shape: list[int] | None = None
    numbers: list[Array] = []
    for number, value in _fields(data):
        if number in legacy and isinstance(value, int):
            legacy[number] = value
        elif number == 7 and isinstance(value, bytes):
            shape = list(chain.from_iterable(_integers(v) for n, v in _fields(value) if n == 1))
        elif number in (5, 8):
            kind = "<f4" if number == 5 else "<f8"
            # a repeated number is packed into one field, or, by old writers, a field of its own each time
            assert isinstance(value, bytes)
            numbers.append(np.frombuffer(value, kind).astype(np.float32))
    values = np.concatenate(numbers) if numbers else np.empty(0, np.float32)
    dims = list(legacy.values()) if shape is None else shape
    if prod(dims) != values.size:
        raise CaffeError(f"a blob of shape {dims} holds {values.size} numbers")
    return values.reshape(dims)


def _integers(value: int | bytes) -> list[int]:
    if isinstance(value, int):
        return [value]
    result, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        result.append(number)
    return result


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values; fixed-width numbers stay bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise CaffeError(f"wire type {kind} at byte {at}: this is no protobuf message")
        if at + length > len(data):
            raise CaffeError(f"cut short: a field ends at byte {at + length}, the data at {len(data)}")
        yield number, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise CaffeError(f"no number at byte {at}: cut short, or no protobuf message")
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7


def write_blobs(name: str, layers: Mapping[str, tuple[str, Sequence[Array]]]) -> bytes:
    """Write a `.caffemodel`.

    Parameters
    ----------
    name : str
        The network's.
    layers : mapping of str to (str, sequence of ndarray)
        Per layer its type and weights.

    Returns
    -------
    bytes
    """
    parts = [_field(1, name.encode())]
    for layer, (kind, blobs) in layers.items():
        body = _field(1, layer.encode()) + _field(2, kind.encode())
        for blob in blobs:
            shape = _field(1, b"".join(map(_number, blob.shape)))
            body += _field(7, _field(5, blob.astype("<f4").tobytes()) + _field(7, shape))
        parts.append(_field(100, body))
    return b"".join(parts)


def _field(number: int, value: bytes) -> bytes:
    return _number(number << 3 | _BYTES) + _number(len(value)) + value


def _number(value: int) -> bytes:
    result = b""
    while value > 0x7F:
        result += struct.pack("B", value & 0x7F | 0x80)
        value >>= 7
    return result + struct.pack("B", value)
