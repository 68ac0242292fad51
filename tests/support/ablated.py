"""A small network whose units can be removed in the file itself, and labelled images of its classes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from support.models import Builder, run_whole, save
from support.small_runs import SIZE, broden, dissect

CLASSES = ("kitchen", "ski slope", "ski lift", "beach")
UNITS = 7
EACH = 6  # images of each class
LAYER = "deep"


def separable(**options: Any) -> onnx.ModelProto:
    """A layer behind a convolution with a bias, some of its units silent; a hidden layer, and scores."""
    b = Builder(("N", 3, SIZE, SIZE), seed=11, **options)
    first = b.relu(b.conv(b.image, 5, name="first"), name="mid")
    weight = b.constant(b.rng.normal(0, 0.5, (UNITS, 5, 3, 3)), name="filter")
    bias = b.constant(np.linspace(-3.0, 1.0, UNITS), name="bias")
    maps = b.node("Conv", first, weight, bias, name="coarse", strides=(2, 2), pads=(1, 1, 1, 1))
    b.units[maps] = UNITS
    deep = b.relu(maps, name=LAYER)
    flat = b.node("Flatten", b.node("GlobalAveragePool", deep))
    hidden = b.relu(b.node("Gemm", flat, b.constant(b.rng.normal(0, 1, (UNITS, 9)))))
    logits = b.node("Gemm", hidden, b.constant(b.rng.normal(0, 1, (9, len(CLASSES)))), name="logits")
    b.metadata["classes"] = json.dumps(CLASSES)
    return b.model(b.node("Softmax", logits, axis=1, name="chances"))


def separable_channels_last(**options: Any) -> onnx.ModelProto:
    """The same layer in NHWC, read cell by cell."""
    b = Builder(("N", SIZE, SIZE, 3), seed=11, **options)
    b.units[b.image] = 3
    weight = b.constant(b.rng.normal(0, 0.5, (UNITS, 3, 3, 3)), name="filter")
    bias = b.constant(np.linspace(-1.5, 0.5, UNITS), name="bias")
    maps = b.node(
        "Conv",
        b.node("Transpose", b.image, perm=(0, 3, 1, 2)),
        weight,
        bias,
        name="coarse",
        strides=(2, 2),
        pads=(1, 1, 1, 1),
    )
    b.units[maps] = UNITS
    deep = b.relu(b.node("Transpose", maps, perm=(0, 2, 3, 1)), name=LAYER)
    flat = b.node("Reshape", deep, b.constant((0, -1), np.int64))
    cells = UNITS * (SIZE // 2) ** 2
    return b.model(b.node("MatMul", flat, b.weight((cells, 4)), name="logits"))


def without(path: Path, units: Iterable[int], target: Path) -> Path:
    """Write the file with filters and biases of some units set to zero."""
    model = onnx.load(path)
    for initializer in model.graph.initializer:
        if initializer.name in ("filter", "bias"):
            array = numpy_helper.to_array(initializer).copy()
            array[list(units)] = 0
            initializer.CopyFrom(numpy_helper.from_array(array, initializer.name))
    return save(model, target)


def scores_without(path: Path, units: Iterable[int], batch: NDArray[Any], folder: Path) -> NDArray[Any]:
    """Scores of the edited file, by onnxruntime alone."""
    edited = without(path, units, folder / "edited.onnx")
    return run_whole(edited, ["logits"], batch)[0].astype(np.float64)


def labelled_folder(folder: Path, each: int = EACH) -> Path:
    """A folder for each class; what images show depends on the class, with noise."""
    rng = np.random.default_rng(3)
    for number, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for i in range(each):
            pixels = rng.integers(0, 3, (SIZE, SIZE, 3)) + np.array([number % 2, number // 2, 1]) * 2
            cv2.imwrite(str(folder / name / f"{i}.png"), pixels.astype(np.uint8))
    return folder


def fed(folder: Path) -> tuple[list[str], NDArray[np.float32], NDArray[np.int64]]:
    """Names, what the run's preprocessing makes of the images, and their classes; in order of names."""
    paths = sorted(folder.glob("*/*.png"))
    batch = [np.asarray(cv2.imread(str(path)))[:, :, ::-1].transpose(2, 0, 1) for path in paths]
    names = [path.relative_to(folder).as_posix() for path in paths]
    return names, np.array(batch, np.float32), np.array([CLASSES.index(path.parent.name) for path in paths])


def ablated_world(folder: Path) -> Path:
    """The network, a run of its layers, and labelled images."""
    save(separable(), folder / "net.onnx")
    broden(folder / "data", 12, 0)
    dissect(folder, layers=["mid", LAYER, "logits"], bootstrap=20, null=0, quantiles=[0.1, 0.02])
    labelled_folder(folder / "labelled")
    return folder
