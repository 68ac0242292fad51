"""Which kernels a process has compiled."""

from __future__ import annotations

import importlib
import pkgutil

from numba.core.dispatcher import Dispatcher

import onnxdissect.core.kernels


def compiled() -> dict[str, int]:
    """How many versions of each kernel this process has."""
    found = {}
    room = onnxdissect.core.kernels
    modules = [module.name for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")]
    for module in [*modules, "onnxdissect.data.decoding.label_kernels"]:
        home = importlib.import_module(module)
        for name, value in vars(home).items():
            if isinstance(value, Dispatcher) and value.py_func.__module__ == module:
                found[f"{module}.{name}"] = len(value.signatures)
    return found
