"""The threshold sweep: what is counted, stored, read back and refused."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import sweep as naive
from support.fake_counts import FakeRun, contents, fake_run
from support.small_runs import Convolution, broden, dissect, network

import onnxdissect
from onnxdissect.errors import LayerNotFoundError, ParameterError, RunFormatError
from onnxdissect.results import ThresholdSweep, load, rescore, threshold_sweep
from onnxdissect.results.sweep import LayerSweep, QuantileCounts, UnitLabels
from onnxdissect.results.sweep.generic import generic_concepts
from onnxdissect.results.sweep.threshold_sweep import make_sweep
from onnxdissect.results.sweep.wording import sweep_sentence

FILES = ("quantiles.csv", "labels_by_quantile.csv", "generic_labels.csv")
LEVELS = (0.02, 0.001, 0.1, 0.005)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def expect_naive(found: ThresholdSweep, run: Path) -> None:
    generic = naive.generic(table(run / "concepts.csv"), table(run / "images.csv"))
    assert [(g.number, g.name, g.category, g.share, g.reason) for g in found.generic] == generic
    reasons = {(name, category): reason for _, name, category, _, reason in generic}
    units = table(run / "units.csv")
    summaries = {(row["layer"], float(row["quantile"])): row for row in table(run / "layers.csv")}
    for layer in found.layers:
        expected = naive.layer(units, layer.layer, reasons)
        assert list(found.quantiles) == list(layer.quantiles) == expected["quantiles"]
        for counts, wanted in zip(layer.counts, expected["counts"], strict=True):
            for name in ("detectors_by", "unique"):
                told = {category: count for category, count in getattr(counts, name).items() if count}
                assert told == wanted.pop(name)
            assert {name: getattr(counts, name) for name in wanted} == wanted
            row = summaries[layer.layer, counts.quantile]
            for name in ("unique_low", "unique_high"):
                assert getattr(counts, name) == (int(row[name]) if row[name] else None)
        for unit, wanted in zip(layer.units, expected["units"], strict=True):
            tuples = {name: tuple(wanted.pop(name)) for name in ("labels", "categories", "detector")}
            assert {name: getattr(unit, name) for name in (*wanted, *tuples)} == wanted | tuples
        same = [unit for unit in expected["units"] if unit["same_label"]]
        assert layer.same_label == len(same)
        assert layer.same_and_ever == sum(unit["detections"] > 0 for unit in same)
        assert layer.same_and_always == sum(unit["detections"] == len(found.quantiles) for unit in same)
        assert layer.ever == sum(unit["detections"] > 0 for unit in expected["units"])
        assert layer.always == sum(unit["detections"] == len(found.quantiles) for unit in expected["units"])


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    quantiles=st.lists(st.sampled_from(LEVELS), min_size=2, max_size=4, unique=True),
    threshold=st.sampled_from([0.0, 0.04, 0.2, 0.9]),
)
def test_it_is_the_naive_one(
    tmp_path_factory: pytest.TempPathFactory, seed: int, quantiles: list[float], threshold: float
) -> None:
    folder = tmp_path_factory.mktemp("run")
    saved = fake_run(seed=seed, units=(5, 3), images=6, quantiles=quantiles).save(
        folder, iou_threshold=threshold
    )
    expect_naive(threshold_sweep(saved), folder)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run of two layers, one under a basis as well, at quantiles that are not in order."""
    world = tmp_path_factory.mktemp("world")
    chain = [
        Convolution(4, (3, 3), (1, 1), (1, 1, 1, 1)),
        Convolution(5, (3, 3), (2, 2), (1, 1, 1, 1)),
    ]
    network(world / "net.onnx", chain, True, 1)
    broden(world / "data", 12, 3)
    options: dict[str, Any] = {"layers": ["relu0", "relu1"], "quantiles": [0.2, 0.05, 0.4], "bootstrap": 20}
    return dissect(world, bases=["rotation:seed=1"], **options).path


@pytest.fixture
def copied(real: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(real, tmp_path / "run"))


