"""What only a GPU can show; skipped where CUDA does not work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from support import models
from support.models import images, save
from support.segmenters import world

import onnxdissect
from onnxdissect.data import open_data
from onnxdissect.errors import ProviderError
from onnxdissect.model import load_network, open_session

pytestmark = pytest.mark.gpu

SHIPPED = Path(__file__).parents[1] / "models" / "tiny_scenes.onnx"


@pytest.fixture(scope="module", autouse=True)
def cuda(tmp_path_factory: pytest.TempPathFactory) -> None:
    network = load_network(save(models.plain(), tmp_path_factory.mktemp("cuda") / "model.onnx"))
    try:
        open_session(network, network.select(["last"]), provider="cuda")
    except ProviderError as error:
        pytest.skip(error.message)


@pytest.mark.parametrize(
    "build",
    [models.plain, models.residual, models.channels_last, models.squeeze_excite, models.encoder_decoder],
)
def test_the_gpu_computes_what_the_cpu_computes(tmp_path: Path, build: Callable[[], onnx.ModelProto]) -> None:
    network = load_network(save(build(), tmp_path / "model.onnx"))
    layers = network.select(["all"])
    batch = images(network, 5)
    sessions = [open_session(network, layers, provider=p, verify=batch) for p in ("cpu", "cuda")]
    assert [session.provider for session in sessions] == ["cpu", "cuda"]
    for one, other in zip(*(session(batch) for session in sessions), strict=True):
        # TF32 would differ in the fourth digit
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_auto_takes_the_gpu(tmp_path: Path) -> None:
    network = load_network(save(models.plain(), tmp_path / "model.onnx"))
    session = open_session(network, network.select(["last"]), verify=images(network))
    assert (session.provider, session.provider_note) == ("cuda", "a trial run works")


def test_a_segmenter_on_the_gpu_labels_as_on_the_cpu(tmp_path: Path) -> None:
    world(tmp_path)
    spec = f"segmenter:{tmp_path}/seg.onnx?images={tmp_path}/photos&classes={tmp_path}/classes.txt"
    one, other = (open_data(f"{spec}&provider={provider}") for provider in ("cpu", "cuda"))
    for i in range(len(one)):
        np.testing.assert_array_equal(one.read_annotation(i).planes, other.read_annotation(i).planes)


def test_a_run_on_the_gpu_finds_what_one_on_the_cpu_finds(tmp_path: Path) -> None:
    runs = {
        provider: onnxdissect.dissect(
            SHIPPED, "tiny", "last", limit=200, null=0, provider=provider, out=tmp_path / provider
        )
        for provider in ("cpu", "cuda")
    }
    (layer,) = runs["cpu"].layers
    quantile = runs["cpu"].quantiles[0]
    for one, other in zip(*(run.units(layer.name, quantile) for run in runs.values()), strict=True):
        assert other.threshold == pytest.approx(one.threshold, rel=1e-4, abs=1e-5)
        # a cell at the threshold may fall on either side
        assert other.iou == pytest.approx(one.iou, abs=1e-3)
        assert other.label == one.label or abs(other.iou - one.iou) < 1e-3
    assert runs["cuda"].manifest["provider"]["name"] == "cuda"


@pytest.mark.parametrize("attribution", ["linear", "ablation"])
def test_the_gpu_explains_as_the_cpu_does(tmp_path: Path, attribution: str) -> None:
    run = onnxdissect.dissect(
        SHIPPED, "tiny", "last", limit=60, null=0, bootstrap=1, provider="cpu", out=tmp_path / "run"
    )
    pixels = open_data("tiny").read_image(200)
    one, other = (
        onnxdissect.explain(SHIPPED, pixels, run, attribution=attribution, provider=provider)[0]
        for provider in ("cpu", "cuda")
    )
    assert other.class_index == one.class_index
    assert other.score == pytest.approx(one.score, rel=1e-4, abs=1e-4)
    np.testing.assert_allclose(other.contributions, one.contributions, rtol=1e-3, atol=1e-4)


def test_the_gpu_removes_units_as_the_cpu_does(tmp_path: Path) -> None:
    run = onnxdissect.dissect(
        SHIPPED, "tiny", "last", limit=60, null=0, bootstrap=1, provider="cpu", out=tmp_path / "run"
    )
    asked: dict[str, Any] = {"target": ["railway-s"], "top_n": [4, 20], "repeats": 2, "limit": 48}
    one, other = (
        onnxdissect.ablate(SHIPPED, "tiny", run, resamples=0, provider=provider, **asked)
        for provider in ("cpu", "cuda")
    )
    same = one.arrays.predicted == other.arrays.predicted
    # two scores that are as good as equal may change places
    assert same.mean() > 0.999
    np.testing.assert_allclose(other.arrays.ranked_rise, one.arrays.ranked_rise, rtol=1e-3, atol=1e-4)


def test_the_gpu_tells_right_and_wrong_as_the_cpu_does(tmp_path: Path) -> None:
    run = onnxdissect.dissect(
        SHIPPED, "tiny", "last", limit=60, null=0, bootstrap=1, provider="cpu", out=tmp_path / "run"
    )
    data = open_data("tiny").subset(limit=96)
    one, other = (
        onnxdissect.explain_labelled(SHIPPED, data, run, examples=0, provider=provider)
        for provider in ("cpu", "cuda")
    )
    told = [[image.predicted_index for image in result.images] for result in (one, other)]
    assert told[0] == told[1]
    assert other.accuracy == one.accuracy and other.attribution == one.attribution == "linear"
