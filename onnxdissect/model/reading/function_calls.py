"""Functions of a model file: who calls whom, and how many nodes the graph has once they are inlined.

A function of two calls of a function of two calls, and so on, is a short file and a graph of any size. Nodes
are counted before anything is inlined, and a file is refused whose functions call themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import onnx

from onnxdissect.errors import ModelFormatError

__all__ = ["MOST_NODES", "check_functions", "inner_graphs"]

MOST_NODES = 250_000
"""Nodes that a graph may have, those of its functions and of the graphs inside its nodes included."""

# Domain, name and overload.
_Key = tuple[str, str, str]
_SHOWN = 6


def check_functions(path: Path, proto: onnx.ModelProto) -> None:
    """Refuse functions that cannot be inlined, and a graph that is too large once they are.

    Parameters
    ----------
    path : Path
        The file.
    proto : onnx.ModelProto
        What was read from it.

    Raises
    ------
    ModelFormatError
        If functions call each other in a circle, compute no value for one of their outputs, are called with
        more values than they take, or make more than `MOST_NODES` nodes.
    """
    functions = {(f.domain, f.name, f.overload): f for f in proto.functions}
    for function in functions.values():
        _check_outputs(path, function)
    calls: dict[_Key, Counter[_Key]] = {}
    own: dict[_Key, int] = {}
    for key, function in functions.items():
        own[key], calls[key] = _count(path, function.node, functions)
    nodes, called = _count(path, proto.graph.node, functions)
    expanded: dict[_Key, int] = {}
    for key in _innermost_first(path, calls):
        expanded[key] = own[key] + sum(times * (expanded[inner] - 1) for inner, times in calls[key].items())
    total = nodes + sum(times * (expanded[key] - 1) for key, times in called.items())
    if total <= MOST_NODES:
        return
    largest = max(called, key=lambda key: called[key] * expanded[key], default=None)
    if largest is None or called[largest] * expanded[largest] <= MOST_NODES:
        said = f"{path} has {_large(total)} nodes"
    else:
        said = (
            f"{path} has {len(proto.graph.node):,} nodes, and {_large(total)} once its functions are "
            f"inlined: {_name(largest)} alone stands for {_large(expanded[largest])}"
        )
    raise ModelFormatError(
        f"{said}; at most {MOST_NODES:,} are read",
        hint="export the network without functions, or only the part of it that is to be dissected",
    )


def inner_graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Graphs that a node holds.

    Parameters
    ----------
    node : onnx.NodeProto
        The node.

    Yields
    ------
    onnx.GraphProto
        Those of its attributes, not the ones inside these.
    """
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _check_outputs(path: Path, function: onnx.FunctionProto) -> None:
    made = set(function.input).union(*(node.output for node in function.node))
    missing = [name for name in function.output if name not in made]
    if missing:
        raise ModelFormatError(
            f"{path} holds a function {function.domain}.{function.name} whose output {missing[0]!r} nothing "
            "computes",
            hint="export the model again",
        )


def _count(
    path: Path, nodes: Sequence[onnx.NodeProto], functions: Mapping[_Key, onnx.FunctionProto]
) -> tuple[int, Counter[_Key]]:
    """Count nodes, those of graphs inside them included, and calls of functions."""
    total = 0
    calls: Counter[_Key] = Counter()
    waiting = [nodes]
    while waiting:
        for node in waiting.pop():
            total += 1
            key = (node.domain, node.op_type, node.overload)
            function = functions.get(key)
            if function is not None:
                calls[key] += 1
                for what, given, taken in (
                    ("inputs", len(node.input), len(function.input)),
                    ("outputs", len(node.output), len(function.output)),
                ):
                    if given > taken:
                        raise ModelFormatError(
                            f"{path} calls the function {_name(key)} with {given} {what}, and it has {taken}",
                            hint="export the model again",
                        )
            waiting.extend(graph.node for graph in inner_graphs(node))
    return total, calls


def _innermost_first(path: Path, calls: Mapping[_Key, Counter[_Key]]) -> list[_Key]:
    """Order functions so that each comes behind those that it calls; nests may be too deep for recursion."""
    order: list[_Key] = []
    done: set[_Key] = set()
    for start in calls:
        # what is being walked through, outermost first, and what each of it still has to call
        trail: dict[_Key, Iterator[_Key]] = {} if start in done else {start: iter(calls[start])}
        while trail:
            key = next(reversed(trail))
            inner = next((called for called in trail[key] if called not in done), None)
            if inner is None:
                del trail[key]
                done.add(key)
                order.append(key)
            elif inner in trail:
                raise _circle(path, list(trail)[list(trail).index(inner) :])
            else:
                trail[inner] = iter(calls[inner])
    return order


def _circle(path: Path, circle: list[_Key]) -> ModelFormatError:
    shown = [_name(key) for key in [*circle, circle[0]]]
    if len(shown) > _SHOWN:
        shown = [*shown[: _SHOWN - 2], f"... {len(shown) - _SHOWN + 1} more ...", shown[-1]]
    said = (
        "a function that calls itself" if len(circle) == 1 else "functions that call each other in a circle"
    )
    return ModelFormatError(
        f"{path} holds {said}: {' -> '.join(shown)}",
        hint="export the network without functions",
    )


def _name(key: _Key) -> str:
    return ".".join(part[:100] for part in key if part)


def _large(number: int) -> str:
    """Write a number that may have a hundred digits."""
    return f"{number:,}" if number < 10**15 else f"about 10^{int((number.bit_length() - 1) * 0.30103)}"
