"""Sums and other statistics over axes."""

from __future__ import annotations

from onnxdissect.model.operators.operator import Operator
from onnxdissect.model.operators.rules import Arithmetic, Axes

__all__ = ["OPERATORS"]

OPERATORS = (
    Operator("ArgMax", axes=Axes.REDUCED_ALONG),
    Operator("ArgMin", axes=Axes.REDUCED_ALONG),
    Operator("ReduceL1", axes=Axes.REDUCED, no_weights=(1,), shaping=(1,)),
    Operator("ReduceL2", axes=Axes.REDUCED, no_weights=(1,), shaping=(1,)),
    Operator("ReduceLogSum", axes=Axes.REDUCED, no_weights=(1,), shaping=(1,)),
    Operator("ReduceLogSumExp", axes=Axes.REDUCED, no_weights=(1,), shaping=(1,)),
    Operator("ReduceMax", axes=Axes.REDUCED, no_weights=(1,), shaping=(1,)),
    Operator("ReduceMean", axes=Axes.REDUCED, arithmetic=Arithmetic.MEAN, no_weights=(1,), shaping=(1,)),
    Operator("ReduceMin", axes=Axes.REDUCED, no_weights=(1,), shaping=(1,)),
    Operator("ReduceProd", axes=Axes.REDUCED, no_weights=(1,), shaping=(1,)),
    Operator("ReduceSum", axes=Axes.REDUCED, arithmetic=Arithmetic.TOTAL, no_weights=(1,), shaping=(1,)),
    Operator("ReduceSumSquare", axes=Axes.REDUCED, no_weights=(1,), shaping=(1,)),
)
