"""``manifest.json``: what was run, on what, how, and whether it is finished.

Schema, version 1 (all keys are always there in a complete run unless marked *optional*)::

    format_version   1
    status           "running" | "rescoring" | "complete"; only "complete" is a result
    model            {"path", "sha256", "opset", "producer"}
    data             {"name", "folder", "fingerprint", "images", "concepts", "split", "limit",
                      "categories": names in category.csv order}; without "folder" where the data
                      lies in none, then with "spec", what `--data` was given, unless it was in memory;
                      *optional* "about": {"name", "licence", "homepage", "citation", "made",
                      "from": [{"name", "licence", "fingerprint", "images", "homepage"}]}, all but the
                      names *optional*, of a data set that tells where it comes from
    parameters       {"quantiles", "iou_threshold", "scoring", "min_images" (optional, 1),
                      ... whatever else the run was asked for}
    made_with        {"min_images"}, optional, 1: what the counts by image and the shuffles were made with
    preprocessing    how pixels became the network's input
    provider         what onnxruntime ran on
    statistics       {"level" of intervals, "stable", "false_reliable", "false_discoveries", "rare"}: what the
                     tables were made with beside the parameters; *optional*, missing in earlier versions
    layers           [{"name", "alias", "folder": "layers/<slug>", "slug", "op", "layout", "units",
                       "shape": [h, w], "geometry": {"offset", "stride", "size"} of [vertical, horizontal]
                       in input pixels, or null, "upsample": "resize" | "receptive-field" | "effective",
                       "effective": {"offset", "stride", "spread", "error", "images"} as measured, or
                       null; *optional*, "node"; *optional*, "basis": {"kind", "name", "shape", "sha256", ...}
                       of a layer under a basis; *optional*}]
    imported         *optional* {"format", "network", "files": [{"file", "sha256", "layers"}], "known",
                     "nameless", "left_out"} of published results; the layers then have no "shape"
    coverage         *optional* how much of the network was understood: {"share" of its compute behind the
                     deepest layer found, "open_values" of "values", "culprit", "first_open",
                     "severed_values"}
    memory           bytes held at most between two batches beside the network, for the pass and the tally
    kept_masks       *optional* {"version", "bytes", "points"} of the files masks.npz
    relabelled       *optional* {"run", "data", "fingerprint", "other_grids"}: the masks are those that this
                     run kept on that data; ``data`` says whose labels they were scored against
    timing           seconds per phase
    versions         of the tools

Reading a run needs ``format_version``, ``status``, ``data.categories``, ``layers`` and the three named
parameters; everything else is kept as it is for whoever asks. Files are ASCII: other characters are
escaped, so that paths of any encoding survive.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxdissect.core.candidates import check_min_images
from onnxdissect.core.scoring import check_iou_threshold, check_scoring
from onnxdissect.errors import (
    OnnxDissectError,
    RunFormatError,
    RunIncompleteError,
    RunNotFoundError,
    nearest,
)
from onnxdissect.results.formats.manifest_schema import check_manifest
from onnxdissect.results.records import LayerInfo
from onnxdissect.statistics.corrections import FALSE_DISCOVERIES
from onnxdissect.statistics.intervals import LEVEL
from onnxdissect.statistics.reliability import FALSE_RELIABLE, RARE, STABLE
from onnxdissect.storage.fields import FieldError, shown
from onnxdissect.storage.files import write_text
from onnxdissect.storage.json_file import read_json

__all__ = [
    "FORMAT_VERSION",
    "LARGEST_MANIFEST",
    "MANIFEST",
    "Header",
    "compose",
    "parse",
    "read_manifest",
    "write_manifest",
]

FORMAT_VERSION = 1
MANIFEST = "manifest.json"

LARGEST_MANIFEST = 16 * 2**20
"""Bytes; a layer takes less than a thousand of them."""

_AGAIN = "dissect again with --fresh"
_MEASURED = ("offset", "stride", "spread", "error")


@dataclass(frozen=True, slots=True)
class Header:
    """The part of a manifest that reading a run needs.

    Attributes
    ----------
    categories : tuple of str
        In ``category.csv`` order.
    quantiles : tuple of float
        The levels tau.
    layers : tuple of LayerInfo
        In the order of the graph.
    iou_threshold : float
        A unit is a detector if its IoU is larger.
    scoring : str
        ``paper``, ``lite`` or ``pnas``.
    min_images : int
        Concepts held by fewer images are no candidates for labels.
    """

    categories: tuple[str, ...]
    quantiles: tuple[float, ...]
    layers: tuple[LayerInfo, ...]
    iou_threshold: float
    scoring: str
    min_images: int = 1


def compose(manifest: Mapping[str, Any], header: Header) -> dict[str, Any]:
    """Set the keys that belong to the format into a manifest.

    Parameters
    ----------
    manifest : mapping
        JSON values; not changed.
    header : Header
        What the format's own keys are made of.

    Returns
    -------
    dict
        A new manifest, without a status.
    """
    composed = {"format_version": FORMAT_VERSION, "status": "", **manifest}
    composed["format_version"] = FORMAT_VERSION
    composed["data"] = {**manifest.get("data", {}), "categories": list(header.categories)}
    composed["parameters"] = {
        **manifest.get("parameters", {}),
        "quantiles": list(header.quantiles),
        "iou_threshold": header.iou_threshold,
        "scoring": header.scoring,
        "min_images": header.min_images,
    }
    composed["statistics"] = {
        "level": LEVEL,
        "stable": STABLE,
        "false_reliable": FALSE_RELIABLE,
        "false_discoveries": FALSE_DISCOVERIES,
        "rare": RARE,
    }
    composed["layers"] = [_layer_json(layer) for layer in header.layers]
    return composed


def write_manifest(folder: Path, manifest: Mapping[str, Any], status: str) -> None:
    """Write ``manifest.json``.

    Parameters
    ----------
    folder : Path
        The run directory.
    manifest : mapping
        JSON values.
    status : str
        ``running``, ``rescoring`` or ``complete``.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    content = {"format_version": FORMAT_VERSION, **manifest, "status": status}
    write_text(folder / MANIFEST, json.dumps(content, indent=2) + "\n")


