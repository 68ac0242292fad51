"""The images that all variants are taught on: drawn once, with what is in them, and kept in a work folder."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxdissect.tiny import BumpMaps, Drawing, draw, scene_of
from onnxdissect.tiny.concepts import OBJECTS, PARTS

__all__ = ["LEAST_PIXELS", "TEST_SEED", "TRAIN_SEED", "LabelledImages", "draw_images", "ensure_images"]

# neither the seeds of the data set nor those of train_tiny.py
TRAIN_SEED, TEST_SEED = 1_000_011, 1_000_012
LEAST_PIXELS = 6
"""An object or part is in an image if so many pixels of the label grid (56 x 56) show it."""

_LABELS = ("scene", "object", "part")
_PART = 256


@dataclass(frozen=True, slots=True)
class LabelledImages:
    """Scenes, and what is in them.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, 3, 112, 112)
    scene : ndarray of int64, shape (n,)
        Position in `onnxdissect.tiny.SCENES`.
    object, part : ndarray of bool, shape (n, names)
        Which of `OBJECTS` and `PARTS` of `onnxdissect.tiny.concepts` are there.
    """

    images: NDArray[np.uint8]
    scene: NDArray[np.int64]
    object: NDArray[np.bool_]
    part: NDArray[np.bool_]


def _present(drawing: Drawing, planes: tuple[str, ...], names: int) -> NDArray[np.bool_]:
    counted = [np.bincount(drawing.planes[plane].ravel(), minlength=names + 1) for plane in planes]
    return np.asarray(np.sum(counted, axis=0)[1:] >= LEAST_PIXELS)


def _draw_part(seed: int, indices: list[int], folder: Path) -> Path:
    """Draw some images into a file of their own, unless an earlier call did."""
    path = folder / f"{indices[0]:06d}.npz"
    if path.exists():
        return path
    bump_maps = BumpMaps()
    drawings = [draw(seed, index, bump_maps) for index in indices]
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        np.savez(
            file,
            images=np.stack([d.image.transpose(2, 0, 1) for d in drawings]),
            scene=np.array([d.scene for d in drawings], np.int64),
            object=np.stack([_present(d, ("object",), len(OBJECTS)) for d in drawings]),
            part=np.stack([_present(d, ("part", "nested"), len(PARTS)) for d in drawings]),
        )
    partial.replace(path)
    return path


def draw_images(seed: int, count: int, folder: Path, workers: int, told: Callable[[int], None]) -> None:
    """Draw scenes in worker processes; drawing that was broken off goes on where it was.

    Parameters
    ----------
    seed : int
        Seed of the drawing.
    count : int
        Number of images.
    folder : Path
        Where ``images.npy``, ``scene.npy``, ``object.npy`` and ``part.npy`` are to lie.
    workers : int
        Number of processes.
    told : callable
        Given the number of images that are there.
    """
    parts = folder / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    indices = [index for index in range(count * 8 // 7 + 8) if scene_of(index) is not None][:count]
    blocks = [indices[start : start + _PART] for start in range(0, count, _PART)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        paths = []
        for path in pool.map(_draw_part, [seed] * len(blocks), blocks, [parts] * len(blocks)):
            paths.append(path)
            told(min(len(paths) * _PART, count))
    for name in (*_LABELS, "images"):
        whole = []
        for path in paths:
            with np.load(path) as archive:
                whole.append(archive[name])
        partial = folder / f"{name}.npy.partial"
        with partial.open("wb") as file:
            np.save(file, np.concatenate(whole))
        partial.replace(folder / f"{name}.npy")
    shutil.rmtree(parts)


def ensure_images(
    work: Path, seed: int, count: int, workers: int, told: Callable[[int], None]
) -> LabelledImages:
    """Open images that were drawn before, or draw them.

    Parameters
    ----------
    work : Path
        The work folder.
    seed, count, workers, told
        As for `draw_images`.

    Returns
    -------
    LabelledImages
        The images stay in their file, and are read as they are needed.
    """
    digest = hashlib.sha256(repr((seed, count, LEAST_PIXELS)).encode()).hexdigest()[:8]
    folder = work / f"images-{seed}-{count}-{digest}"
    if not (folder / "images.npy").exists():
        draw_images(seed, count, folder, workers, told)
    # copy on write: torch wants arrays that could be written to
    images = np.load(folder / "images.npy", mmap_mode="c")
    return LabelledImages(images, *(np.load(folder / f"{name}.npy") for name in _LABELS))
