"""ONNX operators, sorted by what they do to the axes and numbers of an activation map."""

from __future__ import annotations

__all__ = [
    "CARRIERS",
    "CONVOLUTIONS",
    "COPIES",
    "FIRST_INPUT",
    "GATES",
    "GLOBAL_POOLS",
    "LINEAR",
    "MATRIX_PRODUCTS",
    "NONLINEAR",
    "NO_TENSORS",
    "POINTWISE",
    "QUANTISERS",
    "REDUCTIONS",
    "RESHAPES",
    "SPATIAL",
]


def _names(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


POINTWISE = _names(
    "Add And BiasGelu BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual",
    "Max Mean Min Mod Mul Or PRelu Pow QLinearAdd QLinearMul Sub Sum Where Xor",
)
"""Several operands, broadcast against each other."""

FIRST_INPUT = _names(
    "Abs Acos Acosh Asin Asinh Atan Atanh BatchNormalization BitwiseNot Cast CastLike Ceil Celu Clip Cos",
    "Cosh CumSum DequantizeLinear Dropout DynamicQuantizeLinear Elu Erf Exp FastGelu Floor Gelu",
    "GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization IsInf IsNaN LRN",
    "LayerNormalization LeakyRelu Log LogSoftmax LpNormalization MeanVarianceNormalization Mish Neg Not Pad",
    "QLinearLeakyRelu QLinearSigmoid QLinearSoftmax QuantizeLinear QuickGelu RMSNormalization Reciprocal",
    "Relu Resize Round Selu Shrink Sigmoid Sign Sin Sinh Slice Softmax Softplus Softsign Sqrt Swish Tan",
    "Tanh ThresholdedRelu Trilu Upsample",
)
"""One operand that matters; its axes are the result's."""

CONVOLUTIONS = _names("Conv ConvInteger ConvTranspose FusedConv QLinearConv")
"""Weights of shape (out, in, kernel height, kernel width), or (in, out, ...) when transposed."""

GLOBAL_POOLS = _names("GlobalAveragePool GlobalLpPool GlobalMaxPool QLinearGlobalAveragePool")
"""One cell from all."""

SPATIAL = (
    CONVOLUTIONS
    | GLOBAL_POOLS
    | _names("AveragePool DepthToSpace LpPool MaxPool QLinearAveragePool SpaceToDepth")
)
"""Defined by ONNX on (N, C, H, W)."""

REDUCTIONS = _names(
    "ArgMax ArgMin ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd",
    "ReduceSum ReduceSumSquare",
)
"""Sum over some axes."""

RESHAPES = _names("Flatten Reshape Squeeze Unsqueeze")
"""The same numbers in the same order under another shape."""

MATRIX_PRODUCTS = _names("FusedMatMul Gemm MatMul MatMulInteger QLinearMatMul")
"""Products over the last axis of the first operand."""

NONLINEAR = _names(
    "Abs BiasGelu Celu Clip Elu Erf Exp FastGelu Gelu HardSigmoid HardSwish LeakyRelu Log Mish PRelu",
    "QLinearLeakyRelu QLinearSigmoid QuickGelu Relu Selu Shrink Sigmoid Softplus Softsign Sqrt Swish Tanh",
    "ThresholdedRelu",
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

NO_TENSORS = _names(
    "Optional SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceMap SplitToSequence ZipMap"
)
"""Results are lists, or maybe nothing at all, which have no shape."""
