"""``baseline.json``: a snapshot as a file that is small enough to commit.

A checksum tells when it was edited or cut short; it is then refused.
"""

from __future__ import annotations

import hashlib
import json
import lzma
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxdissect.check.baseline.packing import pack, unpack
from onnxdissect.check.baseline.schema import check_baseline, check_layer_arrays
from onnxdissect.check.baseline.snapshot import LayerSnapshot, Snapshot, snapshot_of
from onnxdissect.core.per_image_counts import PerImageCounts
from onnxdissect.errors import RunFormatError, RunNotFoundError
from onnxdissect.results import load
from onnxdissect.storage.fields import FieldError, shown
from onnxdissect.storage.files import write_output
from onnxdissect.storage.json_file import json_bytes, read_json
from onnxdissect.storage.schema import ArraySpec, Schema

__all__ = ["FORMAT_VERSION", "open_baseline", "write_baseline"]

FORMAT_VERSION = 1
"""Of ``baseline.json``."""

_LARGEST = 2**28
_AGAIN = "write it again with check --write-baseline"
_PLAIN = ("source", "data", "parameters", "preprocessing", "iou_threshold", "scoring")
_LAYER_PLAIN = ("name", "op", "geometry")
# K units, N shown images, B bytes of the largest label grid; of the counts by image, letters as in the run's
# own file of them. Files of earlier versions lack what is optional, and a run may.
_LAYER_SCHEMA = Schema(
    {
        "label": ArraySpec("int64", "K"),
        "iou": ArraySpec("float64", "K"),
        "threshold": ArraySpec("float64", "K"),
        "stability": ArraySpec("float64", "K"),
        "highest": ArraySpec("float64", "K"),
        "twin": ArraySpec("int64", "K"),
        "top_images": ArraySpec("int64", "KN"),
        "top_masks": ArraySpec("uint8", "KNB"),
        "low": ArraySpec("float64", "K", optional=True),
        "high": ArraySpec("float64", "K", optional=True),
        "levels": ArraySpec("float32", "KL", optional=True),
        "evidence/contenders": ArraySpec("int64", "QKR", optional=True),
        "evidence/starts": ArraySpec("int64", "S", optional=True),
        "evidence/image": ArraySpec("int32", "E", optional=True),
        "evidence/activation": ArraySpec("int32", "E", optional=True),
        "evidence/intersection": ArraySpec("int32", "ER", optional=True),
        "evidence/overlap": ArraySpec("uint8", "EG", optional=True),
    }
)
_LAYER_ARRAYS = tuple(_LAYER_SCHEMA.required())
_ENDS = ("low", "high")
_NAMES = ("alias", "node")
# float32 is precise enough: the rule on drift compares per cents of a spread.
_LEVELS_KIND = np.float32


