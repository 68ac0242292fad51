"""onnxruntime sessions that are quiet, and whose refusals a person can read."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnxdissect.errors import ModelRuntimeError, ModelTimeoutError
from onnxdissect.model.reading.external_data import DATA_FOLDER, settle_external_data
from onnxdissect.model.reading.repair import load_repaired
from onnxdissect.model.runtime.lent_arrays import lend_arrays
from onnxdissect.model.runtime.providers import RECORD_PLACEMENT, import_onnxruntime, placement
from onnxdissect.model.runtime.time_limit import PROBE_LIMIT, PROBE_SECONDS, call_limited
from onnxdissect.storage.memory import raise_memory_error

__all__ = ["CUSTOM_OPS", "DTYPES", "OPTIMISATIONS", "Runtime", "open_runtime", "random_images"]

onnxruntime = import_onnxruntime()

# onnxruntime prints to stderr what it then raises; the raised text is the one people get to read
_FATAL_ONLY = 4

_LONG = 5000
"""Nodes from which on the planning of memory takes longer than it saves."""

_WIDE_SUMS = "session.x64quantprecision"

CUSTOM_OPS = "onnxdissect/custom-ops"
"""Key of a graph's meta data: shared libraries of the operators it needs."""

OPTIMISATIONS = ("all", "basic", "none")
"""How far onnxruntime may rewrite a graph, furthest first."""

# Characters of a message; patterns take quadratic time on names without a blank.
_LONGEST_REFUSAL = 4000
_LEVELS = {
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "none": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
}

DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(bfloat16)": "bfloat16",
    "tensor(bool)": "bool",
    **{f"tensor({sign}int{bits})": f"{sign}int{bits}" for sign in ("", "u") for bits in (4, 8, 16, 32, 64)},
}
"""onnxruntime's names of element types, as NumPy names them."""


def _run_options() -> Any:
    options = onnxruntime.RunOptions()
    options.log_severity_level = _FATAL_ONLY
    return options


@dataclass(frozen=True, slots=True)
class Runtime:
    """A graph loaded by onnxruntime.

    Attributes
    ----------
    session : onnxruntime.InferenceSession
        What runs it.
    seconds : float or None
        How long it may run at a time. None: as long as it takes, or until `stop`.
    options : onnxruntime.RunOptions
        Shared by all calls without a limit, so that `stop` reaches them.
    lent : tuple of onnxruntime.OrtValue
        Arrays that the session reads where they lie, so that they have to stay.
    """

    session: Any
    seconds: float | None = None
    options: Any = field(default_factory=_run_options, repr=False)
    lent: tuple[Any, ...] = field(default=(), repr=False)

    @property
    def providers(self) -> tuple[str, ...]:
        """Execution providers in use, first choice first."""
        return tuple(self.session.get_providers())

    @property
    def placement(self) -> dict[str, dict[str, int]]:
        """Operators that each provider runs, see `onnxdissect.model.runtime.providers.placement`."""
        return placement(self.session)

    @property
    def dtypes(self) -> dict[str, str]:
        """NumPy's name of each output's element type; outputs that are no tensors are left out."""
        return {o.name: DTYPES[o.type] for o in self.session.get_outputs() if o.type in DTYPES}

    def unlimited(self) -> Runtime:
        """Give the same graph without a limit of time."""
        return replace(self, seconds=None)

    def stop(self) -> None:
        """End the calls without a limit that are under way, between two operators; refuse further ones."""
        self.options.terminate = True

    def __call__(self, feed: dict[str, NDArray[Any]], names: Sequence[str] | None = None) -> list[Any]:
        """Run the graph once.

        Parameters
        ----------
        feed : dict of str to ndarray
            A value for each input.
        names : sequence of str, optional
            Outputs to fetch, all by default.

        Returns
        -------
        list
            In the order asked for.

        Raises
        ------
        ModelRuntimeError
            If onnxruntime stops on the way.
        ModelTimeoutError
            If it had not ended after `seconds`.
        """
        asked = None if names is None else list(names)
        try:
            if self.seconds is None:
                return list(self.session.run(asked, feed, self.options))
            options = _run_options()
            return list(
                call_limited(
                    lambda: self.session.run(asked, feed, options),
                    lambda: setattr(options, "terminate", True),
                    self.seconds,
                )
            )
        except ModelTimeoutError:
            raise
        except Exception as error:
            raise_memory_error(error)
            shapes = ", ".join(f"{name} {value.dtype}{list(value.shape)}" for name, value in feed.items())
            raise ModelRuntimeError(f"onnxruntime failed on {shapes}: {_shorten(error)}") from error


