"""What is stored of a layer for display: maps of the top images, and samples of the activations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.errors import RunFormatError
from onnxdissect.storage.archive_reader import read_archive
from onnxdissect.storage.archive_writer import write_archive
from onnxdissect.storage.schema import ArraySpec, Schema

__all__ = ["SAMPLES", "TOP_MAPS", "TopMaps", "read_samples", "read_top_maps", "write_top_maps"]

TOP_MAPS = "top_maps.npz"
SAMPLES = "samples.npz"

# Of each unit; many times what runs keep.
_MOST_SAMPLES = 2**16

_MAPS_SCHEMA = Schema(
    {
        "maps": ArraySpec("uint8", "KNhw"),
        "low": ArraySpec("float32", "KN"),
        "high": ArraySpec("float32", "KN"),
    }
)
_SAMPLES_SCHEMA = Schema({"values": ArraySpec("float32", "KS")})


@dataclass(frozen=True, slots=True)
class TopMaps:
    """Activation maps of the top images of every unit of a layer.

    Attributes
    ----------
    maps : ndarray of uint8, shape (K, N, h, w)
        In the order of the top images; the activation is ``low + maps / 255 * (high - low)``. The rows and
        columns of the layer; of layers that would be too large, the largest values of squares of cells.
    low, high : ndarray of float32, shape (K, N)
        Smallest and largest activation of each map.
    """

    maps: NDArray[np.uint8]
    low: NDArray[np.float32]
    high: NDArray[np.float32]


def write_top_maps(folder: Path, top_maps: TopMaps, samples: NDArray[np.float32]) -> None:
    """Write ``top_maps.npz`` and ``samples.npz``; equal arrays give equal bytes.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    top_maps : TopMaps
    samples : ndarray of float32, shape (K, S)
        Activations of each unit, ascending.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    maps = {name: getattr(top_maps, name) for name in _MAPS_SCHEMA.arrays}
    write_archive(folder / TOP_MAPS, _MAPS_SCHEMA, maps)
    write_archive(folder / SAMPLES, _SAMPLES_SCHEMA, {"values": samples})


def read_top_maps(folder: Path, top_images: tuple[int, ...], shape: tuple[int, int]) -> TopMaps | None:
    """Read ``top_maps.npz``.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    top_images : tuple of int
        (K, N), as many units and top images as the layer has.
    shape : (int, int)
        (h, w) of the layer's maps; stored ones are no larger.

    Returns
    -------
    TopMaps or None
        None if the run was made by a version that did not keep them.

    Raises
    ------
    RunFormatError
        If the file is damaged, or does not belong to this run.
    """
    path = folder / TOP_MAPS
    if not path.exists():
        return None
    lengths = dict(zip("KN", top_images, strict=True))
    most = dict(zip("hw", shape, strict=True))
    found = TopMaps(**read_archive(path, _MAPS_SCHEMA, lengths=lengths, most=most))
    finite = np.isfinite(found.low).all() and np.isfinite(found.high).all()
    if 0 in found.maps.shape[2:] or not finite:
        raise RunFormatError(f"{path} does not belong to this run", hint="dissect again with --fresh")
    return found


def read_samples(folder: Path, units: int) -> NDArray[np.float32] | None:
    """Read ``samples.npz``.

    Parameters
    ----------
    folder : Path
        The layer's folder.
    units : int
        Units of the layer.

    Returns
    -------
    ndarray of float32, shape (K, S), or None
        None if the run was made by a version that did not keep them.

    Raises
    ------
    RunFormatError
        If the file is damaged, or does not belong to this run.
    """
    path = folder / SAMPLES
    if not path.exists():
        return None
    values: NDArray[np.float32] = read_archive(
        path, _SAMPLES_SCHEMA, lengths={"K": units}, most={"S": _MOST_SAMPLES}
    )["values"]
    if not np.isfinite(values).all() or not (values[:, 1:] >= values[:, :-1]).all():
        raise RunFormatError(f"{path} does not belong to this run", hint="dissect again with --fresh")
    return values
