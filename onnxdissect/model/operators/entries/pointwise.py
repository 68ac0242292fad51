"""Several operands, broadcast against each other."""

from __future__ import annotations

from onnxdissect.model.operators.operator import Operator
from onnxdissect.model.operators.rules import Arithmetic, Axes, Numbers, Pixels, Units

__all__ = ["OPERATORS"]

OPERATORS = (
    Operator(
        "Add", axes=Axes.POINTWISE, numbers=Numbers.LINEAR, arithmetic=Arithmetic.SUM, pixels=Pixels.SHIFTED
    ),
    Operator("And", axes=Axes.POINTWISE),
    Operator("BiasAdd", "com.microsoft", axes=Axes.POINTWISE, arithmetic=Arithmetic.SUM),
    Operator("BiasGelu", "com.microsoft", axes=Axes.POINTWISE, numbers=Numbers.NONLINEAR),
    Operator("BitShift", axes=Axes.POINTWISE),
    Operator("BitwiseAnd", axes=Axes.POINTWISE),
    Operator("BitwiseOr", axes=Axes.POINTWISE),
    Operator("BitwiseXor", axes=Axes.POINTWISE),
    Operator(
        "Div",
        axes=Axes.POINTWISE,
        numbers=Numbers.LINEAR,
        arithmetic=Arithmetic.QUOTIENT,
        pixels=Pixels.DIVIDED,
    ),
    Operator("Equal", axes=Axes.POINTWISE),
    Operator("Expand", axes=Axes.POINTWISE, no_weights=(1,), shaping=(1,), states_shape=1),
    Operator("Greater", axes=Axes.POINTWISE),
    Operator("GreaterOrEqual", axes=Axes.POINTWISE),
    Operator("Less", axes=Axes.POINTWISE),
    Operator("LessOrEqual", axes=Axes.POINTWISE),
    Operator(
        "Max", axes=Axes.POINTWISE, numbers=Numbers.NONLINEAR_BY_CONSTANT, arithmetic=Arithmetic.MAXIMUM
    ),
    Operator("Mean", axes=Axes.POINTWISE),
    Operator("Min", axes=Axes.POINTWISE, numbers=Numbers.NONLINEAR_BY_CONSTANT),
    Operator("Mod", axes=Axes.POINTWISE),
    Operator(
        "Mul",
        axes=Axes.POINTWISE,
        numbers=Numbers.LINEAR,
        arithmetic=Arithmetic.PRODUCT,
        pixels=Pixels.SCALED,
    ),
    Operator("Or", axes=Axes.POINTWISE),
    Operator("Pow", axes=Axes.POINTWISE, numbers=Numbers.NONLINEAR_BY_CONSTANT, arithmetic=Arithmetic.POWER),
    Operator("PRelu", axes=Axes.POINTWISE, numbers=Numbers.NONLINEAR),
    Operator(
        "QLinearAdd",
        "com.microsoft",
        axes=Axes.POINTWISE,
        arithmetic=Arithmetic.SUM,
        weights=3,
        no_weights=(1, 2, 4, 5, 6, 7),
        result_scale=6,
        rounds=True,
    ),
    Operator(
        "QLinearMul",
        "com.microsoft",
        axes=Axes.POINTWISE,
        arithmetic=Arithmetic.PRODUCT,
        weights=3,
        no_weights=(1, 2, 4, 5, 6, 7),
        result_scale=6,
        rounds=True,
    ),
    Operator("QLinearWhere", "com.microsoft", axes=Axes.POINTWISE, weights=3, result_scale=7, rounds=True),
    Operator("SkipGroupNorm", "com.microsoft", axes=Axes.POINTWISE, arithmetic=Arithmetic.SUM, sum_result=1),
    Operator(
        "SkipLayerNormalization",
        "com.microsoft",
        axes=Axes.POINTWISE,
        units=Units.LAST,
        arithmetic=Arithmetic.SUM,
        sum_result=3,
    ),
    Operator(
        "SkipSimplifiedLayerNormalization",
        "com.microsoft",
        axes=Axes.POINTWISE,
        units=Units.LAST,
        arithmetic=Arithmetic.SUM,
        sum_result=3,
    ),
    Operator("Sub", axes=Axes.POINTWISE, numbers=Numbers.LINEAR, pixels=Pixels.SUBTRACTED),
    Operator("Sum", axes=Axes.POINTWISE, arithmetic=Arithmetic.SUM),
    Operator("SwiGLU", axes=Axes.POINTWISE, numbers=Numbers.NONLINEAR),
    Operator("Where", axes=Axes.POINTWISE),
    Operator("Xor", axes=Axes.POINTWISE),
)
