"""Functions of a model file: who calls whom, and how many nodes the graph has once they are inlined.

A function of two calls of a function of two calls, and so on, is a short file and a graph of any size. Nodes
and calls are counted before anything is inlined, and a file is refused whose functions call themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from onnxdissect.errors import ModelFormatError

__all__ = ["MOST_FUNCTIONS_DEEP", "MOST_GRAPHS_DEEP", "MOST_NODES", "check_functions", "inner_graphs"]

MOST_NODES = 50_000
"""Nodes that a graph may have, those of its functions and of the graphs inside its nodes included; and calls
of functions, counted in the same way: a function without a node costs as much to put in its place."""

MOST_FUNCTIONS_DEEP = 100
"""Functions may call each other so many deep. onnxruntime follows such calls by calling itself, and a few
thousand of them overflow its stack, which ends the process."""

MOST_GRAPHS_DEEP = 30
"""Graphs may lie inside one another so many deep, across functions too: what protobuf reads in a file."""

# Domain, name and overload.
_Key = tuple[str, str, str]
# The graph library finds a name for each node and value that it inlines by trying one number after another,
# and where graphs lie inside nodes it is left to: see `onnxdissect.model.reading.inlining`. Some 15 seconds.
_MOST_COMPARED = 25_000_000
_MOST_CHARACTERS = 2**28
_LONGEST_NAME = 100
_SHOWN = 6
_WITHOUT_FUNCTIONS = "export the network without functions"


@dataclass(frozen=True, slots=True)
class _Contents:
    """What a graph or a function holds itself: its nodes that are no calls, calls, and how deep in graphs."""

    nodes: int
    calls: Counter[_Key]
    call_depths: Mapping[_Key, int]
    graphs_deep: int


@dataclass(frozen=True, slots=True)
class _Expanded:
    """What that stands for once all calls are inlined."""

    nodes: int
    calls: int
    functions_deep: int
    graphs_deep: int

    @property
    def size(self) -> int:
        return max(self.nodes, self.calls + 1)


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
        more values than they take, call each other too deep, or make more than `MOST_NODES` nodes or calls.
    """
    functions = {(f.domain, f.name, f.overload): f for f in proto.functions}
    for function in functions.values():
        _check_outputs(path, function)
    held = {key: _contents(path, function.node, functions) for key, function in functions.items()}
    expanded: dict[_Key, _Expanded] = {}
    order = _innermost_first(path, {key: contents.calls for key, contents in held.items()})
    for key in order:
        expanded[key] = _expand(held[key], expanded)
    contents = _contents(path, proto.graph.node, functions)
    whole = _expand(contents, expanded)
    _check_size(path, proto, contents, whole, expanded)
    nested = contents.graphs_deep > 0 or any(inner.graphs_deep for inner in held.values())
    _check_names(path, functions, _times(order, held, contents.calls), nested)
    # what nobody calls onnxruntime looks at all the same
    functions_deep = max([whole.functions_deep, *(1 + inner.functions_deep for inner in expanded.values())])
    if functions_deep > MOST_FUNCTIONS_DEEP:
        raise ModelFormatError(
            f"{path} holds functions that call each other {functions_deep:,} deep; at most "
            f"{MOST_FUNCTIONS_DEEP} are read",
            hint=_WITHOUT_FUNCTIONS,
        )
    graphs_deep = max([whole.graphs_deep, *(inner.graphs_deep for inner in expanded.values())])
    if graphs_deep > MOST_GRAPHS_DEEP:
        raise ModelFormatError(
            f"{path} nests graphs inside nodes {graphs_deep:,} deep once its functions are inlined; at "
            f"most {MOST_GRAPHS_DEEP} are read",
            hint="export the network without nested If, Loop and Scan",
        )


def _times(order: Sequence[_Key], held: Mapping[_Key, _Contents], called: Counter[_Key]) -> Counter[_Key]:
    """Count how often each function is inlined, those that nobody calls once."""
    times = Counter(called)
    for key in reversed(order):
        times[key] = times[key] or 1
        for inner, number in held[key].calls.items():
            times[inner] += times[key] * number
    return times


