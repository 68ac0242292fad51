"""Operators whose axes no rule follows: choices of places, lists, loops, shapes, random numbers."""

from __future__ import annotations

from onnxdissect.model.operators.operator import Operator
from onnxdissect.model.operators.rules import Order, Pixels, Regions

__all__ = ["OPERATORS"]

OPERATORS = (
    Operator("BitmaskBiasDropout", "com.microsoft", training_input=4),
    Operator("BitmaskDropout", "com.microsoft", training_input=2),
    Operator("ConstantOfShape", states_shape=0),
    Operator("DynamicQuantizeLSTM", "com.microsoft", scaled_by_batch=True),
    Operator("GatherND", order=Order.PICKED),
    Operator("If", subgraphs=True),
    Operator("Loop", subgraphs=True),
    Operator("MaxRoiPool", regions=Regions.POOLED),
    Operator("Multinomial", draws=True),
    Operator("NonMaxSuppression", regions=Regions.CHOSEN),
    Operator("NonZero", regions=Regions.PICKED),
    Operator("Optional", tensors=False),
    Operator("QLinearReduceMean", "com.microsoft", rounds=True),
    Operator("RandomNormal", draws=True),
    Operator("RandomNormalLike", draws=True),
    Operator("RandomUniform", draws=True),
    Operator("RandomUniformLike", draws=True),
    Operator("RoiAlign", regions=Regions.POOLED),
    Operator("Scan", subgraphs=True),
    Operator("Scatter", order=Order.PICKED),
    Operator("ScatterElements", order=Order.PICKED),
    Operator("ScatterND", order=Order.PICKED),
    Operator("SequenceAt", pixels=Pixels.UNLISTED),
    Operator("SequenceConstruct", tensors=False),
    Operator("SequenceEmpty", tensors=False),
    Operator("SequenceErase", tensors=False),
    Operator("SequenceInsert", tensors=False),
    Operator("SequenceMap", tensors=False),
    Operator("Shape", sizes_only=True),
    Operator("Size", sizes_only=True),
    Operator("SplitToSequence", tensors=False, pixels=Pixels.LISTED),
    Operator("TopK", order=Order.PICKED, regions=Regions.PICKED),
    Operator("ZipMap", "ai.onnx.ml", tensors=False),
)
