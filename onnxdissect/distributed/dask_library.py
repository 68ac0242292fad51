"""Dask's library, which may be missing."""

from __future__ import annotations

from typing import Any

from onnxdissect.errors import InstallationError
from onnxdissect.libraries import raise_interrupt

__all__ = ["import_distributed"]


def import_distributed() -> Any:
    """Import Dask's distributed scheduler, or say how to get it.

    Returns
    -------
    module
        ``distributed``.

    Raises
    ------
    InstallationError
        If it is not installed, or does not load.
    """
    try:
        # a folder of this name in the way is none of Dask's
        import distributed.client
    except ImportError as error:
        raise_interrupt(error)
        raise InstallationError(
            f"a cluster takes dask[distributed], which is not installed: {error}",
            hint="pip install 'onnxdissect[distributed]'",
        ) from error
    return distributed
