"""Contributions to two classes at once are those of files edited by hand, whatever the network's layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from naive import explanation as naive
from support import models
from support.explained import flattened_last, split_at

from onnxdissect.experiments.class_scores.variants import class_scores
from onnxdissect.experiments.confusions.contributions import Contributor, choose_attribution

Make = Callable[[], onnx.ModelProto]
NETWORKS: list[tuple[Make, str, str]] = [
    (models.residual, "block2", "linear"),
    (lambda: models.plain(dtype=np.float16), "relu3", "linear"),
    (flattened_last, "deep", "linear"),
    (models.frozen_batch, "relu2", "linear"),
    (models.channels_last, "relu0", "ablation"),
    (models.squeeze_excite, "relu1", "ablation"),
]


@pytest.mark.parametrize(("make", "name", "attribution"), NETWORKS, ids=range(len(NETWORKS)))
def test_two_classes_are_told_of_the_same_runs(
    tmp_path: Path, make: Make, name: str, attribution: str
) -> None:
    network, layer, scores, parts, image = split_at(make(), name, tmp_path)
    assert choose_attribution(network, parts, "auto") == attribution
    activations = parts.activations(image)
    told = class_scores(parts, activations)[0]
    found = Contributor(parts, attribution).contributions(activations, told, [3, 1])
    assert len(found) == 2
    for one, number in zip(found, (3, 1), strict=True):
        axis = layer.layout.index("C")
        whole, nothing, alone, removed = naive.contributions(
            network.path, layer.name, axis, layer.units, image, scores.value, number
        )
        expected = alone if attribution == "linear" else removed
        # the head of a float16 network is rounded to float16, which the file edited by hand is not
        allowed = 2e-3 if layer.dtype == "float16" else 1e-5
        scale = max(abs(whole), np.abs(expected).max())
        np.testing.assert_allclose(one.values, expected, atol=allowed * scale)
        assert one.score == pytest.approx(whole, abs=allowed * scale)
        if attribution == "linear":
            assert one.bias == pytest.approx(nothing, abs=allowed * scale)
            assert one.error is not None and one.error < 1e-4
        else:
            assert one.bias is None and one.error is None
