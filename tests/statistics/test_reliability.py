"""Which detectors are called reliable, and where that is told."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import statistics as naive_statistics
from support.commands import called
from support.small_runs import Convolution, broden, dissect, network

import onnxdissect
from onnxdissect.results import headline, rescore
from onnxdissect.results.records import Concept, LayerSummary, Unit
from onnxdissect.results.reliability import label_positions, with_reliability
from onnxdissect.statistics.reliability import STABLE, SampleSize, fewest_resamples, reliable_units

CONCEPTS = tuple(
    Concept(number, name, "object", 100, images)
    for number, (name, images) in enumerate([("sky", 9), ("car", 10), ("train", 500)], 1)
)
ENOUGH = SampleSize(1000, 100)
# Around the limits, and the limits themselves.
SHARES = st.sampled_from([0.0, 0.03, 0.04, 0.05, 0.9, 0.98, 0.99, 0.991, 1.0])
# Closer around the threshold too, since the tests weigh how wide an interval is.
ENDS = SHARES | st.floats(0.03, 0.2)


@st.composite
def layers(draw: st.DrawFn) -> tuple[list[Unit], LayerSummary]:
    units = []
    for number in range(draw(st.integers(0, 6))):
        concept = draw(st.sampled_from([None, *CONCEPTS]))
        iou = 0.0 if concept is None else draw(SHARES)
        followed = concept is not None and draw(st.booleans())
        ends = sorted((draw(ENDS), draw(ENDS)))
        units.append(
            Unit(
                layer="relu",
                quantile=0.005,
                unit=number,
                label=concept.name if concept else "",
                category=concept.category if concept else "",
                iou=iou,
                iou_low=ends[0] if followed else None,
                iou_high=ends[1] if followed else None,
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


def seen(unit: Unit) -> tuple[float, float | None, float | None, float | None]:
    return unit.iou, unit.iou_low, unit.iou_high, unit.stability


@settings(deadline=None)
@given(layers(), st.sampled_from([1, 298, 299, 1000]), st.sampled_from([2.0, 19.9, 20.0, 100.0]))
def test_reliable_equals_the_twin(
    layer: tuple[list[Unit], LayerSummary], resamples: int, drawn_from: float
) -> None:
    units, summary = layer
    size = SampleSize(resamples, drawn_from)
    images = np.array([concept.images for concept in CONCEPTS])
    told, counted = with_reliability(units, summary, label_positions(units, CONCEPTS), images, 0.04, size)
    held = {concept.name: concept.images for concept in CONCEPTS}
    assert counted.rare_labels == sum(unit.detector and held[unit.label] < 10 for unit in units)
    if summary.unique_low is None:
        assert told == units
        assert counted.reliable_detectors is None and counted.unique_reliable is None
        return
    rows = [seen(unit) for unit in units]
    twin = naive_statistics.reliable(rows, 0.04, resamples=resamples, images=drawn_from)
    assert [unit.reliable for unit in told] == twin
    assert all(unit.detector or not unit.reliable for unit in told)
    assert counted.reliable_detectors == sum(bool(unit.reliable) for unit in told) <= summary.detectors
    assert counted.unique_reliable == len({unit.label for unit in told if unit.reliable})


@given(
    st.lists(st.tuples(ENDS, ENDS, ENDS, SHARES), max_size=40),
    st.sampled_from([0.0, 0.03, 0.04, 0.05]),
    st.sampled_from([0.0, 0.9, 0.99]),
)
def test_the_rule_equals_the_twin(
    drawn: list[tuple[float, float, float, float]], threshold: float, stable: float
) -> None:
    units = [(iou, min(ends), max(ends), stability) for iou, *ends, stability in drawn]
    found = judged(units, threshold, stable)
    assert found == naive_statistics.reliable(units, threshold, stable)


def judged(units: Sequence[tuple[float, ...]], threshold: float = 0.04, stable: float = STABLE) -> list[bool]:
    iou, low, high, stability = np.array(units, np.float64).reshape(-1, 4).T
    return [bool(held) for held in reliable_units(iou, low, high, stability, threshold, stable, size=ENOUGH)]


def test_limits_must_be_exceeded() -> None:
    sure = (0.1, 0.08, 0.13, 1.0)
    assert judged([sure]) == [True]
    for position in range(4):
        unknown = (*sure[:position], np.nan, *sure[position + 1 :])
        assert judged([unknown, sure]) == [False, True]
    assert judged([(0.1, 0.04, 0.13, 1.0), (0.1, 0.08, 0.13, 0.99), (0.04, 0.04, 0.04, 1.0)]) == [False] * 3


def test_too_few_resamples_images_or_groups_leave_nothing_reliable() -> None:
    row = (0.1, 0.08, 0.13, 1.0)

    def held(size: SampleSize, stable: float = STABLE) -> bool:
        iou, low, high, stability = np.array([row]).T
        return bool(reliable_units(iou, low, high, stability, 0.04, stable, size=size)[0])

    for n in (1, 2, 5, 50, 298):
        assert not held(SampleSize(n, 500)) and "--bootstrap 1000" in SampleSize(n, 500).lack()
    assert held(SampleSize(299, 500)) and not SampleSize(299, 500).lack()
    for n in (1, 2, 5, 19):
        assert not held(SampleSize(1000, n)) and "more images" in SampleSize(1000, n).lack()
    assert held(SampleSize(1000, 20))
    assert not held(SampleSize(1000, 1.4, grouped=True))
    assert "groups worth 1.4 of equal size cannot" in SampleSize(1000, 1.4, grouped=True).lack()
    # A label that may lose more often shows in fewer; the ends of an interval take some all the same.
    assert held(SampleSize(40, 500), 0.9) and not held(SampleSize(39, 500), 0.9)
    assert not held(SampleSize(39, 500), 0.0)


def test_how_many_resamples_it_takes() -> None:
    # A label that wins in 99 % of all wins in every one of so many in less than one case of twenty.
    assert STABLE**299 < 0.05 < STABLE**298
    assert [fewest_resamples(stable) for stable in (0.99, 0.999, 0.9, 0.0, 1.0)] == [299, 2995, 40, 40, 40]


def test_a_stable_label_wins_in_nine_of_ten_other_samples() -> None:
    # Ahead by z errors of one sample; other samples add an error of their own.
    def elsewhere(stability: float) -> float:
        return NormalDist().cdf(NormalDist().inv_cdf(stability) / math.sqrt(2))

    assert elsewhere(0.9) < 0.9 < 0.949 < elsewhere(STABLE)


def test_ends_that_tell_no_error() -> None:
    # Never below zero, always the same, and 0 in all resamples.
    units = [(0.1, 0.0, 0.2, 1.0), (0.1, 0.1, 0.1, 1.0), (0.1, 0.0, 0.0, 1.0)]
    assert judged(units) == [False, True, False]
    # Everything lies above a threshold of 0; what may be 0 itself is not known to.
    assert judged(units, 0.0) == [False, True, False]
    assert judged([]) == []


def test_many_borderline_detectors_are_luck() -> None:
    # Just above the threshold: among others like them they are believed, since all pass their test.
    borderline, clear = (0.08, 0.042, 0.152, 1.0), (0.2, 0.17, 0.23, 1.0)
    lucky = (0.05, 0.02, 0.125, 0.3)
    assert judged([borderline] * 20) == [True] * 20
    # Twenty of a thousand are about what luck makes; those that are clear stay.
    crowd = [borderline] * 20 + [clear] * 5 + [lucky] * 1000
    assert judged(crowd) == [False] * 20 + [True] * 5 + [False] * 1000
    # What are no detectors is not tested.
    idle = (0.03, 0.01, 0.08, 1.0)
    assert judged([borderline] * 20 + [idle] * 1000) == [True] * 20 + [False] * 1000


@pytest.fixture
def world(tmp_path: Path) -> Path:
    network(tmp_path / "net.onnx", [Convolution(5, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 30, seed=2)
    return tmp_path


def agrees(run: onnxdissect.Dissection) -> None:
    (summary,) = run.summary()
    told = naive_statistics.reliable([seen(unit) for unit in run.units()], run.iou_threshold)
    assert [unit.reliable for unit in run.units()] == told
    kept = [unit for unit in run.units() if unit.reliable]
    assert (summary.reliable_detectors, summary.unique_reliable) == (
        len(kept),
        len({unit.label for unit in kept}),
    )


def test_rescoring_judges_anew(world: Path) -> None:
    # Where one concept is all there is, labels of random units are stable.
    most = max(concept.images for concept in dissect(world).concepts)
    run = rescore(world / "run", min_images=most)
    agrees(run)
    lows = sorted(unit.iou_low for unit in run.units() if unit.iou_low and (unit.stability or 0) > STABLE)
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


def lines(*words: object) -> list[str]:
    done = called(Path.cwd(), *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_command_says_it_first_and_says_what_would_help(world: Path) -> None:
    few, frequent = sorted({concept.images for concept in dissect(world, iou_threshold=0.0).concepts})[-2:]
    assert few >= 10, "rare concepts would be all there are"
    said = lines("rescore", world / "run", "--iou-threshold", 0.0)
    assert "relu1: 5 of 5 units detect a concept, none of them reliably" in said
    (advice,) = [line for line in said if line.startswith("none of 5 detectors is reliable: ")]
    assert "More images would help" in advice and "--min-images" not in advice
    said = lines("rescore", world / "run", "--min-images", frequent)
    left = sum(concept.images < frequent for concept in onnxdissect.load(world / "run").concepts)
    assert f"{left} concepts in fewer than {frequent} images were no candidates" in said
    told = json.loads("\n".join(lines("rescore", world / "run", "--json")))
    run = onnxdissect.load(world / "run")
    (summary,), (layer,) = run.summary(), told["layers"]
    for name in ("reliable_detectors", "unique_reliable", "rare_labels"):
        assert layer[name] == getattr(summary, name)
    assert (told["min_images"], told["left_out"], told["advice"]) == (frequent, left, headline.advice(run))


def test_fewer_resamples_or_images_never_make_more_reliable(tmp_path: Path) -> None:
    network(tmp_path / "net.onnx", [Convolution(5, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 30, seed=2)
    most = max(concept.images for concept in dissect(tmp_path).concepts)
    enough = rescore(tmp_path / "run", min_images=most, iou_threshold=0.0).summary()[0].reliable_detectors
    assert enough, "nothing here is reliable: the test shows nothing"
    for n in (1, 5, 298):
        run = dissect(tmp_path, bootstrap=n, iou_threshold=0.0, min_images=most, fresh=True)
        assert run.summary()[0].reliable_detectors == 0
        assert {unit.reliable for unit in run.units()} == {False}
        (said,) = headline.advice(run)
        assert said.startswith("no detector counts as reliable: ") and "it takes 299: --bootstrap" in said
    run = dissect(tmp_path, limit=10, iou_threshold=0.0, fresh=True)
    assert run.summary()[0].reliable_detectors == 0
    (said,) = headline.advice(run)
    assert "10 images cannot show" in said and "it takes 20: more images would help" in said
    run = dissect(tmp_path, groups="prefix:1", iou_threshold=0.0, fresh=True)
    assert run.summary()[0].reliable_detectors == 0
    (said,) = headline.advice(run)
    assert "of equal size cannot show" in said and "more groups would help" in said


def test_the_command_says_beforehand_that_resamples_are_too_few(world: Path) -> None:
    asked = ("run", world / "net.onnx", "--data", world / "data", "--preset", "raw", "--no-report")
    for n, warned in ((20, True), (299, False)):
        words = [*map(str, asked), "--bootstrap", str(n), "--out", str(world / f"run{n}")]
        done = called(world, *words)
        assert done.returncode == 0, done.stderr
        assert ("no detector can be told to be reliable" in done.stderr) == warned


def summed(
    run: onnxdissect.Dissection, *, detectors: int, reliable: int | None, rare: int
) -> onnxdissect.Dissection:
    (summary,) = run.summary()
    counted = replace(summary, units=1000, detectors=detectors, reliable_detectors=reliable, rare_labels=rare)
    run._summaries = (counted,)
    return run


@pytest.mark.parametrize(
    ("detectors", "reliable", "rare", "headline_", "words"),
    [
        (91, 84, 5, "91 of 1,000 units detect a concept, 84 of them reliably", None),
        (91, 46, 5, "91 of 1,000 units detect a concept, 46 of them reliably", None),
        (91, 45, 0, "91 of 1,000 units detect a concept, 45 of them reliably", r"only 45 of 91 .* help$"),
        (
            90,
            0,
            9,
            "90 of 1,000 units detect a concept, none of them reliably",
            r"9 of the labels stand .* --min-images 10",
        ),
        (
            600,
            3,
            9,
            "600 of 1,000 units detect a concept, 3 of them reliably",
            r"In relu1 they are so few that some",
        ),
        (
            91,
            1,
            0,
            "91 of 1,000 units detect a concept, 1 of them reliably",
            r"only 1 of 91 detectors is reliable: ",
        ),
        (91, 91, 0, "91 of 1,000 units detect a concept, all of them reliably", None),
        (
            91,
            0,
            0,
            "91 of 1,000 units detect a concept, none of them reliably",
            r"^none of 91 .* many of them would",
        ),
        (1, 1, 0, "1 of 1,000 units detects a concept, reliably", None),
        (
            1,
            0,
            0,
            "1 of 1,000 units detects a concept, but not reliably",
            r"^the only detector is not reliable: ",
        ),
        (0, 0, 0, "0 of 1,000 units detect a concept", None),
        (91, None, 9, "91 of 1,000 units detect a concept", None),
    ],
)
def test_what_is_said(
    world: Path, detectors: int, reliable: int | None, rare: int, headline_: str, words: str | None
) -> None:
    run = summed(dissect(world), detectors=detectors, reliable=reliable, rare=rare)
    assert headline.headline(run.summary()[0]) == headline_
    said = headline.advice(run)
    assert bool(said) == (words is not None)
    if words is not None:
        assert re.search(words, said[0])
