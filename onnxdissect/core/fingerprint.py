"""What something was gathered or counted with, so that parts of different runs are never added."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from onnxdissect.errors import RunMismatchError

__all__ = ["Fingerprint"]

# Longer texts are told by their hash.
_LONGEST = 80
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What decides the values of a state or of counts, part by part.

    It is a plain value that pickles with what it belongs to. Two results may be added only if theirs are
    equal; where they are not, the parts tell which of them differ.

    Attributes
    ----------
    parts : mapping of str to str
        By name. Long texts and arrays are told by their hash.
    """

    parts: Mapping[str, str]

    @classmethod
    def of(cls, parts: Mapping[str, object]) -> Fingerprint:
        """Make one.

        Parameters
        ----------
        parts : mapping of str to object
            By name: arrays, or values whose ``repr`` tells all of them.

        Returns
        -------
        Fingerprint
        """
        return cls({name: _text(value) for name, value in parts.items()})

    def plus(self, parts: Mapping[str, object]) -> Fingerprint:
        """Give this one with further parts.

        Parameters
        ----------
        parts : mapping of str to object
            As for `of`.

        Returns
        -------
        Fingerprint
        """
        return Fingerprint({**self.parts, **Fingerprint.of(parts).parts})

    def expect(self, other: Fingerprint) -> None:
        """Refuse what was made with something else.

        Parameters
        ----------
        other : Fingerprint
            Of what is to be added.

        Raises
        ------
        RunMismatchError
            If the two differ, naming what differs.
        """
        if self == other:
            return
        names = dict.fromkeys([*self.parts, *other.parts])
        differences = [
            f"{name}: {self.parts.get(name, 'nothing')} here, {other.parts.get(name, 'nothing')} there"
            for name in names
            if self.parts.get(name) != other.parts.get(name)
        ]
        raise RunMismatchError(
            "parts that are to be merged are of different runs; they differ in " + "; ".join(differences),
            hint="give every worker the same model, data and options, and do the other part again",
        )


def _text(value: object) -> str:
    if isinstance(value, np.ndarray):
        told = f"{value.dtype} {value.shape} ".encode()
        return _hash(told + np.ascontiguousarray(value).tobytes())
    text = repr(value)
    return text if len(text) <= _LONGEST else _hash(text.encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:_DIGITS]
