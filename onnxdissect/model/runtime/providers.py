"""Execution providers: which there are, why others are not to be had, what each is told."""

from __future__ import annotations

import contextlib
import ctypes
import io
import sys
import warnings
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

from onnxdissect.errors import InstallationError
from onnxdissect.libraries import raise_interrupt
from onnxdissect.model.operators.table import BUILT_IN
from onnxdissect.storage.memory import raise_memory_error

__all__ = [
    "PROVIDERS",
    "RECORD_PLACEMENT",
    "ProviderState",
    "advice",
    "execution_providers",
    "import_onnxruntime",
    "installed_wheels",
    "left_to_cpu",
    "placement",
    "provider_states",
]

PROVIDERS = ("auto", "cpu", "cuda", "tensorrt")
"""What can be asked for."""

RECORD_PLACEMENT = "session.record_ep_graph_assignment_info"
"""Entry of a session's configuration that `placement` needs."""

_WHEELS = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
    "onnxruntime-rocm",
    "onnxruntime-migraphx",
    "onnxruntime-qnn",
)

_CPU: tuple[str, dict[str, str]] = ("CPUExecutionProvider", {})
# TF32 rounds float32 inputs to 10 bits of mantissa, which moves thresholds
_CUDA = ("CUDAExecutionProvider", {"device_id": "0", "use_tf32": "0"})
_TENSORRT = ("TensorrtExecutionProvider", {"device_id": "0"})
_CHAINS: dict[str, list[tuple[str, dict[str, str]]]] = {
    "cpu": [_CPU],
    "cuda": [_CUDA, _CPU],
    "tensorrt": [_TENSORRT, _CUDA, _CPU],
}
_DRIVERS = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}


@dataclass(frozen=True, slots=True)
class ProviderState:
    """Whether an execution provider is to be had here.

    Attributes
    ----------
    name : str
        "cpu", "cuda" or "tensorrt".
    available : bool
        Whether everything it needs was found; only a run proves that it works.
    reason : str
        What is missing, or what was found.
    """

    name: str
    available: bool
    reason: str


def installed_wheels() -> dict[str, str]:
    """Find the onnxruntime wheels that are installed.

    Two of them write into the same folder, and which one wins is chance.

    Returns
    -------
    dict of str to str
        Wheel name to version, without importing any.
    """
    found = {}
    for name in _WHEELS:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def advice() -> str:
    """Say what to do about a missing GPU provider.

    Returns
    -------
    str
        One sentence.
    """
    wheels = installed_wheels()
    listed = ", ".join(f"{name} {number}" for name, number in wheels.items()) or "no onnxruntime wheel"
    if len(wheels) > 1:
        return (
            f"{listed} are installed over each other; `pip uninstall -y {' '.join(wheels)}`, "
            "then `pip install onnxruntime-gpu`"
        )
    if "onnxruntime-gpu" not in wheels:
        return f"installed: {listed}; the CUDA provider comes with `pip install onnxruntime-gpu`"
    return f"installed: {listed}; use --provider cpu, or see `onnxdissect doctor`"


def import_onnxruntime() -> ModuleType:
    """Import onnxruntime, or say how to get it to load.

    Returns
    -------
    module
        ``onnxruntime``.

    Raises
    ------
    InstallationError
        If it is missing, or only half there: uninstalling one of two wheels takes files of the other.
    """
    try:
        import onnxruntime

        if not hasattr(onnxruntime, "InferenceSession"):
            raise ImportError("the package is there, but most of its files are not")
    except ImportError as error:
        raise_interrupt(error)
        wheels = installed_wheels()
        listed = ", ".join(f"{name} {number}" for name, number in wheels.items()) or "none"
        raise InstallationError(
            f"onnxruntime does not load (wheels installed: {listed}): {error}",
            hint=f"pip uninstall -y {' '.join(wheels) or 'onnxruntime'} && pip install onnxruntime-gpu",
        ) from error
    # a module that mypy is told not to follow
    module: ModuleType = onnxruntime
    return module


