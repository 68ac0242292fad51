"""Published result files as runs: what they count, what they tell, and what they do not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import published as naive
from support.fake_counts import contents, fake_run
from support.result_files import CATEGORIES, Best, draw_units, result_file, table, write

import onnxdissect
from onnxdissect import import_netdissect
from onnxdissect.errors import (
    MasksNotKeptError,
    NotPublishedError,
    OutputError,
    ParameterError,
    RunFormatError,
    RunMismatchError,
)
from onnxdissect.results import Dissection, rescore


def expect(run: Dissection, layer: str, path: Path, threshold: float = 0.04, separator: str = ",") -> None:
    said = naive.read(path, threshold, separator)
    units = run.units(layer)
    assert [(unit.label, unit.category, unit.iou) for unit in units] == said["units"]
    (summary,) = [one for one in run.summary() if one.layer == layer]
    assert (summary.units, summary.detectors) == (len(said["units"]), said["detectors"])
    assert (summary.unique_detectors, summary.unique_any) == (said["unique"], said["unique_any"])
    assert sum(summary.unique.values()) == said["unique"]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    count=st.integers(2, 30),
    lite=st.booleans(),
    columns=st.sampled_from([("label", "truth", "activation", "intersect", "iou"), ("label", "iou")]),
    separator=st.sampled_from([",", ";", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
    mark=st.booleans(),
)
def test_counts_are_those_of_the_file(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    count: int,
    lite: bool,
    columns: tuple[str, ...],
    separator: str,
    end: str,
    mark: bool,
) -> None:
    folder = tmp_path_factory.mktemp("published")
    path = folder / "conv5.csv"
    write(path, table(draw_units(count, seed), columns=columns, lite=lite), separator=separator, end=end)
    if mark:
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    run = import_netdissect(path, folder / "run")
    expect(run, "conv5", path, separator=separator)
    counted = "truth" in columns
    assert run.scoring == ("lite" if lite and counted else "paper")
    assert (run.category_bests("conv5").activation is not None) == counted
    for threshold in (0.0, 0.2):
        rescore(folder / "run", iou_threshold=threshold)
        again = onnxdissect.load(folder / "run")
        assert again.iou_threshold == threshold
        expect(again, "conv5", path, threshold, separator)


@pytest.mark.parametrize("scoring", ["paper", "lite", "pnas"])
def test_files_of_our_own_come_back_byte_for_byte(tmp_path: Path, scoring: str) -> None:
    own = fake_run(units=(8, 12)).save(tmp_path / "own", scoring=scoring)
    files = [tmp_path / "own" / "layers" / info.slug / "netdissect.csv" for info in own.layers]
    run = import_netdissect(files, tmp_path / "run", scoring=scoring)
    assert [info.name for info in run.layers] == [info.slug for info in own.layers]
    for before, after in zip(own.layers, run.layers, strict=True):
        copied = tmp_path / "run" / "layers" / after.slug / "netdissect.csv"
        assert (
            copied.read_bytes() == (tmp_path / "own" / "layers" / before.slug / "netdissect.csv").read_bytes()
        )
        told = [
            (unit.label, unit.category, unit.iou, unit.detector, unit.best) for unit in own.units(before.name)
        ]
        found = [
            (unit.label, unit.category, unit.iou, unit.detector, unit.best) for unit in run.units(after.name)
        ]
        assert found == told
        known = run.known_iou(after.name)
        bests = own.category_bests(before.name)
        for q, k, g in np.argwhere(bests.concept >= 0).tolist():
            concept = own.concepts[bests.concept[q, k, g]]
            (place,) = [
                c
                for c, one in enumerate(run.concepts)
                if (one.name, one.category) == (concept.name, concept.category)
            ]
            assert known[q, k, place]
            assert run.iou(after.name)[q, k, place] == bests.iou[q, k, g]
        assert known.sum() == (bests.concept >= 0).sum()
        assert own.known_iou(before.name).all()


def test_what_is_not_published_is_refused_and_never_a_number(tmp_path: Path) -> None:
    run = import_netdissect(result_file(tmp_path / "conv5.csv"), tmp_path / "run")
    assert run.imported
    assert not fake_run().save(tmp_path / "own").imported
    assert all(
        unit.threshold is None and unit.iou_low is None and unit.reliable is None for unit in run.units()
    )
    (summary,) = run.summary()
    assert (summary.rare_labels, summary.plateau_units, summary.constant_units) == (None, None, None)
    assert (run.images, run.intervals("conv5"), run.per_image("conv5"), run.samples("conv5")) == ((),) + (
        None,
    ) * 3
    assert (run.top_maps("conv5"), run.truth_counts()) == (None, None)
    assert run.candidates.all()
    for ask in (
        lambda: run.counts("conv5"),
        lambda: run.mask("conv5", 0, 0),
        lambda: run.mask("conv5", 0, 0, 0.3),
        lambda: run.top_mask("conv5", 0, 0),
        lambda: run.masks("conv5"),
        lambda: run.rescore(scoring="lite"),
        lambda: run.rescore(min_images=3),
    ):
        with pytest.raises(NotPublishedError, match="was imported from published results"):
            ask()
    assert run.rescore(scoring="paper", min_images=1).summary() == run.summary()
    tables = {
        name: (run.path / name).read_text(encoding="utf-8")
        for name in ("units.csv", "layers.csv", "concepts.csv")
    }
    unit = dict(zip(*(line.split(",") for line in tables["units.csv"].splitlines()[:2]), strict=True))
    assert (unit["threshold"], unit["iou_low"], unit["p_value"]) == ("", "", "")
    assert tables["layers.csv"].splitlines()[1].split(",")[6:14] == [""] * 8
    assert all(line.endswith(",") and line.split(",")[-2] for line in tables["concepts.csv"].splitlines()[1:])
    with pytest.raises(MasksNotKeptError):
        fake_run().save(tmp_path / "another").masks("relu1")


def test_without_counts_pixels_are_not_told_either(tmp_path: Path) -> None:
    notes: list[str] = []
    path = write(tmp_path / "conv5.csv", table(draw_units(6), columns=("label", "iou")))
    run = import_netdissect(path, tmp_path / "run", notify=notes.append)
    assert notes == ["note: there are no counts of pixels: IoUs are taken as they are written"]
    assert run.manifest["imported"]["known"] == ["label", "iou"]
    rows = (run.path / "concepts.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert rows
    assert all(row.endswith(",,") for row in rows)
    written = (run.path / "layers" / "conv5" / "netdissect.csv").read_text(encoding="utf-8").splitlines()
    assert written[0] == ",".join(table([], columns=("label", "iou"))[0])


def test_rounded_ious_are_taken_from_the_counts(tmp_path: Path) -> None:
    units = draw_units(8)
    rows = table(units)
    places = [i for i, name in enumerate(rows[0]) if name.endswith("-iou") or name == "score"]
    for row in rows[1:]:
        for place in places:
            row[place] = f"{float(row[place]):.3f}"
    run = import_netdissect(write(tmp_path / "conv5.csv", rows), tmp_path / "run")
    assert [unit.iou for unit in run.units()] == [max(best.iou for best in unit.values()) for unit in units]


def test_a_concept_without_a_name_is_none_and_the_difference_is_told(tmp_path: Path) -> None:
    units = [
        {
            "object": Best("cat", 100, 100, 20),
            "part": Best("leg", 50, 60, 10),
            "texture": Best("", 90, 0, 40),
        },
        {"object": Best("cat", 100, 80, 5), "part": Best("leg", 50, 60, 10), "texture": Best("", 90, 0, 1)},
        {"object": Best("", 0, 80, 0), "part": Best("", 0, 60, 0), "texture": Best("", 90, 0, 30)},
        {"object": Best("dog", 70, 80, 30), "part": Best("", 0, 60, 0), "texture": Best("dotted", 9, 50, 1)},
    ]
    path = write(tmp_path / "conv5.csv", table(units))
    notes: list[str] = []
    run = import_netdissect(path, tmp_path / "run", notify=notes.append)
    expect(run, "conv5", path)
    said = (
        "layer conv5: the best texture of 3 units has no name and is no concept here; what comes next "
        "there is not in the file. 2 labels changed by that, detectors 4 -> 3, unique detectors 3 as before, "
        "in any category 4 -> 3"
    )
    assert notes == [f"note: {said}"]
    assert run.manifest["warnings"] == [said]
    assert run.manifest["imported"]["nameless"] == [
        {"layer": "conv5", "category": "texture", "units": 3, "labels": 2, "detectors": 2}
    ]
    assert [unit.label for unit in run.units()] == ["cat", "leg", "", "dog"]
    assert "" not in {concept.name for concept in run.concepts}


def test_layers_come_from_a_column_or_from_files(tmp_path: Path) -> None:
    first, second = draw_units(5, 1), draw_units(7, 2)
    header, *rows = table(first, layer="conv4")
    mixed = [row for pair in zip(rows, table(second, layer="conv5")[1:], strict=False) for row in pair]
    mixed += table(second, layer="conv5")[6:]
    one = import_netdissect(write(tmp_path / "both.csv", [header, *mixed]), tmp_path / "one")
    files = [write(tmp_path / "conv4-result.csv", table(first)), tmp_path / "conv5" / "tally.csv"]
    files[1].parent.mkdir()
    write(files[1], table(second))
    two = import_netdissect(files, tmp_path / "two")
    for run in (one, two):
        assert [info.name for info in run.layers] == ["conv4", "conv5"]
        for path, layer in zip(files, ("conv4", "conv5"), strict=True):
            expect(run, layer, path)
    arrays = {k: v for k, v in contents(tmp_path / "one").items() if not k.endswith(".json")}
    assert arrays == {k: v for k, v in contents(tmp_path / "two").items() if not k.endswith(".json")}
    given = import_netdissect(
        files, tmp_path / "three", layers=("a/b", "A/B"), network="AlexNet", data_name="Broden"
    )
    assert [info.name for info in given.layers] == ["a/b", "A/B"]
    assert len({info.slug.casefold() for info in given.layers}) == 2
    assert (given.manifest["model"]["path"], given.manifest["data"]["name"]) == ("AlexNet", "Broden")
    assert one.manifest["model"]["path"] == "one"


def test_layers_called_by_numbers_stay_in_the_order_of_the_file(tmp_path: Path) -> None:
    tables = [table(draw_units(3, seed), layer=name) for seed, name in enumerate(("10", "2"))]
    path = write(tmp_path / "all.csv", [tables[0][0], *tables[0][1:], *tables[1][1:]])
    assert [info.name for info in import_netdissect(path, tmp_path / "run").layers] == ["10", "2"]


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (("one",), "1 name given for layers, and 2 files have no column layer"),
        (("one", "one"), "2 layers would be called 'one'"),
        (("one", ""), "a layer has an empty name"),
        ((), "2 layers would be called 'conv5'"),
    ],
)
def test_layers_called_alike_are_refused(tmp_path: Path, layers: tuple[str, ...], said: str) -> None:
    files = [tmp_path / "conv5.csv", tmp_path / "conv5-result.csv"]
    for path in files:
        result_file(path)
    with pytest.raises(ParameterError, match=said) as caught:
        import_netdissect(files, tmp_path / "run", layers=layers)
    assert "--layer NAME" in str(caught.value.hint)
    assert not (tmp_path / "run").exists()


def test_columns_that_mean_nothing_here_are_named(tmp_path: Path) -> None:
    rows = table(draw_units(4))
    extra = ["top1-label", "top1-category", "top1-iou", "note", "object-truths", "stray-iou", "part-rank"]
    rows = [[*row, *(extra if i == 0 else ["x"] * len(extra))] for i, row in enumerate(rows)]
    notes: list[str] = []
    path = write(tmp_path / "conv5.csv", rows)
    run = import_netdissect(path, tmp_path / "run", notify=notes.append)
    assert run.categories == CATEGORIES
    assert notes == [
        "note: conv5.csv: 7 columns left out: 'top1-label', 'top1-category', 'top1-iou', 'note', "
        "'object-truths' and 2 more"
    ]
    assert run.manifest["imported"]["left_out"] == sorted(extra)


def test_the_same_results_give_the_same_bytes_and_are_not_imported_twice(tmp_path: Path) -> None:
    path = result_file(tmp_path / "conv5.csv")
    import_netdissect(path, tmp_path / "a" / "run")
    import_netdissect(path, tmp_path / "b" / "run")
    assert contents(tmp_path / "a" / "run") == contents(tmp_path / "b" / "run")
    before = (tmp_path / "a" / "run" / "manifest.json").stat().st_mtime_ns
    notes: list[str] = []
    import_netdissect(path, tmp_path / "a" / "run", notify=notes.append)
    assert notes == [f"{tmp_path / 'a' / 'run'} already holds these results"]
    assert (tmp_path / "a" / "run" / "manifest.json").stat().st_mtime_ns == before
    result_file(path, seed=1)
    with pytest.raises(RunMismatchError, match=r"imported.files"):
        import_netdissect(path, tmp_path / "a" / "run")
    run = import_netdissect(path, tmp_path / "a" / "run", fresh=True)
    expect(run, "conv5", path)


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    path = result_file(tmp_path / "conv5.csv")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "letter.txt").write_text("Dear")
    for fresh in (False, True):
        with pytest.raises(OutputError, match="is not a run directory"):
            import_netdissect(path, tmp_path / "run", fresh=fresh)
    assert contents(tmp_path / "run") == {"letter.txt": b"Dear"}
    own = fake_run().save(tmp_path / "own")
    with pytest.raises(RunMismatchError, match="holds another run"):
        import_netdissect(path, own.path)
    assert onnxdissect.load(own.path).counts("relu1").truth.any()
    assert import_netdissect(path, own.path, fresh=True).imported
    assert not (own.path / "layers" / own.layers[0].slug).exists()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"concept": 99}, "names concepts that concepts.csv does not list"),
        ({"iou": 0.5}, "iou is not what the counts give"),
        ({"iou": 1.5}, "iou holds values that are no IoU"),
        ({"iou": float("nan")}, "iou holds values that are no IoU"),
        ({"intersection": -3}, "counts below 0"),
        ({"intersection": 10**6}, "intersection counts pixels that truth does not"),
        ({"concept": 0}, "in categories that are not theirs"),
    ],
)
def test_an_archive_that_contradicts_itself_is_refused(
    tmp_path: Path, damage: dict[str, float], said: str
) -> None:
    run = import_netdissect(result_file(tmp_path / "conv5.csv"), tmp_path / "run")
    path = tmp_path / "run" / "layers" / "conv5" / "published.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    part = CATEGORIES.index("part")
    unit = int(np.flatnonzero(arrays["concept"][0, :, part] >= 0)[0])
    for name, value in damage.items():
        arrays[name][0, unit, part] = value
    np.savez_compressed(path, **arrays)
    with pytest.raises(RunFormatError, match="is not the file that the run wrote"):
        onnxdissect.load(tmp_path / "run")
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    del manifest["archives"]
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RunFormatError, match=said) as caught:
        onnxdissect.load(tmp_path / "run").iou("conv5")
    assert "import-netdissect" in str(caught.value.hint)
    assert run.imported


def test_a_run_that_only_claims_to_be_imported_is_refused(tmp_path: Path) -> None:
    own = fake_run().save(tmp_path / "own")
    published = import_netdissect(result_file(tmp_path / "conv5.csv"), tmp_path / "run")
    path = own.path / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"imported": published.manifest["imported"]}))
    with pytest.raises(
        RunFormatError, match=r"images.csv lists 12 images, and by manifest.json the results were"
    ):
        onnxdissect.load(own.path)
    manifest["layers"][0]["shape"] = None
    path.write_text(json.dumps(manifest))
    with pytest.raises(
        RunFormatError, match=r"layers\[0\].shape is null, which only imported results may have"
    ):
        onnxdissect.load(own.path)
    (published.path / "layers" / "conv5" / "published.npz").unlink()
    with pytest.raises(RunFormatError, match=r"published.npz is missing"):
        onnxdissect.load(published.path)
    shutil.copytree(tmp_path / "own", tmp_path / "copy")
    assert not (tmp_path / "copy" / "layers" / "conv5").exists()
