"""Files that onnxruntime runs and the graph library does not read: put right before anything looks at them.

Nodes that are not in the order in which they can be computed are sorted, sparse weights are filled up, and
node names that stand for several nodes are made different. Graphs that were rewritten for one processor are
refused, with what to save instead: their values have no axes any more that could be read off.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx import numpy_helper

from onnxdissect.errors import ModelFormatError
from onnxdissect.model.reading.external_data import check_external, external_tensors
from onnxdissect.model.reading.file_bytes import model_bytes
from onnxdissect.model.reading.function_calls import check_functions, inner_graphs
from onnxdissect.model.reading.stored_sizes import MOST_AXES, check_stored_sizes
from onnxdissect.storage.memory import raise_memory_error

__all__ = ["load_repaired"]

_MOST_BYTES = 2**30
"""Sparse weights of a file may take so many bytes once they are filled up: the graph still has to be passed
to onnxruntime in one piece of less than 2 GiB."""

_LARGEST_LENGTH = 2**55
"""NumPy counts the bytes of the other axes where one is empty."""

_COMPILED = {
    "com.microsoft.nchwc": "channels are blocked for one processor",
    "com.ms.internal.nhwc": "operators are laid out for one execution provider",
}
_ORIGINAL = (
    "give the original file, or save it with SessionOptions.graph_optimization_level = ORT_ENABLE_EXTENDED"
)


def load_repaired(path: Path, content: bytes | None = None) -> ir.Model:
    """Read a file's graph, with its nodes in order, its weights dense and its nodes' names unique.

    Parameters
    ----------
    path : Path
        The file.
    content : bytes, optional
        What it holds, where that was read already.

    Returns
    -------
    onnx_ir.Model
        External data are not read.

    Raises
    ------
    ModelFormatError
        If nodes read what nothing computes, or each other's results in a circle; if sparse weights are
        malformed or too large; if two values have one name; if the graph was rewritten for one processor; if
        functions call themselves or make too many nodes; or if a tensor claims more than the file holds.
    """
    proto = onnx.ModelProto.FromString(model_bytes(path) if content is None else content)
    del content
    _refuse_compiled(path, proto)
    check_functions(path, proto)
    check_stored_sizes(path, proto)
    _fill_up(path, proto)
    for function in proto.functions:
        _sort(path, function, ())
    _sort(path, proto.graph, ())
    for graph in _graphs(proto):
        _rename(graph)
    model: ir.Model = ir.from_proto(proto)
    for tensor in external_tensors(model):
        tensor.base_dir = path.parent
    return model


def _nodes(nodes: Sequence[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Nodes, and those of the graphs inside them."""
    for node in nodes:
        yield node
        for graph in inner_graphs(node):
            yield from _nodes(graph.node)


def _graphs(proto: onnx.ModelProto) -> Iterator[onnx.GraphProto | onnx.FunctionProto]:
    yield proto.graph
    yield from proto.functions
    for owner in (proto.graph, *proto.functions):
        for node in _nodes(owner.node):
            yield from inner_graphs(node)


def _refuse_compiled(path: Path, proto: onnx.ModelProto) -> None:
    for node in _nodes(proto.graph.node):
        said = _COMPILED.get(node.domain)
        if said is not None:
            raise ModelFormatError(
                f"{path} was saved by onnxruntime with all optimisations ({node.domain}): {said}, so that "
                "its values cannot be told apart as units",
                hint=_ORIGINAL,
            )
        if node.op_type == "EPContext" and node.domain == "com.microsoft":
            raise ModelFormatError(
                f"{path} was compiled for one device (EPContext): the network is inside a single node",
                hint="give the original file",
            )


