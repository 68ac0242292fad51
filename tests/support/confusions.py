"""Confusions as they are counted image by image."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from naive import confusions as naive
from naive import statistics

from onnxdissect.experiments.confusions import Confusion, PredictionArrays
from onnxdissect.experiments.confusions.confused_units import FEWEST


def expect_confusions(
    found: Sequence[Confusion], arrays: PredictionArrays, detectors: Sequence[int], top: int
) -> None:
    """See that they are those of the arrays, with the units that the definitions ask for."""
    shown, told = arrays.class_index.tolist(), arrays.predicted_index.tolist()
    pairs = list(zip(shown, told, strict=True))
    often = {pair: pairs.count(pair) for pair in pairs if pair[0] != pair[1]}
    order = sorted(often, key=lambda pair: (-often[pair], pair))
    assert [(one.class_index, one.predicted_index) for one in found] == order
    to_shown = arrays.contribution.copy()
    to_shown[arrays.wrong] = arrays.class_contribution
    rates = {
        pair: naive.confused(shown, told, arrays.contribution, to_shown, arrays.fired, pair)
        for pair in order
        if often[pair] >= FEWEST
    }
    tests = {
        (pair, k): naive.fisher(rate["fired"][k], rate["images"][0], rate["base"][k], rate["images"][1])
        for pair, rate in rates.items()
        if rate["images"][1]
        for k in detectors
    }
    q = [statistics.false_discovery_rates([p[way] for p in tests.values()]) for way in (0, 1)]
    corrected = dict(zip(tests, zip(*q, strict=True), strict=True))
    for one in found:
        pair = one.class_index, one.predicted_index
        assert one.images == often[pair] and one.share == often[pair] / shown.count(pair[0])
        assert one.detailed == (pair in rates)
        if not one.detailed:
            assert not one.fired + one.silent
            continue
        rate = rates[pair]
        here, base, other = rate["images"]
        fires = [k for k in detectors if rate["fired"][k] and rate["for_wrong"][k] > 0]
        less = [k for k in detectors if base and rate["fired"][k] * base < rate["base"][k] * here]
        missing = [k for k in less if rate["missing"][k] > 0]
        for way, (units, among, amount) in enumerate(
            ((one.fired, fires, rate["for_wrong"]), (one.silent, missing, rate["missing"]))
        ):
            assert [unit.unit for unit in units] == sorted(among, key=lambda k: (-amount[k], k))[:top]
            for unit in units:
                k = unit.unit
                assert unit.contribution == pytest.approx(amount[k], rel=1e-5)
                assert (unit.fired, unit.images) == (rate["fired"][k], here)
                assert (unit.base_fired, unit.base_images) == (rate["base"][k], base)
                assert (unit.other_fired, unit.other_images) == (rate["other"][k], other)
                if not base:
                    assert unit.p is unit.q is unit.difference.value is unit.difference.low is None
                    continue
                counts = rate["fired"][k], here, rate["base"][k], base
                assert unit.difference.value == pytest.approx(counts[0] / here - counts[2] / base)
                ends = naive.newcombe(*counts)
                assert (unit.difference.low, unit.difference.high) == pytest.approx(ends, abs=1e-9)
                assert unit.p == pytest.approx(tests[pair, k][way])
                assert unit.q == pytest.approx(corrected[pair, k][way])
