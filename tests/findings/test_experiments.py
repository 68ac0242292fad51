"""What `base` is asked beyond one dissection, on a few images of `tiny`, and when it is asked."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import experiments
import numpy as np
import onnx
import onnxruntime
import pytest
from experiments import EXPERIMENTS, asked_networks, due_experiments, read_experiment, run_experiments
from measurements.predictions import FIRED, HELD, NAMED
from measurements.sweeps import ALPHAS, QUANTILES, ROTATIONS
from measurements.tables import RESAMPLES, SCHEMA
from numpy.typing import NDArray

from onnxdissect import dissect, load, load_rotation
from onnxdissect.data import open_data
from onnxdissect.results import threshold_sweep
from onnxdissect.storage.archive_reader import read_archive

ROOM = Path(__file__).parents[2] / "models" / "findings"
LIMIT = 40
NETWORK = ROOM / "networks" / "base-s0.onnx"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder with what is shipped of seed 0, all of it asked; what was said."""
    folder = tmp_path_factory.mktemp("asked")
    for name in ("base-s0", "base-s0-i0"):
        (folder / "networks").mkdir(exist_ok=True)
        shutil.copy(ROOM / "networks" / f"{name}.onnx", folder / "networks")
        (folder / "tables" / name).mkdir(parents=True)
        shutil.copy(ROOM / "tables" / name / "network.json", folder / "tables" / name)
    return folder, list(run_experiments(folder, folder / "work", LIMIT))


def answer(folder: Path, name: str, network: str = "base-s0") -> Mapping[str, NDArray[Any]]:
    return read_experiment(folder / "tables", network, name)


def test_everything_that_is_there_is_asked_once(asked: tuple[Path, list[str]]) -> None:
    folder, lines = asked
    assert lines == [
        "0 of 4 experiments are there",
        "thresholds of base-s0: asked",
        "rotations of base-s0: asked",
        "rotations of base-s0-i0: asked",
        "predictions of base-s0: asked",
    ]
    assert list(run_experiments(folder, folder / "work", LIMIT)) == ["4 of 4 experiments are there"]


def test_counts_of_thresholds_are_those_of_the_sweep(asked: tuple[Path, list[str]]) -> None:
    found = answer(asked[0], "thresholds")
    (sweep,) = threshold_sweep(load(asked[0] / "work" / "runs" / "base-s0-thresholds")).layers
    assert found["quantiles"].tolist() == list(QUANTILES) == list(sweep.quantiles)
    assert found["unique"].shape == (len(QUANTILES), 1 + RESAMPLES)
    for place, counts in enumerate(sweep.counts):
        told = [int(found[name][place, 0]) for name in ("detectors", "unique", "generic")]
        assert told == [counts.detectors, counts.unique_detectors, counts.generic_detectors]
    # so that the equalities say something
    assert found["generic"][:, 0].any()
    assert (found["generic"] <= found["detectors"]).all()
    assert (found["unique"] <= found["detectors"]).all()
    assert np.ptp(found["detectors"][0]) > 0


@pytest.mark.parametrize("network", ["base-s0", "base-s0-i0"])
def test_rotations_are_the_points_of_the_result(asked: tuple[Path, list[str]], network: str) -> None:
    found = answer(asked[0], "rotations", network)
    result = load_rotation(asked[0] / "work" / "runs" / f"{network}-rotations")
    assert len(found["kinds"]) == len(result.points) == 1 + (len(ALPHAS) - 1) * ROTATIONS + 1 + ROTATIONS
    of_entry = zip(found["kinds"], found["alphas"], found["unique"], strict=True)
    told = sorted(
        (str(kind), float(np.nan_to_num(alpha, nan=-1)), int(row[0])) for kind, alpha, row in of_entry
    )
    points = [(p.kind, -1.0 if p.alpha is None else p.alpha, p.unique_detectors) for p in result.points]
    assert told == sorted(points)
    (curve,) = result.curves
    assert found["differences"].tolist() == [len(curve.permutation_differences)]
    (verified,) = result.verification
    assert found["turned_back"].tolist() == [max(output.error for output in verified.outputs)]
    assert 0 < found["turned_back"][0] < found["rounding"][0] == verified.tolerance