def read_manifest(folder: Path, *, accept: Sequence[str] = ("complete",)) -> dict[str, Any]:
    """Read ``manifest.json`` of a run that may be taken for a result.

    Parameters
    ----------
    folder : Path
        The run directory.
    accept : sequence of str
        Which statuses will do.

    Returns
    -------
    dict

    Raises
    ------
    RunNotFoundError
        If there is no such folder, or it is no run directory.
    RunIncompleteError
        If the run was not finished.
    RunFormatError
        If it is of another format version, or malformed.
    """
    path = folder / MANIFEST
    try:
        manifest = read_json(path, LARGEST_MANIFEST, inside=folder)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _not_found(folder) from error
    except FieldError as error:
        raise RunFormatError(f"{path}: {error}", hint=_AGAIN) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RunFormatError(f"{path} cannot be read: {reason}", hint=_AGAIN) from error
    if not isinstance(manifest, dict) or "format_version" not in manifest:
        raise RunFormatError(f"{path} is not the manifest of a run: it has no format_version")
    version = manifest["format_version"]
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise RunFormatError(
            f"{folder} is a run of format version {shown(version)}; "
            f"this onnxdissect reads version {FORMAT_VERSION}",
            hint="read it with the version of onnxdissect that wrote it, or dissect again with --fresh",
        )
    status = manifest.get("status")
    if status not in accept:
        if status == "rescoring":
            raise RunIncompleteError(
                f"{folder} was being rescored and that was not finished",
                hint=f"type the same `onnxdissect rescore {folder}` command again",
            )
        raise RunIncompleteError(
            f"{folder} holds an unfinished run (status {shown(status)})",
            hint="type the same `onnxdissect run` command again"
            if "relabelled" not in manifest
            else "type the same `onnxdissect rescore ... --data` command again",
        )
    return manifest