def open_runtime(
    model: ir.Model | Path,
    *,
    folder: Path | None = None,
    optimise: str = "all",
    threads: int | None = None,
    spin: bool = True,
    providers: Sequence[tuple[str, dict[str, str]]] = (("CPUExecutionProvider", {}),),
    libraries: Sequence[Path] = (),
    seconds: float = PROBE_SECONDS,
) -> Runtime:
    """Load a graph.

    Parameters
    ----------
    model : onnx_ir.Model or Path
        A graph in memory, or a file.
    folder : Path, optional
        Where the external data of a graph in memory lies. onnxruntime would look in the working directory.
    optimise : str
        One of `OPTIMISATIONS`.
    threads : int, optional
        Threads within an operator; onnxruntime's own choice by default.
    spin : bool
        Whether idle threads wait actively: quicker alone, slower beside other work.
    providers : sequence of (str, dict)
        Execution providers and their options, first choice first.
    libraries : sequence of Path
        Shared libraries of operators that onnxruntime lacks; by default those of the graph's `CUSTOM_OPS`.
    seconds : float
        How long it may run at a time; by default the graph's `PROBE_LIMIT`.

    Returns
    -------
    Runtime

    Raises
    ------
    ModelRuntimeError
        If onnxruntime refuses the graph; an operator it lacks is named.
    """
    onnxruntime.set_default_logger_severity(_FATAL_ONLY)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.graph_optimization_level = _LEVELS[optimise]
    # onnxruntime plans memory in a time that grows with the square of the values; for a run or two it is idle
    options.enable_mem_pattern = optimise != "none" and _is_short(model)
    if threads is not None:
        options.intra_op_num_threads = threads
    if providers[0][0] != "CPUExecutionProvider":
        options.add_session_config_entry(RECORD_PLACEMENT, "1")
    # processors without VNNI otherwise add up products of bytes in 16 bits, which overflow
    options.add_session_config_entry(_WIDE_SUMS, "1")
    if not spin:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source: str | bytes
    lent: tuple[Any, ...] = ()
    if isinstance(model, Path):
        source = str(model)
    else:
        on_cpu = providers[0][0] == "CPUExecutionProvider"
        source, lent = _written(model, options) if on_cpu else (_serialised(model), ())
        folder = model.graph.meta.get(DATA_FOLDER, folder)
        if folder is not None:
            # onnxruntime has no way to name a folder whose name is no UTF-8
            with contextlib.suppress(TypeError):
                options.add_session_config_entry(
                    "session.model_external_initializers_file_folder_path", str(folder.resolve())
                )
    if not isinstance(model, Path):
        libraries = model.graph.meta.get(CUSTOM_OPS, libraries)
        seconds = model.graph.meta.get(PROBE_LIMIT, seconds)
    for library in libraries:
        try:
            options.register_custom_ops_library(str(library))
        except Exception as error:
            raise_memory_error(error)
            raise ModelRuntimeError(
                f"{library} is no library of operators that onnxruntime can load: {_shorten(error)}"
            ) from error
    try:
        session = onnxruntime.InferenceSession(
            source,
            options,
            providers=[name for name, _ in providers],
            provider_options=[dict(settings) for _, settings in providers],
        )
        session.disable_fallback()
    except Exception as error:
        raise_memory_error(error)
        lowered = _lowered(model, str(error))
        if lowered is None:
            raise _refusal(error) from error
        folder = model.parent if isinstance(model, Path) else folder
    else:
        return Runtime(session, seconds, lent=lent)
    return open_runtime(
        lowered,
        folder=folder,
        optimise=optimise,
        threads=threads,
        spin=spin,
        providers=providers,
        libraries=libraries,
        seconds=seconds,
    )


def _is_short(model: ir.Model | Path) -> bool:
    return isinstance(model, Path) or len(model.graph) <= _LONG