def test_of_a_real_run(real: Path) -> None:
    run = load(real)
    sweep = threshold_sweep(run)
    expect_naive(sweep, real)
    assert sweep == make_sweep(run)
    assert [layer.layer for layer in sweep.layers] == [info.name for info in run.layers]
    assert len(sweep.layers) == 4
    assert sweep.quantiles == (0.05, 0.2, 0.4)
    assert any(unit.changes for layer in sweep.layers for unit in layer.units)
    assert any(count.unique_low is not None for count in sweep.layers[0].counts)
    (one,) = onnxdissect.threshold_sweep(run, "relu1").layers
    assert one == next(layer for layer in sweep.layers if layer.layer == "relu1")


def test_what_is_stored_is_read_and_not_counted_again(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = copied / "quantiles.csv"
    rows = table(path)
    # A run of a version that counted something else as generic says so, and is believed.
    row = next(row for row in rows if int(row["generic_color"]) and not int(row["generic_wide"]))
    row["generic_wide"], row["generic_color"] = row["generic_color"], "0"
    write(path, rows)
    counts = [count for layer in threshold_sweep(load(copied)).layers for count in layer.counts]
    assert [str(count.generic_wide) for count in counts] == [row["generic_wide"] for row in rows]


def test_runs_of_earlier_versions_lack_it_and_rescoring_adds_it(copied: Path) -> None:
    before = contents(copied)
    sweep = threshold_sweep(load(copied))
    for name in FILES:
        (copied / name).unlink()
    assert threshold_sweep(load(copied)) == sweep
    rescore(copied)
    assert contents(copied) == before


def test_rescoring_writes_it_anew(copied: Path) -> None:
    before = {name: (copied / name).read_bytes() for name in FILES}
    in_memory = load(copied).rescore("pnas", 0.2)
    assert threshold_sweep(in_memory) == make_sweep(in_memory)
    assert {name: (copied / name).read_bytes() for name in FILES} == before
    run = rescore(copied, scoring="pnas", iou_threshold=0.2)
    assert threshold_sweep(run) == make_sweep(run) == threshold_sweep(in_memory)
    expect_naive(threshold_sweep(run), copied)
    assert (copied / FILES[0]).read_bytes() != before[FILES[0]]


def test_one_quantile_writes_and_tells_nothing(tmp_path: Path) -> None:
    run = fake_run().save(tmp_path)
    assert not set(FILES) & set(contents(tmp_path))
    with pytest.raises(ParameterError, match=r"was made at one quantile, 0\.005") as caught:
        threshold_sweep(run)
    assert "--quantile 0.001" in (caught.value.hint or "")


def test_a_layer_that_is_not_there(real: Path) -> None:
    with pytest.raises(LayerNotFoundError, match="no layer 'relu7'"):
        threshold_sweep(load(real), "relu7")


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def put(column: str, value: str, row: int = 0) -> Callable[[list[dict[str, str]]], None]:
    def change(rows: list[dict[str, str]]) -> None:
        assert rows[row][column] != value
        rows[row][column] = value

    return change


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (FILES[0], put("layer", "relu9"), "line 2: layer is not that of layers.csv"),
        (FILES[0], put("quantile", "0.06"), "quantile is not that of layers.csv"),
        (FILES[0], put("detectors", "999"), "detectors is not that of layers.csv"),
        (FILES[0], put("unique_low", ""), "unique_low is not that of layers.csv"),
        (FILES[0], put("labelled", "5"), "labelled is 5, more than units"),
        (FILES[0], put("generic_labels", "-1"), "generic_labels is '-1', not a whole number"),
        (FILES[0], put("generic_labels", "9"), "generic_labels is 9, more than labelled"),
        (FILES[0], put("generic_color", "77"), "generic_detectors is not the sum of its reasons"),
        (FILES[0], put("generic_share", "0.123"), "generic_share is '0.123', not what its counts make"),
        (FILES[0], put("changed", "1"), "changed is 1, which cannot be at quantile 0.05"),
        (FILES[0], put("changed", "", 1), "changed is None, which cannot be at quantile 0.2"),
        (FILES[0], put("detectors_object", "40"), "detectors is not the sum of its categories"),
        (FILES[0], lambda rows: rows.append(rows[0]), "it has more rows than layers.csv"),
        (FILES[0], lambda rows: rows.pop(), "has fewer rows than layers.csv"),
        (FILES[1], put("unit", "7"), "unit is '7', and by units.csv '0'"),
        (FILES[1], put("0.05_label", "zebra"), "0.05_label is 'zebra', and by units.csv"),
        (FILES[1], put("changes", "99"), "changes is '99', and by units.csv"),
        (FILES[1], lambda rows: rows.append(rows[0]), "it lists more units than units.csv"),
        (FILES[1], lambda rows: rows.pop(), "lists fewer units than units.csv"),
        (FILES[2], put("number", "12345"), "12345 is not the number of 'red-c' in concepts.csv"),
        (FILES[2], put("name", "zebra"), "1 is not the number of 'zebra' in concepts.csv"),
        (FILES[2], put("reason", "dull"), "reason is 'dull', not one of color, wide, filling"),
        (FILES[2], put("share", "1.5"), "share is '1.5', not a finite number between 0 and 1"),
        (FILES[2], lambda rows: rows.reverse(), "not in order of the concepts' numbers"),
    ],
)
def test_tables_that_are_not_of_the_run_are_refused(
    copied: Path, name: str, change: Callable[[list[dict[str, str]]], Any], said: str
) -> None:
    rows = table(copied / name)
    change(rows)
    write(copied / name, rows)
    run = load(copied)  # the run itself is whole
    with pytest.raises(RunFormatError) as caught:
        threshold_sweep(run)
    assert name in caught.value.message
    assert said in caught.value.message
    assert caught.value.hint == "onnxdissect rescore makes the file anew"
    assert threshold_sweep(rescore(copied)) == make_sweep(run)


