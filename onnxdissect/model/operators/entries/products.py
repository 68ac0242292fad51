"""Matrix products, attention, and rows looked up in a table."""

from __future__ import annotations

from onnxdissect.model.operators.operator import Operator
from onnxdissect.model.operators.rules import Axes, Compute, Order, Packing, Places

__all__ = ["OPERATORS"]

OPERATORS = (
    Operator("Attention", axes=Axes.MIXED, compute=Compute.ATTENTION, past_keys=4),
    Operator("Attention", "com.microsoft", axes=Axes.MIXED, compute=Compute.ATTENTION, projects=True),
    Operator(
        "DynamicQuantizeMatMul",
        "com.microsoft",
        axes=Axes.PRODUCT,
        compute=Compute.PRODUCT,
        no_weights=(2, 3),
        scaled_by_batch=True,
    ),
    Operator("Einsum", axes=Axes.CONTRACTED, order=Order.CONTRACTED, compute=Compute.EINSUM),
    Operator(
        "FusedGemm", "com.microsoft", axes=Axes.PRODUCT, fused=True, compute=Compute.PRODUCT, two_axes=True
    ),
    Operator("FusedMatMul", "com.microsoft", axes=Axes.PRODUCT, compute=Compute.PRODUCT),
    Operator(
        "GatherBlockQuantized",
        "com.microsoft",
        axes=Axes.LOOKED_UP,
        no_weights=(1, 2, 3),
        packing=Packing.BITS,
        table_axis="gather_axis",
    ),
    Operator("Gemm", axes=Axes.PRODUCT, compute=Compute.PRODUCT, two_axes=True),
    Operator(
        "GroupQueryAttention",
        "com.microsoft",
        axes=Axes.MIXED,
        compute=Compute.ATTENTION,
        no_weights=(5, 6, 7, 8, 9),
        past_keys=3,
    ),
    Operator(
        "MatMul", axes=Axes.PRODUCT, places=Places.MATRIX, order=Order.MULTIPLIED, compute=Compute.PRODUCT
    ),
    Operator(
        "MatMulBnb4",
        "com.microsoft",
        axes=Axes.PRODUCT,
        compute=Compute.PRODUCT,
        no_weights=(2,),
        packing=Packing.ROWS_AND_COLUMNS,
    ),
    Operator(
        "MatMulFpQ4",
        "com.microsoft",
        axes=Axes.PRODUCT,
        compute=Compute.PRODUCT,
        no_weights=(2,),
        packing=Packing.SHAPE,
    ),
    Operator(
        "MatMulInteger",
        axes=Axes.PRODUCT,
        compute=Compute.PRODUCT,
        no_weights=(2, 3),
        rounds=True,
        sums_integers=True,
    ),
    Operator(
        "MatMulIntegerToFloat",
        "com.microsoft",
        axes=Axes.PRODUCT,
        compute=Compute.PRODUCT,
        no_weights=(2, 3, 4, 5),
    ),
    Operator(
        "MatMulNBits",
        "com.microsoft",
        axes=Axes.PRODUCT,
        compute=Compute.PRODUCT,
        no_weights=(2, 3, 4),
        packing=Packing.ROWS_AND_COLUMNS,
    ),
    Operator("MultiHeadAttention", "com.microsoft", axes=Axes.MIXED, compute=Compute.ATTENTION, past_keys=6),
    Operator(
        "QAttention",
        "com.microsoft",
        axes=Axes.MIXED,
        compute=Compute.ATTENTION,
        no_weights=(3, 4, 5, 6, 7),
        projects=True,
    ),
    Operator(
        "QGemm",
        "com.microsoft",
        axes=Axes.PRODUCT,
        compute=Compute.PRODUCT,
        weights=3,
        no_weights=(1, 2, 4, 5, 7, 8),
        two_axes=True,
        result_scale=7,
    ),
    Operator(
        "QLinearMatMul",
        axes=Axes.PRODUCT,
        compute=Compute.PRODUCT,
        weights=3,
        no_weights=(1, 2, 4, 5, 6, 7),
        result_scale=6,
        rounds=True,
    ),
    Operator("TransposeMatMul", "com.microsoft", axes=Axes.PRODUCT, compute=Compute.PRODUCT),
)
