"""The directory of a run: what a run may write there, and what of a former run it must not overwrite."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxdissect.core.state.pass_state import STATE_FILE
from onnxdissect.errors import OutputError, RunFormatError, RunMismatchError, shown_path
from onnxdissect.pipeline.request import PLACES
from onnxdissect.results import FORMAT_VERSION, write_manifest
from onnxdissect.results.formats.manifest import LARGEST_MANIFEST
from onnxdissect.storage.fields import shown
from onnxdissect.storage.files import is_partial, make_folder, sweep_partial
from onnxdissect.storage.json_file import read_json
from onnxdissect.storage.locks import locked

__all__ = ["RunDirectory", "claim_directory"]

_MANIFEST = "manifest.json"
# Everything a run writes; nothing else in a run directory is ever touched. The report, what experiments make
# of a run, and the work folder are ours as a whole.
_TABLES = (
    *("units.csv", "layers.csv", "concepts.csv", "images.csv", "truth.npz"),
    *("quantiles.csv", "labels_by_quantile.csv", "generic_labels.csv"),
)
_LAYERS = "layers"
_LAYER_FILES = re.compile(
    r"(tally|top_masks|top_maps|samples|evidence|intervals|null|masks|basis|published)\.npz|nearest\.csv|netdissect(-[0-9.e-]+)?\.csv"
)
_REPORT = "report"
_EXPERIMENTS = ("rotation",)
_WORK = "work"
_LOCK = "lock"
_ELSEWHERE = "--out DIR"
_LONGEST = 300
# Keys of an identity that are there only if something was asked for.
_OPTIONAL = {("parameters", "bases"), ("parameters", "layer_upsample")}
# Sections that only some runs have: masks scored against other labels are not a run over the network.
_OPTIONAL_SECTIONS = ("relabelled",)
# What `onnxdissect rescore` changes in a finished run, and its options.
_SCORES = {
    "parameters.scoring": "--scoring",
    "parameters.iou_threshold": "--iou-threshold",
    "parameters.min_images": "--min-images",
}
# What runs of earlier versions, which do not say it, were made with.
_EARLIER = {("parameters", "min_images"): 1}


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """A run directory that this run may write to, or that already holds what was asked for.

    Attributes
    ----------
    path : Path
        The run directory.
    complete : bool
        It already holds this very run, finished.
    unfinished : bool
        It holds this very run, interrupted; what was saved of it is in the work folder.
    identity : mapping
        What makes this run this run, as in the manifest.
    """

    path: Path
    complete: bool
    unfinished: bool
    identity: Mapping[str, Any]

    @contextlib.contextmanager
    def work(self) -> Iterator[Path]:
        """Lock the directory, mark it as unfinished, and lend its work folder.

        Yields
        ------
        Path
            For spools and states. It is removed when the body has ended well, and kept when a state in it
            lets the run go on later.

        Raises
        ------
        OutputError
            If the directory cannot be written, or another process is writing it.
        """
        self._refuse_links()
        work = make_folder(self.path / _WORK)
        taken = OutputError(
            f"another process is writing the run in {self.path}",
            hint="wait for it to end, or write elsewhere with --out DIR",
        )
        with locked(work / _LOCK, taken=taken):
            try:
                if not self.unfinished:
                    # First of all: from here on nobody may take what is left for a result.
                    write_manifest(self.path, {"format_version": FORMAT_VERSION, **self.identity}, "running")
                self._clear_all(work)
                yield work
            except BaseException:
                if not (work / STATE_FILE).exists():
                    shutil.rmtree(work, ignore_errors=True)
                raise
        shutil.rmtree(work, ignore_errors=True)

    def _refuse_links(self) -> None:
        """Refuse folders that are links: what is cleared and written there would be somewhere else."""
        layers = self.path / _LAYERS
        folders = [self.path / name for name in (_WORK, _LAYERS, _REPORT, *_EXPERIMENTS)]
        if layers.is_dir() and not layers.is_symlink():
            folders += layers.iterdir()
        for folder in folders:
            if folder.is_symlink():
                raise OutputError(
                    f"{folder} is a link, and a run writes only into its own directory",
                    hint=f"remove the link, or write elsewhere with {_ELSEWHERE}",
                )

    def _clear_all(self, work: Path) -> None:
        try:
            self._clear(work)
        except OSError as error:
            raise OutputError(
                f"{error.filename or self.path} is in the way and cannot be removed: "
                f"{error.strerror or error}",
                hint=f"remove it, or write elsewhere with {_ELSEWHERE}",
            ) from error

    def _clear(self, work: Path) -> None:
        sweep_partial(self.path)
        for table in _TABLES:
            (self.path / table).unlink(missing_ok=True)
        for made in (_REPORT, *_EXPERIMENTS):
            shutil.rmtree(self.path / made, ignore_errors=True)
        self._clear_layers()
        if not self.unfinished:
            for leftover in work.iterdir():
                if leftover.name != _LOCK:
                    leftover.unlink()
        sweep_partial(work)

    def _clear_layers(self) -> None:
        """Remove what runs write for layers, and the folders that nothing else is in."""
        layers = self.path / _LAYERS
        folders = [entry for entry in layers.glob("*") if entry.is_dir() and not entry.is_symlink()]
        for folder in folders:
            sweep_partial(folder)
            for file in folder.iterdir():
                if _LAYER_FILES.fullmatch(file.name):
                    file.unlink()
        for folder in (*folders, layers):
            with contextlib.suppress(OSError):  # somebody else's files are in it
                folder.rmdir()


def claim_directory(path: Path, identity: Mapping[str, Any], *, fresh: bool) -> RunDirectory:
    """Look at a folder before a run is written to it. Nothing is changed yet.

    Parameters
    ----------
    path : Path
        The run directory; need not exist.
    identity : mapping
        Sections of the manifest that make this run this run: ``model``, ``data``, ``parameters``,
        ``preprocessing`` and so on, as JSON values.
    fresh : bool
        A former run in it may be overwritten, whatever it was.

    Returns
    -------
    RunDirectory

    Raises
    ------
    OutputError
        If the path is a file, or a folder that holds something else than a run.
    RunMismatchError
        If the folder holds a run of other inputs.
    """
    former = _former(path)
    unfinished = former is not None and former.get("status") == "running"
    if former is None or fresh or (unfinished and not (path / _WORK / STATE_FILE).exists()):
        return RunDirectory(path, complete=False, unfinished=False, identity=identity)
    if former.get("format_version") != FORMAT_VERSION:
        raise RunFormatError(
            f"{path} holds a run of format {shown(former['format_version'])}, "
            f"this is format {FORMAT_VERSION}",
            hint="--fresh to overwrite it, or --out to write elsewhere",
        )
    complete = former.get("status") == "complete"
    differences = list(_differences(former, json.loads(json.dumps(identity))))
    if differences:
        hint = "--fresh to overwrite it, or --out to write elsewhere"
        if complete and all(name in _SCORES for name, _, _ in differences):
            options = " ".join(f"{_SCORES[name]} {asked}" for name, _, asked in differences)
            hint = f"onnxdissect rescore {shown_path(path)} {options} scores it as asked for, or {hint}"
        said = (
            f"{name}: {_said(there)} there, {_said(asked)} asked for" for name, there, asked in differences
        )
        raise RunMismatchError(f"{path} holds another run; it differs in " + "; ".join(said), hint=hint)
    if complete:
        # Killed between its last file and the clearing up.
        shutil.rmtree(path / _WORK, ignore_errors=True)
    return RunDirectory(path, complete=complete, unfinished=unfinished, identity=identity)


def _said(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _former(path: Path) -> dict[str, Any] | None:
    try:
        if not path.exists():
            _check_writable(path)
            return None
        if not path.is_dir():
            raise OutputError(f"{path} is a file, and a run directory was to be made there", hint="--out DIR")
        if not any(path.iterdir()):
            return None
        manifest = read_json(path / _MANIFEST, LARGEST_MANIFEST)
    except FileNotFoundError as error:
        if _only_begun(path):
            return None
        raise OutputError(
            f"{path} is not empty and holds no {_MANIFEST}: it is not a run directory",
            hint="--out DIR with a new or empty folder",
        ) from error
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{path} cannot be used as a run directory: {error}", hint="--out DIR with another folder"
        ) from error
    if not isinstance(manifest, dict) or "format_version" not in manifest:
        raise OutputError(f"{path / _MANIFEST} is not ours", hint="--out DIR with a new or empty folder")
    return manifest


def _only_begun(path: Path) -> bool:
    """Tell whether a folder holds what a run leaves that was killed before it could say what it is."""
    work = path / _WORK
    others = [entry for entry in path.iterdir() if entry != work and not is_partial(entry)]
    if others or work.is_symlink() or not work.is_dir():
        return False
    return all(entry.name == _LOCK or is_partial(entry) for entry in work.iterdir())


def _check_writable(path: Path) -> None:
    # Better said now than after an hour of inference.
    ancestor = next(parent for parent in path.absolute().parents if parent.exists())
    if not ancestor.is_dir():
        raise OutputError(f"{path} cannot be made: {ancestor} is not a folder", hint="--out DIR")
    if not os.access(ancestor, os.W_OK | os.X_OK):
        raise OutputError(f"{path} cannot be made: no permission to write in {ancestor}", hint="--out DIR")


def _differences(former: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[tuple[str, object, object]]:
    for section in _OPTIONAL_SECTIONS:
        if section in former and section not in asked:
            yield section, former[section], None
    for section, here in asked.items():
        there = former.get(section)
        if not isinstance(here, dict) or not isinstance(there, dict):
            if here != there:
                yield section, there, here
            continue
        for key, value in here.items():
            former_value = there.get(key, _EARLIER.get((section, key)))
            if (section, key) not in PLACES and former_value != value:
                yield f"{section}.{key}", former_value, value
        for key, former_value in there.items():
            if (section, key) in _OPTIONAL and key not in here:
                yield f"{section}.{key}", former_value, None
