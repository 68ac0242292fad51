"""The recipes of `models/export/`, run again where their frameworks install."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import pytest
from support.exported import (
    FOLDER,
    NAMES,
    SHARED,
    Export,
    assert_activations_as_recorded,
    assert_close,
    export_of,
    read_export,
)

RECIPES = Path(__file__).parents[2] / "models" / "export"
# What a recipe imports.
NEEDS = {
    "from_caffe.py": ("cv2",),
    "from_jax.py": ("jax2onnx",),
    "from_keras.py": ("tensorflow", "tf2onnx"),
    "from_paddle.py": ("paddle", "paddle2onnx"),
    "from_pytorch.py": ("torch", "onnxscript"),
    "from_tflite.py": ("tensorflow", "tf2onnx"),
}
# Weights drawn by NumPy are the same everywhere.
SAME_WEIGHTS = (*SHARED, "tflite_int8", "caffe")


@pytest.fixture(scope="module")
def remake(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Run a recipe, once."""

    @cache
    def run(recipe: str) -> Path:
        for module in NEEDS[recipe]:
            pytest.importorskip(module, exc_type=ImportError)
        if recipe == "from_caffe.py" and not hasattr(cv2.dnn, "readNetFromCaffe"):
            pytest.skip(f"OpenCV {cv2.__version__} does not read Caffe networks")
        folder = tmp_path_factory.mktemp(recipe.removesuffix(".py"))
        done = subprocess.run(
            [sys.executable, str(RECIPES / recipe), "--out", str(folder)],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return folder

    return run


def test_every_recipe_has_files_and_every_file_a_recipe() -> None:
    scripts = {path.name for path in RECIPES.glob("from_*.py")}
    assert scripts == set(NEEDS) == {export_of(name).card["recipe"] for name in NAMES}
    for name in NAMES:
        assert (FOLDER / f"{name}.onnx").stat().st_size < 64_000


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_makes_its_files_again(name: str, remake: Callable[[str], Path]) -> None:
    kept = export_of(name)
    made = read_export(remake(kept.card["recipe"]) / f"{name}.onnx")
    assert_activations_as_recorded(made)
    assert [layer["source"] for layer, _ in made.layers] == [layer["source"] for layer, _ in kept.layers]
    if name in SAME_WEIGHTS:
        for (_, one), (_, other) in zip(made.layers, kept.layers, strict=True):
            assert_close(one, other, kept.card["tolerance"])


def test_the_recipe_test_compares_files() -> None:
    kept = export_of("pytorch_dynamo")
    arrays = kept.arrays | {"layer/0": kept.arrays["layer/0"] * 1.001}
    with pytest.raises(AssertionError):
        assert_activations_as_recorded(Export(kept.path, kept.card, arrays))
