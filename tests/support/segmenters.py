"""Segmentation networks whose labels are known: they tell colours apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from support.models import Builder, save

CLASSES = ("background", "red", "green", "blue")
SIDE = 16
# Score of each class, of r, g and b in 0..1: a colour where it outshines the others, else background.
WEIGHTS = np.array([[0, 0, 0], [9, -9, -9], [-9, 9, -9], [-9, -9, 9]], np.float32)
BIASES = np.array([3, 0, 0, 0], np.float32)
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "background": (90, 90, 90)}


def segmenter(
    ending: str = "logits",
    *,
    channels_last: bool = False,
    shape: Sequence[int | str] = ("N", 3, SIDE, SIDE),
    stride: int = 1,
    describe: bool = True,
    **options: Any,
) -> ModelProto:
    """A convolution of single pixels; `ending` is logits, softmax, argmax, half (softmax resized) or nan."""
    if channels_last:
        shape = (shape[0], *shape[2:], shape[1])
    b = Builder(shape, **options)
    if describe:
        b.metadata["onnxdissect.preprocessing"] = json.dumps({"mean": 0, "std": 1, "scale": 1 / 255})
    x = b.node("Transpose", b.image, perm=(0, 3, 1, 2)) if channels_last else b.image
    weight, bias = b.constant(WEIGHTS[:, :, None, None]), b.constant(BIASES)
    scores = b.node("Conv", x, weight, bias, name="scores", strides=(stride, stride))
    if ending == "argmax":
        return b.model(b.node("ArgMax", scores, name="chosen", axis=1, keepdims=0))
    if ending in ("softmax", "half"):
        scores = b.node("Softmax", scores, name="chances", axis=1)
    if ending == "half":
        sizes = b.constant([1, 1, 0.5, 0.5], np.float32)
        scores = b.node("Resize", scores, "", sizes, name="halved", mode="nearest")
    if ending == "nan":
        # the root of what is below zero
        scores = b.node("Sqrt", b.node("Add", scores, b.constant(0.0)), name="roots")
    if channels_last:
        scores = b.node("Transpose", scores, name="last", perm=(0, 2, 3, 1))
    return b.model(scores)


def two_heads(stride: int = 1) -> ModelProto:
    """Two outputs: colours, and bright or dark."""
    b = Builder(("N", 3, SIDE, SIDE))
    b.metadata["onnxdissect.preprocessing"] = json.dumps({"mean": 0, "std": 1, "scale": 1 / 255})
    colours = b.node(
        "Conv", b.image, b.constant(WEIGHTS[:, :, None, None]), b.constant(BIASES), name="colours"
    )
    light = np.array([[-1, -1, -1], [1, 1, 1]], np.float32)[:, :, None, None]
    brightness = b.node(
        "Conv",
        b.image,
        b.constant(light),
        b.constant([1.0, -1.0]),
        name="brightness",
        strides=(stride, stride),
    )
    return b.model(colours, brightness)


def dissected(path: Path) -> Path:
    """A network with a unit for each colour, and one for grey."""
    b = Builder(("N", 3, SIDE, SIDE))
    units = b.relu(
        b.node("Conv", b.image, b.constant(WEIGHTS[:, :, None, None]), b.constant(BIASES)), "units"
    )
    b.units[units] = len(WEIGHTS)
    return save(b.model(b.head(units)), path)


def picture(seed: int, size: tuple[int, int] = (SIDE, SIDE)) -> NDArray[np.uint8]:
    """Quarters of four colours in an order of their own, RGB."""
    order = np.random.default_rng(seed).permutation(list(COLOURS.values()))
    quarters = order.reshape(2, 2, 3).astype(np.uint8)
    rows, columns = (np.arange(length) * 2 // length for length in size)
    return quarters[np.ix_(rows, columns)]


def truth(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The class of every pixel of such a picture."""
    found = np.zeros(image.shape[:2], np.int64)
    for number, name in enumerate(CLASSES):
        found[(image == COLOURS[name]).all(axis=2)] = number
    return found


def photographs(folder: Path, count: int = 4, size: tuple[int, int] = (SIDE, SIDE)) -> Path:
    """A folder with pictures in folders."""
    for i in range(count):
        path = folder / f"{'ab'[i % 2]}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture(i, size)[:, :, ::-1])
    return folder


def classes(path: Path, names: Sequence[str] = CLASSES) -> Path:
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return path


def world(folder: Path, model: ModelProto | None = None) -> Path:
    """A segmenter, a list of its classes and some images, by the names that tests ask for them."""
    save(segmenter() if model is None else model, folder / "seg.onnx")
    classes(folder / "classes.txt")
    photographs(folder / "photos")
    return folder