def _written(model: ir.Model, options: Any) -> tuple[bytes, tuple[Any, ...]]:
    """Give a graph in the file's format, and the arrays in it that the options lend to a session instead."""
    written, arrays = lend_arrays(model)
    lent = tuple(onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in arrays.values())
    if lent:
        # the first makes the graph whole while it is loaded, and alone would leave the session a copy; the
        # second lets the session read the array itself
        options.add_external_initializers(list(arrays), list(lent))
        for name, value in zip(arrays, lent, strict=True):
            options.add_initializer(name, value)
    return _serialised(written), lent


def _serialised(model: ir.Model) -> bytes:
    try:
        written: bytes = ir.to_proto(model).SerializeToString()
    except Exception as error:  # a tensor of a type that its numbers do not fit, for one
        raise_memory_error(error)
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise ModelRuntimeError(
            f"the graph cannot be handed to onnxruntime: {str(cause)[:300]}",
            hint="export the model again",
        ) from error
    return written


def _lowered(model: ir.Model | Path, refusal: str) -> ir.Model | None:
    """Write a model in the newest version of the file format that onnxruntime reads; None if that is not it.

    The onnx package writes newer ones first. Operators have versions of their own, so nothing else changes.
    """
    newest = re.search(r"max supported IR version: (\d+)", refusal)
    if newest is None:
        return None
    if isinstance(model, Path):
        clone = load_repaired(model)
        settle_external_data(model, clone)
    else:
        clone = model.clone()
    if clone.ir_version <= int(newest[1]):
        return None
    clone.ir_version = int(newest[1])
    return clone


def _said(error: Exception) -> str:
    """Give what onnxruntime said, as far as anybody reads: a model's names in it may be of any length."""
    return str(error)[:_LONGEST_REFUSAL]


def _refusal(error: Exception) -> ModelRuntimeError:
    text = _said(error)
    version = onnxruntime.__version__
    unregistered = re.search(r"Fatal error: (\S*):(\S+?)\(-?\d+\) is not a registered function/op", text)
    unknown = re.search(
        r'Node, \("(.*?)", (\S+), "(.*?)", -?\d+\).*Error No (Op registered|opset import)', text
    )
    missing = re.search(r"Could not find an implementation for (\S+?)\(\d+\) node with name '(.*?)'", text)
    if unregistered or unknown:
        if unregistered:
            domain, op, node = unregistered[1], unregistered[2], ""
        else:
            assert unknown is not None
            node, op, domain = unknown[1], unknown[2], unknown[3]
        where = f" (node {node!r})" if node else ""
        if domain in ("", "ai.onnx"):
            return ModelRuntimeError(
                f"onnxruntime {version} has no operator {op!r} in ONNX's domain at the model's opset{where}",
                hint="export with an opset that has it, or upgrade onnxruntime",
            )
        return ModelRuntimeError(
            f"onnxruntime {version} has no operator {op!r} of domain {domain!r}{where}",
            hint="the operator comes from another library: --custom-ops LIBRARY loads it",
        )
    if missing:
        where = f" (node {missing[2]!r})" if missing[2] else ""
        return ModelRuntimeError(
            f"onnxruntime {version} has no implementation of {missing[1]!r} for the types used here{where}",
            hint="export the network in float32",
        )
    hint = None
    if "Unsupported model IR version" in text or "under development" in text:
        hint = "upgrade onnxruntime, or export with an older opset"
    return ModelRuntimeError(f"onnxruntime {version} does not load the model: {_shorten(error)}", hint=hint)


def _shorten(error: Exception) -> str:
    """Keep what onnxruntime said, without its own source locations."""
    text = re.sub(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", "", _said(error))
    text = " ".join(text.split())
    text = re.sub(r"\S*\.(?:cc|cpp|cu|cuh|h|hpp):\d+ (?:.*?\) )?(?:[^.]*? was false\. )?", "", text)
    text = re.sub(
        r"Non-zero status code returned while running (\S+) node\. ?Name: ?'(.*?)' Status Message: ",
        lambda found: f"{found[1]} node {found[2]!r}: ",
        text,
    )
    return text[:500]


def random_images(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Make noise to run a graph on.

    Parameters
    ----------
    shape : tuple of int
        Shape of the batch.
    dtype : str
        Element type of the image input.

    Returns
    -------
    ndarray
        0..255 for integers, -1..1 for floats; the same every time.
    """
    generator = np.random.default_rng(7)
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        return generator.integers(0, min(255, np.iinfo(kind).max), shape, endpoint=True).astype(kind)
    return generator.uniform(-1, 1, shape).astype(kind)
