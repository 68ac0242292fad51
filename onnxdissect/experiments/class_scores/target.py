"""Which class is explained, and what classes are called."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from onnxdissect.errors import ParameterError, nearest, shown, shown_path
from onnxdissect.model import Network
from onnxdissect.model.scores.class_scores import ClassScores
from onnxdissect.storage.numerals import whole_number
from onnxdissect.storage.regular_files import read_regular_file

__all__ = ["TOP", "asked_class", "class_names", "class_number"]

TOP = "top"
"""Asks for the class of the highest score."""

_METADATA_KEY = "classes"
_LARGEST = 16 * 2**20


def class_names(
    network: Network, scores: ClassScores, classes: str | Path | Sequence[str] | None
) -> tuple[str, ...] | None:
    """Find what the classes are called.

    Parameters
    ----------
    network : Network
        The network.
    scores : ClassScores
        Of which output.
    classes : str, Path or sequence of str, optional
        A file with a name a line, or the names. By default what the model's metadata say under ``classes``, a
        list in JSON.

    Returns
    -------
    tuple of str or None
        One for each class; None where nobody says.

    Raises
    ------
    ParameterError
        If the file cannot be read, or there are more names or fewer than classes.
    """
    if classes is None:
        found = _from_metadata(network.metadata.get(_METADATA_KEY))
        return found if found is not None and len(found) == scores.classes else None
    names = _from_file(Path(classes)) if isinstance(classes, str | Path) else tuple(map(str, classes))
    if len(names) != scores.classes:
        source = f"{shown_path(classes)} names" if isinstance(classes, str | Path) else "there are names of"
        raise ParameterError(
            f"{source} {len(names):,} classes, and the output {scores.output!r} of {network.path.name} has "
            f"{scores.classes:,}",
            hint="a file with one name a line, in the order of the output: --classes FILE",
        )
    return names


def _from_metadata(text: str | None) -> tuple[str, ...] | None:
    try:
        found = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
    return tuple(found) if isinstance(found, list) and all(isinstance(one, str) for one in found) else None


def _from_file(path: Path) -> tuple[str, ...]:
    try:
        text = read_regular_file(path, _LARGEST).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParameterError(
            f"the names of classes in {shown_path(path)} are no UTF-8", hint="save the file as UTF-8"
        ) from error
    except OSError as error:
        raise ParameterError(
            f"the names of classes cannot be read: {shown_path(path)}: {error.strerror or error}",
            hint="--classes takes a file with one name a line",
        ) from error
    lines = text.splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    return tuple(line.strip() for line in lines)


def asked_class(asked: str | int, scores: ClassScores, names: Sequence[str] | None) -> int | None:
    """Find the number of the class asked for.

    Parameters
    ----------
    asked : str or int
        A name, a number from 0, or `TOP`.
    scores : ClassScores
        Of which output.
    names : sequence of str, optional
        What classes are called.

    Returns
    -------
    int or None
        None for the one of the highest score.

    Raises
    ------
    ParameterError
        If there is no such class; the nearest names are told.
    """
    if asked == TOP and (names is None or TOP not in names):
        return None
    return class_number(asked, scores, names)


def class_number(asked: str | int, scores: ClassScores, names: Sequence[str] | None) -> int:
    """Find the number of a class.

    Parameters
    ----------
    asked : str or int
        A name, or a number from 0.
    scores : ClassScores
        Of which output.
    names : sequence of str, optional
        What classes are called.

    Returns
    -------
    int

    Raises
    ------
    ParameterError
        If there is no such class; the nearest names are told.
    """
    if isinstance(asked, str) and names is not None and asked in names:
        return _number(asked, names)
    number = asked if isinstance(asked, int) else whole_number(asked, least=0, most=10**9)
    if number is not None:
        if 0 <= number < scores.classes:
            return number
        raise ParameterError(
            f"there is no class {number}: the output {scores.output!r} has {scores.classes:,}",
            hint=f"--class takes 0 to {scores.classes - 1}, a name or {TOP}",
        )
    if names is None:
        raise ParameterError(
            f"there is no class {shown(str(asked))}: the model does not name its {scores.classes:,} classes",
            hint=f"--classes FILE names them, one a line; --class takes 0 to {scores.classes - 1}",
        )
    same = [name for name in names if name.lower() == str(asked).lower()]
    if len(set(same)) == 1:
        return _number(same[0], names)
    raise ParameterError(
        f"there is no class {shown(str(asked))} among the {scores.classes:,} of {scores.output!r}",
        candidates=nearest(str(asked), names) or tuple(names[:5]),
        hint=f"--class takes a name, a number from 0 to {scores.classes - 1}, or {TOP}",
    )


def _number(name: str, names: Sequence[str]) -> int:
    numbers = [number for number, one in enumerate(names) if one == name]
    if len(numbers) > 1:
        raise ParameterError(
            f"{len(numbers)} classes are called {shown(name)}",
            candidates=[str(number) for number in numbers],
            hint=f"--class {numbers[0]}",
        )
    return numbers[0]
