"""Layers under a basis: a matrix (units', units) applied to a layer's channels gives other units."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onnxdissect.errors import ParameterError
from onnxdissect.model.layers.records import Layer, make_slug

__all__ = ["Basis", "BasisLayer", "basis_layers", "file_value"]


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """A matrix for the channels of a layer; equal to another of the same name and numbers.

    Attributes
    ----------
    name : str
        Unique among the bases of a layer.
    matrix : ndarray of float32, shape (units', units)
        Row u gives the new unit u as a sum of the layer's units. Not writable.
    """

    name: str
    matrix: NDArray[np.float32] = field(repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Basis) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[str, tuple[int, ...], bytes]:
        return self.name, self.matrix.shape, self.matrix.tobytes()


@dataclass(frozen=True, slots=True)
class BasisLayer(Layer):
    """A layer under a basis: a value that the file lacks and `onnxdissect.model.surgery` adds to the graph.

    It is (n, units', h, w) in float32, named ``<value>/basis/<name>``; its cells lie where the layer's do,
    and parameters and compute are the layer's. Under the identity it is the layer bit for bit in float32; of
    a float16 layer that onnxruntime computes in float32 it may be what the layer was before it was rounded.

    Attributes
    ----------
    source : Layer
        The layer of the file.
    basis : Basis
        What is applied to it.
    """

    source: Layer = field(kw_only=True)
    basis: Basis = field(kw_only=True)


def basis_layers(
    layer: Layer, matrices: Mapping[str, ArrayLike], taken: Collection[str] = ()
) -> tuple[BasisLayer, ...]:
    """Put a layer under bases.

    Parameters
    ----------
    layer : Layer
        A layer of the file.
    matrices : mapping of str to array_like
        Matrix (units', units) per name.
    taken : collection of str
        Slugs, case folded, of other layers.

    Returns
    -------
    tuple of BasisLayer
        One per matrix, in that order.

    Raises
    ------
    ParameterError
        If a name is empty; or if a matrix has another number of columns than the layer has units, no row, or
        numbers that are not finite in float32.
    """
    slugs = {layer.slug.casefold(), *taken}
    copied = {one.name: getattr(layer, one.name) for one in fields(Layer)}
    found = []
    for name, given in matrices.items():
        basis = Basis(name, _checked(layer, name, given))
        slug = make_slug(f"{layer.slug}-basis-{name}", slugs)
        slugs.add(slug.casefold())
        units = len(basis.matrix)
        changed = {
            "name": f"{layer.name}/basis/{name}",
            "alias": f"{layer.alias}/{name}",
            "slug": slug,
            "layout": "NCHW",
            "dtype": "float32",
            "shape": (1, units, *layer.grid),
            "units": units,
            "skipped": (0, 0),
        }
        found.append(BasisLayer(**copied | changed, source=layer, basis=basis))
    return tuple(found)


def file_value(layer: Layer) -> str:
    """Name of the file's value that a layer is computed from.

    Parameters
    ----------
    layer : Layer
        A layer, under a basis or not.

    Returns
    -------
    str
        The layer's own name where no basis is applied to it.
    """
    return layer.source.name if isinstance(layer, BasisLayer) else layer.name


def _checked(layer: Layer, name: str, given: ArrayLike) -> NDArray[np.float32]:
    if not name:
        raise ParameterError(f"a basis of layer {layer.name!r} has no name")
    if isinstance(layer, BasisLayer):
        raise ParameterError(
            f"{layer.name!r} is under a basis already", hint="give the product of both matrices as one basis"
        )
    matrix = np.asarray(given)
    if matrix.ndim != 2 or matrix.shape[1] != layer.units or not len(matrix):
        raise ParameterError(
            f"the basis {name!r} has the shape {list(matrix.shape)}, where [rows, {layer.units}] fits the "
            f"{layer.units} units of layer {layer.name!r}"
        )
    if matrix.dtype.kind not in "biuf":
        raise ParameterError(f"the basis {name!r} holds {matrix.dtype}, no numbers")
    with np.errstate(over="ignore"):
        matrix = np.array(matrix, np.float32, order="C")
    if not np.isfinite(matrix).all():
        raise ParameterError(f"the basis {name!r} holds numbers that are not finite in float32")
    matrix.setflags(write=False)
    return matrix
