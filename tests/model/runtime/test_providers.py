"""Execution providers: what is there, and what is said when it is not."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import onnxruntime
import pytest
from support.models import images, plain, save

from onnxdissect.errors import ParameterError, ProviderError
from onnxdissect.model import installed_wheels, load_network, open_session, provider_states
from onnxdissect.model.runtime import providers


def test_the_cpu_is_always_there() -> None:
    states = {state.name: state for state in provider_states()}
    assert list(states) == ["cpu", "cuda", "tensorrt"]
    assert states["cpu"].available
    assert all(state.reason for state in states.values())


def test_wheels() -> None:
    wheels = installed_wheels()
    assert onnxruntime.__version__ in wheels.values()
    for name, number in wheels.items():
        assert version(name) == number


def test_two_wheels_at_once_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("onnxruntime", "onnxruntime-gpu"):
        folder = tmp_path / f"{name.replace('-', '_')}-9.9.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert installed_wheels() == {"onnxruntime": "9.9", "onnxruntime-gpu": "9.9"}
    assert "installed over each other" in providers.advice()
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in providers.advice()


def test_auto_says_what_it_took_and_why(tmp_path: Path) -> None:
    network = load_network(save(plain(), tmp_path / "model.onnx"))
    session = open_session(network, network.select(["last"]))
    states = {state.name: state for state in provider_states()}
    if session.provider == "cpu":
        assert session.provider_note.startswith("no CUDA: ")
    else:
        assert (session.provider, states["cuda"].available) == ("cuda", True)


@pytest.mark.parametrize("name", ["cuda", "tensorrt"])
def test_a_provider_that_is_not_to_be_had(tmp_path: Path, name: str) -> None:
    network = load_network(save(plain(), tmp_path / "model.onnx"))
    state = next(state for state in provider_states() if state.name == name)
    if state.available:
        assert open_session(network, network.select(["last"]), provider=name).provider == name
        return
    with pytest.raises(ProviderError, match=f"the {name} provider is not to be had") as caught:
        open_session(network, network.select(["last"]), provider=name)
    assert state.reason in caught.value.message
    assert "onnxruntime" in str(caught.value.hint)


def test_unknown_providers(tmp_path: Path) -> None:
    network = load_network(save(plain(), tmp_path / "model.onnx"))
    with pytest.raises(ParameterError, match="'gpu'") as caught:
        open_session(network, network.select(["last"]), provider="gpu")
    assert "cuda" in caught.value.candidates


def test_asked_for_cpu(tmp_path: Path) -> None:
    network = load_network(save(plain(), tmp_path / "model.onnx"))
    session = open_session(network, network.select(["last"]), provider="cpu", verify=images(network))
    assert (session.provider, session.provider_note) == ("cpu", "asked for")


def test_half_an_installation_is_named(tmp_path: Path) -> None:
    (tmp_path / "onnxruntime").mkdir()
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "sys.path_importer_cache.clear()\n"
        "sys.path[:] = [p for p in sys.path if 'site-packages' not in p] + [sys.path[0]]\n"
        "from onnxdissect.errors import InstallationError\n"
        "from onnxdissect.model.runtime.providers import import_onnxruntime\n"
        "try:\n"
        "    import_onnxruntime()\n"
        "except InstallationError as error:\n"
        "    print(error)\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert "most of its files are not" in done.stdout
    assert "pip install onnxruntime-gpu" in done.stdout


def test_no_wheel_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(providers, "version", missing)
    assert installed_wheels() == {}
    assert "no onnxruntime wheel" in providers.advice()


def test_a_session_tells_who_runs_what(tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry(providers.RECORD_PLACEMENT, "1")
    path = str(save(plain(), tmp_path / "model.onnx"))
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    placed = providers.placement(session)
    assert placed["CPUExecutionProvider"]["Conv"] == 4
    assert providers.left_to_cpu(placed) == (
        "5 of 5 operators with weights run on the CPU all the same: Conv, Gemm"
    )
    silent = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert providers.placement(silent) == {}


def test_operators_left_to_the_cpu_are_named() -> None:
    placed = {
        "CUDAExecutionProvider": {"Conv": 30, "Relu": 20},
        "CPUExecutionProvider": {"Shape": 4, "Gather": 4},
    }
    assert providers.left_to_cpu(placed) is None
    placed["CPUExecutionProvider"]["QLinearConv"] = 2
    assert providers.left_to_cpu(placed) == (
        "2 of 32 operators with weights run on the CPU all the same: QLinearConv"
    )
