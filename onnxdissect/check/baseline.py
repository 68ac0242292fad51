"""``baseline.json``: a snapshot small enough to commit, and refused when it was edited or cut short."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import lzma
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from onnxdissect.check.evidence import LayerEvidence, TruthCounts
from onnxdissect.check.snapshot import LayerSnapshot, Snapshot, snapshot_of
from onnxdissect.errors import RunFormatError, RunNotFoundError
from onnxdissect.files import write_text
from onnxdissect.results import load

__all__ = ["FORMAT_VERSION", "open_baseline", "write_baseline"]

FORMAT_VERSION = 1
"""Of ``baseline.json``."""

_AGAIN = "write it again with check --write-baseline"
_PLAIN = ("source", "data", "parameters", "preprocessing", "iou_threshold", "scoring")


def write_baseline(path: Path, snapshot: Snapshot) -> None:
    """Write a snapshot.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    snapshot : Snapshot

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    body: dict[str, Any] = {name: getattr(snapshot, name) for name in _PLAIN}
    body["source"] = Path(snapshot.source).name
    body["categories"] = list(snapshot.categories)
    body["concepts"] = list(snapshot.concepts)
    arrays: dict[str, Any] = {"category_of": snapshot.category_of}
    _put(arrays, "truth", snapshot.truth)
    body["layers"] = []
    for i, layer in enumerate(snapshot.layers):
        body["layers"].append({"name": layer.name, "shape": list(layer.shape), "units": len(layer.label)})
        for name in _LAYER_ARRAYS:
            arrays[f"{i}/{name}"] = getattr(layer, name)
        _put(arrays, f"{i}/evidence", layer.evidence)
    body["arrays"] = _pack(arrays)
    document = {"format_version": FORMAT_VERSION, "sha256": _checksum(body), **body}
    write_text(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def open_baseline(path: Path) -> Snapshot:
    """Read a run directory or a ``baseline.json``.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Snapshot

    Raises
    ------
    RunNotFoundError
        If there is neither.
    RunFormatError
        If the file is of another version, edited, or cut short.
    """
    if path.is_dir():
        return snapshot_of(load(path))
    if not path.is_file():
        raise RunNotFoundError(f"there is no run directory or baseline file at {path}", hint=_AGAIN)
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFormatError(f"{path} is no baseline, or cut short: {error}", hint=_AGAIN) from error
    version = body.pop("format_version", None) if isinstance(body, dict) else None
    if version != FORMAT_VERSION:
        raise RunFormatError(f"{path} is of format version {version!r}, not {FORMAT_VERSION}", hint=_AGAIN)
    if body.pop("sha256", None) != _checksum(body):
        raise RunFormatError(f"{path} was edited or damaged: its checksum differs", hint=_AGAIN)
    try:
        arrays = _unpack(body["arrays"])
        layers = tuple(
            LayerSnapshot(
                name=item["name"],
                shape=(int(item["shape"][0]), int(item["shape"][1])),
                evidence=_take(arrays, f"{i}/evidence", LayerEvidence),
                **{name: arrays[f"{i}/{name}"] for name in _LAYER_ARRAYS},
            )
            for i, item in enumerate(body["layers"])
        )
        return Snapshot(
            categories=tuple(body["categories"]),
            concepts=tuple(body["concepts"]),
            category_of=arrays["category_of"],
            layers=layers,
            truth=_take(arrays, "truth", TruthCounts),
            **{name: body[name] for name in _PLAIN},
        )
    except (KeyError, TypeError, ValueError, OSError, lzma.LZMAError, EOFError) as error:
        raise RunFormatError(f"{path} is malformed: {error!r}", hint=_AGAIN) from error


_LAYER_ARRAYS = ("label", "iou", "threshold", "stability", "dead", "twin")


def _checksum(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _put(arrays: dict[str, Any], prefix: str, record: LayerEvidence | TruthCounts | None) -> None:
    if record is not None:
        for field in fields(record):
            arrays[f"{prefix}/{field.name}"] = getattr(record, field.name)


def _take(arrays: dict[str, Any], prefix: str, kind: Any) -> Any:
    if not any(name.startswith(f"{prefix}/") for name in arrays):
        return None
    return kind(**{field.name: arrays[f"{prefix}/{field.name}"] for field in fields(kind)})


def _pack(arrays: dict[str, Any]) -> str:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return base64.b64encode(lzma.compress(buffer.getvalue(), preset=6)).decode()


def _unpack(text: str) -> dict[str, Any]:
    with np.load(io.BytesIO(lzma.decompress(base64.b64decode(text, validate=True))), allow_pickle=False) as f:
        return dict(f)
