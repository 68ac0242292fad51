"""The same numbers elsewhere: reshapes, cuts, joins, resizes."""

from __future__ import annotations

from onnxdissect.model.operators.operator import Operator
from onnxdissect.model.operators.rules import Axes, Numbers, Order, Pixels, Places

__all__ = ["OPERATORS"]

OPERATORS = (
    Operator("CenterCropPad", axes=Axes.FRAMED, places=Places.CROP_OR_PAD, no_weights=(1,)),
    Operator("Compress", axes=Axes.SELECTED, places=Places.COMPRESS, order=Order.PICKED, shaping=(1,)),
    Operator("Concat", axes=Axes.CONCATENATED, order=Order.SHIFTED, pixels=Pixels.JOINED),
    Operator("Crop", axes=Axes.FRAMED, places=Places.CROP),
    Operator("ExpandDims", "com.microsoft", axes=Axes.FLATTENED),
    Operator("Flatten", axes=Axes.FLATTENED, order=Order.PREPARED, numbers=Numbers.MOVED),
    Operator(
        "Gather",
        axes=Axes.GATHERED,
        places=Places.GATHER,
        order=Order.SHIFTED,
        numbers=Numbers.CARRIED,
        no_weights=(1,),
        table_axis="axis",
        shaping=(1,),
        pixels=Pixels.TAKEN,
    ),
    Operator("GatherElements", axes=Axes.PICKED, places=Places.GATHER_ELEMENTS, order=Order.SHIFTED),
    Operator(
        "Pad",
        axes=Axes.FRAMED,
        places=Places.PAD,
        order=Order.PREPARED,
        numbers=Numbers.COPIED,
        no_weights=(1, 2, 3),
        shaping=(1, 3),
        pixels=Pixels.FRAMED,
    ),
    Operator(
        "QLinearConcat",
        "com.microsoft",
        axes=Axes.CONCATENATED,
        order=Order.SHIFTED,
        operands=(2, 3),
        result_scale=0,
        rounds=True,
    ),
    Operator(
        "Reshape",
        axes=Axes.RESHAPED,
        order=Order.PREPARED,
        numbers=Numbers.CARRIED,
        no_weights=(1,),
        shaping=(1,),
        states_shape=1,
    ),
    Operator(
        "Resize",
        axes=Axes.FRAMED,
        places=Places.RESIZE,
        numbers=Numbers.MOVED,
        no_weights=(1, 2, 3),
        shaping=(1, 2, 3),
        pixels=Pixels.RESIZED,
    ),
    Operator("ReverseSequence", axes=Axes.MIXED, places=Places.REVERSE, order=Order.SHIFTED),
    Operator(
        "Slice",
        axes=Axes.FRAMED,
        places=Places.SLICE,
        order=Order.PREPARED,
        numbers=Numbers.CARRIED,
        no_weights=(1, 2, 3, 4),
        shaping=(1, 2, 3, 4),
        pixels=Pixels.SLICED,
    ),
    Operator(
        "Split",
        axes=Axes.SPLIT,
        places=Places.SPLIT,
        order=Order.PREPARED,
        numbers=Numbers.CARRIED,
        no_weights=(1,),
        shaping=(1,),
        pixels=Pixels.SPLIT,
    ),
    Operator(
        "Squeeze",
        axes=Axes.SQUEEZED,
        order=Order.PREPARED,
        numbers=Numbers.MOVED,
        no_weights=(1,),
        shaping=(1,),
        pixels=Pixels.PASSED,
    ),
    Operator("Tile", axes=Axes.FRAMED, order=Order.SHIFTED, no_weights=(1,)),
    Operator(
        "Transpose", axes=Axes.TRANSPOSED, order=Order.TURNED, numbers=Numbers.COPIED, pixels=Pixels.PASSED
    ),
    Operator(
        "Unsqueeze",
        axes=Axes.UNSQUEEZED,
        order=Order.PREPARED,
        numbers=Numbers.MOVED,
        no_weights=(1,),
        shaping=(1,),
        pixels=Pixels.PASSED,
    ),
    Operator(
        "Upsample",
        axes=Axes.FRAMED,
        places=Places.RESIZE,
        numbers=Numbers.MOVED,
        no_weights=(1,),
        shaping=(1,),
    ),
)