def _fill_up(path: Path, proto: onnx.ModelProto) -> None:
    """Store sparse weights as dense ones, those of Constant nodes too."""
    left = _MOST_BYTES
    for graph in _graphs(proto):
        if isinstance(graph, onnx.GraphProto) and graph.sparse_initializer:
            known = {tensor.name for tensor in graph.initializer}
            for sparse in graph.sparse_initializer:
                dense = _dense(path, sparse, left)
                left -= dense.nbytes
                if sparse.values.name not in known:
                    graph.initializer.append(numpy_helper.from_array(dense, sparse.values.name))
            graph.ClearField("sparse_initializer")
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.SPARSE_TENSOR and node.op_type == "Constant":
                    dense = _dense(path, attribute.sparse_tensor, left)
                    left -= dense.nbytes
                    name = attribute.sparse_tensor.values.name
                    node.attribute.remove(attribute)
                    node.attribute.append(
                        onnx.helper.make_attribute("value", numpy_helper.from_array(dense, name))
                    )
                    break
            _refuse_sparse(path, node)


def _refuse_sparse(path: Path, node: onnx.NodeProto) -> None:
    """Refuse sparse numbers anywhere but in a Constant: the graph library does not read them."""
    kinds = (onnx.AttributeProto.SPARSE_TENSOR, onnx.AttributeProto.SPARSE_TENSORS)
    for attribute in node.attribute:
        if attribute.type in kinds:
            raise ModelFormatError(
                f"{path}: {_called(node)} has sparse numbers in its attribute {attribute.name[:100]!r}; they "
                "are read in Constant nodes and in stored weights alone",
                hint="save the network with dense weights",
            )


def _dense(path: Path, sparse: onnx.SparseTensorProto, left: int) -> NDArray[Any]:
    name, dims = sparse.values.name, tuple(sparse.dims)
    said = f"{path}: the sparse weights {name!r}"
    if sparse.values.data_type == onnx.TensorProto.STRING:
        raise ModelFormatError(f"{said} are texts")
    if any(dim < 0 for dim in dims):
        raise ModelFormatError(f"{said} have the shape {list(dims)}")
    if len(dims) > MOST_AXES:
        raise ModelFormatError(f"{said} have {len(dims):,} axes; at most {MOST_AXES} are read")
    values, indices = _read(path, sparse.values), _read(path, sparse.indices)
    if indices.dtype.kind not in "iu":
        raise ModelFormatError(f"{said} have indices of the type {indices.dtype}, and whole numbers are read")
    indices = indices.astype(np.int64)
    if math.prod(dim for dim in dims if dim) > _LARGEST_LENGTH:
        raise ModelFormatError(f"{said} have the shape {list(dims)}, more than any memory holds")
    size = math.prod(dims) * values.dtype.itemsize
    if size > left:
        raise ModelFormatError(
            f"{said} of shape {list(dims)} take {size:,} bytes once they are filled up, and {left:,} of "
            f"{_MOST_BYTES:,} are left",
            hint="save the network with dense weights in external data",
        )
    values = values.reshape(-1)
    if dims and indices.shape == (values.size, len(dims)):
        lengths = np.array(dims, np.int64)
        fits = not indices.size or bool((indices >= 0).all() and (indices < lengths).all())
        places = indices.T
        indices = np.ravel_multi_index(tuple(places), dims) if fits and values.size else np.empty(0, np.int64)
    else:
        fits = indices.shape == (values.size,) and bool(((indices >= 0) & (indices < math.prod(dims))).all())
    if not fits:
        raise ModelFormatError(f"{said} have indices that do not fit the shape {list(dims)}")
    places, times = np.unique(indices, return_counts=True)
    if places.size < indices.size:
        twice = [int(i) for i in np.unravel_index(int(places[times > 1][0]), dims)]
        raise ModelFormatError(
            f"{said} have several values for one place, {twice} of {list(dims)}: ONNX allows one, and does "
            "not say whether the last counts or their sum",
            hint="save the network with one value for each place, or with dense weights",
        )
    dense = np.zeros(math.prod(dims), values.dtype)
    dense[indices] = values
    return dense.reshape(dims)


def _read(path: Path, tensor: onnx.TensorProto) -> NDArray[Any]:
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        external: Any = ir.from_proto(tensor)
        external.base_dir = path.parent
        check_external(path, external)
        return np.array(external.numpy())
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except Exception as error:
        raise_memory_error(error)
        raise ModelFormatError(f"{path}: the weights {tensor.name!r} are damaged: {error}") from error


