"""Export from PaddlePaddle through paddle2onnx: `python models/export/from_paddle.py`.

- `paddle.onnx`: the shared residual network.

Needs paddlepaddle and paddle2onnx. Activations are what forward hooks see.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import paddle2onnx
from numpy.typing import NDArray
from paddle import nn
from recording import Hook, output_folder, pictures, record
from shared_network import (
    BATCH_NORM_EPSILON,
    CLASSES,
    CONVOLUTIONS,
    SIZE,
    Convolution,
    Weights,
    make_weights,
    prepare,
    same_padding,
)

OPSET = 17


class Normalised(nn.Layer):  # type: ignore[misc]  # paddle is not followed
    """A convolution and batch normalisation with given weights."""

    def __init__(self, shape: Convolution, weights: Weights) -> None:
        super().__init__()
        before, after = same_padding(shape.size, shape.kernel, shape.stride)
        self.convolution = nn.Conv2D(
            shape.inputs,
            shape.units,
            shape.kernel,
            shape.stride,
            padding=[before, after, before, after],
            bias_attr=False,
        )
        self.norm = nn.BatchNorm2D(shape.units, epsilon=BATCH_NORM_EPSILON)
        gamma, beta, mean, variance = weights.norms[shape.name]
        self.convolution.weight.set_value(weights.kernels[shape.name])
        self.norm.weight.set_value(gamma)
        self.norm.bias.set_value(beta)
        self.norm._mean.set_value(mean)
        self.norm._variance.set_value(variance)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Turn maps (n, inputs, h, w) into maps (n, units, h / stride, w / stride)."""
        return self.norm(self.convolution(x))


class SmallResidual(nn.Layer):  # type: ignore[misc]  # paddle is not followed
    """The shared network, see `shared_network`."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        made = {c.name: Normalised(c, weights) for c in CONVOLUTIONS}
        self.stem, self.block1 = made["stem"], made["block1"]
        self.block2, self.down = made["block2"], made["down"]
        before, after = same_padding(CONVOLUTIONS[0].size // 2, 3, 2)
        self.pool = nn.MaxPool2D(3, 2, padding=[before, after, before, after])
        self.block_relu, self.down_relu = nn.ReLU(), nn.ReLU()
        self.head = nn.Linear(CONVOLUTIONS[-1].units, CLASSES)
        self.head.weight.set_value(weights.dense.T.copy())
        self.head.bias.set_value(weights.bias)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """Give the logits (n, 5) of prepared images (n, 3, 32, 32)."""
        x = self.pool(nn.functional.relu(self.stem(x)))
        x = self.block_relu(x + self.block2(nn.functional.relu(self.block1(x))))
        return self.head(self.down_relu(self.down(x)).mean([2, 3]))


def main() -> None:
    """Export and record."""
    path = output_folder(__doc__) / "paddle.onnx"
    network = SmallResidual(make_weights())
    network.eval()
    spec = paddle.static.InputSpec([None, 3, SIZE, SIZE], "float32", name="image")
    with tempfile.TemporaryDirectory() as folder:
        saved = str(Path(folder) / "network")
        paddle.jit.save(network, saved, input_spec=[spec])
        paddle2onnx.export(
            f"{saved}.json", f"{saved}.pdiparams", save_file=str(path), opset_version=OPSET, optimize_tool=""
        )
    seen: dict[str, NDArray[Any]] = {}

    def listen(name: str) -> Callable[..., None]:
        def hook(layer: nn.Layer, given: object, result: paddle.Tensor) -> None:
            seen[name] = result.numpy()

        return hook

    hooks = [Hook("block_relu", "Relu", 2, "NCHW"), Hook("down_relu", "Relu", 3, "NCHW")]
    for hook in hooks:
        getattr(network, hook.source).register_forward_post_hook(listen(hook.source))
    pixels = pictures((SIZE, SIZE))
    image = paddle.to_tensor(np.ascontiguousarray(prepare(pixels).transpose(0, 3, 1, 2)))
    logits = network(image).numpy()
    record(
        path,
        recipe=Path(__file__).name,
        framework=f"paddle {paddle.__version__}",
        exporter=f"paddle2onnx {version('paddle2onnx')}, opset {OPSET}",
        preprocessing={"preset": "tf"},
        pixels=pixels,
        outputs=[logits],
        layers=[(hook, seen[hook.source]) for hook in hooks],
    )


if __name__ == "__main__":
    main()
