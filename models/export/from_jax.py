"""Export from JAX through jax2onnx: `python models/export/from_jax.py`.

- `jax.onnx`: the shared residual network in Flax; channels last, SAME padding.

Needs jax2onnx, which brings jax and flax. Activations are what the layers return when they are called one
after the other, without tracing.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import jax
import jax2onnx
import numpy as np
import onnx
from flax import nnx
from recording import Hook, output_folder, pictures, record
from shared_network import BATCH_NORM_EPSILON, CONVOLUTIONS, SIZE, Convolution, Weights, make_weights, prepare


class Normalised(nnx.Module):  # type: ignore[misc]  # flax is not followed
    """A convolution and batch normalisation with given weights."""

    def __init__(self, shape: Convolution, weights: Weights) -> None:
        rngs = nnx.Rngs(0)
        kernel, stride = (shape.kernel,) * 2, (shape.stride,) * 2
        self.convolution = nnx.Conv(
            shape.inputs, shape.units, kernel, strides=stride, padding="SAME", use_bias=False, rngs=rngs
        )
        self.norm = nnx.BatchNorm(
            shape.units, use_running_average=True, epsilon=BATCH_NORM_EPSILON, rngs=rngs
        )
        gamma, beta, mean, variance = map(jax.numpy.asarray, weights.norms[shape.name])
        self.convolution.kernel.set_value(
            jax.numpy.asarray(weights.kernels[shape.name].transpose(2, 3, 1, 0))
        )
        self.norm.scale.set_value(gamma)
        self.norm.bias.set_value(beta)
        self.norm.mean.set_value(mean)
        self.norm.var.set_value(variance)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Turn maps (n, h, w, inputs) into maps (n, h / stride, w / stride, units)."""
        return self.norm(self.convolution(x))


class SmallResidual(nnx.Module):  # type: ignore[misc]  # flax is not followed
    """The shared network, see `shared_network`."""

    def __init__(self, weights: Weights) -> None:
        made = {c.name: Normalised(c, weights) for c in CONVOLUTIONS}
        self.stem, self.block1 = made["stem"], made["block1"]
        self.block2, self.down = made["block2"], made["down"]
        classes, units = weights.dense.shape
        self.head = nnx.Linear(units, classes, rngs=nnx.Rngs(0))
        self.head.kernel.set_value(jax.numpy.asarray(weights.dense.T))
        self.head.bias.set_value(jax.numpy.asarray(weights.bias))

    def block(self, x: jax.Array) -> jax.Array:
        """Turn images into the residual block's maps."""
        x = nnx.max_pool(nnx.relu(self.stem(x)), window_shape=(3, 3), strides=(2, 2), padding="SAME")
        return nnx.relu(x + self.block2(nnx.relu(self.block1(x))))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Give the logits (n, 5) of prepared images (n, 32, 32, 3)."""
        return self.head(nnx.relu(self.down(self.block(x))).mean((1, 2)))


def main() -> None:
    """Export and record."""
    path = output_folder(__doc__) / "jax.onnx"
    network = SmallResidual(make_weights())
    network.eval()
    model = jax2onnx.to_onnx(network, inputs=[("batch", SIZE, SIZE, 3)], model_name="small_residual")
    onnx.save(model, path)
    pixels = pictures((SIZE, SIZE))
    image = jax.numpy.asarray(prepare(pixels))
    block = network.block(image)
    record(
        path,
        recipe=Path(__file__).name,
        framework=f"jax {jax.__version__}, flax {version('flax')}",
        exporter=f"jax2onnx {version('jax2onnx')}",
        preprocessing={"preset": "tf"},
        pixels=pixels,
        outputs=[np.asarray(network(image))],
        layers=[
            (Hook("block", "Relu", 2, "NHWC"), np.asarray(block)),
            (Hook("down", "Relu", 3, "NHWC"), np.asarray(nnx.relu(network.down(block)))),
        ],
    )


if __name__ == "__main__":
    main()
