"""Run directories: what is written reads back exactly, and is there to ask for."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fake_counts import CATEGORIES, LAYER, contents, fake_run, save_fake_run

import onnxdissect
from onnxdissect.errors import InstallationError, LayerNotFoundError, ParameterError, RunFormatError
from onnxdissect.results import LayerCounts, Unit, load


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


@pytest.mark.parametrize("sides", ["0,9", "9,x", "99999999,99999999"])
def test_a_grid_that_cannot_be_is_refused_in_any_row(copy: Path, sides: str) -> None:
    """Rows share few grids, which are looked at once; the last row is looked at all the same."""
    table = copy / "images.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    lines[-1] = lines[-1].rsplit(",", 2)[0] + f",{sides}"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(RunFormatError, match=rf"images\.csv, line {len(lines)}"):
        load(copy)
