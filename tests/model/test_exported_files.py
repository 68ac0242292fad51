"""Files that real exporters wrote, against what the source frameworks themselves computed.

Each `exports/<name>.onnx` was made by the script of `models/export/` that `<name>.json` names; `<name>.npz`
holds the pictures, and the outputs and layers as the framework's own hooks saw them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from naive import method as naive
from support.exported import (
    NAMES,
    SHARED,
    assert_activations_as_recorded,
    assert_close,
    chosen_layers,
    drawn_pictures,
    export_of,
    labelled,
    run_unoptimised,
)

import onnxdissect
from onnxdissect.model import ReceptiveField, open_session
from onnxdissect.model.surgery.layer_outputs import expose_layers


@pytest.mark.parametrize("name", NAMES)
def test_recorded_layers_are_listed(name: str) -> None:
    export = export_of(name)
    network = export.network()
    assert export.card["framework"] and export.card["exporter"]
    assert network.layers
    assert any(layer.stage for layer in network.layers)
    for layer, maps in chosen_layers(network, export):
        assert (layer.units, *layer.grid) == maps.shape[1:]


@pytest.mark.parametrize("name", ["pytorch_vit", "pytorch_vit_torchscript"])
def test_tokens_are_found_and_the_class_token_is_left_out(name: str) -> None:
    export = export_of(name)
    (patches, _), (block, maps) = chosen_layers(export.network(), export)
    assert (patches.layout, block.layout) == ("NCHW", "NTC")
    assert export.layers[1][1].shape[1] == 1 + maps.shape[2] * maps.shape[3]


def test_layers_over_the_last_axis_stay_channels_last() -> None:
    export = export_of("keras_convnext")
    layouts = [layer.layout for layer, _ in chosen_layers(export.network(), export)]
    assert layouts == ["NHWC", "NCHW", "NCHW"]


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_the_frameworks_before_and_after_surgery(name: str) -> None:
    export = export_of(name)
    network = export.network()
    batch = export.prepared(network)
    image, fixed = network.input.name, network.input.batch
    before = run_unoptimised(network.model, image, batch, fixed)
    layers = [layer for layer, _ in chosen_layers(network, export)]
    after = run_unoptimised(expose_layers(network.model, layers, prune=False), image, batch, fixed)
    assert tuple(before) == network.outputs
    assert len(after) == len(before) + len(layers)
    assert before.keys() == export.outputs.keys()
    for output, array in before.items():
        np.testing.assert_array_equal(after[output], array)
        assert_close(array, export.outputs[output], export.card["tolerance"])


@pytest.mark.parametrize("name", NAMES)
def test_activations_are_what_the_frameworks_hooks_saw(name: str) -> None:
    assert_activations_as_recorded(export_of(name))


@pytest.mark.parametrize("name", NAMES)
def test_counts_equal_the_naive_twin(name: str, tmp_path: Path) -> None:
    export = export_of(name)
    network = export.network()
    batch = export.prepared(network)
    chosen = [layer for layer, _ in chosen_layers(network, export)]
    folder = labelled(tmp_path / "data", export.arrays["pixels"], seed=len(name))
    result = onnxdissect.dissect(
        export.path,
        folder,
        [layer.name for layer in chosen],
        **export.card["preprocessing"],
        quantiles=[0.05],
        batch_size=2,
        provider="cpu",
        top=3,
        bootstrap=0,
        null=0,
        out=tmp_path / "run",
    )
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    used = {record["name"]: record["upsample"] for record in manifest["layers"]}
    session = open_session(network, chosen, provider="cpu", threads=1, verify=batch[:2], spin=False)
    runs = [session(batch[i : i + 2]) for i in range(0, len(batch), 2)]
    data = naive.read_broden(folder)
    for layer, activations in zip(chosen, map(np.concatenate, zip(*runs, strict=True)), strict=True):
        # the run may have found that cells stand nearer to an even spread
        spread = used[layer.name] == "resize"
        field = None if spread else layer.receptive_field
        expected = naive.dissect(
            activations,
            data.images,
            [(number, category) for number, _, category in data.concepts],
            len(data.categories),
            [0.05],
            network.size,
            None if field is None else (field.offset, field.stride),
            3,
        )
        counts = result.counts(layer.name)
        assert expected.intersection.any()
        for kind in ("thresholds", "intersection", "activation", "activation_overlap", "activation_total"):
            np.testing.assert_array_equal(getattr(counts, kind), getattr(expected, kind), err_msg=kind)
        np.testing.assert_array_equal(counts.truth, expected.truth)
        np.testing.assert_array_equal(counts.top_images, expected.top_images)
        np.testing.assert_array_equal(counts.top_values, expected.top_values)


def test_the_same_weights_give_the_same_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = drawn_pictures(24, (32, 32), seed=12)
    folder = labelled(tmp_path / "data", pixels, seed=11)
    units = {}
    for name in SHARED:
        export = export_of(name)
        layers = [layer["value"] for layer in export.card["layers"]]
        result = onnxdissect.dissect(
            export.path,
            folder,
            layers,
            **export.card["preprocessing"],
            quantiles=[0.02],
            provider="cpu",
            bootstrap=0,
            null=0,
            out=tmp_path / name,
        )
        assert [layer.receptive_field for layer in export.network().select(layers)] == [
            ReceptiveField((3.0, 3.0), (4.0, 4.0), (25.0, 25.0)),
            ReceptiveField((7.0, 7.0), (8.0, 8.0), (33.0, 33.0)),
        ]
        units[name] = [unit for layer in layers for unit in result.units(layer)]
    reference = units[SHARED[0]]
    assert len({unit.label for unit in reference}) > 3
    rows = []
    for name in SHARED:
        pairs = list(zip(reference, units[name], strict=True))
        same = sum(one.label == other.label for one, other in pairs)
        apart = max(abs(one.iou - other.iou) for one, other in pairs)
        exporter = export_of(name).card["exporter"]
        rows.append(f"{name:<20} {exporter:<48} {same:>3} of {len(pairs)} {apart:>14.1e}")
        assert same == len(pairs)
        assert apart <= 1e-3
    with capsys.disabled():
        print(f"\n{'file':<20} {'exporter':<48} {'same label':>9} {'IoU apart':>14}", *rows, sep="\n")
