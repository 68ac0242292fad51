"""Train the shipped networks: `python models/train_tiny.py` (needs the extra `train`).

A small plain convolutional network learns to name the *scene* of freshly drawn images; no object, part,
material, texture or colour label is ever shown to it. Two files are written beside this script:

- `tiny_scenes.onnx`, the trained network;
- `tiny_scenes_untrained.onnx`, the same network with the weights it began with.

The images come from the drawing code of the embedded data set `tiny`, with other seeds than the data set's
own. There is no batch normalisation and no dropout: both were found to make units less interpretable
(Bau et al. 2017, section 4.4).
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from plain_graph import MEAN, STD, PlainGraph
from torch import nn

from onnxdissect.tiny import SCENES, BumpMaps, draw, scene_of

TRAIN_SEED, TEST_SEED = 1_000_001, 1_000_002
# (units, kernel, stride) of each convolution; every one is followed by a ReLU
STAGES = ((32, 5, 2), (64, 3, 2), (64, 3, 1), (128, 3, 2), (128, 3, 1), (128, 3, 1))

Images = NDArray[np.uint8]


def _draw_part(seed: int, indices: list[int]) -> tuple[Images, list[int]]:
    bump_maps = BumpMaps()
    drawings = [draw(seed, index, bump_maps) for index in indices]
    scenes = [d.scene for d in drawings if d.scene is not None]
    return np.stack([d.image.transpose(2, 0, 1) for d in drawings]), scenes


def draw_scenes(seed: int, count: int, workers: int) -> tuple[Images, NDArray[np.int64]]:
    """Draw scenes in worker processes.

    Parameters
    ----------
    seed : int
        Seed of the drawing.
    count : int
        Number of images.
    workers : int
        Number of processes.

    Returns
    -------
    images : ndarray of uint8, shape (count, 3, 112, 112)
    scenes : ndarray of int64, shape (count,)
    """
    indices = [index for index in range(count * 8 // 7 + 8) if scene_of(index) is not None][:count]
    parts = [indices[start : start + 500] for start in range(0, count, 500)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        drawn = list(pool.map(_draw_part, [seed] * len(parts), parts))
    return np.concatenate([images for images, _ in drawn]), np.concatenate([np.array(s) for _, s in drawn])


class TinyScenes(nn.Module):  # type: ignore[misc]  # torch is not followed
    """Convolutions with ReLU, the maximum of each unit over the image, and one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        channels = 3
        convolutions = []
        for units, kernel, stride in STAGES:
            convolutions.append(nn.Conv2d(channels, units, kernel, stride, kernel // 2))
            channels = units
        self.convolutions = nn.ModuleList(convolutions)
        self.scores = nn.Linear(channels, len(SCENES))
        for layer in self.convolutions:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (n, scenes) of prepared images (n, 3, 112, 112)."""
        for convolution in self.convolutions:
            x = torch.relu(convolution(x))
        return self.scores(x.amax((2, 3)))


def prepared(images: torch.Tensor) -> torch.Tensor:
    """Pixels 0..255 to the network's input, float32 in channels-last order."""
    x = (images.float() / 255 - MEAN[0]) / STD[0]
    return x.contiguous(memory_format=torch.channels_last)


def augmented(images: torch.Tensor) -> torch.Tensor:
    """Mirror half the images, shift all by up to 8 pixels, and change brightness, contrast and tint."""
    count, _, height, width = images.shape
    if torch.rand(()) < 0.5:
        images = images.flip(3)
    padded = nn.functional.pad(images.float(), (8, 8, 8, 8), mode="replicate")
    down, across = torch.randint(0, 17, (2,)).tolist()
    moved = padded[:, :, down : down + height, across : across + width]
    gain = 0.85 + 0.3 * torch.rand(count, 1, 1, 1) + 0.16 * (torch.rand(count, 3, 1, 1) - 0.5)
    lift = 30 * (torch.rand(count, 1, 1, 1) - 0.5)
    return (moved * gain + lift).clamp_(0, 255)


def batches(
    images: torch.Tensor, scenes: torch.Tensor, size: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Shuffled batches, without end."""
    # with fewer images than a batch holds there would be none, without end
    size = min(size, len(images))
    while True:
        order = torch.randperm(len(images))
        for start in range(0, len(order) - size + 1, size):
            chosen = order[start : start + size]
            yield images[chosen], scenes[chosen]


def accuracy(network: nn.Module, images: torch.Tensor, scenes: torch.Tensor) -> float:
    """Share of images whose highest logit is the right scene."""
    network.eval()
    right = 0
    with torch.no_grad():
        for start in range(0, len(images), 128):
            logits = network(prepared(images[start : start + 128]))
            right += int((logits.argmax(1) == scenes[start : start + 128]).sum())
    network.train()
    return right / len(images)


def train(
    network: nn.Module,
    options: argparse.Namespace,
    images: torch.Tensor,
    labels: torch.Tensor,
    test: tuple[torch.Tensor, torch.Tensor],
) -> None:
    """Train for a number of samples with AdamW under a one-cycle learning rate."""
    steps = options.samples // options.batch
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=options.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.rate, total_steps=steps, pct_start=0.15)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    started, running = time.monotonic(), 0.0
    source = batches(images, labels, options.batch)
    for step, (x, y) in zip(range(1, steps + 1), source, strict=False):
        loss = loss_of(network(prepared(augmented(x))), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimizer.step()
        schedule.step()
        running += (float(loss.detach()) - running) * 0.02
        if step % 400 == 0 or step == steps:
            print(
                f"step {step}/{steps}  loss {running:.3f}  test accuracy {accuracy(network, *test):.4f}  "
                f"{time.monotonic() - started:.0f} s",
                flush=True,
            )


def export(network: TinyScenes, path: Path, note: str) -> None:
    """Write a network as ONNX: logits without softmax."""
    graph = PlainGraph()
    for number, (layer, (units, _, stride)) in enumerate(zip(network.convolutions, STAGES, strict=True), 1):
        graph.convolve(f"conv{number}", array_of(layer.weight), array_of(layer.bias), stride)
        graph.rectify(f"relu{number}", units)
    graph.add("GlobalMaxPool", "pool")
    graph.add("Flatten", "features", axis=1)
    scores = {"weight": array_of(network.scores.weight), "bias": array_of(network.scores.bias)}
    graph.add("Gemm", "scores", scores, transB=1)
    names = [f"{name}-s" for name in SCENES]
    graph.write(path, "tiny_scenes", note, names, producer="onnxdissect models/train_tiny.py")
    parameters = sum(p.numel() for p in network.parameters())
    print(f"wrote {path.name}: {parameters} parameters, {path.stat().st_size / 1e6:.2f} MB", flush=True)


def array_of(tensor: torch.Tensor) -> NDArray[np.float32]:
    """Weights of torch as an array."""
    return np.ascontiguousarray(tensor.detach().numpy().astype(np.float32))


def arguments() -> argparse.ArgumentParser:
    """Give the recipe: what the shipped network was trained by."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=20_000, help="training images drawn")
    parser.add_argument("--samples", type=int, default=240_000, help="training images shown, repeats counted")
    parser.add_argument("--test-images", type=int, default=1_200)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--decay", type=float, default=5e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent)
    return parser


def main() -> None:
    """Draw, train, export both networks and print the accuracy on scenes never drawn before."""
    options = arguments().parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.workers)
    network = TinyScenes().to(memory_format=torch.channels_last)
    export(network, options.out / "tiny_scenes_untrained.onnx", "The initial weights of tiny_scenes.")
    test_images, test_scenes = draw_scenes(TEST_SEED, options.test_images, options.workers)
    test = torch.from_numpy(test_images), torch.from_numpy(test_scenes)
    print(f"untrained accuracy {accuracy(network, *test):.4f}", flush=True)
    started = time.monotonic()
    images, scenes = draw_scenes(TRAIN_SEED, options.images, options.workers)
    print(f"drew {len(images)} images in {time.monotonic() - started:.0f} s", flush=True)
    train(network, options, torch.from_numpy(images), torch.from_numpy(scenes), test)
    export(
        network, options.out / "tiny_scenes.onnx", "Names the scene of images as drawn for the data set tiny."
    )
    print(f"accuracy on {len(test_scenes)} freshly drawn images: {accuracy(network, *test):.4f}")


if __name__ == "__main__":
    main()
