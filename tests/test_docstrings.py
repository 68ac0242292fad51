"""Public docstrings name the parameters that the signatures have."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "onnxdissect"
Definition = ast.FunctionDef | ast.ClassDef


def public_definitions() -> Iterator[tuple[str, Definition]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if place.startswith("cli/"):  # typer turns those docstrings into help texts
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, Definition) and not node.name.startswith("_"):
                yield f"{place}:{node.name}", node
                if isinstance(node, ast.ClassDef):
                    for inner in node.body:
                        if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                            yield f"{place}:{node.name}.{inner.name}", inner


DEFINITIONS = dict(public_definitions())


def documented(docstring: str, section: str) -> list[str]:
    found = re.search(rf"^{section}\n-+\n(.*?)(?=^\S+[^\n]*\n-+\n|\Z)", docstring, re.M | re.S)
    if not found:
        return []
    names = re.findall(r"^(\*{0,2}\w[\w, *]*)(?: *:.*)?$", found.group(1), re.M)
    return [name.strip().lstrip("*") for line in names for name in line.split(",")]


def accepted(function: ast.FunctionDef) -> list[str]:
    arguments = function.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    names += [a.arg for a in (arguments.vararg, arguments.kwarg) if a is not None]
    return [name for name in names if name not in ("self", "cls")]


def signature(node: Definition) -> list[str] | None:
    if isinstance(node, ast.FunctionDef):
        return accepted(node)
    constructor = next(
        (n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None
    )
    return accepted(constructor) if constructor else None


def test_public_definitions_are_documented() -> None:
    assert len(DEFINITIONS) > 1000
    assert not [name for name, node in DEFINITIONS.items() if not ast.get_docstring(node)]


def test_documented_parameters_are_the_signature() -> None:
    wrong = {}
    for name, node in DEFINITIONS.items():
        parameters = documented(ast.get_docstring(node) or "", "Parameters")
        expected = signature(node)
        if parameters and expected is not None and parameters != expected:
            wrong[name] = {"documented": parameters, "accepted": expected}
    assert not wrong
