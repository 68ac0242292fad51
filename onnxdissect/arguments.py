"""What public calls take: arguments of other types are refused by name, before anything is done with them."""

from __future__ import annotations

import functools
import inspect
import numbers
import os
import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeGuard, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from onnxdissect.errors import ParameterError
from onnxdissect.wording import described

__all__ = ["checked_arguments"]

_Parameters = ParamSpec("_Parameters")
_Returned = TypeVar("_Returned")

_SEVERAL = (Sequence, Iterable)
# One of a kind, and several.
_NAMES: Mapping[object, tuple[str, str]] = {
    str: ("a text", "texts"),
    Path: ("a path", "paths"),
    bool: ("True or False", "True or False"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    types.NoneType: ("None", "None"),
}


def checked_arguments(
    *, but: Sequence[str] = ()
) -> Callable[[Callable[_Parameters, _Returned]], Callable[_Parameters, _Returned]]:
    """Refuse arguments of a function that are of other types than it is annotated with.

    NumPy's numbers pass for numbers, and are handed on as Python's; anything with a path passes for a path,
    any iterable for a sequence. What a protocol asks for is not looked into, but no number, text or
    collection has it.

    Parameters
    ----------
    but : sequence of str
        Parameters that are not looked at, as the function itself says better what it takes.

    Returns
    -------
    callable
        A decorator. What it decorates raises `ParameterError`, naming the parameter and what was given.
    """

    def decorate(function: Callable[_Parameters, _Returned]) -> Callable[_Parameters, _Returned]:
        @functools.wraps(function)
        def checked(*args: _Parameters.args, **given: _Parameters.kwargs) -> _Returned:
            try:
                arguments = inspect.signature(function).bind(*args, **given).arguments
            except TypeError:  # missing or unknown ones, which Python itself tells of
                arguments = {}
            hints = get_type_hints(function) if arguments else {}
            for name, value in arguments.items():
                if name in hints and name not in but:
                    _expect(function.__name__, name, value, hints[name])
            # results repeat what was asked for, and JSON knows no numbers of NumPy
            plain: Any = [_plain(value) for value in args]
            named: Any = {name: _plain(value) for name, value in given.items()}
            return function(*plain, **named)

        return checked

    return decorate


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _expect(function: str, name: str, value: object, hint: object) -> None:
    if _fits(value, hint):
        return
    found = described(value)
    if _iterates(value) and any(get_origin(kind) in _SEVERAL for kind in _kinds(hint)):
        inner = [kind for one in _kinds(hint) if get_origin(one) in _SEVERAL for kind in get_args(one)]
        wrong = [one for one in value if not any(_fits(one, kind) for kind in inner)]
        found = f"{described(wrong[0])} among them" if wrong else found
    raise ParameterError(f"{name} of {function} takes {_wanted(hint)}, not {found}")


def _fits(value: object, hint: object) -> bool:
    """Tell whether a value is of a type; of types that cannot be looked into, everything is."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, kind) for kind in inner)
    if origin is Literal:
        # which of them is for the function to say
        return any(type(value) is type(one) for one in inner)
    if origin in (*_SEVERAL, tuple):
        return _fits_several(value, [kind for kind in inner if kind is not Ellipsis])
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(
            _fits(one, kind) for item in value.items() for one, kind in zip(item, inner, strict=True)
        )
    if origin is Callable:
        return callable(value)
    return _fits_plainly(value, hint)


def _fits_several(value: object, kinds: Sequence[object]) -> bool:
    if isinstance(value, str):  # a sequence of texts as well
        return str in kinds
    if isinstance(value, bytes | Mapping) or not isinstance(value, Iterable):
        return False
    # what is read only once is left to the function
    return not isinstance(value, Collection) or (
        _iterates(value) and all(any(_fits(one, kind) for kind in kinds) for one in value)
    )


def _fits_plainly(value: object, hint: object) -> bool:
    if hint is int or hint is float:
        number = numbers.Integral if hint is int else numbers.Real
        return isinstance(value, number) and not isinstance(value, bool)
    if hint is bool:
        return isinstance(value, bool | np.bool_)
    if hint is Path:
        return isinstance(value, os.PathLike)
    if hint is Any or not isinstance(hint, type):
        return True
    if getattr(hint, "_is_protocol", False):
        return type(value).__module__ != "builtins"
    return isinstance(value, hint)


def _iterates(value: object) -> TypeGuard[Collection[object]]:
    """Tell whether the elements can be looked at without using them up; arrays of no axis have none."""
    if not isinstance(value, Collection) or isinstance(value, str | bytes | Mapping):
        return False
    try:
        iter(value)
    except TypeError:
        return False
    return True


def _kinds(hint: object) -> tuple[object, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _wanted(hint: object, *, several: bool = False) -> str:
    """Name a type, as text."""
    return " or ".join(dict.fromkeys(_named(kind, several=several) for kind in _kinds(hint)))


def _named(hint: object, *, several: bool) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin is tuple:
        return f"{len(inner)} {_wanted(inner[0], several=True)}"
    if origin in _SEVERAL:
        return f"a sequence of {_wanted(inner[0], several=True)}"
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return f"a mapping of {_wanted(inner[0], several=True)}"
    if origin is Callable:
        return "a function"
    if hint in _NAMES:
        return _NAMES[hint][several]
    name = getattr(hint, "__name__", "value")
    return f"objects of the type {name}" if several else f"an object of the type {name}"
