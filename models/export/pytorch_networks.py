"""The networks that `from_pytorch.py` exports."""

from __future__ import annotations

import torch
from shared_network import BATCH_NORM_EPSILON, CLASSES, CONVOLUTIONS, Convolution, Weights, same_padding
from torch import nn
from torch.nn import functional

__all__ = ["Pyramid", "SmallResidual", "VisionTransformer"]


class Normalised(nn.Module):  # type: ignore[misc]  # torch is not followed
    """Padding as TensorFlow's SAME has it, a convolution and batch normalisation, all with given weights."""

    def __init__(self, shape: Convolution, weights: Weights) -> None:
        super().__init__()
        before, after = same_padding(shape.size, shape.kernel, shape.stride)
        self.even = before == after
        self.margins = [before, after] * 2
        padding = before if self.even else 0
        self.convolution = nn.Conv2d(
            shape.inputs, shape.units, shape.kernel, shape.stride, padding, bias=False
        )
        self.norm = nn.BatchNorm2d(shape.units, eps=BATCH_NORM_EPSILON)
        gamma, beta, mean, variance = weights.norms[shape.name]
        self.convolution.weight.data = torch.from_numpy(weights.kernels[shape.name])
        self.norm.weight.data, self.norm.bias.data = torch.from_numpy(gamma), torch.from_numpy(beta)
        self.norm.running_mean, self.norm.running_var = torch.from_numpy(mean), torch.from_numpy(variance)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn maps (n, inputs, h, w) into maps (n, units, h / stride, w / stride)."""
        return self.norm(self.convolution(x if self.even else functional.pad(x, self.margins)))


class Residual(nn.Module):  # type: ignore[misc]  # torch is not followed
    """Two convolutions around a shortcut."""

    def __init__(self, first: Normalised, second: Normalised) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn maps into maps of the same shape."""
        return torch.relu(x + self.second(torch.relu(self.first(x))))


class SmallResidual(nn.Module):  # type: ignore[misc]  # torch is not followed
    """The shared network, see `shared_network`."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        made = {c.name: Normalised(c, weights) for c in CONVOLUTIONS}
        self.stem = made["stem"]
        self.pool = nn.MaxPool2d(3, 2)
        self.block = Residual(made["block1"], made["block2"])
        self.down = made["down"]
        self.down_relu = nn.ReLU()
        self.head = nn.Linear(CONVOLUTIONS[-1].units, CLASSES)
        self.head.weight.data = torch.from_numpy(weights.dense)
        self.head.bias.data = torch.from_numpy(weights.bias)
        before, after = same_padding(CONVOLUTIONS[0].size // 2, 3, 2)
        self.margins = [before, after] * 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the logits (n, 5) of prepared images (n, 3, 32, 32)."""
        x = torch.relu(self.stem(x))
        # after a ReLU nothing is below the zeros of the padding
        x = self.block(self.pool(functional.pad(x, self.margins)))
        return self.head(self.down_relu(self.down(x)).mean((2, 3)))


class TransformerBlock(nn.Module):  # type: ignore[misc]  # torch is not followed
    """Attention and a perceptron, each normalised before and added to what came in."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn tokens (n, t, c) into tokens (n, t, c)."""
        n, t, c = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)
        attended = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.proj(attended.transpose(1, 2).reshape(n, t, c))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):  # type: ignore[misc]  # torch is not followed
    """Sixteen patches of 8x8 and a class token through two blocks."""

    def __init__(self, width: int = 16, heads: int = 2, depth: int = 2) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 8, 8)
        self.class_token = nn.Parameter(torch.randn(1, 1, width))
        self.places = nn.Parameter(0.5 * torch.randn(1, 17, width))
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the logits (n, 5) of prepared images (n, 3, 32, 32)."""
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(tokens.shape[0], -1, -1), tokens], dim=1) + self.places
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


class Pyramid(nn.Module):  # type: ignore[misc]  # torch is not followed
    """A backbone of three scales, a top-down pyramid over it, and one head for all levels."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()

        def scale(inputs: int, units: int, stride: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(inputs, units, 3, stride, 1), nn.ReLU())

        self.c2, self.c3, self.c4 = scale(3, 8, 4), scale(8, 12, 2), scale(12, 16, 2)
        self.lateral2, self.lateral3, self.lateral4 = (nn.Conv2d(c, width, 1) for c in (8, 12, 16))
        self.smooth2, self.smooth3 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.shared = nn.Conv2d(width, width, 3, padding=1)
        self.classes, self.boxes = nn.Conv2d(width, CLASSES, 1), nn.Conv2d(width, 4, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Give the class scores (n, 5, h, w) and boxes (n, 4, h, w) of every level, finest first."""
        c2 = self.c2(x)
        c3 = self.c3(c2)
        p4 = self.lateral4(self.c4(c3))
        p3 = self.lateral3(c3) + functional.interpolate(p4, scale_factor=2.0, mode="nearest")
        p2 = self.lateral2(c2) + functional.interpolate(p3, scale_factor=2.0, mode="nearest")
        outputs: list[torch.Tensor] = []
        for level in (self.smooth2(p2), self.smooth3(p3), p4):
            seen = torch.relu(self.shared(level))
            outputs += [self.classes(seen).sigmoid(), self.boxes(seen).exp()]
        return tuple(outputs)
