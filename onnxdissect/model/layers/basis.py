"""Layers under a basis: what a matrix (units', units) makes of a layer's channels is a layer as well."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, fields

from onnxdissect.errors import ParameterError, shown
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.bases.spec import BasisSpec
from onnxdissect.model.layers.records import Layer, make_slug

__all__ = ["BasisLayer", "basis_layers", "check_bases", "check_fit", "file_value", "plain_layer"]


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


def basis_layers(layer: Layer, bases: Iterable[Basis], taken: Collection[str] = ()) -> tuple[BasisLayer, ...]:
    """Put a layer under bases.

    Parameters
    ----------
    layer : Layer
        A layer of the file.
    bases : iterable of Basis
        For as many units as the layer has.
    taken : collection of str
        Slugs, case folded, of other layers.

    Returns
    -------
    tuple of BasisLayer
        One per basis, in that order.

    Raises
    ------
    ParameterError
        If a basis is for another number of units, two have one name, or the layer is under a basis already.
    """
    if isinstance(layer, BasisLayer):
        raise ParameterError(
            f"{layer.name!r} is under a basis already", hint="give the product of both matrices as one basis"
        )
    slugs = {layer.slug.casefold(), *taken}
    copied = {one.name: getattr(layer, one.name) for one in fields(Layer)}
    found: dict[str, BasisLayer] = {}
    for basis in bases:
        check_fit(layer, basis)
        if basis.name in found:
            raise ParameterError(f"two bases of layer {layer.name!r} are called {basis.name!r}")
        slug = make_slug(f"{layer.slug}-basis-{basis.name}", slugs)
        slugs.add(slug.casefold())
        units = len(basis.matrix)
        changed = {
            "name": f"{layer.name}/basis/{basis.name}",
            "alias": f"{layer.alias}/{basis.name}",
            "slug": slug,
            "layout": "NCHW",
            "dtype": "float32",
            "shape": (1, units, *layer.grid),
            "units": units,
            "skipped": (0, 0),
        }
        found[basis.name] = BasisLayer(**copied | changed, source=layer, basis=basis)
    return tuple(found.values())


def check_fit(layer: Layer, basis: Basis) -> None:
    """Refuse a basis for another number of units.

    Parameters
    ----------
    layer : Layer
        The layer.
    basis : Basis
        What is to be applied to it.

    Raises
    ------
    ParameterError
        If so.
    """
    if basis.units == layer.units:
        return
    rows = len(basis.matrix)
    turned = f"its transpose has {layer.units} columns: save matrix.T" if rows == layer.units else None
    raise ParameterError(
        f"the basis {basis.name!r} has the shape [{rows}, {basis.units}], where [rows, {layer.units}] fits "
        f"the {layer.units} units of layer {layer.name!r}",
        hint=turned or f"choose a layer of {basis.units} units, as `onnxdissect layers MODEL` lists them",
    )


def check_bases(layer: Layer, asked: Iterable[BasisSpec | Basis], values: Collection[str] = ()) -> None:
    """Refuse bases that a layer cannot be put under, before any is made.

    Parameters
    ----------
    layer : Layer
        The layer.
    asked : iterable of BasisSpec or Basis
        What is to be applied to it.
    values : collection of str
        Names that the graph has already.

    Raises
    ------
    ParameterError
        Naming the first of them.
    """
    for one in asked:
        name = f"{layer.name}/basis/{one.name}"
        # what a basis is computed by is named after it
        there = next((value for value in values if value == name or value.startswith(f"{name}/")), None)
        if there is not None:
            raise ParameterError(
                f"layer {layer.name!r} under the basis {shown(one.name)} would be called {shown(name)}, and "
                f"the network has a value {shown(there)} already",
                hint="rename that value in the file, or choose another layer or basis",
            )
        if isinstance(one, BasisSpec):
            one.check(layer.units)
            continue
        check_fit(layer, one)
        if not one.name.isprintable():
            raise ParameterError(
                f"a basis is called {one.name!r}, and layers are named after it",
                hint="rename the file"
                if one.kind == "file"
                else "give it another name, as in Basis.of('mine', matrix)",
            )


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


def plain_layer(layer: Layer) -> Layer:
    """Give what a layer is without its basis, whose numbers may be large.

    Parameters
    ----------
    layer : Layer
        A layer, under a basis or not.

    Returns
    -------
    Layer
        Of the same name, units and places.
    """
    if not isinstance(layer, BasisLayer):
        return layer
    return Layer(**{one.name: getattr(layer, one.name) for one in fields(Layer)})
