"""Which kernels a process has compiled."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from numba.core.dispatcher import Dispatcher

import onnxdissect.core.kernels


def homes() -> list[ModuleType]:
    """The modules that have kernels."""
    room = onnxdissect.core.kernels
    names = [module.name for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")]
    of_data = ("onnxdissect.data.decoding.label_kernels", "onnxdissect.data.packed.run_kernels")
    return [importlib.import_module(name) for name in (*names, *of_data)]


def compiled() -> dict[str, int]:
    """How many versions of each kernel this process has."""
    return {
        f"{home.__name__}.{name}": len(value.signatures)
        for home in homes()
        for name, value in vars(home).items()
        if isinstance(value, Dispatcher) and value.py_func.__module__ == home.__name__
    }
