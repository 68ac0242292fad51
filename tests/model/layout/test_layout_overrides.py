"""What is said of stated layouts that do not fit: what would, in this network."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.models import save
from support.transformers import transformer

from onnxdissect.errors import LayerLayoutError, LayerNotFoundError, ParameterError
from onnxdissect.model import Network, load_network
from onnxdissect.model.layers.records import LAYOUTS


def stated(folder: Path, text: str, name: str = "final") -> Network:
    return load_network(save(transformer(), folder / "m.onnx"), layouts={name: text})


def test_a_grid_that_the_graph_contradicts_is_refused(tmp_path: Path) -> None:
    # Ten tokens: one of the network's own and a grid of 3x3. It must not be dropped from `last` silently.
    for text in ("NTC:1:1x9", "NTC:0:2x5", "NTC:2:2x4"):
        with pytest.raises(LayerLayoutError, match="has its tokens on a grid of 3x3") as found:
            stated(tmp_path, text)
        assert found.value.candidates == ("NTC:1:3x3",)
        assert found.value.hint is not None and "--layout final=NTC:1:3x3" in found.value.hint
    network = stated(tmp_path, "NTC:1:3x3")
    assert [layer.name for layer in network.select(["last"])] == ["final"]


@pytest.mark.parametrize("text", ["TNC", "NTC:7", "NTC:x", "NTC:1:axb", "NTZ"])
def test_examples_are_grids_that_the_network_has(tmp_path: Path, text: str) -> None:
    with pytest.raises((LayerLayoutError, ParameterError)) as found:
        stated(tmp_path, text)
    assert found.value.hint is not None and "--layout final=NTC:1:3x3" in found.value.hint


def test_one_token_is_counted_as_one(tmp_path: Path) -> None:
    with pytest.raises(LayerLayoutError, match="has 1 token, which"):
        stated(tmp_path, "TNC")


def test_what_is_no_layout_lists_layouts_and_no_tokens_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(ParameterError) as found:
        stated(tmp_path, "HWNC", "embedding")
    assert (found.value.candidates, found.value.hint) == (LAYOUTS, None)


def test_a_name_like_none_says_where_names_are_listed(tmp_path: Path) -> None:
    with pytest.raises(LayerNotFoundError) as found:
        stated(tmp_path, "NHWC", "qqqqq")
    assert found.value.hint is not None and "onnxdissect layers" in found.value.hint
