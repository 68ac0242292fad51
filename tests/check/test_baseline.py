"""The baseline file: it says what the run says, and is refused when damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.checking import compare

import onnxdissect
from onnxdissect.check.baseline.file import _checksum, open_baseline
from onnxdissect.check.baseline.packing import pack, unpack
from onnxdissect.check.rules.config import Config
from onnxdissect.errors import RunFormatError
from onnxdissect.statistics.reliability import STABLE


def test_baseline_file_says_what_the_run_says(run: Path, baseline: Path) -> None:
    one, two = open_baseline(run), open_baseline(baseline)
    # The file stands where the run stood; the candidate is always a run.
    assert compare(two, one, Config()) == compare(one, one, Config())
    assert one.layers[0].iou.tolist() == two.layers[0].iou.tolist()


def test_reliable_detectors_are_those_of_the_run(run: Path, baseline: Path, tmp_path: Path) -> None:
    told = [unit.reliable for unit in onnxdissect.load(run).units()]
    for snapshot in (open_baseline(run), open_baseline(baseline)):
        assert snapshot.reliable(snapshot.layers[0]).tolist() == told
    one = open_baseline(run)
    # Nothing of the candidate keeps its label.
    other = replace(one, layers=(replace(one.layers[0], label=np.full_like(one.layers[0].label, -1)),))
    (layers, labels) = (
        finding for finding in compare(one, other, Config())[0] if finding.rule in ("layers", "labels")
    )
    assert f"0 of {sum(map(bool, told))} reliable detectors keep" in labels.message
    assert f"detectors, {sum(map(bool, told))} of them reliable" in layers.message
    # A file of a version that kept no intervals: what is known of stability decides.
    unknown = np.full(one.layers[0].units, np.nan)
    older = replace(one, layers=(replace(one.layers[0], low=unknown, high=unknown),))
    stable = older.detectors(older.layers[0]) & (older.layers[0].stability > STABLE)
    (labels,) = (finding for finding in compare(older, other, Config())[0] if finding.rule == "labels")
    assert f"0 of {stable.sum()} stable detectors keep" in labels.message
    body = json.loads(baseline.read_text(encoding="utf-8"))
    arrays = unpack(body["arrays"])
    del body["format_version"], body["sha256"]
    # One version kept the lower ends alone.
    for missing in ("0/high", "0/low"):
        del arrays[missing]
        body["arrays"] = pack(arrays)
        sealed = {"format_version": 1, "sha256": _checksum(body), **body}
        (tmp_path / "older.json").write_text(json.dumps(sealed), encoding="utf-8")
        read = open_baseline(tmp_path / "older.json")
        assert read.layers[0].certainty == "stability"
        assert (read.reliable(read.layers[0]) == stable).all()


@pytest.mark.parametrize("damage", ["cut", "edited", "version"])
def test_damaged_baselines_are_refused(damage: str, baseline: Path, tmp_path: Path) -> None:
    text = baseline.read_text(encoding="utf-8")
    path = tmp_path / "baseline.json"
    changed = {
        "cut": text[: len(text) // 2],
        "edited": text.replace('"iou_threshold": 0.04', '"iou_threshold": 0.5'),
        "version": text.replace('"format_version": 1', '"format_version": 99', 1),
    }[damage]
    assert changed != text
    path.write_text(changed, encoding="utf-8")
    with pytest.raises(
        RunFormatError, match={"cut": "cut short", "edited": "edited", "version": "99"}[damage]
    ):
        open_baseline(path)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("iou", lambda array: array.astype(np.float32), "iou is float32"),
        ("iou", lambda array: array[:-1], "iou is of shape"),
        ("top_masks", lambda array: array[:, :-1], "does not go with top_images"),
        ("evidence/image", lambda array: array[:-1], "does not go with evidence/image"),
        ("label", None, "0/label"),
    ],
)
def test_a_sealed_baseline_with_other_arrays_is_refused(
    name: str,
    change: Callable[[NDArray[Any]], NDArray[Any]] | None,
    said: str,
    baseline: Path,
    tmp_path: Path,
) -> None:
    body = json.loads(baseline.read_text(encoding="utf-8"))
    arrays = unpack(body["arrays"])
    held = arrays.pop(f"0/{name}")
    if change is not None:
        arrays[f"0/{name}"] = change(held)
    del body["format_version"], body["sha256"]
    body["arrays"] = pack(arrays)
    sealed = {"format_version": 1, "sha256": _checksum(body), **body}
    (tmp_path / "other.json").write_text(json.dumps(sealed), encoding="utf-8")
    with pytest.raises(RunFormatError, match=said):
        open_baseline(tmp_path / "other.json")
