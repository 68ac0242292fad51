"""Convolutions and pools, and what else ONNX defines on maps alone."""

from __future__ import annotations

from onnxdissect.model.operators.operator import Operator
from onnxdissect.model.operators.rules import Arithmetic, Axes, Compute, Numbers, Order, Pixels, Places, Units

__all__ = ["OPERATORS"]

OPERATORS = (
    Operator("AveragePool", axes=Axes.SPATIAL, units=Units.SECOND, arithmetic=Arithmetic.MEAN),
    Operator(
        "Conv", axes=Axes.SPATIAL, units=Units.SECOND, compute=Compute.CONVOLUTION, pixels=Pixels.CONVOLVED
    ),
    Operator(
        "ConvInteger",
        axes=Axes.SPATIAL,
        units=Units.SECOND,
        compute=Compute.CONVOLUTION,
        no_weights=(2, 3),
        rounds=True,
        sums_integers=True,
    ),
    Operator(
        "ConvTranspose",
        axes=Axes.SPATIAL,
        places=Places.SPREAD,
        units=Units.SECOND,
        compute=Compute.CONVOLUTION,
    ),
    Operator(
        "ConvTransposeWithDynamicPads",
        "com.microsoft",
        axes=Axes.SPATIAL,
        places=Places.SPREAD,
        units=Units.SECOND,
        compute=Compute.CONVOLUTION,
        no_weights=(2,),
        shaping=(2,),
        states_pads=2,
    ),
    Operator("DeformConv", axes=Axes.SPATIAL, units=Units.SECOND, compute=Compute.CONVOLUTION),
    Operator("DepthToSpace", axes=Axes.SPATIAL, places=Places.DEPTH_TO_SPACE, numbers=Numbers.MOVED),
    Operator(
        "FusedConv",
        "com.microsoft",
        axes=Axes.SPATIAL,
        units=Units.SECOND,
        fused=True,
        compute=Compute.CONVOLUTION,
    ),
    Operator(
        "GlobalAveragePool",
        axes=Axes.SPATIAL,
        places=Places.WHOLE,
        units=Units.SECOND,
        arithmetic=Arithmetic.MEAN,
    ),
    Operator("GlobalLpPool", axes=Axes.SPATIAL, places=Places.WHOLE, units=Units.SECOND),
    Operator("GlobalMaxPool", axes=Axes.SPATIAL, places=Places.WHOLE, units=Units.SECOND),
    Operator("GridSample", axes=Axes.SPATIAL, places=Places.SAMPLE, order=Order.SHIFTED, shaping=(1,)),
    Operator("LpPool", axes=Axes.SPATIAL),
    Operator("MaxPool", axes=Axes.SPATIAL, units=Units.SECOND, numbers=Numbers.CARRIED),
    Operator("MaxpoolWithMask", "com.microsoft", axes=Axes.SPATIAL),
    Operator("MaxUnpool", axes=Axes.SPATIAL, places=Places.SPREAD),
    Operator(
        "NhwcConv",
        "com.microsoft",
        axes=Axes.SPATIAL,
        units=Units.SECOND,
        compute=Compute.CONVOLUTION,
        channels_last=True,
        kernel_before_units=True,
    ),
    Operator(
        "NhwcFusedConv",
        "com.microsoft",
        axes=Axes.SPATIAL,
        units=Units.SECOND,
        fused=True,
        compute=Compute.CONVOLUTION,
        channels_last=True,
    ),
    Operator(
        "NhwcMaxPool",
        "com.microsoft",
        axes=Axes.SPATIAL,
        units=Units.SECOND,
        numbers=Numbers.MOVED,
        channels_last=True,
    ),
    Operator(
        "QLinearAveragePool",
        "com.microsoft",
        axes=Axes.SPATIAL,
        units=Units.SECOND,
        arithmetic=Arithmetic.MEAN,
        no_weights=(1, 2, 3, 4),
        result_scale=3,
        rounds=True,
    ),
    Operator(
        "QLinearConv",
        axes=Axes.SPATIAL,
        units=Units.SECOND,
        compute=Compute.CONVOLUTION,
        weights=3,
        no_weights=(1, 2, 4, 5, 6, 7),
        result_scale=6,
        rounds=True,
    ),
    Operator(
        "QLinearGlobalAveragePool",
        "com.microsoft",
        axes=Axes.SPATIAL,
        places=Places.WHOLE,
        units=Units.SECOND,
        arithmetic=Arithmetic.MEAN,
        no_weights=(1, 2, 3, 4),
        result_scale=3,
        rounds=True,
    ),
    Operator("SpaceToDepth", axes=Axes.SPATIAL, places=Places.SPACE_TO_DEPTH, numbers=Numbers.MOVED),
)
