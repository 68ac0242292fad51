"""Large arrays of a graph that onnxruntime reads where they lie, instead of a copy in the file's format.

Eleven rotations of 2,048 units are 176 MiB. Written into the file's format they are in memory once more as
its records and once more as its bytes while the graph is loaded, and no such file may be larger than 2 GiB.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

__all__ = ["lend_arrays"]

_LEAST_BYTES = 2**20


def lend_arrays(model: ir.Model) -> tuple[ir.Model, dict[str, NDArray[np.float32]]]:
    """Take out of a graph what surgery has stored in it, if it is large.

    What the file itself stores stays.

    Parameters
    ----------
    model : onnx_ir.Model
        The graph; it is not changed.

    Returns
    -------
    model : onnx_ir.Model
        A clone that refers to the arrays by name, as if they were in a file; the model itself if there are
        none.
    arrays : dict of str to ndarray of float32
        By the names of the stored values.
    """
    found = {
        name: value.const_value
        for name, value in model.graph.initializers.items()
        if isinstance(value.const_value, ir.Tensor)
        and value.const_value.dtype == ir.DataType.FLOAT
        and value.const_value.nbytes >= _LEAST_BYTES
    }
    if not found:
        return model, {}
    clone = model.clone()
    arrays = {}
    for name, tensor in found.items():
        arrays[name] = np.ascontiguousarray(tensor.numpy())
        clone.graph.initializers[name].const_value = ir.ExternalTensor(
            "lent", 0, tensor.nbytes, tensor.dtype, shape=tensor.shape, name=name, base_dir=""
        )
    return clone, arrays
