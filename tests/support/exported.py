"""Files that real exporters wrote and what was recorded beside them; see `exports/` and `models/export/`."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx_ir as ir
import onnxruntime
from numpy.typing import NDArray

from onnxdissect.model import Layer, Network, Preparer, choose_preprocessing, load_network, open_session
from support.datasets import Picture, random_broden, write_broden

FOLDER = Path(__file__).parents[1] / "exports"
NAMES = sorted(path.stem for path in FOLDER.glob("*.onnx"))
# the files with the same weights
SHARED = ("pytorch_torchscript", "pytorch_dynamo", "keras", "tflite", "jax", "paddle")


@dataclass(frozen=True)
class Export:
    """An exported file and what was recorded beside it."""

    path: Path
    card: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    @property
    def layers(self) -> list[tuple[dict[str, Any], NDArray[Any]]]:
        return [(layer, self.arrays[f"layer/{i}"]) for i, layer in enumerate(self.card["layers"])]

    @property
    def outputs(self) -> dict[str, NDArray[Any]]:
        return {name: self.arrays[f"output/{i}"] for i, name in enumerate(self.card["outputs"])}

    def network(self) -> Network:
        return load_network(self.path)

    def prepared(self, network: Network) -> NDArray[Any]:
        """The recorded pictures as the network takes them."""
        preparer = Preparer(
            choose_preprocessing(network, **self.card["preprocessing"]), network.input, network.size
        )
        pixels = self.arrays["pixels"]
        batch = np.empty((len(pixels), *preparer.shape), preparer.dtype)
        for picture, out in zip(pixels, batch, strict=True):
            preparer(picture, out)
        return batch


def read_export(path: Path) -> Export:
    card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    with np.load(path.with_suffix(".npz")) as file:
        return Export(path, card, dict(file))


@cache
def export_of(name: str) -> Export:
    return read_export(FOLDER / f"{name}.onnx")


def maps_of(layer: dict[str, Any], seen: NDArray[Any]) -> NDArray[Any]:
    """What a hook saw as (n, units, h, w)."""
    if layer["layout"] == "NCHW":
        return seen
    if layer["layout"] == "NHWC":
        return seen.transpose(0, 3, 1, 2)
    n, tokens, units = seen.shape
    side = round((tokens - layer["skip"]) ** 0.5)
    return seen[:, layer["skip"] :].reshape(n, side, side, units).transpose(0, 3, 1, 2)


def chosen_layers(network: Network, export: Export) -> list[tuple[Layer, NDArray[Any]]]:
    """The recorded layers with what was recorded, channels first."""
    return [(network.select([layer["value"]])[0], maps_of(layer, seen)) for layer, seen in export.layers]


def assert_close(found: NDArray[Any], expected: NDArray[Any], tolerance: float) -> None:
    assert found.shape == expected.shape
    scale = float(np.abs(expected).max())
    assert scale > 0.1  # a dead layer would agree with anything
    apart = np.abs(found.astype(np.float64) - expected)
    assert apart.max() <= tolerance * scale


def run_unoptimised(
    model: ir.Model, image: str, batch: NDArray[Any], fixed: int | None
) -> dict[str, NDArray[Any]]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        ir.to_proto(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    step = fixed or len(batch)
    runs = [session.run(None, {image: batch[i : i + step]}) for i in range(0, len(batch), step)]
    names = [output.name for output in session.get_outputs()]
    return {name: np.concatenate(parts) for name, parts in zip(names, zip(*runs, strict=True), strict=True)}


def assert_activations_as_recorded(export: Export) -> None:
    network = export.network()
    batch = export.prepared(network)
    chosen = chosen_layers(network, export)
    session = open_session(network, [layer for layer, _ in chosen], provider="cpu", verify=batch[:2])
    for found, (_, maps) in zip(session(batch), chosen, strict=True):
        assert_close(found, maps, export.card["tolerance"])


@dataclass
class GivenPicture(Picture):
    """A picture with pixels of its own."""

    given: NDArray[np.uint8] | None = None

    def pixels(self) -> NDArray[np.uint8]:
        assert self.given is not None
        return self.given


def labelled(folder: Path, pixels: NDArray[np.uint8], seed: int) -> Path:
    """The pictures with random labels, in the Broden layout."""
    size = pixels.shape[1:3]
    broden = random_broden(seed, pictures=len(pixels), size=size, grids=((16, 16), (12, 20)))
    pictures: list[Picture] = [
        GivenPicture(f"{i}.png", picture.cells, picture.split, size, picture.grid, given=image)
        for i, (picture, image) in enumerate(zip(broden.pictures, pixels, strict=True))
    ]
    return write_broden(folder, replace(broden, pictures=pictures))


def drawn_pictures(count: int, size: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """Coloured blobs, (count, h, w, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 7, 7, 3), np.uint8)
    return np.stack([cv2.resize(c, size[::-1], interpolation=cv2.INTER_CUBIC) for c in coarse]).astype(
        np.uint8
    )
