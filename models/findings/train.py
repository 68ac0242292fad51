"""Train, export and dissect all networks of the findings: `python models/findings/train.py` (extra `train`).

At the end the networks of `base` are asked what `experiments.py` has. What is there already, made by the same
recipe, is passed over: a broken off call is typed again. Networks and tables are written beside this script,
what they are made of into the folder of `--work`.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

try:
    import torch
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    sys.exit("training needs torch, of the extra train: sh setup.sh train, or pip install -e '.[train]'")

from experiments import HERE, due_experiments, positive, refuse_trial, run_experiments
from measurements.tables import (
    CARD,
    RESAMPLES,
    card_there,
    dissect_network,
    keep_run,
    write_card,
    write_conditions,
)
from torch import nn
from training.images import TEST_SEED, TRAIN_SEED, LabelledImages, ensure_images
from training.networks import Network, convolutions_of, export
from training.recipes import BATCH, IMAGES, RECIPES, SEEDS, TEST_IMAGES, Training, shipped, trainings
from training.tasks import TASKS, Task, chance_of, examples, loss_of, score_of

from onnxdissect.results import Dissection
from onnxdissect.tiny import cache_folder

sys.path.append(str(Path(__file__).resolve().parents[1]))

from train_tiny import augmented, batches, prepared


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are, and how much is asked for.

    Attributes
    ----------
    out : Path
        Gets ``networks/`` and ``tables/``.
    work : Path
        Gets images, run directories, and the networks that are not shipped.
    images : int
        Images drawn to be taught on.
    limit : int or None
        Images that are dissected on; None for all.
    """

    out: Path
    work: Path
    images: int
    limit: int | None

    def network(self, training: Training, name: str) -> Path:
        """Tell where a network's file is."""
        return (self.out if shipped(training, name) else self.work) / "networks" / f"{name}.onnx"

    def tables(self, name: str) -> Path:
        """Tell where its tables are."""
        return self.out / "tables" / name

    def finished(self, training: Training) -> bool:
        """Tell whether all that a training gives is there, made by the same recipe."""
        digest = training.recipe.digest(self.images, self.limit)
        names = [name for name, _ in training.networks()]
        for name in names:
            if shipped(training, name) and not self.network(training, name).exists():
                return False
            if card_there(self.tables(name) / CARD).get("recipe") != digest:
                return False
        # what is to be asked anew, but is not shipped and gone from the work folder, is trained again
        due = [asked for asked in due_experiments(self.out, self.limit) if asked.network in names]
        return all(asked.there(self.out, self.work) for asked in due)


def labels_of(task: Task, images: LabelledImages) -> torch.Tensor:
    """Give what of the drawings a task is shown; without any, zeros that nobody looks at."""
    if task.labels == "none":
        return torch.zeros(len(images.scene))
    return torch.from_numpy(getattr(images, task.labels))


def begun(training: Training, labels: torch.Tensor, places: Places) -> Network:
    """Give a network before its first iteration."""
    torch.manual_seed(training.seed)
    network = Network(training.recipe)
    network.to(memory_format=torch.channels_last)
    if training.recipe.start:
        start = next(t for t in trainings((training.seed,)) if t.recipe.variant == training.recipe.start)
        path = places.network(start, start.name())
        if not path.exists():
            sys.exit(
                f"{training.name()} begins with {path}, which is not there; train it first: --variant base"
            )
        network.load_state_dict(convolutions_of(path), strict=False)
    if TASKS[training.recipe.task].several:
        # most objects are in few images: the first hundreds of iterations would go into learning just that
        share = labels.float().mean(dim=0).clamp(1e-3, 1 - 1e-3)
        with torch.no_grad():
            network.scores.bias.copy_(torch.log(share / (1 - share)))
    return network


