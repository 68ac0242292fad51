"""The folder of this package among the user's caches."""

from __future__ import annotations

from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    r"""Folder of this package in the user's cache.

    Returns
    -------
    Path
        By platform: ``~/.cache/onnxdissect``, ``~/Library/Caches/onnxdissect`` or
        ``%LOCALAPPDATA%\onnxdissect``; on the first two ``$XDG_CACHE_HOME/onnxdissect`` where that is set.
    """
    from platformdirs import user_cache_path

    return user_cache_path("onnxdissect", appauthor=False, opinion=False)
