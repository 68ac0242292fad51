"""How people choose layers: the stages, names, aliases and patterns, and what is said where none is meant."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import models
from support.models import Builder
from support.networks import named, stages

from onnxdissect.errors import LayerLayoutError, LayerNotFoundError, ParameterError
from onnxdissect.model.stages.stages import choose_stages

# --------------------------------------------------------------------------------------------- stages


@pytest.mark.parametrize(
    "kind",
    ["relu", "clip", "leaky", "prelu", "swish", "hardswish", "mish", "gelu", "gelu20", "maximum"],
)
def test_nonlinearities_however_written(load: Any, kind: str) -> None:
    assert stages(load(models.activated(kind))) == ["out"]


def test_the_last_of_each_resolution(load: Any) -> None:
    assert stages(load(models.plain())) == ["relu1b", "relu2", "relu3"]
    assert stages(load(models.residual())) == ["block1", "block2"]


def test_concatenated_branches_are_one_stage(load: Any) -> None:
    assert stages(load(models.inception())) == ["mixed"]


def test_a_gate_is_no_stage(load: Any) -> None:
    assert stages(load(models.squeeze_excite())) == ["relu1"]


def test_what_is_upsampled_is_off_the_path(load: Any) -> None:
    assert stages(load(models.encoder_decoder())) == ["fine", "coarse", "deep"]


def test_without_nonlinearities_the_last_value_of_each_resolution(load: Any) -> None:
    b = Builder()
    x = b.conv(b.conv(b.image, 4), 4, name="fine")
    network = load(b.model(b.conv(x, 4, stride=2, name="coarse")))
    assert stages(network) == ["fine", "coarse"]


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), max_size=12))
@settings(deadline=None)
def test_stages_only_get_coarser(grids: list[tuple[int, int]]) -> None:
    candidates = [(str(i), grid) for i, grid in enumerate(grids)]
    chosen = [grids[int(name)] for name in choose_stages(candidates)]
    assert bool(chosen) == bool(grids)
    for before, after in itertools.pairwise(chosen):
        assert after != before and after[0] <= before[0] and after[1] <= before[1]


# ------------------------------------------------------------------------------------------- selectors


def test_selectors(load: Any) -> None:
    network = load(models.residual())

    def chosen(*selectors: str) -> list[str]:
        return [layer.name for layer in network.select(selectors)]

    assert chosen("block1") == ["block1"]
    assert chosen("block1/node") == ["block1"]
    assert chosen("relu5") == ["block2"]
    assert chosen("last") == ["block2"]
    assert chosen("block2", "stem", "relu1") == ["stem", "block2"]
    assert chosen("block?") == ["block1", "block2"]
    assert chosen("relu*", "last") == ["stem", "Relu_1:0", "block1", "Relu_3:0", "block2"]
    assert network.select(["all"]) == network.layers


def test_an_alias_counts_as_a_node_s_name_does(load: Any) -> None:
    b = Builder()
    b.constant(np.ones(4, np.float32), name="conv1")  # a stored value of the alias's name
    network = load(b.model(b.relu(b.conv("image", 4, name="first"), name="second")))
    first = named(network, "first")
    assert first.alias == "conv1"
    for name in (first.alias, first.node, "conv[1]"):
        assert network.select([name]) == (first,)


def test_an_unknown_layer_names_its_neighbours(load: Any) -> None:
    network = load(models.residual())
    with pytest.raises(LayerNotFoundError, match="no layer matches 'blok2'") as caught:
        network.select(["blok2"])
    assert caught.value.candidates[0] == "block2"
    assert str(caught.value.hint).startswith("onnxdissect layers ")
    with pytest.raises(LayerNotFoundError, match=r"no layer matches 'pool\*'"):
        network.select(["pool*"])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("image", "input of the network"),
        ("const_0", "stored in the file"),
    ],
)
def test_values_without_units(load: Any, name: str, reason: str) -> None:
    with pytest.raises(LayerLayoutError, match=reason):
        load(models.plain()).select([name])


def test_the_image_itself_is_no_layer(load: Any) -> None:
    b = Builder()
    x = b.node("Sub", b.image, b.constant(np.ones((3, 1, 1))), name="centred")
    network = load(b.model(b.relu(b.conv(x, 4))))
    with pytest.raises(LayerLayoutError, match="the image itself"):
        network.select(["centred"])


def test_a_network_without_maps(load: Any) -> None:
    """Fully connected units are layers; cells and units in one axis are not."""
    network = load(models.fully_connected())
    assert stages(network) == ["units"]
    assert (network.layers[0].name, network.layers[0].layout, network.layers[0].grid) == (
        "hidden",
        "NC",
        (1, 1),
    )
    with pytest.raises(LayerLayoutError, match="leaves open whether its second axis is units alone"):
        network.select(["Flatten_0:0"])


def test_nothing_asked_for(load: Any) -> None:
    with pytest.raises(ParameterError, match="no layer"):
        load(models.plain()).select([])
