"""Runs of other data or definitions are refused, or marked; what cannot be resampled says why."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.compared_runs import dissected, with_manifest
from support.result_files import draw_units, table, write

import onnxdissect
from onnxdissect.errors import ParameterError, RunMismatchError
from onnxdissect.results import rescore


@pytest.fixture
def copy(world: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(world / "two", tmp_path / "copy"))


CHANGES: dict[str, tuple[Callable[[Path], object], str, str, bool]] = {
    "fingerprint": (
        lambda run: with_manifest(run, data__fingerprint="f" * 64),
        "the data differs",
        "data.fingerprint",
        False,
    ),
    "split": (lambda run: with_manifest(run, data__split="val"), "the data differs", "data.split", False),
    "limit": (lambda run: with_manifest(run, data__limit=30), "limit 30", "data.limit", False),
    "scoring": (
        lambda run: rescore(run, scoring="pnas"),
        "the scoring differs: paper (two); pnas (copy)",
        "parameters.scoring",
        True,
    ),
    "threshold": (
        lambda run: rescore(run, iou_threshold=0.1),
        "the IoU threshold differs: 0.04 (two); 0.1 (copy)",
        "parameters.iou_threshold",
        True,
    ),
    "min_images": (
        lambda run: rescore(run, min_images=9),
        "the smallest number of images differs: 1 (two); 9 (copy)",
        "parameters.min_images",
        True,
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_defined_otherwise_is_refused_or_marked(world: Path, copy: Path, name: str) -> None:
    change, said, key, shared = CHANGES[name]
    change(copy)
    with pytest.raises(RunMismatchError) as raised:
        onnxdissect.compare([world / "two", copy])
    assert said in raised.value.message and "--anyway" in (raised.value.hint or "")
    found = onnxdissect.compare([world / "two", copy], anyway=True)
    (mark,) = found.marks
    assert said in mark
    # only the images decide whether both can be resampled alike
    assert all(pair.paired == shared for pair in found.pairs)
    assert all((pair.reason == "") == shared for pair in found.pairs)
    assert all((pair.unique.p_value is not None) == shared for pair in found.pairs)
    # who groups by it asks for runs that differ in it
    asked = onnxdissect.compare([world / "two", copy], by=key)
    assert not asked.marks and asked.pairs == found.pairs


def test_several_differences_are_told_at_once(world: Path, copy: Path) -> None:
    rescore(copy, scoring="lite", iou_threshold=0.2)
    with pytest.raises(RunMismatchError, match=r"the scoring differs.*; the IoU threshold differs"):
        onnxdissect.compare([world / "two", copy])
    found = onnxdissect.compare([world / "two", copy], anyway=True)
    assert len(found.marks) == 2 and found.scoring is None and found.iou_threshold is None
    # one of the two is asked for, the other is not
    with pytest.raises(RunMismatchError, match="the IoU threshold differs"):
        onnxdissect.compare([world / "two", copy], by="parameters.scoring")


def test_another_way_of_upsampling_is_marked_alone(world: Path, copy: Path) -> None:
    with_manifest(copy, parameters__upsample="resize")
    found = onnxdissect.compare([world / "two", copy])
    assert found.marks == ("the upsampling differs: auto (two); resize (copy)",)
    assert all(pair.paired for pair in found.pairs)


def test_published_results_of_other_pixels_are_marked(tmp_path: Path) -> None:
    for name, seed, data in (("one", 0, 0), ("two", 1, 0), ("three", 2, 1)):
        csv = write(tmp_path / f"{name}.csv", table(draw_units(30, seed, data)))
        onnxdissect.import_netdissect(csv, tmp_path / name, layers="conv5", data_name="Broden")
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    assert not onnxdissect.compare([one, two]).marks
    (mark,) = onnxdissect.compare([one, two, three]).marks
    cat = {
        run.name: next(found for found in onnxdissect.load(run).concepts if found.name == "cat").truth
        for run in (one, two, three)
    }
    assert cat["one"] == cat["two"] != cat["three"]
    assert mark == (
        f"the truth of 'cat' (object) differs: {cat['one']} pixels (one, two); {cat['three']} pixels (three)"
    )
    assert not onnxdissect.compare([one, three], by="data.name").marks


def test_quantiles_that_differ_are_refused_unless_asked_for(world: Path, tmp_path: Path) -> None:
    for name in ("two.onnx", "data"):
        (tmp_path / name).symlink_to(world / name)
    dissected(tmp_path, "two", quantiles=(0.02, 0.1))
    with pytest.raises(RunMismatchError, match=r"the quantile differs: 0.1 .*; 0.02 "):
        onnxdissect.compare([world / "one", tmp_path / "two"])
    same = onnxdissect.compare([world / "one", tmp_path / "two"], quantiles=(0.1,))
    assert not same.marks and all(pair.paired for pair in same.pairs)
    # where a quantile stands in its run does not matter
    expected = onnxdissect.compare([world / "one", world / "two"]).pairs
    assert [(p.unique, p.share) for p in same.pairs] == [(p.unique, p.share) for p in expected]
    by_quantile = onnxdissect.compare([world / "one", tmp_path / "two"], by="quantile")
    assert [group.name for group in by_quantile.groups] == ["0.1", "0.02"]


def test_what_cannot_be_resampled_says_why(world: Path, tmp_path: Path) -> None:
    for name in ("two.onnx", "data"):
        (tmp_path / name).symlink_to(world / name)
    dissected(tmp_path, "two", "without", bootstrap=0)
    dissected(tmp_path, "two", "few", bootstrap=20)
    dissected(tmp_path, "two", "grouped", groups="prefix:1")
    for name, said in (
        ("without", "without was made without a bootstrap"),
        ("few", "20 resamples are too few to tell a difference from luck, which takes 39"),
    ):
        found = onnxdissect.compare([world / "one", tmp_path / name])
        assert all(not pair.paired and pair.reason.startswith(said) for pair in found.pairs)
        assert all(pair.unique.low is None is pair.unique.p_adjusted for pair in found.pairs)
    with pytest.raises(ParameterError, match="nothing to resample: without was made without a bootstrap"):
        onnxdissect.compare(tmp_path / "without", resamples=60)
    grouped = onnxdissect.compare([world / "one", tmp_path / "grouped"])
    assert all(pair.reason == "they are not of the same images, grouped alike" for pair in grouped.pairs)
    # counts by image are there: more can be drawn than the run itself drew
    more = onnxdissect.compare([world / "one", tmp_path / "few"], resamples=60)
    assert all(pair.paired for pair in more.pairs)
    expected = onnxdissect.compare([world / "one", world / "two"])
    assert [(p.unique, p.share) for p in more.pairs] == [(p.unique, p.share) for p in expected.pairs]


@pytest.mark.parametrize("resamples", [1, 38, -5, 10**7])
def test_resamples_that_tell_nothing_or_fit_nowhere_are_refused(world: Path, resamples: int) -> None:
    with pytest.raises(ParameterError, match="resamples cannot be compared: 39 to"):
        onnxdissect.compare([world / "one", world / "two"], resamples=resamples)


def test_concepts_of_other_data_are_matched_by_name(world: Path, tmp_path: Path) -> None:
    (tmp_path / "two.onnx").symlink_to(world / "two.onnx")
    shutil.copytree(world / "data", tmp_path / "data")
    for name in ("label.csv", "c_object.csv"):
        path = tmp_path / "data" / name
        path.write_text(path.read_text().replace("cat", "tiger"), encoding="utf-8")
    dissected(tmp_path, "two", "other")
    found = onnxdissect.compare([world / "two", tmp_path / "other"], anyway=True)
    for pair in found.pairs:
        assert not {one.concept for one in pair.kept} & {"cat", "tiger"}
        assert {one.concept for one in pair.gained} <= {"tiger"}
        assert {one.concept for one in pair.lost} <= {"cat"}
        assert all(one.first == one.second for one in pair.kept)
    told = {one.concept for one in found.concepts}
    assert {"cat", "tiger"} <= told, "a layer has to detect it for this to be a test"
