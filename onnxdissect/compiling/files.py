"""Compiled kernels as files: one for each kernel and the types that it was compiled for.

Numba's own cache has an index beside the files of each function, and asks where the source lies. Here a name
says all that an index would: so processes that write at the same time write either the same or different
files, and a file that was cut off by a full disk, or changed, is known by its digest, and made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.dispatcher import Dispatcher
from numba.core.serialize import dumps

from onnxdissect.compiling.folder import kernel_folder

__all__ = ["KernelCache", "compiled_here", "not_kept"]

_DIGEST = hashlib.sha256().digest_size


class KernelCache(NullCache):  # type: ignore[misc]
    """The files of one kernel, in the way that numba asks for them.

    Parameters
    ----------
    body : function
        What is compiled.

    Attributes
    ----------
    compiled : int
        How many versions of the kernel this process has compiled, and not read.
    problem : str
        Why one of them could not be kept; empty if every one was.
    """

    def __init__(self, body: Callable[..., Any]) -> None:
        self._name = f"{body.__module__}.{body.__qualname__}"
        self.compiled = 0
        self.problem = ""

    @property
    def cache_path(self) -> str:
        """Folder of the files; empty if they are not kept."""
        folder = kernel_folder().path
        return "" if folder is None else str(folder)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Read a version; None if it was not kept, or is damaged."""
        path, key = self._place(sig)
        if path is None:
            return None
        try:
            content = path.read_bytes()
        except OSError:
            return None
        digest, body = content[:_DIGEST], content[_DIGEST:]
        if hashlib.sha256(body).digest() != digest:
            return None
        target_context.refresh()
        # Reading these runs code, so the folder is one that nobody else can write to: see `cache`.
        found, parts = pickle.loads(body)
        return CompileResult._rebuild(target_context, *parts) if found == key else None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a version that was compiled; where that fails, remember why, and do without."""
        self.compiled += 1
        path, key = self._place(sig)
        if path is None:
            return
        if data.library.has_dynamic_globals:
            self.problem = "numba has put addresses of this process into them, as it does without optimising"
            return
        body = dumps((key, data._reduce()))
        partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            partial.write_bytes(hashlib.sha256(body).digest() + body)
            partial.replace(path)
        except OSError as error:
            self.problem = f"{path.parent}: {error.strerror}"
            with contextlib.suppress(OSError):
                partial.unlink()

    def _place(self, sig: Any) -> tuple[Path | None, str]:
        folder = kernel_folder().path
        key = f"{self._name} {sig}"
        if folder is None:
            return None, key
        short = self._name.removeprefix("onnxdissect.").removeprefix("core.kernels.")
        return folder / f"{short}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.kernel", key


def compiled_here() -> int:
    """Count the versions of kernels that this process has compiled.

    Returns
    -------
    int
        Those that were read are not among them.
    """
    return sum(cache.compiled for cache in _caches())


def not_kept() -> str:
    """Say why kernels that this process has compiled are not kept for the next.

    Returns
    -------
    str
        Empty if they are.
    """
    if kernel_folder().path is None:
        return kernel_folder().passed_over
    return next((cache.problem for cache in _caches() if cache.problem), "")


def _caches() -> Iterator[KernelCache]:
    # Another thread may be importing: a copy is made in one step, a list of the items is not.
    for name, module in sorted(sys.modules.copy().items()):
        if name.startswith("onnxdissect."):
            for value in vars(module).copy().values():
                cache = getattr(value, "_cache", None) if isinstance(value, Dispatcher) else None
                if isinstance(cache, KernelCache):
                    yield cache
