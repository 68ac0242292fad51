"""What compiling costs, kernel by kernel: processor seconds, and how much of them LLVM takes."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from numba.core import event
from numba.core.codegen import CPUCodeLibrary


@dataclass
class Cost:
    """Of one kernel.

    Attributes
    ----------
    versions : int
        For how many signatures it was compiled.
    seconds : float
        Processor time of the compiling thread, that of the functions it calls left out.
    llvm : float
        Of it, what LLVM took; the rest is numba's: types, and code for LLVM.
    """

    versions: int = 0
    seconds: float = 0.0
    llvm: float = 0.0


class Compilations(event.Listener):  # type: ignore[misc]
    """Listens to numba from now on.

    Attributes
    ----------
    costs : dict of str to Cost
        By module and name. What numba compiles of its own for a kernel is summed up as ``numba``.
    """

    def __init__(self) -> None:
        self.costs: dict[str, Cost] = {}
        self._local = threading.local()
        event.register("numba:compile", self)
        finish = CPUCodeLibrary.finalize

        def timed(library: Any) -> None:
            began = time.thread_time()
            finish(library)
            if self._open():
                self._open()[-1][2] += time.thread_time() - began

        CPUCodeLibrary.finalize = timed

    def _open(self) -> list[list[float]]:
        """Of this thread, the kernels being compiled, outermost first: began, others' time, LLVM's time."""
        if not hasattr(self._local, "open"):
            self._local.open = []
        found: list[list[float]] = self._local.open
        return found

    def on_start(self, event: Any) -> None:
        """A kernel begins to be compiled."""
        self._open().append([time.thread_time(), 0.0, 0.0])

    def on_end(self, event: Any) -> None:
        """It is compiled."""
        began, others, llvm = self._open().pop()
        took = time.thread_time() - began
        if self._open():
            self._open()[-1][1] += took
        body = event.data["dispatcher"].py_func
        own = body.__module__.startswith("onnxdissect.")
        name = (
            f"{body.__module__.removeprefix('onnxdissect.').removeprefix('core.kernels.')}.{body.__name__}"
            if own
            else "numba"
        )
        cost = self.costs.setdefault(name, Cost())
        cost.versions += 1
        cost.seconds += took - others
        cost.llvm += llvm

    def table(self) -> str:
        """A row for each kernel, the dearest first, and their sum."""
        rows = sorted(self.costs.items(), key=lambda row: -row[1].seconds)
        total = Cost(
            *(sum(column) for column in zip(*(vars(c).values() for c in self.costs.values()), strict=True))
        )
        lines = ["kernel                                       versions  processor s  of it LLVM"]
        lines += [
            f"{name:<44} {c.versions:8} {c.seconds:12.2f} {c.llvm:11.2f}"
            for name, c in [*rows, ("all", total)]
        ]
        return "\n".join(lines)
