"""The script that trains, in small; needs torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from sklearn.metrics import average_precision_score

torch = pytest.importorskip("torch", exc_type=ImportError)

from experiments import due_experiments, read_experiment, run_experiments  # noqa: E402
from training.tasks import PERMUTATIONS, TASKS, chance_of, examples, score_of  # noqa: E402

SCRIPT = Path(__file__).parents[2] / "models" / "findings" / "train.py"


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    small = ["--images", "64", "--steps", "2", "--limit", "24", "--seed", "0"]
    places = ["--work", str(folder / "work"), "--out", str(folder / "out")]
    return subprocess.run(
        [sys.executable, str(SCRIPT), *small, *places, *words],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("findings")
    done = call(folder, "--variant", "base", "--variant", "fine-tuned", "--variant", "batch-norm")
    assert done.returncode == 0, done.stderr
    assert "0 of 3 trainings are there" in done.stdout
    assert "0 of 4 experiments are there" in done.stdout
    assert done.stdout.count(": asked") == 4
    return folder


def test_training_ends_in_networks_and_tables(trained: Path) -> None:
    out = trained / "out"
    names = {"base-s0-i0", "base-s0", "fine-tuned-s0", "batch-norm-s0"}
    assert {path.stem for path in (out / "networks").iterdir()} == names
    assert {path.name for path in (out / "tables").iterdir() if path.is_dir()} == names
    card = json.loads((out / "tables" / "base-s0" / "network.json").read_text(encoding="utf-8"))
    assert (card["iteration"], card["samples"], card["images"]) == (2, 32, 24)
    assert not list(trained.rglob("*.partial"))


def test_weights_are_float16_and_move(trained: Path) -> None:
    before, after, tuned = (
        {
            weight.name: onnx.numpy_helper.to_array(weight)
            for weight in onnx.load(trained / "out" / "networks" / f"{name}.onnx").graph.initializer
        }
        for name in ("base-s0-i0", "base-s0", "fine-tuned-s0")
    )
    assert all(weight.dtype == np.float16 for weight in after.values())
    assert (before["conv1.weight.half"] != after["conv1.weight.half"]).any()
    # two iterations away from where it began, and not from weights drawn anew
    moved = [
        np.abs(other["conv1.weight.half"].astype(np.float32) - after["conv1.weight.half"]).mean()
        for other in (tuned, before)
    ]
    assert moved[0] < 0.01
    assert tuned["scores.weight.half"].shape != after["scores.weight.half"].shape


def test_what_is_there_is_not_made_again(trained: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (trained / "out" / "networks").iterdir()}
    done = call(trained, "--variant", "base", "--variant", "fine-tuned", "--variant", "batch-norm")
    assert done.returncode == 0, done.stderr
    assert "3 of 3 trainings are there" in done.stdout
    assert "4 of 4 experiments are there" in done.stdout
    assert before == {path: path.stat().st_mtime_ns for path in (trained / "out" / "networks").iterdir()}


def test_what_is_missing_or_of_another_recipe_is_made_again(trained: Path) -> None:
    networks, tables = trained / "out" / "networks", trained / "out" / "tables"
    before = contents(networks)
    (networks / "batch-norm-s0.onnx").unlink()
    card = tables / "base-s0" / "network.json"
    told = json.loads(card.read_text(encoding="utf-8"))
    card.write_text(json.dumps({**told, "recipe": "another"}), encoding="utf-8")
    done = call(trained, "--variant", "base", "--variant", "fine-tuned", "--variant", "batch-norm")
    assert done.returncode == 0, done.stderr
    assert "1 of 3 trainings are there" in done.stdout
    assert contents(networks) == before
    assert json.loads(card.read_text(encoding="utf-8"))["recipe"] == told["recipe"]


def test_training_ends_in_experiments(trained: Path) -> None:
    tables = trained / "out" / "tables"
    found = {f"{path.parent.name}/{path.stem}" for path in tables.glob("*/*.npz") if path.stem != "resampled"}
    assert found == {
        "base-s0/thresholds",
        "base-s0/rotations",
        "base-s0/predictions",
        "base-s0-i0/rotations",
    }
    assert len(read_experiment(tables, "base-s0", "predictions")["shown"]) == 24
    # as often as all networks were counted
    with np.load(tables / "base-s0" / "resampled.npz") as archive:
        kept = archive["counts"][-1]
    assert (read_experiment(tables, "base-s0", "thresholds")["detectors"][0, 1:] == kept[0]).all()


def test_what_is_to_be_asked_but_is_gone_is_trained_again(trained: Path, tmp_path: Path) -> None:
    for name in ("out", "work"):
        shutil.copytree(trained / name, tmp_path / name, symlinks=True)
    places = (tmp_path / "out", tmp_path / "work")
    # the file is another one, and what it was asked is not there
    shutil.copy(
        trained / "out" / "networks" / "base-s0.onnx", tmp_path / "out" / "networks" / "base-s0-i0.onnx"
    )
    (tmp_path / "out" / "tables" / "base-s0-i0" / "rotations.npz").unlink()
    (_, line) = run_experiments(*places, 24)
    assert line.endswith("train it again: python models/findings/train.py --variant base --seed 0")
    done = call(tmp_path, "--variant", "base")
    assert done.returncode == 0, done.stderr
    assert "0 of 1 trainings are there" in done.stdout
    assert "rotations of base-s0-i0: asked" in done.stdout
    assert list(due_experiments(places[0], 24)) == []


def test_fine_tuning_needs_what_it_begins_with(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "work").symlink_to(trained / "work")
    done = call(tmp_path, "--variant", "fine-tuned")
    assert done.returncode != 0
    assert "--variant base" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_processes_train_the_same(trained: Path, tmp_path: Path) -> None:
    done = call(tmp_path, "--jobs", "2", "--variant", "base", "--variant", "fine-tuned")
    assert done.returncode == 0, done.stderr
    made = contents(tmp_path / "out" / "networks")
    kept = contents(trained / "out" / "networks")
    assert made == {name: content for name, content in kept.items() if name in made}
    assert len(made) == 3


def test_turned_images_are_told_by_their_turns() -> None:
    torch.manual_seed(3)
    images = torch.rand(16, 3, 8, 8)
    shown, turns = examples(TASKS["rotation"], images, torch.zeros(16))
    assert set(turns.tolist()) == {0, 1, 2, 3}
    for image, turned, turn in zip(images.numpy(), shown.numpy(), turns.tolist(), strict=True):
        np.testing.assert_array_equal(np.rot90(image, turn, (1, 2)), turned)


def test_tiles_lie_in_the_order_that_is_told() -> None:
    torch.manual_seed(4)
    # every quarter has one value, so that it does not matter where a tile is cut
    quarters = np.arange(4, dtype=np.float32).reshape(1, 2, 2).repeat(56, axis=1).repeat(56, axis=2)
    images = torch.from_numpy(np.stack([quarters.repeat(3, axis=0)] * 40))
    shown, orders = examples(TASKS["jigsaw"], images, torch.zeros(40))
    assert len(set(orders.tolist())) > 12
    for image, order in zip(shown.numpy(), orders.tolist(), strict=True):
        tiles = [image[:, y : y + 56, x : x + 56] for y in (0, 56) for x in (0, 56)]
        for tile, quarter in zip(tiles, PERMUTATIONS[order], strict=True):
            np.testing.assert_allclose(tile, quarter, atol=1e-5)


def test_mean_average_precision_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(60, 62)).astype(np.float32)
    held = (rng.random((60, 62)) < 0.2).astype(np.float32)
    held[:, 7] = 0
    task = TASKS["parts"]
    expected = np.mean(
        [average_precision_score(held[:, c], logits[:, c]) for c in range(62) if held[:, c].any()]
    )
    assert score_of(task, logits, held) == pytest.approx(expected, abs=1e-6)
    assert chance_of(task, held) == pytest.approx(held.sum() / 60 / 61)


def test_accuracy_is_the_share_told_right() -> None:
    logits = np.eye(12, dtype=np.float32)
    told = np.array([*range(9), 0, 0, 0])
    assert score_of(TASKS["scene"], logits, told) == 0.75
    assert chance_of(TASKS["scene"], told) == pytest.approx(1 / 12)
