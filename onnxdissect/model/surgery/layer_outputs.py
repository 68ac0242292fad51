"""The graph that computes some layers: each as (n, units, h, w), beside its outputs or instead of them."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from onnxdissect.model.layers.basis import BasisLayer
from onnxdissect.model.layers.records import Layer
from onnxdissect.model.surgery.change_basis import ChangeBasis
from onnxdissect.model.surgery.expose import ExposeValues
from onnxdissect.model.surgery.prune import Prune
from onnxdissect.model.surgery.to_nchw import AddNCHW, ToNCHW, output_name

__all__ = ["expose_layers"]


def expose_layers(model: ir.Model, layers: Sequence[Layer], *, prune: bool) -> ir.Model:
    """Make layers outputs of a clone, each as (n, units, h, w).

    Parameters
    ----------
    model : onnx_ir.Model
        The model; it is not changed.
    layers : sequence of Layer
        Some of its layers, and layers of it under a basis.
    prune : bool
        Whether everything else is removed.

    Returns
    -------
    onnx_ir.Model
    """
    under_bases = [layer for layer in layers if isinstance(layer, BasisLayer)]
    of_file = [layer.source if isinstance(layer, BasisLayer) else layer for layer in layers]
    turns = {layer.name: ToNCHW.of(layer) for layer in of_file if layer.layout != "NCHW"}
    names = [output_name(layer) for layer in layers]
    if turns:
        model = AddNCHW(turns)(model).model
    if under_bases:
        model = ChangeBasis(under_bases)(model).model
    return (Prune if prune else ExposeValues)(names)(model).model
