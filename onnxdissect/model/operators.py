"""ONNX operators, sorted by what they do to the axes and numbers of an activation map."""

from __future__ import annotations

__all__ = [
    "ATTENTIONS",
    "CARRIERS",
    "CHANNELS_LAST",
    "CONCATENATIONS",
    "CONVOLUTIONS",
    "COPIES",
    "FIRST_INPUT",
    "FUSED",
    "GATES",
    "GLOBAL_POOLS",
    "LINEAR",
    "LOOKUPS",
    "MATRIX_PRODUCTS",
    "MOVES",
    "NONLINEAR",
    "NO_TENSORS",
    "POINTWISE",
    "QUANTISERS",
    "REDUCTIONS",
    "RESHAPES",
    "SKIPPING",
    "SPATIAL",
    "TRANSPOSED",
    "right_operand",
]


def _names(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


POINTWISE = _names(
    "Add And BiasAdd BiasGelu BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Expand Greater",
    "GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or PRelu Pow QLinearAdd QLinearMul QLinearWhere",
    "SkipGroupNorm SkipLayerNormalization SkipSimplifiedLayerNormalization Sub Sum SwiGLU Where Xor",
)
"""Several operands, broadcast against each other."""

SKIPPING = {"SkipGroupNorm": 1, "SkipLayerNormalization": 3, "SkipSimplifiedLayerNormalization": 3}
"""A sum and its normalisation in one operator: which of the results is the sum, where it is asked for."""

FIRST_INPUT = _names(
    "Abs Acos Acosh Affine Asin Asinh Atan Atanh Attention BatchNormalization BiasDropout BiasSoftmax",
    "BiasSplitGelu BitwiseNot Cast CastLike Ceil Celu CenterCropPad Clip Cos Cosh Crop CumProd CumSum",
    "DequantizeLinear Dropout DynamicQuantizeLinear Elu Erf Exp FastGelu Floor Gelu GroupNorm",
    "GroupNormalization GroupQueryAttention Hardmax HardSigmoid HardSwish Identity ImageScaler",
    "InstanceNormalization IsInf IsNaN LayerNormalization LeakyRelu Log LogSoftmax LpNormalization LRN",
    "MeanVarianceNormalization Mish MultiHeadAttention Neg Not Pad ParametricSoftplus QAttention",
    "QLinearLeakyRelu QLinearSigmoid QLinearSoftmax QuantizeLinear QuickGelu Reciprocal Relu Resize",
    "ReverseSequence RMSNormalization RotaryEmbedding Round Scale ScaledSiLU ScaledTanh Selu Shrink Sigmoid",
    "Sign SimplifiedLayerNormalization Sin Sinh Slice Softmax Softplus Softsign Sqrt Swish Tan Tanh",
    "ThresholdedRelu Tile Trilu Upsample",
)
"""One operand that matters; its axes are the result's."""

ATTENTIONS = _names("Attention GroupQueryAttention MultiHeadAttention QAttention")
"""Attention as one operator: rows of the first operand hear all others."""

CONCATENATIONS = _names("Concat QLinearConcat")
"""Operands behind each other along one axis."""

TRANSPOSED = _names("ConvTranspose ConvTransposeWithDynamicPads MaxUnpool")
"""A convolution or a pool the other way round: cells spread out."""

CONVOLUTIONS = _names(
    "Conv ConvInteger ConvTranspose ConvTransposeWithDynamicPads DeformConv FusedConv NhwcConv NhwcFusedConv",
    "QLinearConv",
)
"""Weights of shape (out, in, kernel height, kernel width), or (in, out, ...) when transposed."""

GLOBAL_POOLS = _names("GlobalAveragePool GlobalLpPool GlobalMaxPool QLinearGlobalAveragePool")
"""One cell from all."""

CHANNELS_LAST = _names("NhwcConv NhwcFusedConv NhwcMaxPool")
"""Defined on (N, H, W, C) instead."""

SPATIAL = (
    CONVOLUTIONS
    | TRANSPOSED
    | GLOBAL_POOLS
    | _names("AveragePool DepthToSpace GridSample LpPool MaxPool MaxpoolWithMask NhwcMaxPool")
    | _names("QLinearAveragePool SpaceToDepth")
)
"""Defined by ONNX on (N, C, H, W)."""

REDUCTIONS = _names(
    "ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd",
    "ReduceSum ReduceSumSquare",
)
"""Sum over some axes."""

RESHAPES = _names("ExpandDims Flatten Reshape Squeeze Unsqueeze")
"""The same numbers in the same order under another shape."""

MATRIX_PRODUCTS = _names(
    "DynamicQuantizeMatMul FusedGemm FusedMatMul Gemm MatMul MatMulBnb4 MatMulFpQ4 MatMulInteger",
    "MatMulIntegerToFloat MatMulNBits QGemm QLinearMatMul TransposeMatMul",
)
"""Products over the last axis of the first operand."""

LOOKUPS = _names("Gather GatherBlockQuantized")
"""Rows of a stored table, chosen by numbers that the network computes."""

FUSED = _names("FusedConv FusedGemm NhwcFusedConv")
"""A nonlinearity behind a product, named by an attribute."""

NONLINEAR = _names(
    "Abs BiasGelu BiasSplitGelu Celu Clip Elu Erf Exp FastGelu Gelu HardSigmoid HardSwish LeakyRelu Log Mish",
    "PRelu ParametricSoftplus QLinearLeakyRelu QLinearSigmoid QuickGelu Relu ScaledSiLU ScaledTanh Selu",
    "Shrink Sigmoid Softplus Softsign Sqrt SwiGLU Swish Tanh ThresholdedRelu",
)
"""Bend each cell's value."""

LINEAR = _names("Add Div Mul Neg Sub")
"""Scale and shift each cell's value when the other operand is a constant."""

GATES = _names("HardSigmoid QLinearSigmoid Sigmoid Softmax")
"""Give weights between 0 and 1."""

COPIES = _names("Cast Dropout Identity Pad Transpose")
"""The same numbers in another order, type or frame."""

QUANTISERS = _names("DequantizeLinear QuantizeLinear")
"""The same numbers, rounded or about to be."""

CARRIERS = _names("Gather MaxPool Reshape Slice Split")
"""Some of the same numbers, so what left a nonlinearity before has left it after."""

MOVES = _names(
    "DepthToSpace Flatten Gather MaxPool NhwcMaxPool Reshape Resize Slice SpaceToDepth Split Squeeze",
    "Unsqueeze Upsample",
)
"""The same numbers in other places, so that integers keep their scale."""

NO_TENSORS = _names(
    "Optional SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceMap SplitToSequence ZipMap"
)
"""Results are lists, or maybe nothing at all, which have no shape."""


_SCALED_FIRST = ("QGemm", "QLinear")
"""Operators of integers that take scale and zero point of the first operand before the second one."""


def right_operand(op: str) -> int:
    """Which input of a convolution or a product is its second operand: the weights, where they are stored.

    Parameters
    ----------
    op : str
        Operator type.

    Returns
    -------
    int
    """
    return 3 if op.startswith(_SCALED_FIRST) else 1
