"""Run directories that are unfinished or damaged never read, and what cannot be written is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.fake_counts import LAYER, contents, fake_run

from onnxdissect.errors import (
    OutputError,
    ParameterError,
    RunError,
    RunFormatError,
    RunIncompleteError,
    RunNotFoundError,
)
from onnxdissect.results import load, rescore, save_layer, write_manifest

Damage = Callable[[Path], object]


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
        # 2 layers of 2 arrays and 2 NetDissect files, 4 tables, 3 of the sweep over quantiles, the manifest
        assert writes == 16
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
