"""What only a GPU can show; skipped where CUDA does not work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from support import models
from support.models import images, save

from onnxdissect.errors import ProviderError
from onnxdissect.model import load_network, open_session

pytestmark = pytest.mark.gpu


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