def execution_providers(name: str) -> list[tuple[str, dict[str, str]]]:
    """List what onnxruntime is to try.

    Parameters
    ----------
    name : str
        "cpu", "cuda" or "tensorrt".

    Returns
    -------
    list of (str, dict)
        onnxruntime's names and options, first choice first; the CPU takes what others cannot.
    """
    return _CHAINS[name]


def placement(session: Any) -> dict[str, dict[str, int]]:
    """Count the operators that each execution provider runs.

    A session lists the providers that were loaded. It is silent about one that leaves operators to the CPU,
    as CUDA does with integer convolutions.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        Made with `RECORD_PLACEMENT` set to "1".

    Returns
    -------
    dict of str to dict of str to int
        Operator types and their number per provider; empty where this onnxruntime, or this session, does
        not tell.
    """
    counts: dict[str, dict[str, int]] = {}
    try:
        for part in session.get_provider_graph_assignment_info():
            operators = counts.setdefault(part.ep_name, {})
            for node in part.get_nodes():
                operators[node.op_type] = operators.get(node.op_type, 0) + 1
    except Exception as error:
        raise_memory_error(error)
    return counts


def left_to_cpu(placed: dict[str, dict[str, int]]) -> str | None:
    """Say which operators with weights a GPU's provider left to the CPU.

    Parameters
    ----------
    placed : dict of str to dict of str to int
        What `placement` found.

    Returns
    -------
    str or None
        None where it has taken all of them.
    """
    costly = {op for operators in placed.values() for op in operators if BUILT_IN.find(op).multiplies}
    elsewhere = {op: n for op, n in placed.get(_CPU[0], {}).items() if op in costly}
    if not elsewhere:
        return None
    total = sum(n for operators in placed.values() for op, n in operators.items() if op in costly)
    listed = ", ".join(sorted(elsewhere))
    return (
        f"{sum(elsewhere.values())} of {total} operators with weights run on the CPU all the same: {listed}"
    )


def provider_states() -> tuple[ProviderState, ...]:
    """Look at what each provider needs.

    Returns
    -------
    tuple of ProviderState
        CPU, CUDA and TensorRT.
    """
    return (
        ProviderState("cpu", True, "always there"),
        _gpu_state("cuda", "CUDAExecutionProvider"),
        _gpu_state("tensorrt", "TensorrtExecutionProvider"),
    )


def _gpu_state(name: str, provider: str) -> ProviderState:
    onnxruntime = import_onnxruntime()
    if provider not in onnxruntime.get_available_providers():
        return ProviderState(name, False, f"this onnxruntime was built without {provider}")
    problem = _driver_problem() or _library_problem(name, Path(str(onnxruntime.__file__)).parent / "capi")
    return ProviderState(name, problem is None, problem or "driver, device and libraries found")


def _driver_problem() -> str | None:
    library = _DRIVERS.get(sys.platform)
    if library is None:
        return f"there is no CUDA on {sys.platform}"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return f"no NVIDIA driver ({library} does not load)"
    count = ctypes.c_int(0)
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if status or not count.value:
        return f"the NVIDIA driver finds no device (CUDA status {status})"
    return None


def _library_problem(name: str, folder: Path) -> str | None:
    preload = getattr(import_onnxruntime(), "preload_dlls", None)
    if preload is not None:
        # it finds CUDA in NVIDIA's own wheels, and prints what it misses
        with (
            contextlib.redirect_stdout(io.StringIO()),
            warnings.catch_warnings(action="ignore"),
            contextlib.suppress(Exception),
        ):
            preload()
    suffix = "dll" if sys.platform == "win32" else "so"
    stem = "" if sys.platform == "win32" else "lib"
    shared = folder / f"{stem}onnxruntime_providers_shared.{suffix}"
    library = folder / f"{stem}onnxruntime_providers_{name}.{suffix}"
    with contextlib.suppress(OSError):
        ctypes.CDLL(str(shared), mode=ctypes.RTLD_GLOBAL)
    try:
        ctypes.CDLL(str(library))
    except OSError as error:
        reason = str(error).splitlines()[0]
        # symbols that only onnxruntime provides are for the trial run to judge
        return None if "undefined symbol" in reason else reason
    return None