def activations(images: list[NDArray[np.uint8]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Run the network's file up to its last convolution: maps, and the scores of the whole."""
    model = onnx.load(NETWORK)
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info("relu5"))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    norm = json.loads(session.get_modelmeta().custom_metadata_map["onnxdissect.preprocessing"])
    pixels = np.stack(images).astype(np.float64)
    x = ((pixels * norm["scale"] - norm["mean"]) / norm["std"]).astype(np.float32).transpose(0, 3, 1, 2)
    scores, maps = session.run(["scores", "relu5"], {"image": np.ascontiguousarray(x)})
    return np.asarray(maps), np.asarray(scores)


def test_predictions_are_explained_as_counted_naively(asked: tuple[Path, list[str]], tmp_path: Path) -> None:
    found = answer(asked[0], "predictions")
    run = dissect(
        NETWORK,
        "tiny",
        "relu5",
        provider="cpu",
        bootstrap=0,
        null=0,
        top=1,
        limit=LIMIT,
        keep_masks=True,
        out=tmp_path,
    )
    data = open_data("tiny")
    concepts = data.vocabulary.concepts
    maps, scores = activations([data.read_image(image) for image in range(LIMIT)])
    stored = {w.name: onnx.numpy_helper.to_array(w) for w in onnx.load(NETWORK).graph.initializer}
    weight, bias = (stored[f"scores.{kind}.half"].astype(np.float32) for kind in ("weight", "bias"))
    strongest = maps.max(axis=(2, 3))
    np.testing.assert_allclose(strongest @ weight.T + bias, scores, rtol=1e-3, atol=1e-3)
    classes = json.loads({entry.key: entry.value for entry in onnx.load(NETWORK).metadata_props}["classes"])

    detectors = [unit for unit in run.units("relu5") if unit.detector]
    assert found["units"].tolist() == [unit.unit for unit in detectors]
    kept = run.masks("relu5")
    count = {FIRED: 0, HELD: 0, NAMED: 0}
    for image in range(LIMIT):
        masks = dict(kept.of_image(image))
        annotation = data.read_annotation(image)
        names = {concepts[number].name for number in annotation.image_labels}
        best = int(scores[image].argmax())
        here = [name for name in names if name in classes]
        assert found["shown"][image] == bool(here)
        if here:
            assert found["right"][image] == (here == [classes[best]])
        summands = {
            unit.unit: float(weight[best, unit.unit] * strongest[image, unit.unit])
            for unit in detectors
            if unit.unit in masks
        }
        speaking = sorted((-summand, unit) for unit, summand in summands.items() if summand > 0)
        named = {unit for _, unit in speaking[:6]}
        for place, unit in enumerate(detectors):
            fired = unit.unit in masks
            held = False
            if fired:
                label = next(c for c in concepts if c.name == unit.label)
                on_plane = (annotation.planes == label.index + 1).any(axis=0)
                held = unit.label in names or bool((masks[unit.unit] & on_plane).any())
            expected = FIRED * fired + HELD * held + NAMED * (unit.unit in named)
            assert found["masks"][image, place] == expected, (image, unit.unit)
            for bit in count:
                count[bit] += expected & bit > 0
    assert count[FIRED] > count[HELD] > 0
    assert count[FIRED] > count[NAMED] > 0


def due(folder: Path, limit: int | None = LIMIT) -> set[tuple[str, str]]:
    return {(one.experiment, one.network) for one in due_experiments(folder, limit)}


@pytest.fixture
def copied(asked: tuple[Path, list[str]], tmp_path: Path) -> Path:
    """The folder again, to be changed; without runs."""
    return Path(shutil.copytree(asked[0], tmp_path / "copied", ignore=shutil.ignore_patterns("work")))


def test_networks_without_tables_are_not_asked(copied: Path) -> None:
    assert due(copied) == set()
    assert {one.training.seed for one in asked_networks()} == {0, 1, 2}
    shutil.rmtree(copied / "tables" / "base-s0-i0")
    assert due(copied) == set()


def test_another_file_is_asked_again(copied: Path) -> None:
    card = copied / "tables" / "base-s0-i0" / "network.json"
    told = json.loads(card.read_text(encoding="utf-8"))
    card.write_text(json.dumps({**told, "sha256": "another"}), encoding="utf-8")
    assert due(copied) == {("rotations", "base-s0-i0")}


def test_missing_and_damaged_answers_are_asked_again(copied: Path) -> None:
    (copied / "tables" / "base-s0" / "thresholds.npz").unlink()
    (copied / "tables" / "base-s0" / "predictions.npz").write_bytes(b"PK damaged")
    assert due(copied) == {("thresholds", "base-s0"), ("predictions", "base-s0")}


def test_a_network_whose_card_is_damaged_is_named_with_what_makes_it(copied: Path) -> None:
    (copied / "tables" / "base-s0" / "network.json").write_text('{"sha', encoding="utf-8")
    said, *lines = run_experiments(copied, copied / "work", LIMIT)
    assert said == "1 of 4 experiments are there"
    assert len(lines) == 3
    assert all(
        line.endswith("train it again: python models/findings/train.py --variant base --seed 0")
        for line in lines
    )


def test_other_images_are_asked_again(copied: Path) -> None:
    everything = {
        ("thresholds", "base-s0"),
        ("rotations", "base-s0"),
        ("rotations", "base-s0-i0"),
        ("predictions", "base-s0"),
    }
    assert due(copied, LIMIT + 1) == due(copied, None) == everything


def test_other_settings_are_asked_again(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(EXPERIMENTS["thresholds"], settings={"quantiles": (*QUANTILES, 0.32)})
    monkeypatch.setattr(experiments, "EXPERIMENTS", {**EXPERIMENTS, "thresholds": other})
    assert due(copied) == {("thresholds", "base-s0")}


def test_a_network_that_is_gone_is_named_with_what_makes_it(copied: Path) -> None:
    (copied / "tables" / "base-s0" / "thresholds.npz").unlink()
    (copied / "networks" / "base-s0.onnx").unlink()
    said, line = run_experiments(copied, copied / "work", LIMIT)
    assert said == "3 of 4 experiments are there"
    assert line.startswith(f"thresholds of base-s0: {copied / 'networks' / 'base-s0.onnx'} is not as")
    assert line.endswith("train it again: python models/findings/train.py --variant base --seed 0")
    # a file that was put in its place is not taken for it
    shutil.copy(copied / "networks" / "base-s0-i0.onnx", copied / "networks" / "base-s0.onnx")
    assert list(run_experiments(copied, copied / "work", LIMIT)) == [said, line]


def test_answers_that_are_shipped_are_of_the_files_as_they_are() -> None:
    there = {(one.experiment, one.network) for one in asked_networks() if one.card(ROOM).exists()}
    assert ("rotations", "base-s0-i0") in there
    assert due(ROOM, None) == set()
    for experiment, network in there:
        assert read_experiment(ROOM / "tables", network, experiment)


def test_answers_that_are_shipped_agree_with_the_tables_beside_them() -> None:
    names = [
        one.network for one in asked_networks() if one.experiment == "rotations" and one.card(ROOM).exists()
    ]
    assert {"base-s0", "base-s0-i0"} <= set(names)
    for name in names:
        kept = read_archive(ROOM / "tables" / name / "resampled.npz", SCHEMA)
        counts = dict(zip(kept["rows"].tolist(), kept["counts"][-1], strict=True))
        with (ROOM / "tables" / name / "layers.csv").open(encoding="utf-8", newline="") as file:
            last = list(csv.DictReader(file))[-1]
        found = read_experiment(ROOM / "tables", name, "rotations")
        (own,) = found["unique"][found["kinds"] == "own"]
        assert own[0] == int(last["unique_detectors"])
        assert (own[1:] == counts["unique"]).all()
        if "-i" not in name:
            swept = read_experiment(ROOM / "tables", name, "thresholds")
            assert (swept["detectors"][0, 1:] == counts["detectors"]).all()
            assert (swept["unique"][0, 1:] == counts["unique"]).all()
            assert swept["detectors"][0, 0] == int(last["detectors"])
            with (ROOM / "tables" / name / "units.csv").open(encoding="utf-8", newline="") as file:
                units = [row for row in csv.DictReader(file) if row["layer"] == last["layer"]]
            explained = read_experiment(ROOM / "tables", name, "predictions")["units"]
            assert explained.tolist() == [int(u["unit"]) for u in units if u["detector"] == "true"]
