"""Export from Keras through tf2onnx: `python models/export/from_keras.py`.

- `keras.onnx`: the shared residual network; images come in as NHWC, most values inside are NCHW;
- `keras_convnext.onnx`: bytes in, with the preprocessing (BGR minus the mean) inside the graph, and blocks
  whose normalisation and dense layers run over the last axis, so that values stay NHWC.

Needs tensorflow and tf2onnx. Activations are what a Keras model with more outputs returns.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from keras_networks import convnext, small_residual
from numpy.typing import NDArray
from recording import Hook, output_folder, pictures, record
from shared_network import SIZE, make_weights, prepare

OPSET = 17


def make(
    network: keras.Model,
    path: Path,
    image: NDArray[Any],
    hooks: Sequence[Hook],
    preprocessing: dict[str, Any],
    pixels: NDArray[np.uint8],
) -> None:
    """Export a network and record what it computes.

    Parameters
    ----------
    network : keras.Model
    path : Path
        The file.
    image : ndarray
        The pictures as the network takes them.
    hooks : sequence of Hook
        Layers to listen to.
    preprocessing : dict
        How onnxdissect gets from the pictures to the same numbers.
    pixels : ndarray of uint8
        The pictures.
    """
    with tempfile.TemporaryDirectory() as saved:
        # conversion straight from memory turns constants that the network captured into inputs
        network.export(saved, verbose=False)
        command = [sys.executable, "-m", "tf2onnx.convert", "--saved-model", saved]
        subprocess.run([*command, "--output", str(path), "--opset", str(OPSET)], check=True)
    model = onnx.load(path)
    # it says in which temporary folder the SavedModel lay
    model.graph.doc_string = ""
    onnx.save(model, path)
    listening = keras.Model(
        network.input, [network.output, *(network.get_layer(h.source).output for h in hooks)]
    )
    logits, *seen = (result.numpy() for result in listening(image, training=False))
    record(
        path,
        recipe=Path(__file__).name,
        framework=f"keras {keras.__version__} on tensorflow {tf.__version__}",
        exporter=f"tf2onnx {tf2onnx.__version__}, opset {OPSET}",
        preprocessing=preprocessing,
        pixels=pixels,
        outputs=[logits],
        layers=list(zip(hooks, seen, strict=True)),
    )


def main() -> None:
    """Export both."""
    folder = output_folder(__doc__)
    pixels = pictures((SIZE, SIZE))
    make(
        small_residual(make_weights()),
        folder / "keras.onnx",
        prepare(pixels),
        [Hook("block", "Relu", 2, "NHWC"), Hook("down_relu", "Relu", 3, "NHWC")],
        {"preset": "tf"},
        pixels,
    )
    keras.utils.set_random_seed(4)
    make(
        convnext(),
        folder / "keras_convnext.onnx",
        pixels,
        [
            Hook("block1_wide", "Relu", 0, "NHWC"),
            Hook("block1_sum", "Add", 2, "NHWC"),
            Hook("block2_sum", "Add", 5, "NHWC"),
        ],
        {"preset": "raw"},
        pixels,
    )


if __name__ == "__main__":
    main()
