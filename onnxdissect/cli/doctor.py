"""``onnxdissect doctor``."""

from __future__ import annotations

import contextlib
import platform
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from onnxdissect import __version__
from onnxdissect.cli.printing.console import output, print_json
from onnxdissect.cli.printing.tables import plain_table
from onnxdissect.errors import InstallationError
from onnxdissect.machine import cores

__all__ = ["doctor"]

_PROBLEM_FOUND = 1
_LIBRARIES = ("numpy", "numba", "onnx", "onnx-ir", "typer", "rich", "jinja2")


@dataclass(frozen=True, slots=True)
class _Finding:
    subject: str
    state: str  # "ok", "note" or "problem"
    message: str


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say what this installation can do; exit 1 if something in it is broken."""
    findings = list(_examine())
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        rows = [[finding.state, finding.subject, finding.message] for finding in findings]
        output().print(plain_table(None, ["state", "what", "found"], rows))
    if any(finding.state == "problem" for finding in findings):
        raise typer.Exit(_PROBLEM_FOUND)


def _examine() -> Iterator[_Finding]:
    yield _Finding("onnxdissect", "ok", __version__)
    yield _Finding(
        "python", "ok", f"{platform.python_version()} on {platform.platform()}, {cores()} processor cores"
    )
    for name in _LIBRARIES:
        try:
            yield _Finding(name, "ok", version(name))
        except PackageNotFoundError:
            yield _Finding(name, "problem", f"not installed; pip install {name}")
    yield _opencv()
    yield from _decoders()
    yield from _onnxruntime()
    yield from _kernels()
    yield from _sources()
    yield from _cache()


def _opencv() -> _Finding:
    from onnxdissect.libraries import import_cv2

    try:
        return _Finding("opencv", "ok", str(import_cv2().__version__))
    except InstallationError as error:
        return _Finding("opencv", "problem", str(error).replace("\n", "; "))


def _decoders() -> Iterator[_Finding]:
    from onnxdissect.data.decoding import inflate, jpeg

    for name, found, otherwise in (
        (
            "simplejpeg",
            "there" * (jpeg.simplejpeg is not None),
            "OpenCV decodes photographs, a quarter slower",
        ),
        (
            "zlib-ng",
            "there" * (inflate.fast is not zlib),
            "Python's zlib inflates label maps, in three times the time",
        ),
    ):
        if found:
            with contextlib.suppress(PackageNotFoundError):
                found = version(name)
            yield _Finding(name, "ok", found)
        else:
            yield _Finding(name, "note", f"not installed, or does not load: {otherwise}; pip install {name}")


def _onnxruntime() -> Iterator[_Finding]:
    from onnxdissect.model import installed_wheels, provider_states

    wheels = installed_wheels()
    found = ", ".join(f"{name} {number}" for name, number in wheels.items()) or "not installed"
    if len(wheels) == 1:
        yield _Finding("onnxruntime", "ok", found)
    else:
        more = "; two wheels overwrite each other, uninstall both and install one" if wheels else ""
        yield _Finding("onnxruntime", "problem", found + more)
    try:
        for state in provider_states():
            yield _Finding(f"provider {state.name}", "ok" if state.available else "note", state.reason)
    except InstallationError as error:
        yield _Finding("providers", "problem", str(error).replace("\n", "; "))


def _kernels() -> Iterator[_Finding]:
    from onnxdissect.core.kernels.compiler import compiler_facts

    facts = compiler_facts()
    yield _Finding("kernels", "ok", f"first call in {facts.seconds:.2f} s")
    yield _kernel_cache()


def _kernel_cache() -> _Finding:
    from onnxdissect.compiling.files import not_kept
    from onnxdissect.compiling.folder import cache_facts

    facts = cache_facts()
    folder = facts.folder
    if folder.path is None:
        return _Finding(
            "kernel cache", "note", f"none, kernels are compiled at every run: {folder.passed_over}"
        )
    size = f"{facts.kernels} compiled kernels, {facts.nbytes / 2**20:.1f} MiB"
    if facts.others:
        size += f", and {facts.others} folders of other versions"
    reader = "shared by virtual environments" if folder.shared else "named by NUMBA_CACHE_DIR"
    said = f"{folder.path}, {reader}: {size}"
    if folder.passed_over:
        return _Finding("kernel cache", "note", f"{said}; {folder.passed_over}")
    if not facts.writable:
        return _Finding(
            "kernel cache", "note", f"{said}; cannot be written, new kernels are compiled at every run"
        )
    problem = not_kept()
    return (
        _Finding("kernel cache", "note", f"{said}; {problem}")
        if problem
        else _Finding("kernel cache", "ok", said)
    )


def _sources() -> Iterator[_Finding]:
    from onnxdissect.data import installed_sources

    sources = installed_sources()
    for name in sorted(sources.known):
        try:
            sources.load(name)
        except InstallationError as error:
            yield _Finding(f"data source {name}", "problem", str(error).replace("\n", "; "))
        else:
            yield _Finding(f"data source {name}", "ok", f"--data {name}")


def _cache() -> Iterator[_Finding]:
    from onnxdissect.storage.files import free_bytes
    from onnxdissect.tiny import cache_folder

    folder = cache_folder()
    made = sorted(path.name for path in folder.glob("tiny-*") if path.is_dir())
    yield _Finding("cache", "ok", f"{folder}, {', '.join(made) or 'tiny is drawn at first use'}")
    for subject, place in (("disk of the cache", folder), ("disk here", Path.cwd())):
        yield _Finding(subject, "ok", f"{free_bytes(place) / 2**30:.1f} GiB free")
