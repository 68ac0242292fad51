"""The house rules that can be checked by reading imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "onnxdissect"

# Left never imports right; rooms of one tuple do not know each other.
ORDER = [
    ("errors", "interrupts", "machine", "templates"),
    ("wording", "libraries"),
    ("arguments",),
    ("storage",),
    ("compiling",),
    ("model", "data"),
    ("tiny",),
    ("core",),
    ("statistics",),
    ("results",),
    ("pipeline",),
    ("experiments", "check"),
    ("report",),
    ("distributed",),
    ("cli", "pytest_plugin"),
]
# The public calls with flat keywords, and the commands, whose parameters are the options.
WIDE = {
    "pipeline/dissect.py:dissect",
    "experiments/rotation/rotate.py:rotate",
    "experiments/comparison/compare.py:compare",
    "experiments/explanation/explain.py:explain",
    "experiments/confusions/explain_labelled.py:explain_labelled",
    "experiments/ablation/ablate.py:ablate",
    "cli/run.py:run",
    "cli/compare.py:compare",
    "cli/explain.py:explain",
    "cli/ablate.py:ablate",
    "cli/rotate.py:rotate",
    "cli/check.py:check",
    "cli/layers.py:layers",
    "check/gate.py:check_model",
}
# What the glossary has better names for. Nothing bears these names, with or without underscores.
FORMER = {
    *("Witness", "witness", "Ledger", "ledger", "Evidence", "contenders", "Room", "Sieve", "sieve", "sift"),
    "thin",
    *("Records", "Passed", "Shuffles", "donors", "Lattice", "lattice", "look", "Chance", "mixtures"),
    *("carried", "lanes", "Segments", "Sampling", "Claim", "Uncertain", "Given", "Meanings", "Extent"),
    *("Turn", "bent", "widening", "exhibits", "judge", "casts", "reliefs", "making"),
}
# These once named modules, classes and functions of one meaning. As words of every day they may still name a
# variable, a field or a method, but no module, class or function.
FORMER_MODULES = {
    *("earlier", "frames", "inside", "lengths", "members", "outcome", "start", "stated", "steps", "whole"),
}
HOMES: dict[str, str | tuple[str, ...]] = {
    "onnx": "model/",
    "onnx_ir": "model/",
    "onnxruntime": "model/",
    "numba": "compiling/",
    "llvmlite": "compiling/",
    "typer": "cli/",
    "rich": "cli/",
    "scipy": ("statistics/", "model/bases/"),
    "threadpoolctl": "model/bases/",
    "jinja2": "templates.py",
    "sklearn": "experiments/explanation/fitted/",
    "torch": "nowhere",
}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a name comes from"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def place_in_order(module: str) -> int | None:
    parts = module.split(".")
    if parts[0] != "onnxdissect" or len(parts) < 2:
        return None
    return next((i for i, names in enumerate(ORDER) if parts[1] in names), None)


def test_every_room_has_a_place() -> None:
    known = {name for names in ORDER for name in names} | {"__init__", "__main__"}
    found = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in sources()}
    assert found <= known


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_left_never_imports_right(path: Path) -> None:
    module = ".".join(("onnxdissect", *path.relative_to(PACKAGE).with_suffix("").parts))
    own = place_in_order(module)
    if own is None:  # the package's own __init__ and __main__ see everything
        return
    for name in imports(path):
        other = place_in_order(name)
        if other is None:
            continue
        assert other <= own, f"{module} imports {name}, which is to its right"
        if other == own:
            assert name.split(".")[1] == module.split(".")[1], f"{module} and {name} must not know each other"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_libraries_stay_at_home(path: Path) -> None:
    place = path.relative_to(PACKAGE).as_posix()
    for name in imports(path):
        home = HOMES.get(name.split(".")[0])
        assert home is None or place.startswith(home), f"{place} imports {name}, which belongs to {home}"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_fast_math(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword):
            assert node.arg != "fastmath", f"{path}: fast-math assumes away NaN, which we must find"


def test_no_import_goes_in_a_circle() -> None:
    """Imports for types included: who cannot be read without the other is one module, not two."""
    names = {name_of(path): path for path in sources()}
    graph: dict[str, set[str]] = {}
    for name, path in names.items():
        asked = list(imports(path))
        # `from package import module` is about the module
        graph[name] = {
            known
            for known in asked
            if known in names
            and known != name
            and not any(a.startswith(f"{known}.") and a in names for a in asked)
        }
    settled: set[str] = set()
    while free := [name for name in graph if name not in settled and graph[name] <= settled]:
        settled.update(free)
    circle = sorted(set(graph) - settled)
    assert not circle, f"these import each other, or what does: {circle}"


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(("onnxdissect", *(parts[:-1] if parts[-1] == "__init__" else parts)))


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_stay_short(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 400
    place = path.relative_to(PACKAGE).as_posix()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef):
            continue
        arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        own = sum(argument.arg not in ("self", "cls") for argument in arguments)
        wide = f"{place}:{node.name}" in WIDE
        assert own <= 10 or wide, f"{place}: {node.name} takes {own} parameters"
        said = isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
        body = node.body[1:] if said else node.body
        lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
        assert lines <= 80, f"{place}: {node.name} has {lines} lines"


def test_files_of_tests_and_benchmarks_stay_short() -> None:
    root = PACKAGE.parent
    files = [
        path for room in ("tests", "benchmarks", "models", "docs") for path in (root / room).rglob("*.py")
    ]
    lengths = {str(p.relative_to(root)): len(p.read_text(encoding="utf-8").splitlines()) for p in files}
    assert len(lengths) > 100
    assert not {place: length for place, length in lengths.items() if length > 400}


@pytest.mark.parametrize("room", sorted({p.parent for p in PACKAGE.rglob("*.py")}), ids=lambda p: p.name)
def test_rooms_say_what_is_inside(room: Path) -> None:
    said = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    assert said


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_names_are_the_glossarys(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {
        getattr(node, attribute).strip("_")
        for node in ast.walk(tree)
        for attribute in ("id", "attr", "arg", "name")
        if isinstance(getattr(node, attribute, None), str)
    }
    assert not used & FORMER, f"{path}: {sorted(used & FORMER)}"
    defined = {
        node.name.strip("_").lower()
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    }
    defined |= {path.stem.strip("_"), path.parent.name}
    assert not defined & FORMER_MODULES, f"{path}: {sorted(defined & FORMER_MODULES)}"
