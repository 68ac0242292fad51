"""Libraries that onnx-ir imports, and that are not loaded before something of them is used.

onnx-ir reckons with symbolic dimensions by sympy, whose import takes as long as all of onnx-ir's and numba's
together. No command of ours reckons with them.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from threading import RLock
from types import ModuleType
from typing import Any

__all__ = ["defer_symbols"]

_LOADING = RLock()


def defer_symbols() -> None:
    """Have sympy loaded only when it is used, in this process from now on.

    For programs, not for libraries: whoever imports sympy later gets the module that loads itself. Where
    onnx-ir is built otherwise, or is imported already, sympy is loaded as ever.
    """
    package = _spec("onnx_ir")
    if package is None or "onnx_ir" in sys.modules:
        return
    # The part of onnx-ir that takes names out of sympy as soon as it is imported.
    _defer(_spec("onnx_ir._symbolic_shapes", package.submodule_search_locations))
    _defer(_spec("sympy"))


def _spec(name: str, folders: Any = None) -> ModuleSpec | None:
    return PathFinder.find_spec(name, folders)


def _defer(spec: ModuleSpec | None) -> None:
    if spec is None or spec.loader is None or spec.name in sys.modules:
        return
    module = module_from_spec(spec)
    _turn(module, _Deferred)
    sys.modules[spec.name] = module


class _Deferred(ModuleType):
    """A module that is loaded when a name of it is asked for that an empty one lacks.

    That of the standard library, `importlib.util.LazyLoader`, is loaded by the statement ``import`` as well,
    and twice where two threads ask.
    """

    def __getattr__(self, name: str) -> Any:
        with _LOADING:
            if type(self) is _Deferred:
                _turn(self, _Loading)
                assert self.__spec__ is not None
                assert self.__spec__.loader is not None
                try:
                    self.__spec__.loader.exec_module(self)
                except BaseException:
                    _turn(self, _Deferred)
                    raise
                _turn(self, ModuleType)
        return ModuleType.__getattribute__(self, name)


class _Loading(ModuleType):
    """A module whose code is running: other threads wait for its end."""

    def __getattr__(self, name: str) -> Any:
        with _LOADING:
            return ModuleType.__getattribute__(self, name)


def _turn(module: ModuleType, kind: type[ModuleType]) -> None:
    module.__class__ = kind
