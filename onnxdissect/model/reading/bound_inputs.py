"""Inputs beside the image: give them values, so that the image is all that a network waits for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import ArrayLike, NDArray
from onnx_ir import passes

from onnxdissect.errors import ParameterError, nearest
from onnxdissect.model.graph import name_of

__all__ = ["BindInputs", "binding_json", "read_bindings"]

_SHOWN = 16
"""Elements of a value that is told in full; of a larger one its hash is."""

_BOOLEANS = {"true": 1, "false": 0}


class BindInputs(passes.FunctionalPass):
    """Turn inputs of a graph into stored values.

    Parameters
    ----------
    values : mapping of str to ndarray
        Value per input, of the input's type.
    """

    def __init__(self, values: Mapping[str, NDArray[Any]]) -> None:
        super().__init__()
        self.values = dict(values)

    def requires(self, model: ir.Model) -> None:
        """Check that there are such inputs."""
        missing = self.values.keys() - {value.name for value in model.graph.inputs}
        if missing:
            raise passes.PreconditionError(f"no inputs {sorted(missing)}")

    def call(self, model: ir.Model) -> passes.PassResult:
        """Store the values in a clone."""
        clone = model.clone()
        graph = clone.graph
        inputs = {name_of(value): value for value in graph.inputs}
        graph.inputs[:] = [value for value in graph.inputs if value.name not in self.values]
        for name, array in self.values.items():
            inputs[name].const_value = ir.tensor(array, name=name)
            graph.register_initializer(inputs[name])
        return passes.PassResult(clone, modified=bool(self.values))

    def ensures(self, model: ir.Model) -> None:
        """Check that they are no inputs any more."""
        left = self.values.keys() & {value.name for value in model.graph.inputs}
        if left:
            raise passes.PostconditionError(f"still inputs: {sorted(left)}")


def read_bindings(model: ir.Model, asked: Mapping[str, ArrayLike | str]) -> dict[str, NDArray[Any]]:
    """Read the values that inputs are to be bound to.

    Parameters
    ----------
    model : onnx_ir.Model
        The model.
    asked : mapping of str to array_like or str
        Value per input: numbers, or text as people type it: ``1``, ``true``, ``320,240`` or the path of
        an ``.npy`` file. One number fills the whole input; a free dimension becomes 1 then.

    Returns
    -------
    dict of str to ndarray
        The values as `BindInputs` stores them.

    Raises
    ------
    ParameterError
        If there is no such input, or the value does not fit it.
    """
    inputs = {name_of(value): value for value in model.graph.inputs if not value.is_initializer()}
    bound: dict[str, NDArray[Any]] = {}
    for name, text in asked.items():
        if name not in inputs:
            raise ParameterError(
                f"the model has no input {name!r} to bind",
                candidates=nearest(name, inputs) or tuple(inputs),
            )
        bound[name] = _fit(name, _read(name, text), inputs[name])
    return bound


def _read(name: str, given: ArrayLike | str) -> NDArray[Any]:
    if not isinstance(given, str):
        return np.asarray(given)
    if given.endswith(".npy"):
        try:
            return np.asarray(np.load(Path(given), allow_pickle=False))
        except (OSError, ValueError) as error:
            raise ParameterError(
                f"the value of the input {name!r} cannot be read from {given}: {error}",
                hint="numpy.save writes such a file",
            ) from error
    try:
        numbers = [
            float(_BOOLEANS.get(part.strip().lower(), part))
            if "." in part or "e" in part.lower()
            else int(_BOOLEANS.get(part.strip().lower(), part))
            for part in given.split(",")
        ]
    except ValueError:
        raise ParameterError(
            f"the value {given!r} of the input {name!r} is neither numbers nor the path of an .npy file",
            hint=f"--bind {name}=1 or --bind {name}=value.npy",
        ) from None
    return np.asarray(numbers[0] if len(numbers) == 1 else numbers)


def _fit(name: str, array: NDArray[Any], value: ir.Value) -> NDArray[Any]:
    if value.dtype is None or value.dtype == ir.DataType.STRING or array.dtype.kind not in "biuf":
        raise ParameterError(f"the input {name!r} holds {value.dtype}: it takes no numbers")
    dtype = value.dtype.numpy()
    dims = None if value.shape is None else list(value.shape)
    if dims is not None:
        fixed = [dim if isinstance(dim, int) and dim > 0 else None for dim in dims]
        if array.ndim == 0:
            array = np.full([dim or 1 for dim in fixed], array)
        elif array.ndim < len(fixed):
            array = array.reshape((1,) * (len(fixed) - array.ndim) + array.shape)
        if array.ndim != len(fixed) or any(
            wanted not in (None, have) for wanted, have in zip(fixed, array.shape, strict=True)
        ):
            shown = ", ".join("any" if dim is None else str(dim) for dim in fixed)
            raise ParameterError(f"the input {name!r} takes the shape [{shown}], not {list(array.shape)}")
    cast = array.astype(dtype)
    if dtype.kind in "biu" and not np.array_equal(cast, array):
        raise ParameterError(f"the input {name!r} takes {dtype}, which cannot hold {array.ravel()[0]:g}")
    # ascontiguousarray would give a scalar an axis
    return np.array(cast, order="C")


def binding_json(array: NDArray[Any]) -> dict[str, object]:
    """Say what was bound, for a manifest.

    Parameters
    ----------
    array : ndarray
        The value.

    Returns
    -------
    dict
        ``dtype`` and ``shape``, and ``value``, or ``sha256`` of a larger one's bytes.
    """
    said: dict[str, object] = {"dtype": array.dtype.name, "shape": list(array.shape)}
    if array.size <= _SHOWN:
        return said | {"value": array.astype(float).tolist()}
    return said | {"sha256": hashlib.sha256(array.tobytes()).hexdigest()}
