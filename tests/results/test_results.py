"""Run directories: what is written reads back exactly, and what is unfinished or damaged never reads."""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import scoring as naive
from support.fake_counts import CATEGORIES, FakeRun, fake_run, save_fake_run

import onnxdissect
from onnxdissect.errors import (
    InstallationError,
    LayerNotFoundError,
    OutputError,
    ParameterError,
    RunError,
    RunFormatError,
    RunIncompleteError,
    RunNotFoundError,
)
from onnxdissect.results import (
    Dissection,
    LayerCounts,
    Unit,
    load,
    rescore,
    save_layer,
    write_manifest,
    write_rescored,
)

LAYER = "-stage1-Relu_output_0"
Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; tests that change it make a copy."""
    folder = tmp_path_factory.mktemp("runs") / "fake"
    save_fake_run(folder, quantiles=(0.005, 0.01))
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def assert_same_counts(found: LayerCounts, expected: LayerCounts) -> None:
    for field in fields(LayerCounts):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(expected, field.name), strict=True)


# Reading back


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    units=st.lists(st.integers(1, 5), min_size=1, max_size=2),
    images=st.integers(1, 6),
    top=st.integers(0, 8),
    quantiles=st.lists(st.sampled_from([0.001, 0.005, 0.1, 1 / 3]), min_size=1, max_size=2, unique=True),
)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, seed: int, **options: Any) -> None:
    run = fake_run(seed=seed, **options)
    folder = tmp_path_factory.mktemp("run")
    saved, loaded = run.save(folder), load(folder)
    assert loaded.path == folder
    assert loaded.categories == run.categories
    assert loaded.concepts == run.concepts
    assert loaded.images == run.images
    assert loaded.quantiles == run.quantiles
    assert loaded.layers == run.layers
    assert (loaded.iou_threshold, loaded.scoring) == (0.04, "paper")
    assert loaded.manifest == saved.manifest
    assert loaded.units() == saved.units()
    assert loaded.summary() == saved.summary()
    for layer, counts in zip(run.layers, run.counts, strict=True):
        assert_same_counts(loaded.counts(layer.name), counts)
    # The tables say what the counts say.
    again = loaded.rescore()
    assert again.units() == loaded.units()
    assert again.summary() == loaded.summary()


def test_tally_holds_what_the_format_says(finished: Path) -> None:
    Q, K, C, G, N = 2, 8, 17, 6, 5
    with np.load(finished / "layers" / LAYER / "tally.npz", allow_pickle=False) as tally:
        assert {name: (str(tally[name].dtype), tally[name].shape) for name in tally.files} == {
            "thresholds": ("float32", (Q, K)),
            "intersection": ("int64", (Q, K, C)),
            "activation": ("int64", (Q, K, G)),
            "activation_overlap": ("int64", (Q, K, G)),
            "activation_total": ("int64", (Q, K)),
            "truth": ("int64", (C,)),
            "iou": ("float64", (Q, K, C)),
            "concept_number": ("int64", (C,)),
            "quantiles": ("float64", (Q,)),
            "top_images": ("int64", (K, N)),
            "top_values": ("float32", (K, N)),
        }
        run = load(finished)
        np.testing.assert_array_equal(tally["iou"], run.iou("relu1"), strict=True)
        assert tally["concept_number"].tolist() == [concept.number for concept in run.concepts]


def test_tables_have_the_columns_of_the_format(finished: Path) -> None:
    header = (finished / "units.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == (
        "layer,quantile,unit,label,category,iou,iou_low,iou_high,stability,p_value,q_value,detector,"
        "reliable,threshold,"
        "object_label,object_iou,part_label,part_iou,scene_label,scene_iou,"
        "material_label,material_iou,texture_label,texture_iou,color_label,color_iou"
    )
    header = (finished / "layers.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == (
        "layer,quantile,units,detectors,unique_detectors,unique_any,detectors_fdr,unique_low,unique_high,"
        "reliable_detectors,unique_reliable,rare_labels,plateau_units,constant_units,"
        "unique_object,unique_part,unique_scene,unique_material,unique_texture,unique_color"
    )
    header = (finished / "concepts.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == "number,name,category,truth,images"
    header = (finished / "images.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == "index,image,split,sh,sw"


def test_the_same_counts_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_fake_run(tmp_path / name, seed=3, quantiles=(0.005, 0.01))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_dead_unit_has_no_label(finished: Path) -> None:
    run = load(finished)
    dead = run.units("relu1", 0.005)[-1]
    assert (dead.label, dead.category, dead.iou, dead.detector) == ("", "", 0.0, False)
    assert dead.best == dict.fromkeys(CATEGORIES, ("", 0.0))
    assert not any(unit.detector for unit in run.rescore(iou_threshold=0.0).units() if not unit.label)


def test_bootstrap_columns_read_back(copy: Path) -> None:
    lines = (copy / "units.csv").read_text(encoding="utf-8").splitlines()
    cells = lines[1].split(",")
    cells[6:9] = ["0.01", "0.07", "0.9"]
    (copy / "units.csv").write_text("\n".join([lines[0], ",".join(cells), *lines[2:], ""]), encoding="utf-8")
    run = load(copy)
    assert intervals(run.units()[0]) == (0.01, 0.07, 0.9)
    assert intervals(run.units()[1]) == (None, None, None)
    # The counts by image they would be made from anew are not there.
    assert intervals(run.rescore(iou_threshold=0.1).units()[0]) == (None, None, None)


def intervals(unit: Unit) -> tuple[float | None, float | None, float | None]:
    return unit.iou_low, unit.iou_high, unit.stability


# Asking


def test_layers_go_by_name_alias_and_folder(finished: Path) -> None:
    run = load(finished)
    for name in ("/stage1/Relu_output_0", "relu1", LAYER):
        assert run.layer(name) is run.layers[0]
        assert len(run.units(name)) == 2 * 8
    with pytest.raises(LayerNotFoundError) as caught:
        run.counts("relu3")
    assert "relu1" in caught.value.candidates


def test_quantiles_are_those_of_the_run(finished: Path) -> None:
    run = load(finished)
    assert {unit.quantile for unit in run.units(quantile=0.01)} == {0.01}
    assert len(run.units("relu2", 0.01)) == 12
    with pytest.raises(ParameterError) as caught:
        run.units(quantile=0.02)
    assert caught.value.candidates == ("0.005", "0.01")


def test_masks_are_unpacked_on_their_own_grid(finished: Path) -> None:
    run = load(finished)
    counts = run.counts("relu2")
    for unit in range(12):
        for rank in range(5):
            sh, sw = run.images[counts.top_images[unit, rank]].grid
            packed = counts.top_masks[1, unit, rank]
            mask = run.top_mask("relu2", unit, rank, 0.01)
            assert mask.shape == (sh, sw) and mask.dtype == np.bool_
            for r in range(sh):
                for c in range(sw):
                    bit = r * sw + c
                    assert mask[r, c] == bool(packed[bit // 8] & (128 >> bit % 8))
    np.testing.assert_array_equal(run.top_mask("relu2", 1, 0), run.top_mask("relu2", 1, 0, 0.005))
    for unit, rank in [(-1, 0), (12, 0), (0, 5), (0, -1)]:
        with pytest.raises(ParameterError, match="there is no"):
            run.top_mask("relu2", unit, rank)


def test_to_pandas(finished: Path) -> None:
    pandas = pytest.importorskip("pandas")
    run = load(finished)
    table = run.to_pandas()
    assert list(table.columns) == (finished / "units.csv").read_text(encoding="utf-8").splitlines()[0].split(
        ","
    )
    assert table["detector"].sum() == sum(unit.detector for unit in run.units())
    assert pandas.isna(table["iou_low"]).all()


def test_pandas_missing_says_how_to_get_it(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InstallationError, match="pandas") as caught:
        load(finished).to_pandas()
    assert caught.value.hint == "pip install pandas"


def test_the_package_exports_it(finished: Path) -> None:
    run = onnxdissect.load(str(finished))
    assert isinstance(run, onnxdissect.Dissection)
    assert repr(run).startswith("<Dissection") and "2 layers, 40 units" in repr(run)


# Scoring


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    scoring=st.sampled_from(["paper", "lite", "pnas"]),
    threshold=st.sampled_from([0.0, 0.04, 0.1, 0.3, 0.9]),
)
def test_rescoring_is_the_definition(
    tmp_path_factory: pytest.TempPathFactory, seed: int, scoring: str, threshold: float
) -> None:
    run = fake_run(seed=seed, units=(6,), images=5, quantiles=(0.005, 0.02))
    folder = tmp_path_factory.mktemp("run")
    run.save(folder)
    before = {name: content for name, content in contents(folder).items() if name.endswith(".npz")}
    write_rescored(load(folder).rescore(scoring, threshold))
    assert before == {name: content for name, content in contents(folder).items() if name.endswith(".npz")}
    rescored = load(folder)
    assert (rescored.scoring, rescored.iou_threshold) == (scoring, threshold)
    expect(rescored, run, scoring, threshold)


def expect(found: Dissection, run: FakeRun, scoring: str, threshold: float) -> None:
    of = [CATEGORIES.index(concept.category) for concept in run.concepts]
    counts = run.counts[0]
    activation = {
        "paper": counts.activation,
        "lite": counts.activation_overlap,
        "pnas": counts.activation_total,
    }[scoring]
    for q, quantile in enumerate(run.quantiles):
        iou = naive.all_iou(
            counts.intersection[q], activation[q], counts.truth, None if scoring == "pnas" else of
        )
        np.testing.assert_array_equal(found.iou("relu1")[q], iou, strict=True)
        expected = naive.verdict(iou, of, len(CATEGORIES), threshold)
        units = found.units("relu1", quantile)
        names = [("", "") if c is None else concept_names(run, c) for c in expected["labels"]]
        assert [(unit.label, unit.category) for unit in units] == names
        assert [unit.iou for unit in units] == expected["best"]
        assert [unit.detector for unit in units] == expected["detectors"]
        assert [unit.threshold for unit in units] == counts.thresholds[q].tolist()
        for unit, winners in zip(units, expected["in_category"], strict=True):
            assert list(unit.best.values()) == [
                ("" if c is None else run.concepts[c].name, value) for c, value in winners
            ]
        summary = found.summary()[q]
        assert (summary.layer, summary.quantile, summary.units) == (run.layers[0].name, quantile, 6)
        assert summary.detectors == sum(expected["detectors"])
        assert summary.unique_detectors == expected["unique"] == sum(summary.unique.values())
        assert summary.unique_any == expected["unique_any"]
        assert list(summary.unique.values()) == expected["unique_by_category"]


def concept_names(run: FakeRun, index: int) -> tuple[str, str]:
    return run.concepts[index].name, run.concepts[index].category


def test_rescoring_writes_nothing_until_told(copy: Path) -> None:
    before = contents(copy)
    run = load(copy)
    other = run.rescore("lite", 0.1)
    assert (other.scoring, other.manifest["parameters"]["iou_threshold"]) == ("lite", 0.1)
    assert (run.scoring, run.manifest["parameters"]["iou_threshold"]) == ("paper", 0.04)
    assert contents(copy) == before
    rescore(copy, scoring="lite", iou_threshold=0.1)
    assert contents(copy) != before
    rescore(copy, scoring="paper", iou_threshold=0.04)
    assert contents(copy) == before


@pytest.mark.parametrize("request_", [{"scoring": "mean"}, {"iou_threshold": 1.5}], ids=str)
def test_rescoring_refuses(copy: Path, request_: dict[str, Any]) -> None:
    before = contents(copy)
    with pytest.raises(ParameterError):
        rescore(copy, **request_)
    assert contents(copy) == before


# NetDissect's own format


@pytest.mark.parametrize("scoring", ["paper", "lite", "pnas"])
def test_netdissect_format(copy: Path, scoring: str) -> None:
    run = rescore(copy, scoring=scoring)
    assert sorted(path.name for path in (copy / "layers" / LAYER).glob("*.csv")) == [
        "netdissect-0.01.csv",
        "netdissect.csv",
    ]
    for quantile, name in ((0.005, "netdissect.csv"), (0.01, "netdissect-0.01.csv")):
        with (copy / "layers" / LAYER / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        per_category = [
            f"{category}-{what}"
            for category in CATEGORIES
            for what in ("label", "truth", "activation", "intersect", "iou")
        ]
        assert list(rows[0]) == ["unit", "category", "label", "score", *per_category]
        units = run.units("relu1", quantile)
        assert sorted(int(row["unit"]) for row in rows) == list(range(1, 9))
        scores = [float(row["score"]) for row in rows]
        assert scores == sorted(scores, reverse=True)
        truth = {concept.name: concept.truth for concept in run.concepts}
        for row in rows:
            unit = units[int(row["unit"]) - 1]
            assert (row["label"], row["category"], float(row["score"])) == (
                unit.label,
                unit.category,
                unit.iou,
            )
            for category, (label, value) in unit.best.items():
                assert (row[f"{category}-label"], float(row[f"{category}-iou"])) == (label, value)
                counts = [int(row[f"{category}-{what}"]) for what in ("truth", "activation", "intersect")]
                assert counts[0] == (truth[label] if label else 0)
                assert naive.iou(counts[2], counts[1], counts[0]) == value


# Interruptions


class Interrupt:
    """Stops the program at one of its renames."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
        self.left = after
        self.replace = Path.replace
        monkeypatch.setattr(Path, "replace", lambda path, target: self(path, target))

    def __call__(self, path: Path, target: Path) -> Path:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        return self.replace(path, target)


