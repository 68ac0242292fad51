"""The house rules that can be checked by reading imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "onnxdissect"

# Left never imports right; modules of one tuple do not know each other.
LAYERS = [
    ("errors",),
    ("files",),
    ("model", "data"),
    ("core",),
    ("results",),
    ("batching", "claim", "parameters", "placement", "sources", "stopping"),
    ("outcome",),
    ("run",),
    ("experiments", "check"),
    ("report",),
    ("distributed",),
    ("cli", "pytest_plugin"),
]
HOMES: dict[str, str | tuple[str, ...]] = {
    "onnx": "model/",
    "onnx_ir": "model/",
    "onnxruntime": "model/",
    "numba": "core/kernels/",
    "typer": "cli/",
    "rich": "cli/",
    "jinja2": ("report/", "check/page"),
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


def layer(module: str) -> int | None:
    parts = module.split(".")
    if parts[0] != "onnxdissect" or len(parts) < 2:
        return None
    return next((i for i, names in enumerate(LAYERS) if parts[1] in names), None)


def test_every_module_has_a_layer() -> None:
    known = {name for names in LAYERS for name in names} | {"__init__", "__main__"}
    found = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in sources()}
    assert found <= known


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_left_never_imports_right(path: Path) -> None:
    module = ".".join(("onnxdissect", *path.relative_to(PACKAGE).with_suffix("").parts))
    own = layer(module)
    if own is None:  # the package's own __init__ and __main__ see everything
        return
    for name in imports(path):
        other = layer(name)
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
