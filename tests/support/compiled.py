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
    for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
        home = importlib.import_module(module.name)
        for name, value in vars(home).items():
            if isinstance(value, Dispatcher):
                found[f"{module.name}.{name}"] = len(value.signatures)
    return found
