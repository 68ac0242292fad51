"""The bytes of a model file: of a regular file only, and no more than a protobuf message may have."""

from __future__ import annotations

from pathlib import Path

from onnxdissect.errors import ModelFormatError, ModelNotFoundError, nearest
from onnxdissect.storage.regular_files import RefusedFileError, read_regular_file

__all__ = ["MOST_BYTES", "model_bytes"]

MOST_BYTES = 2**31 - 1
"""Bytes of a file, without what lies in others beside it: what protobuf reads."""

_SHOWN = 5


def model_bytes(path: Path) -> bytes:
    """Read a model file whole.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    bytes

    Raises
    ------
    ModelNotFoundError
        If there is no file at the path, or it cannot be opened; what lies near is named.
    ModelFormatError
        If it is no regular file (a pipe, a device), or has more than `MOST_BYTES`.
    """
    try:
        return read_regular_file(path, MOST_BYTES)
    except RefusedFileError as error:
        if path.is_dir():
            inside = tuple(sorted(str(p) for p in path.glob("*.onnx")))
            raise ModelNotFoundError(
                f"{path} is a folder, not an ONNX file", candidates=inside[:_SHOWN]
            ) from error
        raise ModelFormatError(
            f"{path} is not read as a model: {error.strerror}",
            hint="save the weights as external data, in a file beside it" if path.is_file() else None,
        ) from error
    except FileNotFoundError as error:
        parent = path.parent
        beside = [p.name for p in parent.glob("*.onnx")] if parent.is_dir() else []
        names = nearest(path.name, beside) or tuple(sorted(beside)[:_SHOWN])
        raise ModelNotFoundError(
            f"there is no file {path}", candidates=[str(parent / name) for name in names if name != path.name]
        ) from error
    except OSError as error:
        raise ModelNotFoundError(f"{_shown(path)} cannot be read: {error.strerror}") from error
    except MemoryError as error:
        raise MemoryError(f"{path} has {path.stat().st_size:,} bytes") from error


def _shown(path: Path) -> str:
    name = str(path)
    return name if len(name) <= 300 else f"{name[:200]}... ({len(name):,} characters)"