def _sort(path: Path, graph: onnx.GraphProto | onnx.FunctionProto, outer: tuple[Set[str], ...]) -> None:
    """Put nodes behind those whose results they read; what is in order already stays as it is.

    The sort of onnx_ir gives most graphs another order, and layers are listed in the order of the nodes; nor
    does it say which node reads what nothing computes, or waits for itself.
    """
    producers = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    if isinstance(graph, onnx.GraphProto):
        given = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    else:
        given = set(graph.input)
    # not put into one set: a graph may hold thousands of small ones that all see it
    visible = (*outer, producers.keys(), given)
    _refuse_doubles(path, graph)
    needs: list[set[int]] = []
    for i, node in enumerate(graph.node):
        for subgraph in inner_graphs(node):
            _sort(path, subgraph, visible)
        unknown = [name for name in node.input if name and not any(name in names for names in visible)]
        if unknown:
            raise ModelFormatError(
                f"{path} is no complete graph: {_called(node)} reads {unknown[0]!r}, which nothing computes "
                "or stores",
                hint="export the model again",
            )
        needs.append({producers[name] for name in _read_by(node) if name in producers} - {i})
        if any(name in producers and producers[name] == i for name in node.input):
            raise _circle(path, node)
    if all(max(before, default=-1) < i for i, before in enumerate(needs)):
        return
    waiting = [len(before) for before in needs]
    followers: list[list[int]] = [[] for _ in needs]
    for i, before in enumerate(needs):
        for j in before:
            followers[j].append(i)
    ready = [i for i, count in enumerate(waiting) if not count]
    order: list[int] = []
    while ready:
        i = heapq.heappop(ready)
        order.append(i)
        for j in followers[i]:
            waiting[j] -= 1
            if not waiting[j]:
                heapq.heappush(ready, j)
    if len(order) < len(needs):
        raise _circle(path, graph.node[next(i for i, count in enumerate(waiting) if count)])
    ordered = [graph.node[i] for i in order]
    copies = [type(node).FromString(node.SerializeToString()) for node in ordered]
    del graph.node[:]
    graph.node.extend(copies)


def _refuse_doubles(path: Path, graph: onnx.GraphProto | onnx.FunctionProto) -> None:
    """Refuse values of one name: which of them is read nobody can say."""
    if isinstance(graph, onnx.GraphProto):
        made = {value.name: "an input of the graph" for value in graph.input}
        # an initialiser of an input's name is its default
        made |= {tensor.name: "a stored tensor" for tensor in graph.initializer}
    else:
        made = dict.fromkeys(graph.input, "an input of the function")
    for node in graph.node:
        for name in filter(None, node.output):
            if name in made:
                raise ModelFormatError(
                    f"{path} makes the value {name!r} twice: {made[name]} and {_called(node)} have it",
                    hint="give one of them another name, or export the model again",
                )
            made[name] = _called(node)


def _read_by(node: onnx.NodeProto) -> Iterator[str]:
    """Names that a node reads, itself or in the graphs inside it."""
    yield from node.input
    for graph in inner_graphs(node):
        yield from (value.name for value in graph.output)
        for inner in graph.node:
            yield from _read_by(inner)


def _called(node: onnx.NodeProto) -> str:
    return f"the node {node.name!r} ({node.op_type})" if node.name else f"a node {node.op_type}"


def _circle(path: Path, node: onnx.NodeProto) -> ModelFormatError:
    return ModelFormatError(
        f"{path} is no graph that can be computed: {_called(node)} waits for its own result",
        hint="export the model again",
    )


def _rename(graph: onnx.GraphProto | onnx.FunctionProto) -> None:
    """Give numbers to the nodes whose name another one has, in the order of the graph.

    The pass of onnx_ir that does so renames values too, and by these layers are called.
    """
    taken: set[str] = set()
    given = {node.name for node in graph.node}
    last: dict[str, int] = {}
    for node in graph.node:
        if not node.name:
            continue
        called = name = node.name
        # numbers that were taken before are taken still
        number = last.get(called, 1)
        while name in taken or (number > 1 and name in given):
            number += 1
            name = f"{called}_{number}"
        last[called] = number
        node.name = name
        taken.add(name)
