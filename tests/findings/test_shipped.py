"""The trained networks in `models/findings/` and what is kept of their runs."""

from __future__ import annotations

import csv
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from training.recipes import IMAGES, SEEDS, Training, shipped, trainings

from onnxdissect import dissect
from onnxdissect.tiny import BumpMaps, draw
from onnxdissect.tiny.concepts import NAMES

ROOM = Path(__file__).parents[2] / "models" / "findings"
TABLES, NETWORKS = ROOM / "tables", ROOM / "networks"


def card_of(name: str) -> dict[str, Any] | None:
    path = TABLES / name / "network.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


@cache
def finished() -> dict[str, tuple[Training, int, dict[str, Any]]]:
    """Every network that is there, by its name."""
    found = {}
    for training in trainings():
        for name, iteration in training.networks():
            card = card_of(name)
            if card is not None:
                found[name] = training, iteration, card
    return found


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_trainings_are_there_as_a_whole() -> None:
    assert set(finished()) == {name for training in trainings() for name, _ in training.networks()}
    assert {training.seed for training in trainings()} == set(SEEDS)


def test_the_files_are_those_of_the_table_and_small() -> None:
    kept = {name for name, (training, _, _) in finished().items() if shipped(training, name)}
    assert {path.name for path in NETWORKS.iterdir()} == {f"{name}.onnx" for name in kept}
    assert {path.name for path in TABLES.iterdir() if path.is_dir()} == set(finished())
    assert all(path.stat().st_size < 1e6 for path in NETWORKS.iterdir())
    every = [path for path in (*NETWORKS.rglob("*"), *TABLES.rglob("*")) if path.is_file()]
    assert sum(path.stat().st_size for path in every) < 15e6


def test_they_were_made_by_the_recipes_as_they_are_now() -> None:
    for name, (training, iteration, card) in finished().items():
        assert card["recipe"] == training.recipe.digest(IMAGES, None), name
        told = card["variant"], card["seed"], card["iteration"], card["task"]
        assert told == (training.recipe.variant, training.seed, iteration, training.recipe.task)
    assert len({card["data"] for _, _, card in finished().values()}) == 1


def test_the_cards_are_those_of_the_files() -> None:
    for name, (training, iteration, card) in finished().items():
        if not shipped(training, name):
            continue
        path = NETWORKS / f"{name}.onnx"
        assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest(), name
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        metadata = session.get_modelmeta().custom_metadata_map
        told = [metadata[key] for key in ("variant", "seed", "iteration", "task")]
        assert told == [training.recipe.variant, str(training.seed), str(iteration), training.recipe.task]
        (scores,) = session.run(None, {"image": np.zeros((2, 3, 112, 112), np.float32)})
        assert np.asarray(scores).shape == (2, len(json.loads(metadata["classes"])))


def test_the_table_of_conditions_says_what_the_cards_say() -> None:
    told = rows(TABLES / "conditions.csv")
    assert {row["network"] for row in told} == set(finished())
    assert len(told) == len(finished())
    for row in told:
        card = finished()[row["network"]][2]
        for column in ("variant", "seed", "iteration", "task", "measure", "parameters"):
            assert row[column] == str(card[column])
        assert (float(row["score"]), float(row["chance"])) == (card["score"], card["chance"])
        assert row["shipped"] == str(card["shipped"]).lower()


def test_trained_networks_do_their_task() -> None:
    for name, (training, iteration, card) in finished().items():
        if iteration == 0:
            assert card["score"] < 0.25, name
        elif iteration == training.recipe.iterations:
            assert card["score"] > 2 * card["chance"], name
    for seed in SEEDS:
        if f"base-s{seed}" in finished():
            assert finished()[f"base-s{seed}"][2]["score"] > 0.85


@pytest.mark.parametrize("name", ["base-s0", "base-s0-i0"])
def test_the_score_holds_for_scenes_never_drawn_before(name: str) -> None:
    bump_maps = BumpMaps()
    drawings = [drawing for i in range(224) if (drawing := draw(20_260_102, i, bump_maps)).scene is not None]
    session = onnxruntime.InferenceSession(NETWORKS / f"{name}.onnx", providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"]) == list(NAMES["scene"])
    norm = json.loads(metadata["onnxdissect.preprocessing"])
    pixels = np.stack([drawing.image for drawing in drawings]).astype(np.float64)
    x = ((pixels * norm["scale"] - norm["mean"]) / norm["std"]).astype(np.float32).transpose(0, 3, 1, 2)
    (scores,) = session.run(None, {"image": np.ascontiguousarray(x)})
    right = np.mean(np.asarray(scores).argmax(axis=1) == [drawing.scene for drawing in drawings])
    told = finished()[name][2]["score"]
    # both are counted on some images: four standard errors of their difference
    spread = np.sqrt(told * (1 - told) * (1 / len(drawings) + 1 / 1200))
    assert abs(right - told) < 4 * spread


def test_the_tables_agree_with_one_another() -> None:
    concepts = rows(TABLES / "concepts.csv")
    category_of = {row["name"]: row["category"] for row in concepts}
    for name in finished():
        units, layers = rows(TABLES / name / "units.csv"), rows(TABLES / name / "layers.csv")
        with np.load(TABLES / name / "resampled.npz") as archive:
            counts, last_iou = archive["counts"], archive["last_iou"]
            assert archive["layers"].tolist() == [layer["layer"] for layer in layers]
            named = archive["rows"].tolist()
        assert counts.shape == (len(layers), len(named), 1000)
        for layer, resampled in zip(layers, counts, strict=True):
            of_layer = [unit for unit in units if unit["layer"] == layer["layer"]]
            found = [unit for unit in of_layer if unit["detector"] == "true"]
            assert len(of_layer) == int(layer["units"])
            assert len(found) == int(layer["detectors"])
            assert len({unit["label"] for unit in found}) == int(layer["unique_detectors"])
            assert all(category_of[unit["label"]] == unit["category"] for unit in found)
            by_row = dict(zip(named, resampled, strict=True))
            detectors, unique = by_row.pop("detectors"), by_row.pop("unique")
            assert (sum(by_row.values()) == unique).all()
            assert (unique <= detectors).all()
            assert (detectors <= len(of_layer)).all()
        last = [unit for unit in units if unit["layer"] == layers[-1]["layer"]]
        assert last_iou.shape == (len(last), len(concepts))
        best = [float(unit["iou"]) for unit in last]
        np.testing.assert_allclose(last_iou.max(axis=1), best, rtol=1e-3, atol=1e-6)


def test_a_run_of_a_shipped_network_gives_its_tables(tmp_path: Path) -> None:
    run = dissect(
        NETWORKS / "base-s0.onnx", "tiny", "relu5", provider="cpu", bootstrap=0, null=0, top=1, out=tmp_path
    )
    kept = [row for row in rows(TABLES / "base-s0" / "units.csv") if row["layer"] == "relu5"]
    again = run.units("relu5")
    assert len(again) == len(kept)
    # other processors round activations otherwise, and near ties fall the other way
    same = [unit.label == row["label"] for unit, row in zip(again, kept, strict=True)]
    assert np.mean(same) > 0.97
    close = [abs(unit.iou - float(row["iou"])) < 1e-3 for unit, row in zip(again, kept, strict=True)]
    assert np.mean(close) > 0.97


def test_training_has_made_detectors() -> None:
    def unique(name: str) -> int:
        return int(rows(TABLES / name / "layers.csv")[-1]["unique_detectors"])

    for seed in SEEDS:
        if f"base-s{seed}" in finished():
            assert unique(f"base-s{seed}") > 2 * unique(f"base-s{seed}-i0")
