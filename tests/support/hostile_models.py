"""Model files changed where they mean something: lengths, counts, names, functions, types, places of weights.

Random bits seldom get past the reader. Each seed takes a small real export and changes its structure once
or a few times, so that what is read is a model, only none that anybody would write.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import onnx
from onnx import TensorProto, helper

__all__ = ["MUTATIONS", "SOURCES", "hostile_model", "hostile_models"]

_ROOT = Path(__file__).resolve().parents[2]
SOURCES = (
    _ROOT / "models" / "tiny_scenes.onnx",
    *(
        _ROOT / "tests" / "exports" / f"{name}.onnx"
        for name in ("caffe", "keras", "pytorch_dynamo", "pytorch_pyramid", "pytorch_vit", "tflite_int8")
    ),
)
"""A classifier, a pyramid of residual blocks, a transformer, channels last, and integers."""

_LENGTHS = (0, 1, -1, 2, 3, 7, 255, 50_000, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1, -(2**63))
_NUMBERS = (0, 1, -1, 2, 5, 64, 1000, 10**6, 2**31, 2**40, 2**63 - 1, -(2**63))
_FLOATS = (0.0, -1.0, 1e-45, 1e38, float("inf"), float("-inf"), float("nan"))
_NAMES = ("", "x", "\0", "a\nb", "../../a", "\x1b[31m", "é", "a" * 10_000, "onnxdissect/probe/shape/0")
_OPERATORS = (
    *("Relu", "Conv", "Identity", "Add", "Transpose", "Reshape", "Resize", "Slice", "Gather", "Softmax"),
    *("DepthToSpace", "Concat", "ConstantOfShape", "Expand", "Tile", "Cast", "Squeeze", "Einsum", "Loop"),
)


def hostile_models(dice: random.Random, folder: Path) -> Iterator[tuple[str, Path]]:
    """Write changed models, one after the other, without end.

    Parameters
    ----------
    dice : random.Random
        What decides the changes.
    folder : Path
        Where they are written; each is replaced by the next.

    Yields
    ------
    (str, Path)
        What was changed, and the file.
    """
    while True:
        yield hostile_model(dice, folder)


def hostile_model(dice: random.Random, folder: Path) -> tuple[str, Path]:
    """Write one changed model; see `hostile_models`."""
    source = dice.choice(SOURCES)
    model = onnx.load(str(source))
    done = [source.stem]
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        change = dice.choice(MUTATIONS)
        try:
            done.append(f"{change.__name__}: {change(model, dice, folder)}")
        except (IndexError, ValueError, TypeError) as error:  # nothing of the kind there to change
            done.append(f"{change.__name__}: not possible ({error})")
    path = folder / "model.onnx"
    path.unlink(missing_ok=True)
    path.write_bytes(model.SerializeToString())
    return "; ".join(done), path


def _graphs(model: onnx.ModelProto) -> list[onnx.GraphProto]:
    found = [model.graph]
    for graph in found:
        for node in graph.node:
            found.extend(a.g for a in node.attribute if a.HasField("g"))
    return found


def _node(model: onnx.ModelProto, dice: random.Random) -> onnx.NodeProto:
    node: onnx.NodeProto = dice.choice(dice.choice(_graphs(model)).node)
    return node


def _value(model: onnx.ModelProto, dice: random.Random) -> str:
    names: list[str] = [name for node in model.graph.node for name in node.output if name]
    return dice.choice(names)


def input_length(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    shape = dice.choice(model.graph.input).type.tensor_type.shape
    at, length = dice.randrange(len(shape.dim)), dice.choice(_LENGTHS)
    shape.dim[at].dim_value = length
    return f"axis {at} of an input is {length}"


def input_rank(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    shape = model.graph.input[0].type.tensor_type.shape
    for _ in range(dice.choice((1, 2, 60, 1000))):
        shape.dim.add(dim_value=dice.choice((1, 3)))
    return f"an input of {len(shape.dim)} axes"


def input_type(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    kind = dice.choice((0, 2, 7, 8, 9, 10, 11, 16, 9999))
    dice.choice(model.graph.input).type.tensor_type.elem_type = kind
    return f"an input of type {kind}"


def stored_length(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    tensor = dice.choice(model.graph.initializer)
    length = dice.choice(_LENGTHS)
    if tensor.dims and dice.random() < 0.8:
        tensor.dims[dice.randrange(len(tensor.dims))] = length
    else:
        tensor.dims.append(length)
    return f"{tensor.name[:30]} is {list(tensor.dims)}"


def stored_type(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    tensor = dice.choice(model.graph.initializer)
    tensor.data_type = dice.randrange(30)
    return f"{tensor.name[:30]} is of type {tensor.data_type}"


def stored_numbers(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    """Other numbers of those that shape something: sizes, axes, bounds."""
    integers = [t for t in model.graph.initializer if t.data_type == TensorProto.INT64 and t.raw_data]
    tensor = dice.choice(integers or list(model.graph.initializer))
    number = dice.choice(_NUMBERS)
    raw = bytearray(tensor.raw_data)
    at = 8 * dice.randrange(len(raw) // 8)
    raw[at : at + 8] = number.to_bytes(8, "little", signed=True)
    tensor.raw_data = bytes(raw)
    return f"{tensor.name[:30]} has {number}"


def elsewhere(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    tensor = dice.choice([t for t in model.graph.initializer if t.raw_data])
    content = folder / "weights.bin"
    content.unlink(missing_ok=True)
    if content.is_symlink() or dice.random() < 0.2:
        content.symlink_to(dice.choice(("/dev/zero", "/etc/passwd", "weights.bin")))
    else:
        content.write_bytes(tensor.raw_data[: dice.choice((None, None, 1))])
    places = ("weights.bin", "weights.bin", "a" * 5000, "/etc/passwd", "../model.onnx", "", ".", "a\0b")
    entries = {"location": dice.choice(places)}
    for key in ("offset", "length"):
        if dice.random() < 0.6:
            entries[key] = dice.choice(("0", "-1", "9" * 5000, str(2**63), "abc", "", "1e3", "４"))
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    return str({key: value[:20] for key, value in entries.items()})


def attribute_number(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    node = _node(model, dice)
    attribute = dice.choice(node.attribute)
    number = dice.choice(_NUMBERS)
    if attribute.ints:
        attribute.ints[dice.randrange(len(attribute.ints))] = number
    elif attribute.type == onnx.AttributeProto.INT:
        attribute.i = number
    else:
        attribute.f = dice.choice(_FLOATS)
    return f"{node.op_type}.{attribute.name} has {number}"


def attribute_count(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    node = _node(model, dice)
    attribute = dice.choice([a for a in node.attribute if a.ints])
    more = dice.choice((1, 2, 1000))
    if dice.random() < 0.5:
        del attribute.ints[-1:]
    else:
        attribute.ints.extend([1] * more)
    return f"{node.op_type}.{attribute.name} has {len(attribute.ints)} numbers"


def attribute_kind(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    node = _node(model, dice)
    name = dice.choice(node.attribute).name if node.attribute else dice.choice(("axis", "pads", "perm"))
    kept = [a for a in node.attribute if a.name != name]
    del node.attribute[:]
    node.attribute.extend(kept)
    value = dice.choice((1, 0.5, "text", [1, 2], [0.5], ["a"], helper.make_tensor("t", 1, [1], [1.0])))
    node.attribute.append(helper.make_attribute(name, value))
    return f"{node.op_type}.{name} is {str(value)[:20]!r}"


def attribute_missing(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    node = _node(model, dice)
    at = dice.randrange(len(node.attribute))
    name = node.attribute[at].name
    del node.attribute[at]
    return f"{node.op_type} without {name}"


def operator(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    node = _node(model, dice)
    former, node.op_type = node.op_type, dice.choice(_OPERATORS)
    if dice.random() < 0.1:
        node.domain = dice.choice(("com.microsoft", "own", "ai.onnx.ml"))
    return f"{former} is {node.op_type}"


def operands(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    node = _node(model, dice)
    match dice.choice(("other", "left out", "more", "swapped")):
        case "other":
            node.input[dice.randrange(len(node.input))] = _value(model, dice)
        case "left out":
            node.input[dice.randrange(len(node.input))] = ""
        case "more":
            node.input.extend([_value(model, dice)] * dice.choice((1, 5, 3000)))
        case _:
            turned = list(reversed(node.input))
            del node.input[:]
            node.input.extend(turned)
    return f"{node.op_type} reads {len(node.input)}"


def name(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    """Another name for a value, everywhere or in one place only."""
    former, new = _value(model, dice), dice.choice((*_NAMES, _value(model, dice)))
    everywhere = dice.random() < 0.7
    for node in model.graph.node:
        for names in (node.input, node.output):
            for at, had in enumerate(names):
                if had == former and (everywhere or dice.random() < 0.5):
                    names[at] = new
    for value in model.graph.output:
        if value.name == former and everywhere:
            value.name = new
    return f"{former[:30]!r} is {new[:30]!r}"


def node_names(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    new = dice.choice(_NAMES)
    for node in model.graph.node:
        if dice.random() < 0.5:
            node.name = new
    return f"many are {new[:20]!r}"


def repeated(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    graph = model.graph
    which = dice.choice(("node", "initializer", "input", "output", "value_info"))
    entries = getattr(graph, which)
    entries.append(dice.choice(entries))
    return which


def removed(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    which = dice.choice(("node", "node", "initializer", "input", "output", "opset_import"))
    entries = model.opset_import if which == "opset_import" else getattr(model.graph, which)
    del entries[dice.randrange(len(entries))]
    return which


def long_chain(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    """Hundreds of nodes between a value and its users."""
    start, length = _value(model, dice), dice.choice((100, 1000))
    op = dice.choice(("Relu", "Identity", "Neg", "Sigmoid"))
    names = [start, *(f"chain{i}" for i in range(length))]
    for node in model.graph.node:
        for at, had in enumerate(node.input):
            if had == start:
                node.input[at] = names[-1]
    links = [helper.make_node(op, [a], [b]) for a, b in pairwise(names)]
    model.graph.node.extend(links)
    return f"{length} times {op} behind {start[:30]}"


def fan(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    start, width = _value(model, dice), dice.choice((50, 800))
    branches = [helper.make_node("Relu", [start], [f"fan{i}"]) for i in range(width)]
    joined = helper.make_node("Concat", [node.output[0] for node in branches], ["fanned"], axis=1)
    model.graph.node.extend([*branches, joined])
    model.graph.output.append(helper.make_tensor_value_info("fanned", TensorProto.FLOAT, None))
    return f"{width} branches of {start[:30]}"


def functions(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    """Calls of calls, which may double, turn in a circle, or want what nobody gives."""
    depth, calls = dice.choice((1, 5, 12, 30)), dice.choice((1, 2, 2))
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]

    def define(i: int, nodes: list[onnx.NodeProto]) -> None:
        model.functions.append(helper.make_function("own", f"F{i}", ["a"], ["b"], nodes, imports))

    define(0, [helper.make_node("Relu", ["a"], ["b"])])
    for i in range(1, depth):
        inner = f"F{i if dice.random() < 0.03 else i - 1}"
        through = ["a", *(f"t{j}" for j in range(calls - 1)), "b"]
        links = pairwise(through)
        define(i, [helper.make_node(inner, [a], [b], domain="own") for a, b in links])
    node = _node(model, dice)
    node.op_type, node.domain = f"F{depth - 1}", "own"
    if dice.random() < 0.8:
        del node.input[1:]
        del node.attribute[:]
    model.opset_import.add(domain="own", version=1)
    return f"{depth} of {calls} calls each"


def subgraph(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    """A branch or a loop in the way of a value; some loops never end."""
    start = _value(model, dice)
    floats, truth = TensorProto.FLOAT, TensorProto.BOOL
    kind, depth = dice.choice(("If", "Loop", "endless Loop")), dice.choice((1, 2, 15))
    out = helper.make_tensor_value_info("inner0", floats, None)
    body = helper.make_graph([helper.make_node("Relu", [start], ["inner0"])], "body", [], [out])
    for i in range(1, depth):
        inner = helper.make_node("If", ["yes"], [f"inner{i}"], then_branch=body, else_branch=body)
        out = helper.make_tensor_value_info(f"inner{i}", floats, None)
        # both branches hold the former, so the depth is also a size: kept small where it doubles
        body = helper.make_graph([inner], "body", [], [out])
        if i >= 9:
            break
    yes = helper.make_node("Constant", [], ["yes"], value=helper.make_tensor("", truth, [], [True]))
    model.graph.node.append(yes)
    if kind == "If":
        node = helper.make_node("If", ["yes"], ["chosen"], then_branch=body, else_branch=body)
    else:
        body.input.extend(
            [
                helper.make_tensor_value_info("turn", TensorProto.INT64, []),
                helper.make_tensor_value_info("on", truth, []),
                helper.make_tensor_value_info("carried", floats, None),
            ]
        )
        body.node.append(helper.make_node("Identity", ["on"], ["still"]))
        body.output.insert(0, helper.make_tensor_value_info("still", truth, []))
        count = helper.make_tensor("", TensorProto.INT64, [], [dice.choice((0, 3, 2**62))])
        model.graph.node.append(helper.make_node("Constant", [], ["count"], value=count))
        endless = kind == "endless Loop"
        node = helper.make_node("Loop", ["" if endless else "count", "yes", start], ["chosen"], body=body)
    model.graph.node.append(node)
    model.graph.output.append(helper.make_tensor_value_info("chosen", floats, None))
    return f"{kind} of depth {depth} on {start[:30]}"


def versions(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    version = dice.choice((0, 1, 6, 9, 30, 1000, 2**31 - 1, 2**31, 2**62, -1))
    if dice.random() < 0.5:
        model.ir_version = version
        return f"format {version}"
    dice.choice(model.opset_import).version = version
    return f"opset {version}"


def metadata(model: onnx.ModelProto, dice: random.Random, folder: Path) -> str:
    texts = (
        "[" * 5000,
        '{"mean": [1e400, 1, 1]}',
        '{"std": "x"}',
        '{"scale": ' + "9" * 5000 + "}",
        "{}",
        "\0",
    )
    key = dice.choice(("onnxdissect.preprocessing", "Image.NominalPixelRange", "author", ""))
    text = dice.choice(texts)
    model.metadata_props.add(key=key, value=text)
    return f"{key}: {text[:20]!r}"


MUTATIONS: tuple[Callable[[onnx.ModelProto, random.Random, Path], str], ...] = (
    *(input_length, input_rank, input_type, stored_length, stored_type, stored_numbers, elsewhere),
    *(attribute_number, attribute_number, attribute_count, attribute_kind, attribute_missing),
    *(operator, operands, name, node_names, repeated, removed, long_chain, fan, functions, subgraph),
    *(versions, metadata),
)
