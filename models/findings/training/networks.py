"""The networks: convolutions with ReLU, a maximum over the image, one linear layer; and their ONNX files."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from training.recipes import Recipe
from training.tasks import TASKS

sys.path.append(str(Path(__file__).resolve().parents[2]))

from plain_graph import SIZE, PlainGraph
from train_tiny import array_of

__all__ = ["Network", "convolutions_of", "export"]


class Network(nn.Module):  # type: ignore[misc]  # torch is not followed
    """A plain convolutional network, as its recipe has it.

    Parameters
    ----------
    recipe : Recipe
        Its stages, batch normalisation, dropout and task.

    Attributes
    ----------
    recipe : Recipe
        As it was given.
    pooled : int
        Height and width of the windows that the maximum is taken over.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        task = TASKS[recipe.task]
        channels, size = 3, SIZE
        convolutions, norms = [], []
        for units, kernel, stride in recipe.stages:
            convolutions.append(nn.Conv2d(channels, units, kernel, stride, kernel // 2))
            norms.append(nn.BatchNorm2d(units) if recipe.batch_norm else nn.Identity())
            channels, size = units, (size + 2 * (kernel // 2) - kernel) // stride + 1
        self.recipe = recipe
        self.pooled = size // task.windows
        self.convolutions, self.norms = nn.ModuleList(convolutions), nn.ModuleList(norms)
        self.dropout = nn.Dropout(recipe.dropout)
        self.scores = nn.Linear(channels * task.windows**2, len(task.classes))
        for layer in self.convolutions:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (n, classes) of prepared images (n, 3, 112, 112)."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = torch.relu(norm(convolution(x)))
        x = nn.functional.max_pool2d(x, self.pooled)
        return self.scores(self.dropout(x.flatten(1)))


def export(network: Network, path: Path, note: str, properties: Mapping[str, str]) -> None:
    """Write a network as ONNX: weights in float16, logits without softmax.

    Parameters
    ----------
    network : Network
    path : Path
        The file.
    note : str
        What it is, in a sentence.
    properties : mapping of str to str
        Metadata.
    """
    graph = PlainGraph(half=True)
    stages = zip(network.convolutions, network.norms, network.recipe.stages, strict=True)
    for number, (layer, norm, (units, _, stride)) in enumerate(stages, 1):
        graph.convolve(f"conv{number}", array_of(layer.weight), array_of(layer.bias), stride)
        if network.recipe.batch_norm:
            weights = {
                "scale": array_of(norm.weight),
                "bias": array_of(norm.bias),
                "mean": array_of(norm.running_mean),
                "variance": array_of(norm.running_var),
            }
            graph.add("BatchNormalization", f"norm{number}", weights, epsilon=norm.eps)
        graph.rectify(f"relu{number}", units)
    window = [network.pooled, network.pooled]
    graph.add("MaxPool", "pool", kernel_shape=window, strides=window)
    graph.add("Flatten", "features", axis=1)
    scores = {"weight": array_of(network.scores.weight), "bias": array_of(network.scores.bias)}
    graph.add("Gemm", "scores", scores, transB=1)
    classes = TASKS[network.recipe.task].classes
    producer = "onnxdissect models/findings/train.py"
    graph.write(path, "findings", note, classes, producer=producer, properties=properties)


def convolutions_of(path: Path) -> dict[str, torch.Tensor]:
    """Read the weights of the convolutions back, by their names in `Network`.

    Parameters
    ----------
    path : Path
        A file of `export`, without batch normalisation.

    Returns
    -------
    dict of str to Tensor
        float32.
    """
    stored = {w.name: numpy_helper.to_array(w) for w in onnx.load(path).graph.initializer}
    found = {}
    for name, array in stored.items():
        layer, kind, _ = name.split(".")
        if layer.startswith("conv"):
            values = torch.from_numpy(array.astype(np.float32))
            found[f"convolutions.{int(layer.removeprefix('conv')) - 1}.{kind}"] = values
    return found
