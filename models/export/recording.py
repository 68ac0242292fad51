"""What is kept beside an exported file: pictures, and what the source framework itself made of them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

__all__ = ["PICTURES", "Hook", "output_folder", "pictures", "record"]

PICTURES = 4


@dataclass(frozen=True, slots=True)
class Hook:
    """A layer of the framework and the ONNX value that holds the same activations.

    Exporters number values as they like, and differently in every version; the count of an operator stays.

    Attributes
    ----------
    source : str
        The layer's name in the framework.
    op : str
        The ONNX operator that computes the value.
    number : int
        Which one, from 0, in the file's order.
    layout : str
        Axes of what the hook sees: "NCHW", "NHWC", or "NTC" for tokens.
    skip : int
        Leading tokens that belong to no patch.
    """

    source: str
    op: str
    number: int
    layout: str
    skip: int = 0

    def value(self, model: onnx.ModelProto) -> str:
        """Find the value in a file.

        Parameters
        ----------
        model : onnx.ModelProto

        Returns
        -------
        str
            Its name.

        Raises
        ------
        SystemExit
            If the exporter wrote fewer of the operator.
        """
        found = [node.output[0] for node in model.graph.node if node.op_type == self.op]
        if self.number >= len(found):
            raise SystemExit(
                f"{self.source}: there are {len(found)} of {self.op}, number {self.number} is asked for"
            )
        name: str = found[self.number]
        return name


def pictures(size: tuple[int, int], count: int = PICTURES, seed: int = 3) -> NDArray[np.uint8]:
    """Draw smooth coloured pictures with a few edges.

    Parameters
    ----------
    size : (int, int)
        (height, width).
    count : int
        How many.
    seed : int
        What they are drawn by.

    Returns
    -------
    ndarray of uint8, shape (count, height, width, 3)
        RGB.
    """
    random = np.random.default_rng(seed)
    height, width = size
    rows, columns = np.arange(height)[:, None, None] / height, np.arange(width)[None, :, None] / width
    drawn = []
    for _ in range(count):
        wave = random.uniform(1, 5, (2, 3))
        phase = random.uniform(0, 6, 3)
        picture = 128 + 70 * np.sin(wave[0] * 3 * rows + wave[1] * 3 * columns + phase)
        for _ in range(3):
            top, left = random.integers(0, height - 8), random.integers(0, width - 8)
            picture[top : top + 8, left : left + 8] = random.uniform(0, 255, 3)
        drawn.append(picture + random.normal(0, 8, picture.shape))
    pixels: NDArray[np.uint8] = np.clip(np.rint(np.stack(drawn)), 0, 255).astype(np.uint8)
    return pixels


def record(
    path: Path,
    *,
    recipe: str,
    framework: str,
    exporter: str,
    preprocessing: Mapping[str, Any],
    pixels: NDArray[np.uint8],
    outputs: Sequence[NDArray[Any]],
    layers: Sequence[tuple[Hook, NDArray[Any]]],
    tolerance: float = 1e-5,
) -> None:
    """Write ``<name>.json`` and ``<name>.npz`` beside ``<name>.onnx``.

    Parameters
    ----------
    path : Path
        The exported file.
    recipe : str
        The script that made it.
    framework, exporter : str
        Name and version of each.
    preprocessing : mapping
        Keyword arguments of ``onnxdissect.dissect`` that turn the pixels into what the framework was given.
    pixels : ndarray of uint8, shape (n, h, w, 3)
        RGB.
    outputs : sequence of ndarray
        What the framework returned, in the order of the file's outputs.
    layers : sequence of (Hook, ndarray)
        What its hooks saw.
    tolerance : float
        How far apart the framework and the file may be, as a share of the largest number of an output or
        layer. By default what float32 sums of a few hundred products in another order need.
    """
    arrays = {"pixels": pixels}
    arrays |= {f"output/{i}": np.asarray(array) for i, array in enumerate(outputs)}
    arrays |= {f"layer/{i}": np.asarray(array) for i, (_, array) in enumerate(layers)}
    model = onnx.load(path, load_external_data=False)
    if len(outputs) != len(model.graph.output):
        raise SystemExit(f"{path} has {len(model.graph.output)} outputs, the framework {len(outputs)}")
    np.savez_compressed(path.with_suffix(".npz"), **arrays)  # type: ignore[arg-type]  # numpy's own stub
    card = {
        "recipe": recipe,
        "framework": framework,
        "exporter": exporter,
        "preprocessing": dict(preprocessing),
        "tolerance": tolerance,
        "outputs": [output.name for output in model.graph.output],
        "layers": [
            {"value": hook.value(model), "source": hook.source, "layout": hook.layout, "skip": hook.skip}
            for hook, _ in layers
        ],
    }
    path.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {path} ({path.stat().st_size / 1e3:.1f} kB) and what {framework} computes")


def output_folder(about: str | None) -> Path:
    """Read ``--out DIR`` off the command line and make the folder.

    Parameters
    ----------
    about : str or None
        The script's docstring; its first line is shown with ``--help``.

    Returns
    -------
    Path
        By default tests/exports.
    """
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    default = Path(__file__).resolve().parents[2] / "tests" / "exports"
    parser.add_argument("--out", type=Path, default=default, help="folder for the files")
    folder: Path = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    return folder