def write_baseline(path: Path, snapshot: Snapshot) -> int:
    """Write a snapshot.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    snapshot : Snapshot

    Returns
    -------
    int
        Bytes of the file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    body: dict[str, Any] = {name: getattr(snapshot, name) for name in _PLAIN}
    body["source"] = Path(snapshot.source).name
    body["categories"] = list(snapshot.categories)
    body["concepts"] = list(snapshot.concepts)
    if snapshot.drawn_from != snapshot.data["images"]:
        # of groups; files of earlier versions do not tell them apart from images
        body["drawn_from"] = snapshot.drawn_from
    body["layers"] = []
    arrays: dict[str, NDArray[Any]] = {"category_of": snapshot.category_of}
    for i, layer in enumerate(snapshot.layers):
        plain = {name: getattr(layer, name) for name in (*_LAYER_PLAIN, *_NAMES)}
        body["layers"].append(plain | {"units": layer.units, "shape": list(layer.shape)})
        arrays |= {f"{i}/{name}": getattr(layer, name) for name in (*_LAYER_ARRAYS, *_ENDS)}
        if layer.levels is not None:
            arrays[f"{i}/levels"] = layer.levels.astype(_LEVELS_KIND)
        if layer.per_image is not None:
            arrays |= _per_image_arrays(f"{i}/evidence", layer.per_image)
    body["arrays"] = pack(arrays)
    document = {"format_version": FORMAT_VERSION, "sha256": _checksum(body), **body}
    content = json_bytes(document, indent=1)
    write_output(path, content)
    return len(content)


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
    OutOfMemoryError
        If there is too little memory to unpack it.
    """
    if path.is_dir():
        return snapshot_of(load(path))
    if not path.is_file():
        raise RunNotFoundError(
            f"there is no run directory or baseline file at {path}",
            hint=f"onnxdissect check --baseline RUN --write-baseline {path}",
        )
    try:
        body = read_json(path, _LARGEST)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RunFormatError(f"{path} is no baseline, or cut short: {reason}", hint=_AGAIN) from error
    if not isinstance(body, dict) or not {"format_version", "sha256", "arrays"} <= set(body):
        raise RunFormatError(
            f"{path} is JSON, but no baseline", hint="--baseline RUN, or a file of --write-baseline"
        )
    version = body.pop("format_version")
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise RunFormatError(
            f"{path} is of format version {shown(version)}, not {FORMAT_VERSION}", hint=_AGAIN
        )
    if body.pop("sha256", None) != _checksum(body):
        raise RunFormatError(f"{path} was edited or damaged: its checksum differs", hint=_AGAIN)
    try:
        check_baseline(body)
        arrays = unpack(body["arrays"])
        _check_categories(arrays["category_of"], body)
        return Snapshot(
            categories=tuple(body["categories"]),
            concepts=tuple(body["concepts"]),
            category_of=arrays["category_of"],
            layers=tuple(_layer(body, arrays, i) for i in range(len(body["layers"]))),
            truth=None,
            drawn_from=float(body.get("drawn_from", body["data"]["images"])),
            **{name: body[name] for name in _PLAIN},
        )
    except FieldError as error:
        raise RunFormatError(f"{path}: {error}", hint=_AGAIN) from error
    except KeyError as error:
        raise RunFormatError(f"{path} lacks the array {error}", hint=_AGAIN) from error
    except (TypeError, ValueError, OverflowError, lzma.LZMAError, EOFError) as error:
        raise RunFormatError(f"{path} is malformed: {error}", hint=_AGAIN) from error


def _check_categories(category_of: NDArray[Any], body: dict[str, Any]) -> None:
    spec = Schema({"category_of": ArraySpec("int64", "C")})
    spec.check({"category_of": category_of}, {"C": len(body["concepts"])})
    if category_of.size and not (category_of.min() >= 0 and category_of.max() < len(body["categories"])):
        raise ValueError("category_of names categories that it does not have")


def _layer(body: dict[str, Any], arrays: dict[str, NDArray[Any]], place: int) -> LayerSnapshot:
    item, prefix = body["layers"][place], str(place)
    held = {name: f"{prefix}/{name}" for name in _LAYER_SCHEMA.arrays}
    lengths = {"K": item["units"], "S": item["units"] + 1, "Q": 1}
    _LAYER_SCHEMA.check({name: arrays[key] for name, key in held.items() if key in arrays}, lengths)
    levels = arrays.get(f"{prefix}/levels")
    stored: dict[str, Any] = {name: item[name] for name in _LAYER_PLAIN}
    stored |= {name: arrays[f"{prefix}/{name}"] for name in _LAYER_ARRAYS}
    unknown = np.full(len(stored["label"]), np.nan)
    stored |= {name: arrays.get(f"{prefix}/{name}", unknown) for name in _ENDS}
    per_image = _read_per_image(f"{prefix}/evidence", arrays)
    check_layer_arrays(stored, levels, per_image, body, f"layers[{place}]")
    return LayerSnapshot(
        alias=item.get("alias", ""),
        node=item.get("node", ""),
        shape=(item["shape"][0], item["shape"][1]),
        levels=None if levels is None else levels.astype(np.float64),
        per_image=per_image,
        scores=None,
        **stored,
    )


def _checksum(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


# Arrays that the file calls otherwise than the attribute.
_ARRAYS = {"top_concepts": "contenders"}


def _per_image_arrays(prefix: str, per_image: PerImageCounts) -> dict[str, NDArray[Any]]:
    arrays = {
        f"{prefix}/{_ARRAYS.get(f.name, f.name)}": getattr(per_image, f.name) for f in fields(per_image)
    }
    # Images ascend within a unit. Differences are smaller than image numbers, and compress better.
    arrays[f"{prefix}/image"] = np.diff(per_image.image, prepend=per_image.image.dtype.type(0))
    return arrays


def _read_per_image(prefix: str, arrays: dict[str, NDArray[Any]]) -> PerImageCounts | None:
    if f"{prefix}/image" not in arrays:
        return None
    found = {f.name: arrays[f"{prefix}/{_ARRAYS.get(f.name, f.name)}"] for f in fields(PerImageCounts)}
    return PerImageCounts(**found | {"image": np.cumsum(found["image"], dtype=np.int32)})
