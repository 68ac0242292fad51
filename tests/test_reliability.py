"""Which detectors are called reliable, and where that is told."""

from __future__ import annotations

from pathlib import Path

import naive_statistics
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_run import Convolution, broden, dissect, network

import onnxdissect
from onnxdissect.core.reliability import reliable
from onnxdissect.results import rescore
from onnxdissect.results.records import Concept, LayerSummary, Unit
from onnxdissect.results.reliability import label_positions, with_reliability

CONCEPTS = tuple(
    Concept(number, name, "object", 100, images)
    for number, (name, images) in enumerate([("sky", 9), ("car", 10), ("train", 500)], 1)
)
# Around the limits, and the limits themselves.
SHARES = st.sampled_from([0.0, 0.03, 0.04, 0.05, 0.89, 0.9, 0.91, 1.0])


@st.composite
def layers(draw: st.DrawFn) -> tuple[list[Unit], LayerSummary]:
    units = []
    for number in range(draw(st.integers(0, 6))):
        concept = draw(st.sampled_from([None, *CONCEPTS]))
        iou = 0.0 if concept is None else draw(SHARES)
        followed = concept is not None and draw(st.booleans())
        units.append(
            Unit(
                layer="relu",
                quantile=0.005,
                unit=number,
                label=concept.name if concept else "",
                category=concept.category if concept else "",
                iou=iou,
                iou_low=draw(SHARES) if followed else None,
                iou_high=1.0 if followed else None,
                stability=draw(SHARES) if followed else None,
                detector=iou > 0.04,
                threshold=1.0,
                best={},
            )
        )
    found = [unit for unit in units if unit.detector]
    distinct = len({unit.label for unit in found})
    low = draw(st.sampled_from([None, 0]))
    summary = LayerSummary("relu", 0.005, len(units), len(found), distinct, 0, {}, None, low, low)
    return units, summary


@given(layers())
def test_reliable_equals_the_twin(layer: tuple[list[Unit], LayerSummary]) -> None:
    units, summary = layer
    images = np.array([concept.images for concept in CONCEPTS])
    told, counted = with_reliability(units, summary, label_positions(units, CONCEPTS), images, 0.04)
    held = {concept.name: concept.images for concept in CONCEPTS}
    assert counted.rare_labels == sum(unit.detector and held[unit.label] < 10 for unit in units)
    if summary.unique_low is None:
        assert told == units
        assert counted.reliable_detectors is None and counted.unique_reliable is None
        return
    for unit in told:
        assert unit.reliable == naive_statistics.reliable(unit.iou, unit.iou_low, unit.stability, 0.04)
        assert unit.detector or not unit.reliable
    assert counted.reliable_detectors == sum(bool(unit.reliable) for unit in told) <= summary.detectors
    assert counted.unique_reliable == len({unit.label for unit in told if unit.reliable})


@given(SHARES, SHARES, SHARES, SHARES, SHARES)
def test_limits_must_be_exceeded(
    iou: float, low: float, stability: float, limit: float, stable: float
) -> None:
    found = reliable(np.array(iou), np.array(low), np.array(stability), limit, stable)
    assert bool(found) == naive_statistics.reliable(iou, low, stability, limit, stable)
    assert not reliable(np.array(1.0), np.array(np.nan), np.array(1.0), 0.04)
    assert not reliable(np.array(1.0), np.array(1.0), np.array(np.nan), 0.04)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    network(tmp_path / "net.onnx", [Convolution(5, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 30, seed=2)
    return tmp_path


def agrees(run: onnxdissect.Dissection) -> None:
    (summary,) = run.summary()
    for unit in run.units():
        assert unit.reliable == naive_statistics.reliable(
            unit.iou, unit.iou_low, unit.stability, run.iou_threshold
        )
    kept = [unit for unit in run.units() if unit.reliable]
    assert (summary.reliable_detectors, summary.unique_reliable) == (
        len(kept),
        len({unit.label for unit in kept}),
    )


def test_rescoring_judges_anew(world: Path) -> None:
    # Among few concepts labels of random units are stable.
    most = sorted(concept.images for concept in dissect(world).concepts)[-2]
    run = rescore(world / "run", min_images=most)
    agrees(run)
    lows = sorted(unit.iou_low for unit in run.units() if unit.iou_low and (unit.stability or 0) > 0.9)
    assert lows, "nothing here is stable: the test shows nothing"
    # Between: what fails the one threshold passes the other.
    for threshold in (0.0, lows[0] - 1e-6, lows[-1]):
        again = rescore(run.path, iou_threshold=threshold)
        agrees(again)
        assert onnxdissect.load(run.path).units() == again.units()
        assert again.summary()[0].reliable_detectors == sum(low > threshold for low in lows)


def test_without_a_bootstrap_nothing_is_said(world: Path) -> None:
    run = dissect(world, bootstrap=0)
    assert {unit.reliable for unit in run.units()} == {None}
    (summary,) = run.summary()
    assert summary.reliable_detectors is None and summary.unique_reliable is None