def parse(manifest: Mapping[str, Any], path: Path) -> Header:
    """Take out of a manifest what reading a run needs.

    Parameters
    ----------
    manifest : mapping
        As read.
    path : Path
        Where from, for messages.

    Returns
    -------
    Header

    Raises
    ------
    RunFormatError
        If something is missing or malformed.
    """
    try:
        check_manifest(manifest)
        parameters = manifest["parameters"]
        return Header(
            categories=tuple(manifest["data"]["categories"]),
            quantiles=tuple(float(q) for q in parameters["quantiles"]),
            layers=tuple(_layer_info(layer) for layer in manifest["layers"]),
            iou_threshold=check_iou_threshold(float(parameters["iou_threshold"])),
            scoring=check_scoring(parameters["scoring"]),
            min_images=check_min_images(parameters.get("min_images", 1)),
        )
    except FieldError as error:
        raise RunFormatError(f"{path}: {error}", hint=_AGAIN) from error
    except OnnxDissectError as error:
        raise RunFormatError(f"{path}: {error.message}", hint=_AGAIN) from error


def _listed(pair: Sequence[float] | None) -> list[float] | None:
    return None if pair is None else list(pair)


def _layer_json(layer: LayerInfo) -> dict[str, Any]:
    return {
        "name": layer.name,
        "alias": layer.alias,
        "node": layer.node,
        "folder": f"layers/{layer.slug}",
        "slug": layer.slug,
        "op": layer.op,
        "layout": layer.layout,
        "units": layer.units,
        "shape": list(layer.shape) if layer.shape[0] else None,
        "geometry": None
        if layer.geometry is None
        else {name: _listed(layer.geometry[name]) for name in ("offset", "stride", "size")},
        "upsample": layer.upsample,
        "effective": None
        if layer.effective is None
        else {
            **{name: list(layer.effective[name]) for name in _MEASURED},
            "images": layer.effective["images"],
        },
        **({} if layer.basis is None else {"basis": dict(layer.basis)}),
    }


def _layer_info(content: Mapping[str, Any]) -> LayerInfo:
    h, w = content["shape"] or (0, 0)
    geometry, measured = content["geometry"], content.get("effective")
    return LayerInfo(
        name=content["name"],
        alias=content["alias"],
        node=content.get("node", ""),
        slug=content["slug"],
        op=content["op"],
        layout=content["layout"],
        units=content["units"],
        shape=(h, w),
        geometry=None
        if geometry is None
        else {
            "offset": _pair(geometry["offset"]),
            "stride": _pair(geometry["stride"]),
            # attention and global pools leave no size
            "size": None if geometry["size"] is None else _pair(geometry["size"]),
        },
        upsample=content["upsample"],
        effective=None
        if measured is None
        else {
            **{name: _pair(measured[name]) for name in _MEASURED},
            "images": measured["images"],
        },
        basis=content.get("basis"),
    )


def _pair(values: Sequence[float]) -> tuple[float, float]:
    vertical, horizontal = values
    return float(vertical), float(horizontal)


def _not_found(folder: Path) -> RunNotFoundError:
    if folder.is_file():
        return RunNotFoundError(
            f"{folder} is a file, not a run directory", candidates=_runs_near(folder.parent)
        )
    if folder.is_dir():
        return RunNotFoundError(
            f"{folder} is not a run directory: it holds no {MANIFEST}", candidates=_runs_near(folder)
        )
    return RunNotFoundError(f"there is no run directory {folder}", candidates=_runs_near(folder))


def _runs_near(folder: Path) -> tuple[str, ...]:
    places = (folder, folder.parent, folder / "dissections", Path("dissections"))
    runs = {
        str(manifest.parent): manifest.parent.name
        for place in places
        if place.is_dir()
        for manifest in sorted([*place.glob(MANIFEST), *place.glob(f"*/{MANIFEST}")])
    }
    near = nearest(folder.name, runs.values())
    ranked = sorted(runs, key=lambda run: near.index(runs[run]) if runs[run] in near else len(near))
    return tuple(ranked[:5])
