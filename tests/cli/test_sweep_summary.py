"""What ``run`` and ``rescore`` print of a run at several quantiles."""

from __future__ import annotations

import json
from pathlib import Path

from support.commands import called
from support.small_runs import Convolution, broden, network

import onnxdissect

RUN = ("run", "net.onnx", "--data", "data", "--preset", "raw", "--bootstrap", "0", "--null", "0")


def test_the_summary_says_how_labels_change(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(6, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 12, seed=2)
    quantiles = ("--quantile", "0.2", "--quantile", "0.05", "--quantile", "0.4")
    said = called(tmp_path, *RUN, *quantiles, "--no-report", "--out", "run")
    assert said.returncode == 0, said.stderr
    (layer,) = onnxdissect.threshold_sweep(onnxdissect.load(tmp_path / "run")).layers
    shares = ", ".join(
        f"{100 * counts.generic_share:.0f} % at {counts.quantile:g}"
        for counts in layer.counts
        if counts.generic_share is not None
    )
    assert (
        f"relu1: {layer.same_label} of 6 units {'has' if layer.same_label == 1 else 'have'} the same label "
        f"at every quantile from 0.05 to 0.4; generic among the detectors' labels: {shares}\n"
    ) in said.stdout
    again = called(tmp_path, "rescore", "run", "--iou-threshold", "0.3", "--json")
    (told,) = json.loads(again.stdout)["sweep"]
    (layer,) = onnxdissect.threshold_sweep(onnxdissect.load(tmp_path / "run")).layers
    assert told["quantiles"] == [0.05, 0.2, 0.4]
    assert told["generic_share"] == [counts.generic_share for counts in layer.counts]
    assert told["generic_label_share"] == [counts.generic_label_share for counts in layer.counts]
    assert told["changed"] == [None, *(counts.changed for counts in layer.counts[1:])]
    assert (told["units"], told["same_label"]) == (6, layer.same_label)
    assert (told["same_and_ever"], told["same_and_always"]) == (layer.same_and_ever, layer.same_and_always)


def test_one_quantile_says_nothing_of_others(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(6, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 6, seed=2)
    said = called(tmp_path, *RUN, "--quantile", "0.1", "--no-report", "--json", "--out", "run")
    assert said.returncode == 0, said.stderr
    assert "sweep" not in json.loads(said.stdout)
    assert "at every quantile" not in called(tmp_path, "rescore", "run").stdout
