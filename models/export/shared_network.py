"""One small residual network as plain arrays, so that every framework can be given the same weights.

::

    image (n, 32, 32, 3), x = (pixel - 127.5) / 127.5
    stem    convolution 5x5 / 2 SAME, 12 units, batch normalisation, ReLU    16x16
    pool    maximum 3x3 / 2 SAME                                              8x8
    block   two convolutions 3x3 SAME with batch normalisation, added to pool, ReLU
    down    convolution 3x3 / 2 SAME, 16 units, batch normalisation, ReLU     4x4
    head    mean over the cells, one dense layer of 5 logits

SAME is TensorFlow's: of an odd number of padded rows the larger part lies below and to the right. Frameworks
that pad evenly are given the padding as an operation of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BATCH_NORM_EPSILON",
    "CLASSES",
    "CONVOLUTIONS",
    "SIZE",
    "Convolution",
    "Weights",
    "make_weights",
    "prepare",
    "same_padding",
]

Array = NDArray[np.float32]

SIZE = 32
CLASSES = 5
BATCH_NORM_EPSILON = 1e-3


@dataclass(frozen=True, slots=True)
class Convolution:
    """Shape of a convolution that batch normalisation follows.

    Attributes
    ----------
    name : str
        Name of the layer.
    inputs, units : int
        Channels before and after.
    kernel, stride : int
        Of both axes.
    size : int
        Height and width before.
    """

    name: str
    inputs: int
    units: int
    kernel: int
    stride: int
    size: int


CONVOLUTIONS = (
    Convolution("stem", 3, 12, 5, 2, 32),
    Convolution("block1", 12, 12, 3, 1, 8),
    Convolution("block2", 12, 12, 3, 1, 8),
    Convolution("down", 12, 16, 3, 2, 8),
)
"""In the order in which the network runs them."""


@dataclass(frozen=True, slots=True)
class Weights:
    """All numbers of the network.

    Attributes
    ----------
    kernels : dict of str to ndarray
        Per convolution (units, inputs, kernel, kernel), float32; the order of PyTorch.
    norms : dict of str to (ndarray, ndarray, ndarray, ndarray)
        Per convolution gamma, beta, mean and variance, each (units,), float32.
    dense : ndarray
        (classes, units), float32.
    bias : ndarray
        (classes,), float32.
    """

    kernels: dict[str, Array]
    norms: dict[str, tuple[Array, Array, Array, Array]]
    dense: Array
    bias: Array


def make_weights(seed: int = 5) -> Weights:
    """Draw the weights.

    Parameters
    ----------
    seed : int
        What they are drawn by.

    Returns
    -------
    Weights
    """
    random = np.random.default_rng(seed)

    def normal(scale: float, *shape: int) -> Array:
        return (scale * random.standard_normal(shape)).astype(np.float32)

    kernels, norms = {}, {}
    for c in CONVOLUTIONS:
        kernels[c.name] = normal((2 / (c.inputs * c.kernel**2)) ** 0.5, c.units, c.inputs, c.kernel, c.kernel)
        norms[c.name] = (
            1 + normal(0.2, c.units),
            normal(0.1, c.units),
            normal(0.1, c.units),
            (1 + random.random(c.units)).astype(np.float32),
        )
    units = CONVOLUTIONS[-1].units
    return Weights(kernels, norms, normal(units**-0.5, CLASSES, units), normal(0.1, CLASSES))


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Rows that TensorFlow's SAME adds before and after an axis.

    Parameters
    ----------
    size : int
        Length of the axis.
    kernel, stride : int
        Of the window.

    Returns
    -------
    before, after : int
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def prepare(pixels: NDArray[np.uint8]) -> Array:
    """Pixels to the network's input.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (n, h, w, 3)

    Returns
    -------
    ndarray of float32, shape (n, h, w, 3)
        In -1..1.
    """
    return (pixels.astype(np.float64) / 127.5 - 1).astype(np.float32)
