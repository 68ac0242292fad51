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
    ("tiny", "segmenter"),
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
    "cli/data/importing/segmenter.py:segmenter",
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
    "fsspec": "data/packed/remote/",
    "distributed": "distributed/",
    "dask": "distributed/",
    "torch": "nowhere",
}


Tree = ast.Module


@pytest.fixture(scope="module")
def trees() -> dict[Path, Tree]:
    """Every file of the package, parsed, by its place in it."""
    paths = sorted(PACKAGE.rglob("*.py"))
    assert len(paths) > 100
    return {path.relative_to(PACKAGE): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


@pytest.fixture(scope="module")
def imported(trees: dict[Path, Tree]) -> dict[Path, list[str]]:
    return {path: list(imports(path, tree)) for path, tree in trees.items()}


def imports(path: Path, tree: Tree) -> Iterator[str]:
    for node in ast.walk(tree):
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


def name_of(path: Path) -> str:
    parts = ("onnxdissect", *path.with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_every_room_has_a_place(trees: dict[Path, Tree]) -> None:
    known = {name for names in ORDER for name in names} | {"__init__", "__main__"}
    assert {path.parts[0].removesuffix(".py") for path in trees} <= known


def test_left_never_imports_right(imported: dict[Path, list[str]]) -> None:
    faults = []
    for path, names in imported.items():
        module = ".".join(("onnxdissect", *path.with_suffix("").parts))
        own = place_in_order(module)
        if own is None:  # the package's own __init__ and __main__ see everything
            continue
        for name in names:
            other = place_in_order(name)
            if other is None:
                continue
            if other > own:
                faults.append(f"{module} imports {name}, which is to its right")
            elif other == own and name.split(".")[1] != module.split(".")[1]:
                faults.append(f"{module} and {name} must not know each other")
    assert not faults


def test_heavy_libraries_stay_at_home(imported: dict[Path, list[str]]) -> None:
    faults = []
    for path, names in imported.items():
        for name in names:
            home = HOMES.get(name.split(".")[0])
            if home is not None and not path.as_posix().startswith(home):
                faults.append(f"{path} imports {name}, which belongs to {home}")
    assert not faults


def test_no_fast_math(trees: dict[Path, Tree]) -> None:
    """Fast-math assumes away NaN, which we must find."""
    assert not [
        str(path)
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "fastmath"
    ]


def test_no_import_goes_in_a_circle(imported: dict[Path, list[str]]) -> None:
    """Imports for types included: who cannot be read without the other is one module, not two."""
    names = {name_of(path): path for path in imported}
    graph: dict[str, set[str]] = {}
    for name, path in names.items():
        asked = imported[path]
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


def test_files_and_functions_stay_short(trees: dict[Path, Tree]) -> None:
    faults = []
    for path, tree in trees.items():
        length = len((PACKAGE / path).read_text(encoding="utf-8").splitlines())
        if length > 400:
            faults.append(f"{path} has {length} lines")
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef):
                continue
            arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
            own = sum(argument.arg not in ("self", "cls") for argument in arguments)
            if own > 10 and f"{path.as_posix()}:{node.name}" not in WIDE:
                faults.append(f"{path}: {node.name} takes {own} parameters")
            said = isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
            body = node.body[1:] if said else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > 80:
                faults.append(f"{path}: {node.name} has {lines} lines")
    assert not faults


def test_files_of_tests_and_benchmarks_stay_short() -> None:
    root = PACKAGE.parent
    files = [
        path for room in ("tests", "benchmarks", "models", "docs") for path in (root / room).rglob("*.py")
    ]
    lengths = {str(p.relative_to(root)): len(p.read_text(encoding="utf-8").splitlines()) for p in files}
    assert len(lengths) > 100
    assert not {place: length for place, length in lengths.items() if length > 400}


def test_rooms_say_what_is_inside(trees: dict[Path, Tree]) -> None:
    rooms = sorted({path.parent for path in trees})
    assert not [str(room) for room in rooms if not ast.get_docstring(trees[room / "__init__.py"])]


def test_names_are_the_glossarys(trees: dict[Path, Tree]) -> None:
    faults = {}
    for path, tree in trees.items():
        used = {
            getattr(node, attribute).strip("_")
            for node in ast.walk(tree)
            for attribute in ("id", "attr", "arg", "name")
            if isinstance(getattr(node, attribute, None), str)
        }
        defined = {
            node.name.strip("_").lower()
            for node in tree.body
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        }
        # the name of a module, and of its room: that of the package itself included
        defined |= {path.stem.strip("_"), (PACKAGE / path).parent.name}
        if found := (used & FORMER) | (defined & FORMER_MODULES):
            faults[str(path)] = sorted(found)
    assert not faults
