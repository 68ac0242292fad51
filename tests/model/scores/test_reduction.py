"""Scores of classes at many places made one of each: of maps, of boxes, before a choice among classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.models import Builder, images, run_whole, save
from support.reduced import segmenter

from onnxdissect.errors import ParameterError
from onnxdissect.model import load_network
from onnxdissect.model.runtime.parts.opening import open_parts
from onnxdissect.model.scores.additive import find_obstacle
from onnxdissect.model.scores.class_scores import find_class_scores, place_of_layer
from onnxdissect.model.scores.reduction import reduce_scores


@pytest.mark.parametrize("opset", [17, 21])
@pytest.mark.parametrize(
    ("ending", "before", "stripped", "places"),
    [
        ("maps", "maps", "", (2, 3)),
        ("chances", "maps", "Softmax", (2, 3)),
        ("numbers", "maps", "ArgMax", (2, 3)),
        ("last", "turned", "Softmax", (1, 2)),
        ("boxes", "boxes", "", (1,)),
    ],
)
def test_scores_are_the_mean_or_the_largest_of_all_places(
    tmp_path: Path, ending: str, before: str, stripped: str, places: tuple[int, ...], opset: int
) -> None:
    path = save(segmenter(ending, opset=opset), tmp_path / "model.onnx")
    plain = load_network(path)
    for how, naive in (("mean", np.mean), ("max", np.max)):
        network, scores = reduce_scores(plain, None, how)
        found = (scores.output, scores.score_of, scores.stripped, scores.reduced, scores.classes)
        assert found == (ending, before, stripped, how, 4)
        (layer,) = network.select(["deep"])
        parts = open_parts(network, layer, outputs=[scores.value], provider="cpu")
        batch = images(network, 2, seed=3)
        (got,) = parts.run_tail(parts.activations(batch))
        (maps,) = run_whole(path, [before], batch)
        np.testing.assert_allclose(got, naive(maps, axis=places), rtol=1e-5, atol=1e-6)
        # a mean of sums over units is one, and a largest is none
        obstacle = find_obstacle(network, parts.tail_graph, layer, scores.value)
        assert (obstacle is None) == (how == "mean") and parts.tail_bytes == 4 * maps[0].size
        assert place_of_layer(network, before, scores) == "scores"
    assert plain.outputs == (ending,) and scores.value not in plain.listing.shapes


def test_what_cannot_be_reduced_is_said(tmp_path: Path) -> None:
    network = load_network(save(segmenter("numbers"), tmp_path / "numbers.onnx"))
    for asked, said in (
        ("middle", "no reduction 'middle'"),
        ("max:0", "no whole number from 1"),
        ("max:x", "no whole number from 1"),
        ("max:2", "chooses among classes along axis 1"),
    ):
        with pytest.raises(ParameterError, match=said):
            reduce_scores(network, None, asked)
    with pytest.raises(ParameterError, match="has no output 'number'") as error:
        reduce_scores(network, "number", "mean")
    assert error.value.candidates == ("numbers",)
    with pytest.raises(ParameterError, match="no output that scores classes") as error:
        find_class_scores(network)
    assert error.value.hint is not None and "--reduce" in error.value.hint


def test_a_vector_has_nothing_to_reduce_and_of_several_outputs_one_is_chosen(tmp_path: Path) -> None:
    b = Builder(("N", 3, 12, 12))
    deep = b.relu(b.conv(b.image, 6), name="deep")
    maps = b.conv(deep, 4, 1, name="maps")
    other = b.conv(deep, 5, 1, name="other")
    network = load_network(save(b.model(b.head(deep), maps, other), tmp_path / "model.onnx"))
    with pytest.raises(ParameterError, match="2 outputs that could be reduced") as error:
        reduce_scores(network, None, "mean")
    assert error.value.candidates == ("maps", "other")
    assert reduce_scores(network, "other", "mean")[1].classes == 5
    with pytest.raises(ParameterError, match="scores no places"):
        reduce_scores(network, "logits", "mean")
    with pytest.raises(ParameterError, match="has no axis 4"):
        reduce_scores(network, "maps", "mean:4")


def test_where_classes_lie_is_asked_for_if_the_graph_does_not_tell(tmp_path: Path) -> None:
    b = Builder(("N", 3, 12, 12))
    maps = b.conv(b.relu(b.conv(b.image, 6), name="deep"), 4, name="maps")
    mixed = b.node("Reshape", maps, b.constant((0, 6, -1), np.int64), name="mixed")
    network = load_network(save(b.model(mixed), tmp_path / "model.onnx"))
    with pytest.raises(ParameterError, match="is not known") as error:
        reduce_scores(network, None, "max")
    assert error.value.hint is not None and "--reduce mean:1" in error.value.hint
    assert reduce_scores(network, None, "max:2")[1].classes == 96
