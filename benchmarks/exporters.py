"""Candidates with the same weights, written by real exporters.

    python benchmarks/exporters.py FOLDER

writes the shipped network with every exporter that is installed. Frameworks seldom live together: what was
written elsewhere is checked with `gates.py --exported FOLDER`.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
from candidates import MODEL, ROOT, Candidate, copied, file_of
from numpy.typing import NDArray
from onnx import numpy_helper

__all__ = ["SHARED", "by_jax", "by_keras", "by_pytorch", "exported", "shared"]

SHARED = ROOT / "tests/exports"
"""One small network with the same weights, as six exporters wrote it; see docs/exports.md."""
OPSET = 17


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution of the shipped network.

    Attributes
    ----------
    kernel : ndarray of float32, shape (h, w, inputs, units)
        Channels last, as Keras and Flax have it.
    bias : ndarray of float32, shape (units,)
    stride, margin : int
        Of both axes; the margin is added on all sides.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    stride: int
    margin: int


def layers() -> tuple[list[Layer], NDArray[np.float32], NDArray[np.float32]]:
    """Read the convolutions, and the classifier's weights (classes, units) and bias.

    Returns
    -------
    tuple
    """
    graph = onnx.load(MODEL).graph
    weights = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    found = []
    for node in graph.node:
        if node.op_type == "Conv":
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            kernel, bias = (weights[name] for name in node.input[1:])
            stride, margin = attributes["strides"][0], attributes["pads"][0]
            found.append(Layer(kernel.transpose(2, 3, 1, 0), bias, stride, margin))
    return found, weights["scores.weight"], weights["scores.bias"]


def by_pytorch(path: Path, *, dynamo: bool) -> None:
    """Write the shipped network with one of PyTorch's exporters.

    Parameters
    ----------
    path : Path
    dynamo : bool
        The one that captures, or the one that traces.
    """
    import torch
    from retrained import network_of

    sys.path.append(str(ROOT / "models/export"))
    from from_pytorch import export

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export(network_of(MODEL).eval(), torch.zeros(2, 3, 112, 112), path, ["scores"], dynamo=dynamo)


def by_keras(path: Path) -> None:
    """Write the shipped network with Keras and tf2onnx, channels last.

    Parameters
    ----------
    path : Path
    """
    import keras

    convolutions, scores, bias = layers()
    x = image = keras.Input((112, 112, 3), name="image")
    for layer in convolutions:
        height, _, _, units = layer.kernel.shape
        x = keras.layers.ZeroPadding2D(layer.margin)(x)
        convolution = keras.layers.Conv2D(units, height, layer.stride, activation="relu")
        x = convolution(x)
        convolution.set_weights([layer.kernel, layer.bias])
    classifier = keras.layers.Dense(len(bias))
    model = keras.Model(image, classifier(keras.layers.GlobalMaxPooling2D()(x)))
    classifier.set_weights([scores.T, bias])
    with tempfile.TemporaryDirectory() as saved:
        model.export(saved, verbose=False)
        command = [sys.executable, "-m", "tf2onnx.convert", "--saved-model", saved]
        command += ["--output", str(path), "--opset", str(OPSET)]
        subprocess.run(command, check=True, capture_output=True)


def by_jax(path: Path) -> None:
    """Write the shipped network with Flax and jax2onnx, channels last.

    Parameters
    ----------
    path : Path
    """
    import jax
    import jax2onnx

    convolutions, scores, bias = layers()

    def network(x: jax.Array) -> jax.Array:
        for layer in convolutions:
            margins = [(layer.margin, layer.margin)] * 2
            axes = ("NHWC", "HWIO", "NHWC")
            x = jax.lax.conv_general_dilated(
                x, layer.kernel, (layer.stride, layer.stride), margins, dimension_numbers=axes
            )
            x = jax.nn.relu(x + layer.bias)
        return x.max(axis=(1, 2)) @ scores.T + bias

    onnx.save(jax2onnx.to_onnx(network, inputs=[("batch", 112, 112, 3)], model_name="tiny_scenes"), path)


_EXPORTERS = (
    ("by PyTorch's exporter that traces", partial(by_pytorch, dynamo=False), ("torch", "onnxscript")),
    ("by PyTorch's exporter that captures", partial(by_pytorch, dynamo=True), ("torch", "onnxscript")),
    ("by Keras and tf2onnx", by_keras, ("tensorflow", "keras", "tf2onnx")),
    ("by JAX and jax2onnx", by_jax, ("jax", "jax2onnx")),
)


def _installed(packages: tuple[str, ...]) -> bool:
    return all(find_spec(name) is not None for name in packages)


def exported(folder: Path | None = None) -> list[Candidate]:
    """List the candidates whose files or exporters are there, and print which are left out.

    Parameters
    ----------
    folder : Path, optional
        Where files lie that were written elsewhere.

    Returns
    -------
    list of Candidate
    """
    found = []
    for title, write, needs in _EXPORTERS:
        file = None if folder is None else folder / file_of(title)
        if file is not None and file.exists():
            found.append(Candidate(title, "passes", copied(file)))
        elif _installed(needs):
            found.append(Candidate(title, "passes", write))
        else:
            print(f"left out: {title}, which needs {' and '.join(needs)}")
    return found


def shared() -> Iterator[Candidate]:
    """List the files of the small network of `tests/exports/`, to be held against PyTorch's first.

    Yields
    ------
    Candidate
    """
    for name in ("pytorch_dynamo", "keras", "tflite", "jax", "paddle"):
        yield Candidate(f"{name}.onnx", "passes", copied(SHARED / f"{name}.onnx"))


def main() -> None:
    """Write all that can be written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for candidate in exported():
        candidate.write(folder / file_of(candidate.title))
        print(f"wrote {folder / file_of(candidate.title)}")


if __name__ == "__main__":
    main()