def taught(network: Network, training: Training, images: torch.Tensor, labels: torch.Tensor) -> Iterator[int]:
    """Train a network, and stop after each iteration, 0 included."""
    recipe = training.recipe
    task = TASKS[recipe.task]
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.rate, total_steps=recipe.iterations, pct_start=0.15
    )
    loss_function = loss_of(task)
    yield 0
    source = batches(images, labels, BATCH)
    for iteration, (pixels, held) in zip(range(1, recipe.iterations + 1), source, strict=False):
        shown, targets = examples(task, augmented(pixels), held)
        loss = loss_function(network(prepared(shown)), targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimizer.step()
        schedule.step()
        yield iteration


def write_network(network: Network, training: Training, iteration: int, path: Path) -> None:
    """Write a network's file as it is after an iteration."""
    recipe = training.recipe
    path.parent.mkdir(parents=True, exist_ok=True)
    note = f"{recipe.variant}, seed {training.seed}, after {iteration} of {recipe.iterations} iterations."
    facts = {
        "variant": recipe.variant,
        "seed": str(training.seed),
        "iteration": str(iteration),
        "task": recipe.task,
    }
    export(network, path, note, facts)


def measured(path: Path, task: Task, images: LabelledImages) -> tuple[float, float]:
    """Run a network's file on images that it was not taught on: its score, and that of knowing nothing."""
    torch.manual_seed(0)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    labels = labels_of(task, images)
    logits, held = [], []
    for start in range(0, len(images.images), 100):
        pixels = torch.from_numpy(images.images[start : start + 100]).float()
        shown, targets = examples(task, pixels, labels[start : start + 100])
        x = prepared(shown).contiguous().numpy()
        logits.append(session.run(None, {"image": x})[0])
        held.append(targets.numpy())
    everything = np.concatenate(held)
    return score_of(task, np.concatenate(logits), everything), chance_of(task, everything)


def card_of(
    training: Training,
    iteration: int,
    path: Path,
    scores: tuple[float, float],
    run: Dissection,
    places: Places,
) -> dict[str, Any]:
    """Say what a network is, how well it does its task, and what it was dissected on."""
    task = TASKS[training.recipe.task]
    is_shipped = shipped(training, path.stem)
    return {
        "variant": training.recipe.variant,
        "seed": training.seed,
        "iteration": iteration,
        "samples": iteration * BATCH,
        "task": task.name,
        "measure": task.score,
        "score": round(scores[0], 6),
        "chance": round(scores[1], 6),
        "parameters": sum(p.numel() for p in Network(training.recipe).parameters()),
        "recipe": training.recipe.digest(places.images, places.limit),
        "shipped": is_shipped,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "data": run.manifest["data"]["fingerprint"],
        "images": len(run.images),
        "quantile": run.quantiles[0],
        "iou_threshold": run.iou_threshold,
        "resamples": RESAMPLES,
        "resample_seed": run.resampling().seed,
    }


def learn(training: Training, places: Places) -> str:
    """Train one network, dissect it and its checkpoints, and write what is kept.

    Parameters
    ----------
    training : Training
    places : Places

    Returns
    -------
    str
        What came out, in a line.
    """
    torch.set_num_threads(1)
    task = TASKS[training.recipe.task]
    images, test = drawn(places, 1)
    labels = labels_of(task, images)
    started = time.process_time()
    network = begun(training, labels, places)
    names = {iteration: name for name, iteration in training.networks()}
    for iteration in taught(network, training, torch.from_numpy(images.images), labels):
        if iteration in names:
            write_network(network, training, iteration, places.network(training, names[iteration]))
    trained = time.process_time()
    for name, iteration in training.networks():
        path = places.network(training, name)
        run = dissect_network(path, places.work / "runs" / name, places.limit)
        keep_run(run, places.tables(name))
        scores = measured(path, task, test)
        card = card_of(training, iteration, path, scores, run, places)
        if iteration == training.recipe.iterations:
            card["seconds_training"] = round(trained - started, 1)
            card["seconds_after"] = round(time.process_time() - trained, 1)
        write_card(places.tables(name), card)
    last = run.summary()[-1]
    seconds = f"trained in {trained - started:.0f} s, dissected in {time.process_time() - trained:.0f} s"
    return (
        f"{training.name()}: {task.score} {scores[0]:.4f}, chance {scores[1]:.4f}, "
        f"{last.unique_detectors} unique detectors of {last.units} units, {seconds}"
    )


def drawn(places: Places, workers: int) -> tuple[LabelledImages, LabelledImages]:
    """Give the images to be taught on and those to be measured on, drawn where they are not there."""

    def told(there: int) -> None:
        if there % 2048 == 0:
            print(f"drawn: {there}", flush=True)

    tested = min(TEST_IMAGES, places.images)
    return (
        ensure_images(places.work, TRAIN_SEED, places.images, workers, told),
        ensure_images(places.work, TEST_SEED, tested, workers, told),
    )


def arguments() -> argparse.ArgumentParser:
    """Give the options; by default all is made that the findings are made of."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, action="append", choices=SEEDS, help="only this one; repeatable")
    names = [recipe.variant for recipe in RECIPES]
    parser.add_argument("--variant", action="append", choices=names, help="only this one; repeatable")
    parser.add_argument("--jobs", type=positive, default=1, help="processes of one thread each")
    parser.add_argument("--work", type=Path, default=cache_folder() / "findings", help="for what is not kept")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument(
        "--images", type=positive, default=IMAGES, help="images drawn; fewer only to try it out"
    )
    parser.add_argument("--steps", type=positive, help="iterations of every training, to try it out")
    parser.add_argument("--limit", type=positive, help="images that are dissected on, to try it out")
    return parser


def main() -> None:
    """Draw, train, export, dissect, ask, and write the table of what is there."""
    parser = arguments()
    options = parser.parse_args()
    small = options.images != IMAGES or options.steps is not None or options.limit is not None
    refuse_trial(parser, options.out, small)
    places = Places(options.out.absolute(), options.work.absolute(), options.images, options.limit)
    asked = trainings(options.seed or SEEDS, options.variant or (), options.steps)
    todo = [training for training in asked if not places.finished(training)]
    print(f"{len(asked) - len(todo)} of {len(asked)} trainings are there", flush=True)
    if todo:
        drawn(places, options.jobs)
    for line in lines_of(todo, places, options.jobs):
        print(line, flush=True)
        write_conditions(places.out / "tables", every_name(options.steps))
    write_conditions(places.out / "tables", every_name(options.steps))
    for line in run_experiments(places.out, places.work, places.limit):
        print(line, flush=True)


def every_name(steps: int | None) -> list[str]:
    """Name all networks, in the order of the recipes and seeds."""
    ordered = sorted(
        trainings(steps=steps), key=lambda t: [r.variant for r in RECIPES].index(t.recipe.variant)
    )
    return [name for training in ordered for name, _ in training.networks()]


def lines_of(todo: list[Training], places: Places, jobs: int) -> Iterator[str]:
    """Carry the trainings out, and say what came out of each."""
    if jobs == 1:
        for training in todo:
            yield learn(training, places)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures: dict[str, Future[str]] = {}
        for training in todo:
            start = f"{training.recipe.start}-s{training.seed}"
            if training.recipe.start and start in futures:
                futures[start].result()
            futures[training.name()] = pool.submit(learn, training, places)
        for future in futures.values():
            yield future.result()


if __name__ == "__main__":
    main()
