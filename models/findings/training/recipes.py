"""What is trained: the conditions of arXiv 1711.05611 (sections 3.3, 4.3 to 4.5) in small, as one table.

Every variant differs from ``base`` in one thing. Nothing here needs torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

__all__ = [
    "BATCH",
    "IMAGES",
    "RECIPES",
    "SEEDS",
    "TEST_IMAGES",
    "Recipe",
    "Training",
    "recipe_of",
    "shipped",
    "trainings",
]

VERSION = 1
"""Raised whenever the same recipe no longer gives the same network; what is there is then made anew."""

SEEDS = (0, 1, 2)
IMAGES, TEST_IMAGES = 20_480, 1_200
BATCH = 16

Stages = tuple[tuple[int, int, int], ...]
# (units, kernel, stride) of each convolution; every one is followed by a ReLU. All end in maps of 14 x 14.
PLAIN: Stages = ((16, 5, 2), (32, 3, 2), (48, 3, 2), (64, 3, 1), (96, 3, 1))
DEEPER: Stages = ((16, 5, 2), (32, 3, 2), (48, 3, 2), (64, 3, 1), (64, 3, 1), (64, 3, 1), (96, 3, 1))
SHALLOWER: Stages = ((16, 5, 2), (32, 3, 2), (48, 3, 2), (96, 3, 1))


def _scaled(stages: Stages, numerator: int, denominator: int) -> Stages:
    return tuple((units * numerator // denominator, kernel, stride) for units, kernel, stride in stages)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a variant is trained.

    Attributes
    ----------
    variant : str
        Its name, that of its files.
    task : str
        A key of `tasks.TASKS`.
    stages : tuple of (int, int, int)
        Units, kernel and stride of each convolution.
    dropout : float
        Share of the pooled units that is dropped before the scores.
    batch_norm : bool
        Whether each convolution is followed by batch normalisation.
    decay : float
        Weight decay, apart from the learning rate's schedule as in AdamW.
    rate : float
        Highest learning rate.
    iterations : int
        Steps of the training.
    checkpoints : tuple of int
        Iterations after which the network is kept as well; 0 is before the first.
    start : str
        Variant whose convolutions it begins with; empty for weights drawn at random.
    """

    variant: str
    task: str = "scene"
    stages: Stages = PLAIN
    dropout: float = 0.0
    batch_norm: bool = False
    decay: float = 0.05
    rate: float = 4e-3
    iterations: int = 5103
    checkpoints: tuple[int, ...] = ()
    start: str = ""

    def digest(self, images: int, limit: int | None) -> str:
        """Hash all that decides what comes out, but the seed.

        Parameters
        ----------
        images : int
            How many were drawn to be taught on.
        limit : int or None
            How many were dissected on; None for all.
        """
        before = asdict(recipe_of(self.start)) if self.start else None
        text = json.dumps([VERSION, images, limit, BATCH, asdict(self), before], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


RECIPES = (
    # each three times as far as the one before, up to the last iteration
    Recipe("base", checkpoints=(0, 7, 21, 63, 189, 567, 1701)),
    Recipe("dropout", dropout=0.5),
    Recipe("batch-norm", batch_norm=True),
    Recipe("objects", task="objects"),
    Recipe("rotation", task="rotation"),
    Recipe(
        "fine-tuned", task="objects", rate=2e-3, iterations=2187, checkpoints=(27, 81, 243, 729), start="base"
    ),
    Recipe("parts", task="parts"),
    Recipe("jigsaw", task="jigsaw"),
    Recipe("half-width", stages=_scaled(PLAIN, 1, 2)),
    Recipe("shallower", stages=SHALLOWER),
    Recipe("deeper", stages=DEEPER),
    Recipe("strong-decay", decay=1.0),
    Recipe("no-decay", decay=0.0),
    Recipe("double-width", stages=_scaled(PLAIN, 2, 1)),
)


def recipe_of(variant: str) -> Recipe:
    """Find a recipe by its variant; KeyError where there is none."""
    return {recipe.variant: recipe for recipe in RECIPES}[variant]


@dataclass(frozen=True, slots=True)
class Training:
    """One training: a variant and a seed.

    Attributes
    ----------
    recipe : Recipe
    seed : int
        What weights, order and noise are drawn by.
    """

    recipe: Recipe
    seed: int

    def name(self, iteration: int | None = None) -> str:
        """Name of the finished network's files, or of those of a checkpoint."""
        ending = "" if iteration is None else f"-i{iteration}"
        return f"{self.recipe.variant}-s{self.seed}{ending}"

    def networks(self) -> Iterator[tuple[str, int]]:
        """Give name and iteration of every network that comes out, the finished one last."""
        for iteration in self.recipe.checkpoints:
            yield self.name(iteration), iteration
        yield self.name(), self.recipe.iterations


def trainings(
    seeds: Sequence[int] = SEEDS, variants: Sequence[str] = (), steps: int | None = None
) -> list[Training]:
    """List what is trained, all variants of a seed before the next seed, so that a part of it is of use.

    Parameters
    ----------
    seeds : sequence of int
    variants : sequence of str
        All if empty.
    steps : int, optional
        Train for so many iterations only, to try the script out.

    Returns
    -------
    list of Training
    """
    found = []
    for seed in seeds:
        for recipe in RECIPES:
            if variants and recipe.variant not in variants:
                continue
            if steps is not None:
                kept = tuple(iteration for iteration in recipe.checkpoints if iteration < steps)
                recipe = replace(recipe, iterations=steps, checkpoints=kept)
            found.append(Training(recipe, seed))
    return found


def shipped(training: Training, name: str) -> bool:
    """Tell whether a network's file is kept in the repository: all of seed 0, and what others start from.

    Parameters
    ----------
    training : Training
    name : str
        One of `Training.networks`.
    """
    return training.seed == 0 or name == Training(recipe_of("base"), training.seed).name()