def _check_names(
    path: Path, functions: Mapping[_Key, onnx.FunctionProto], times: Mapping[_Key, int], nested: bool
) -> None:
    """Refuse what would take too much room, or with graphs inside nodes too long, to be given names."""
    nodes: Counter[str] = Counter()
    values: Counter[str] = Counter()
    for key, function in functions.items():
        waiting = [function.node]
        while waiting:
            for node in waiting.pop():
                nodes[node.name] += times[key]
                for name in node.output:
                    values[name] += times[key]
                waiting.extend(graph.node for graph in inner_graphs(node))
    characters = sum(len(name) * number for names in (nodes, values) for name, number in names.items())
    if characters > _MOST_CHARACTERS:
        raise ModelFormatError(
            f"{path} has {_large(characters)} characters of names once its functions are inlined; at most "
            f"{_MOST_CHARACTERS:,} are read",
            hint=_WITHOUT_FUNCTIONS,
        )
    if not nested:
        return
    compared = sum(number**2 // 2 for names in (nodes, values) for number in names.values())
    if compared > _MOST_COMPARED:
        (name, number) = max((*nodes.items(), *values.items()), key=lambda item: item[1])
        called = f"called {name[:_LONGEST_NAME]!r}" if name else "without a name"
        raise ModelFormatError(
            f"{path} has {number:,} nodes {called} once its functions are inlined: to name all such nodes "
            f"and values apart takes {compared:,} comparisons, and at most {_MOST_COMPARED:,} are made",
            hint="export the network without functions, or with names for the nodes inside them",
        )


def _check_size(
    path: Path,
    proto: onnx.ModelProto,
    contents: _Contents,
    whole: _Expanded,
    expanded: Mapping[_Key, _Expanded],
) -> None:
    if max(whole.nodes, whole.calls) > MOST_NODES:
        said = f"{path} has {len(proto.graph.node):,} nodes"
        if contents.calls:
            said += (
                f", and once its functions are inlined {_large(whole.nodes)}, by {_large(whole.calls)} calls"
            )
            largest = max(contents.calls, key=lambda key: contents.calls[key] * expanded[key].size)
            said += f", most of them of {_name(largest)}"
        elif len(proto.graph.node) != whole.nodes:
            said += f", and {whole.nodes:,} with those of graphs inside nodes"
    else:
        if all(inner.size <= MOST_NODES for inner in expanded.values()):
            return
        largest = max(expanded, key=lambda key: expanded[key].size)
        inner = expanded[largest]
        said = (
            f"{path} holds a function {_name(largest)} that stands for {_large(inner.nodes)} nodes once it "
            f"is inlined, by {_large(inner.calls)} calls"
        )
    raise ModelFormatError(
        f"{said}; at most {MOST_NODES:,} nodes and as many calls of functions are read",
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


def _contents(
    path: Path, nodes: Sequence[onnx.NodeProto], functions: Mapping[_Key, onnx.FunctionProto]
) -> _Contents:
    """Count nodes, those of graphs inside them included, and calls of functions."""
    total = deepest = 0
    calls: Counter[_Key] = Counter()
    call_depths: dict[_Key, int] = {}
    waiting = [(nodes, 0)]
    while waiting:
        held, depth = waiting.pop()
        deepest = max(deepest, depth)
        for node in held:
            key = (node.domain, node.op_type, node.overload)
            function = functions.get(key)
            if function is None:
                total += 1
            else:
                calls[key] += 1
                call_depths[key] = max(call_depths.get(key, 0), depth)
                _check_call(path, node, key, function)
            waiting.extend((graph.node, depth + 1) for graph in inner_graphs(node))
    return _Contents(total, calls, call_depths, deepest)


def _check_call(path: Path, node: onnx.NodeProto, key: _Key, function: onnx.FunctionProto) -> None:
    for what, given, taken in (
        ("inputs", len(node.input), len(function.input)),
        ("outputs", len(node.output), len(function.output)),
    ):
        if given > taken:
            raise ModelFormatError(
                f"{path} calls the function {_name(key)} with {given} {what}, and it has {taken}",
                hint="export the model again",
            )


def _expand(contents: _Contents, expanded: Mapping[_Key, _Expanded]) -> _Expanded:
    inner = [(expanded[key], times, contents.call_depths[key]) for key, times in contents.calls.items()]
    return _Expanded(
        nodes=contents.nodes + sum(times * held.nodes for held, times, _ in inner),
        calls=sum(times * (1 + held.calls) for held, times, _ in inner),
        functions_deep=max((1 + held.functions_deep for held, _, _ in inner), default=0),
        graphs_deep=max([contents.graphs_deep, *(depth + held.graphs_deep for held, _, depth in inner)]),
    )


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
        hint=_WITHOUT_FUNCTIONS,
    )


def _name(key: _Key) -> str:
    return ".".join(part[:100] for part in key if part)


def _large(number: int) -> str:
    """Write a number that may have a hundred digits."""
    return f"{number:,}" if number < 10**15 else f"about 10^{int((number.bit_length() - 1) * 0.30103)}"
