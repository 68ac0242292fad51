"""The graph that computes some layers: each as (n, units, h, w), beside its outputs or instead of them."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from onnxdissect.model.layers.records import Layer
from onnxdissect.model.surgery.expose import ExposeValues
from onnxdissect.model.surgery.prune import Prune
from onnxdissect.model.surgery.to_nchw import AddNCHW, ToNCHW, nchw_name

__all__ = ["expose_layers", "output_name"]


def expose_layers(model: ir.Model, layers: Sequence[Layer], *, prune: bool) -> ir.Model:
    """Make layers outputs of a clone, each as (n, units, h, w).

    Parameters
    ----------
    model : onnx_ir.Model
        The model; it is not changed.
    layers : sequence of Layer
        Some of its layers.
    prune : bool
        Whether everything else is removed.

    Returns
    -------
    onnx_ir.Model
    """
    turns = {layer.name: ToNCHW.of(layer) for layer in layers if layer.layout != "NCHW"}
    names = [output_name(layer) for layer in layers]
    if turns:
        model = AddNCHW(turns)(model).model
    return (Prune if prune else ExposeValues)(names)(model).model


def output_name(layer: Layer) -> str:
    """Name of the output that `expose_layers` makes of a layer.

    Parameters
    ----------
    layer : Layer
        The layer.

    Returns
    -------
    str
    """
    return layer.name if layer.layout == "NCHW" else nchw_name(layer.name)
