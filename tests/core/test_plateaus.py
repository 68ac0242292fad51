"""Units that saturate have no masks, and a run says so."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from support.datasets import random_broden, write_broden
from support.saturating import saturating

import onnxdissect
from onnxdissect.core.plateaus import find_plateaus, lifting_quantile
from onnxdissect.report import build


@pytest.mark.parametrize("top", [5, 0])
def test_a_run_says_which_units_saturate_and_what_would_do(tmp_path: Path, top: int) -> None:
    data = write_broden(tmp_path / "data", random_broden(np.random.default_rng(0), pictures=12))
    said: list[str] = []
    run = onnxdissect.dissect(
        saturating(tmp_path / "m.onnx"),
        data,
        ["r"],
        quantiles=[0.005, 0.9],
        preset="raw",
        top=top,
        bootstrap=0,
        null=0,
        out=tmp_path / "run",
        notify=said.append,
    )
    low, high = run.summary()
    assert (low.plateau_units, low.constant_units) == (1, 2)
    assert (high.plateau_units, high.constant_units) == (0, 2)
    (warning,) = [line for line in said if "saturate" in line]
    assert warning.startswith("warning: r: 1 of 4 units has no mask at quantile 0.005, because it saturates")
    assert "--quantile" in warning
    assert warning.removeprefix("warning: ") in run.manifest["warnings"]
    # what it advises does
    better = float(warning.split("--quantile ")[1].split()[0])
    again = onnxdissect.dissect(
        tmp_path / "m.onnx",
        data,
        ["r"],
        quantiles=[better],
        preset="raw",
        top=top,
        bootstrap=0,
        null=0,
        out=tmp_path / "again",
    )
    assert again.summary()[0].plateau_units == 0
    assert run.counts("r").activation_total[0, 1] == 0 < again.counts("r").activation_total[0, 1]
    # tables, what is read back, pages
    rows = list(csv.DictReader((tmp_path / "run" / "layers.csv").read_text().splitlines()))
    assert [row["plateau_units"] for row in rows] == ["1", "0"]
    assert onnxdissect.load(tmp_path / "run").summary() == run.summary()
    page = build(run)
    assert "1 unit saturates and has no mask" in (page.parent / "layers" / "r.html").read_text()
    json.dumps(run.manifest["warnings"])


def test_networks_that_do_not_saturate_are_silent(tmp_path: Path) -> None:
    data = write_broden(tmp_path / "data", random_broden(np.random.default_rng(0), pictures=12))
    said: list[str] = []
    run = onnxdissect.dissect(
        saturating(tmp_path / "m.onnx", 1e6),
        data,
        ["r"],
        preset="raw",
        bootstrap=0,
        null=0,
        out=tmp_path / "run",
        notify=said.append,
    )
    assert run.summary()[0].plateau_units == 0
    assert not [line for line in said if "saturate" in line]


def test_where_no_value_may_lie_above_the_threshold_nothing_is_said_of_the_units() -> None:
    samples = np.sort(np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32), axis=1)
    highest = samples[:, -1:]
    found = find_plateaus(samples[:, -1], highest, np.zeros(3, np.int64), samples, 0)
    assert not found.plateau.any()
    assert not found.constant.any()


def test_the_advice_is_none_where_the_plateau_is_most_of_the_positions() -> None:
    samples = np.full((1, 100), 6, np.float32)
    samples[0, :30] = 0
    six = np.full(1, 6, np.float32)
    found = find_plateaus(six, six[:, None], np.zeros(1, np.int64), samples, 5)
    assert found.plateau.all()
    assert found.share[0] == 0.7
    assert lifting_quantile(found) is None
    samples[0, :97] = 0
    assert lifting_quantile(find_plateaus(six, six[:, None], np.zeros(1, np.int64), samples, 1)) == 0.05
