"""The networks that `from_keras.py` and `from_tflite.py` export: channels last, SAME padding."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from shared_network import BATCH_NORM_EPSILON, CLASSES, CONVOLUTIONS, SIZE, Weights

__all__ = ["convnext", "small_residual"]

# of blue, green and red
MEAN = (103.939, 116.779, 123.68)


def small_residual(weights: Weights, batch: int | None = None) -> keras.Model:
    """Build the network, see `shared_network`.

    Parameters
    ----------
    weights : Weights
    batch : int, optional
        Freeze the batch at this size.

    Returns
    -------
    keras.Model
        Logits (n, 5) of prepared images (n, 32, 32, 3).
    """
    image = keras.Input((SIZE, SIZE, 3), batch_size=batch, name="image")
    shapes = {c.name: c for c in CONVOLUTIONS}

    def normalised(x: Any, name: str) -> Any:
        c = shapes[name]
        x = keras.layers.Conv2D(c.units, c.kernel, c.stride, padding="same", use_bias=False, name=name)(x)
        return keras.layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, name=f"{name}_norm")(x)

    x = keras.layers.ReLU(name="stem_relu")(normalised(image, "stem"))
    x = pooled = keras.layers.MaxPooling2D(3, 2, padding="same", name="pool")(x)
    x = keras.layers.ReLU(name="block_inner")(normalised(x, "block1"))
    x = keras.layers.Add(name="shortcut")([pooled, normalised(x, "block2")])
    x = keras.layers.ReLU(name="block")(x)
    x = keras.layers.ReLU(name="down_relu")(normalised(x, "down"))
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    model = keras.Model(image, keras.layers.Dense(CLASSES, name="logits")(x))
    for name, kernel in weights.kernels.items():
        model.get_layer(name).set_weights([kernel.transpose(2, 3, 1, 0)])
        model.get_layer(f"{name}_norm").set_weights(list(weights.norms[name]))
    model.get_layer("logits").set_weights([weights.dense.T, weights.bias])
    return model


def convnext(width: int = 12) -> keras.Model:
    """Build two blocks of the kind that keeps its channels last.

    Parameters
    ----------
    width : int
        Units between the blocks.

    Returns
    -------
    keras.Model
        Logits (n, 5) of images (n, 32, 32, 3) as bytes, red first.
    """
    layers = keras.layers
    image = keras.Input((SIZE, SIZE, 3), dtype="uint8", name="image")
    x = keras.ops.flip(keras.ops.cast(image, "float32"), axis=-1)
    x = (x - np.array(MEAN, np.float32)) / 64
    x = layers.Conv2D(width, 4, 4, name="patches")(x)
    for name in ("block1", "block2"):
        y = layers.DepthwiseConv2D(3, padding="same", dilation_rate=2, name=f"{name}_depthwise")(x)
        y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(y)
        y = layers.Dense(3 * width, activation="relu", name=f"{name}_wide")(y)
        y = layers.Dense(width, name=f"{name}_narrow")(y)
        x = layers.Add(name=f"{name}_sum")([x, y])
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(image, layers.Dense(CLASSES, name="logits")(x))