def test_an_interrupted_save_never_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = fake_run(quantiles=(0.005, 0.01))
    for claimed in (False, True):
        writes = 0
        while True:
            folder = tmp_path / f"run-{claimed}-{writes}"
            folder.mkdir()
            if claimed:
                write_manifest(folder, run.manifest, "running")
            with monkeypatch.context() as patch:
                Interrupt(patch, after=writes)
                try:
                    run.save(folder)
                    break
                except KeyboardInterrupt:
                    pass
            assert not list(folder.rglob("*.partial"))
            with pytest.raises(RunIncompleteError if claimed else RunNotFoundError):
                load(folder)
            writes += 1
        assert writes == 13  # 2 layers of 2 arrays and 2 NetDissect files, 4 tables, the manifest
        assert load(folder).units()


def test_an_interrupted_rescoring_is_done_again(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = rescore(shutil.copytree(finished, tmp_path / "whole"), scoring="lite", iou_threshold=0.1)
    assert expected.path is not None
    for writes in range(8):
        folder = Path(shutil.copytree(finished, tmp_path / f"run-{writes}"))
        with monkeypatch.context() as patch:
            Interrupt(patch, after=writes)
            with pytest.raises(KeyboardInterrupt):
                rescore(folder, scoring="lite", iou_threshold=0.1)
        if writes == 0:
            assert load(folder).scoring == "paper"
        else:
            with pytest.raises(RunIncompleteError, match="rescored") as caught:
                load(folder)
            assert caught.value.hint is not None and "onnxdissect rescore" in caught.value.hint
        rescore(folder, scoring="lite", iou_threshold=0.1)
        assert contents(folder) == contents(expected.path)


def test_leftovers_of_a_killed_writer_are_swept(tmp_path: Path) -> None:
    run = fake_run()
    run.save(tmp_path / "clean")
    for place in (".", f"layers/{LAYER}"):
        (tmp_path / "run" / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / place / "tally.npz.0badcafe.partial").write_text("half")
    run.save(tmp_path / "run")
    assert contents(tmp_path / "run") == contents(tmp_path / "clean")


# Damage


def without(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def cut(name: str) -> Damage:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return damage


def noise(name: str) -> Damage:
    return lambda folder: (folder / name).write_bytes(b"\xff\xfe noise \x00" * 20)


def flipped(name: str) -> Damage:
    def damage(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        for at in range(60, min(len(content), 400)):
            content[at] ^= 0x5A
        (folder / name).write_bytes(content)

    return damage


def edited(name: str, old: str, new: str) -> Damage:
    def damage(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return damage


def arrays(name: str, change: Callable[[dict[str, Any]], object]) -> Damage:
    def damage(folder: Path) -> None:
        with np.load(folder / name, allow_pickle=False) as archive:
            content = dict(archive)
        change(content)
        np.savez(folder / name, **content)

    return damage


def objects(folder: Path) -> None:
    np.savez(folder / TALLY, truth=np.array([{"a": 1}], object))


TALLY = f"layers/{LAYER}/tally.npz"
MASKS = f"layers/{LAYER}/top_masks.npz"
TABLES = ("units.csv", "layers.csv", "concepts.csv", "images.csv")


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        *((without(name), name) for name in (*TABLES, TALLY, MASKS)),
        *((cut(name), name) for name in (*TABLES, TALLY, MASKS)),
        *((noise(name), name) for name in (*TABLES, TALLY, MASKS)),
        *((flipped(name), name) for name in (TALLY, MASKS)),
        (objects, TALLY),
        (arrays(TALLY, lambda a: a.pop("truth")), TALLY),
        (arrays(TALLY, lambda a: a.update(truth=a["truth"][:-1])), TALLY),
        (arrays(TALLY, lambda a: a.update(truth=a["truth"] + 1)), TALLY),
        (arrays(TALLY, lambda a: a.update(truth=a["truth"].astype(np.int32))), TALLY),
        (arrays(TALLY, lambda a: a.update(thresholds=a["thresholds"][0])), TALLY),
        (arrays(TALLY, lambda a: a.update(top_values=a["top_values"][:, 1:])), TALLY),
        (arrays(TALLY, lambda a: a.update(top_images=a["top_images"] + 1000)), TALLY),
        (arrays(TALLY, lambda a: a.update(top_images=a["top_images"] - 1000)), TALLY),
        (arrays(TALLY, lambda a: a.update(concept_number=a["concept_number"] + 1)), TALLY),
        (arrays(TALLY, lambda a: a.update(quantiles=a["quantiles"] * 2)), TALLY),
        (arrays(MASKS, lambda a: a.update(top_masks=a["top_masks"][..., :-1])), MASKS),
        (arrays(MASKS, lambda a: a.update(top_masks=a["top_masks"][:, :, :-1])), MASKS),
        (edited("units.csv", "true", "yes"), "units.csv"),
        (edited("units.csv", ",iou_low", ""), "units.csv"),
        (edited("units.csv", "0.005,0,", "0.005,1,"), "units.csv"),
        (edited("layers.csv", ",8,", ",9,"), "layers.csv"),
        (edited("layers.csv", ",8,", ",eight,"), "layers.csv"),
        (edited("concepts.csv", ",object,", ",thing,"), "concepts.csv"),
        (edited("concepts.csv", "\n2,", "\n7,"), "concepts.csv"),
        (edited("images.csv", ",8,8", ",8"), "images.csv"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "manifest.json"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "manifest.json"),
        (noise("manifest.json"), "manifest.json"),
        (cut("manifest.json"), "manifest.json"),
        (edited("manifest.json", '"format_version": 1', '"format": 1'), "manifest.json"),
        (edited("manifest.json", '"format_version": 1', '"format_version": 2'), "format version 2"),
        (edited("manifest.json", '"slug": "-stage1', '"slug": "../-stage1'), "manifest.json"),
        (edited("manifest.json", '"slug": "-stage1-Relu_output_0"', '"slug": ".."'), "manifest.json"),
        (edited("manifest.json", '"slug": "-stage1-Relu_output_0"', '"slug": 3'), "manifest.json"),
        (edited("manifest.json", '"scoring": "paper"', '"scoring": "own"'), "manifest.json"),
        (edited("manifest.json", '"iou_threshold": 0.04', '"iou_threshold": null'), "manifest.json"),
        (edited("manifest.json", '"categories"', '"kinds"'), "manifest.json"),
        (edited("manifest.json", '"units": 8', '"units": 9'), "units.csv"),
    ],
)
def test_damage_is_named(copy: Path, damage: Damage, named: str) -> None:
    damage(copy)
    with pytest.raises(RunFormatError) as caught:
        load(copy).counts("relu1")
    assert named in caught.value.message.replace("\\", "/")


def test_an_unfinished_run_says_what_to_do(copy: Path) -> None:
    write_manifest(copy, load(copy).manifest, "running")
    for read in (load, rescore):
        with pytest.raises(RunIncompleteError, match="unfinished") as caught:
            read(copy)
        assert caught.value.hint is not None and "onnxdissect run" in caught.value.hint


def test_no_run_lists_those_nearby(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # runs in ./dissections would be listed too
    runs = tmp_path / "runs"
    for name in ("alexnet-tiny", "resnet18-tiny"):
        shutil.copytree(finished, runs / name)
    with pytest.raises(RunNotFoundError, match="there is no run directory") as caught:
        load(runs / "alexnet-tinny")
    assert caught.value.candidates[0] == str(runs / "alexnet-tiny")
    with pytest.raises(RunNotFoundError, match="not a run directory") as caught:
        load(runs)
    assert len(caught.value.candidates) == 2
    with pytest.raises(RunNotFoundError, match="is a file"):
        load(runs / "alexnet-tiny" / "units.csv")
    with pytest.raises(RunNotFoundError):
        load(tmp_path / "no" / "such" / "place")


# Writing


def test_arrays_of_another_shape_are_refused(tmp_path: Path) -> None:
    run = fake_run()
    for wrong in (
        replace(run.counts[0], truth=run.counts[0].truth.astype(np.int32)),
        replace(run.counts[0], intersection=run.counts[0].intersection[:, :, :-1]),
        replace(run.counts[0], top_masks=run.counts[0].top_masks[:, :, :-1]),
    ):
        with pytest.raises(ValueError, match=r"(truth is int32|intersection is|top_masks is) .*, not "):
            replace(run, counts=(wrong, run.counts[1])).save(tmp_path / "run")
    with pytest.raises(RunError):
        load(tmp_path / "run")


def test_a_quantile_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="given twice"):
        fake_run(quantiles=(0.005, 0.005)).save(tmp_path / "run")


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    run = fake_run()
    with pytest.raises(OutputError, match="cannot make the folder"):
        save_layer(
            tmp_path / "file",
            run.layers[0],
            run.counts[0],
            quantiles=run.quantiles,
            categories=run.categories,
            concepts=run.concepts,
            images=run.images,
        )