@pytest.mark.parametrize("name", FILES)
def test_one_of_them_alone_is_missed(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(RunFormatError, match=f"{name} is missing, and"):
        threshold_sweep(load(copied))
    (copied / name).symlink_to("nowhere.csv")
    with pytest.raises(RunFormatError, match=name):
        threshold_sweep(load(copied))


def test_a_fresh_run_at_one_quantile_takes_them_away(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 6, seed=2)
    several = dissect(tmp_path, quantiles=[0.1, 0.2], bootstrap=0, null=0).path
    assert set(FILES) < set(contents(several))
    one = dissect(tmp_path, quantiles=[0.1], bootstrap=0, null=0, fresh=True).path
    assert one == several
    assert not set(FILES) & set(contents(one))


# What counts as generic


def of(run: FakeRun, name: str, **changes: Any) -> str:
    concepts = tuple(replace(c, **changes) if c.name == name else c for c in run.concepts)
    found = {concept.name: concept.reason for concept in generic_concepts(concepts, run.images)}
    return found.get(name, "")


@pytest.mark.parametrize(
    ("name", "truth", "images", "reason"),
    [
        ("red-c", 1, 1, "color"),
        ("red-c", 0, 0, ""),  # nobody holds it, so it is no label
        ("car", 63, 10, ""),  # exactly a tenth of 630 pixels
        ("car", 64, 10, "wide"),
        ("street", 64, 1, "wide"),  # a scene too
        ("wood", 63, 4, ""),  # exactly a quarter of four images of ten
        ("wood", 63, 3, "filling"),
        ("striped", 63, 1, "filling"),
        ("striped", 64, 9, "wide"),
        ("wheel", 63, 1, ""),  # a part may fill its images
    ],
)
def test_limits_of_what_is_generic(name: str, truth: int, images: int, reason: str) -> None:
    run = fake_run(images=10)
    run = replace(run, images=tuple(replace(image, grid=(7, 9)) for image in run.images))
    assert of(run, name, truth=truth, images=images) == reason


def test_a_sentence_of_it() -> None:
    def layer(*detected: tuple[int, int], labels: tuple[str, ...]) -> LayerSweep:
        counts = tuple(
            QuantileCounts("a", q, 1, 1, n, n, None, None, g, g, g, 0, 0, None, {}, {})
            for q, (n, g) in zip((0.001, 0.1), detected, strict=True)
        )
        units = (UnitLabels("a", 0, (0.001, 0.1), labels, ("object",) * 2, (True, True)),)
        return LayerSweep("a", (0.001, 0.1), counts, units)

    assert sweep_sentence(layer((4, 1), (3, 3), labels=("car", "car"))) == (
        "1 of 1 unit has the same label at every quantile from 0.001 to 0.1; generic among the detectors' "
        "labels: 25 % at 0.001, 100 % at 0.1"
    )
    assert sweep_sentence(layer((0, 0), (0, 0), labels=("car", "sky"))) == (
        "0 of 1 unit have the same label at every quantile from 0.001 to 0.1"
    )
