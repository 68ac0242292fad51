"""How a run was made, as short texts for the overview and the pages of layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from onnxdissect.data.broden.about import About, part_text
from onnxdissect.results.headline import left_out

if TYPE_CHECKING:
    from onnxdissect.results import Dissection, LayerInfo

__all__ = ["Fact", "layer_facts", "model_name", "run_facts", "section"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the overview's table of how the run was made.

    Attributes
    ----------
    name : str
    value : str
    detail : str
        Further text in small print; may be empty.
    """

    name: str
    value: str
    detail: str = ""


def section(manifest: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Give a part of a manifest, empty if it has no such part.

    Parameters
    ----------
    manifest : mapping
        The run's; those written by other tools may lack sections.
    name : str
        A key of it.

    Returns
    -------
    mapping
    """
    part = manifest.get(name)
    return part if isinstance(part, Mapping) else {}


def model_name(manifest: Mapping[str, Any]) -> str:
    """Give the model's file name.

    Parameters
    ----------
    manifest : mapping

    Returns
    -------
    str
    """
    # a run may have been made on another system, whose separator this one does not know
    path = str(section(manifest, "model").get("path", ""))
    return PurePosixPath(path.replace("\\", "/")).name or "unnamed model"


def run_facts(dissection: Dissection) -> Iterator[Fact]:
    """List how a run was made: model, data, quantiles, preprocessing, provider.

    Parameters
    ----------
    dissection : Dissection

    Yields
    ------
    Fact
    """
    manifest = dissection.manifest
    model, data = section(manifest, "model"), section(manifest, "data")
    if dissection.imported:
        yield Fact("Results", "imported", _joined(_imported_details(section(manifest, "imported"))))
    else:
        yield Fact("Model", str(model.get("producer") or "ONNX"), _joined(_model_details(model)))
    untold = "not told" if dissection.imported else ""
    yield Fact("Data", str(data.get("name", "")) or untold, _joined(_data_details(dissection, data)))
    about = section(data, "about")
    if about:
        yield Fact("Data from", str(about.get("name", "")), _joined(_origin(about)))
    quantiles = ", ".join(f"{quantile:g}" for quantile in dissection.quantiles)
    several = len(dissection.quantiles) > 1
    yield Fact(
        "Quantiles" if several else "Quantile", quantiles, "share of positions above a unit's threshold"
    )
    yield Fact("Detector", f"IoU above {dissection.iou_threshold:g}", f"“{dissection.scoring}” scoring")
    preprocessing = section(manifest, "preprocessing")
    if preprocessing:
        yield Fact("Preprocessing", *_preprocessing(preprocessing))
    provider = manifest.get("provider")
    if isinstance(provider, Mapping):
        provider = provider.get("name")
    if provider:
        yield Fact("Ran on", str(provider).removesuffix("ExecutionProvider").upper(), _took(manifest))


def layer_facts(info: LayerInfo) -> Iterator[str]:
    """List the size of a layer, what its units are and see, and how it was upsampled.

    Parameters
    ----------
    info : LayerInfo

    Yields
    ------
    str
        Short statements.
    """
    if info.basis is not None:
        yield "under the basis " + _basis(info.basis)
    yield f"{info.units:,} units"
    if info.shape[0]:
        yield f"{info.shape[0]} × {info.shape[1]} positions"
    if info.geometry:
        size = info.geometry.get("size")
        if isinstance(size, Sequence) and len(size) == 2:
            yield f"sees {size[0]:g} × {size[1]:g} pixels"
    if info.upsample:
        yield f"upsampled by {info.upsample}"


def _basis(basis: Mapping[str, Any]) -> str:
    """Name a basis, and what its numbers come from where the name does not tell."""
    said = [str(basis["name"])]
    said += [f"file {basis['file']}"] if basis.get("file") else []
    said += ["with a bias"] if basis.get("bias") else []
    said += [str(basis["activation"])] if basis.get("activation") else []
    share = basis.get("variance_share")
    said += [f"{share:.1%} of the variance"] if isinstance(share, float | int) else []
    return f"{said[0]} ({', '.join(said[1:])})" if said[1:] else said[0]


def _joined(parts: Iterable[str]) -> str:
    return " · ".join(parts)


def _model_details(model: Mapping[str, Any]) -> Iterator[str]:
    opset = model.get("opset")
    if isinstance(opset, Mapping):
        # the standard operators' domain goes without saying
        shown = (f"{'' if domain == 'ai.onnx' else domain} {number}" for domain, number in opset.items())
        yield "opset " + ", ".join(map(str.strip, shown))
    elif opset:
        yield f"opset {opset}"
    if model.get("sha256"):
        yield f"sha256 {str(model['sha256'])[:12]}"


def _imported_details(imported: Mapping[str, Any]) -> Iterator[str]:
    for one in imported.get("files", ()):
        yield f"{one['file']} (sha256 {one['sha256'][:12]})"


def _data_details(dissection: Dissection, data: Mapping[str, Any]) -> Iterator[str]:
    if dissection.imported:
        yield f"{len(dissection.concepts):,} concepts named"
        return
    yield f"{len(dissection.images):,} images"
    yield f"{len(dissection.concepts):,} concepts"
    if data.get("split"):
        yield f"split {data['split']}"
    if data.get("limit"):
        yield f"limited to {data['limit']:,}"
    out = left_out(dissection)
    if out:
        noun = "concept" if out == 1 else "concepts"
        yield f"{out:,} {noun} in fewer than {dissection.min_images:,} images left out of the labels"
    if data.get("fingerprint"):
        yield f"fingerprint {str(data['fingerprint'])[:12]}"


def _origin(about: Mapping[str, Any]) -> Iterator[str]:
    """List the licence of a data set, and what it was made of with theirs."""
    yield f"licence: {about.get('licence') or 'not known'}"
    if about.get("made"):
        yield f"made by {about['made']}"
    for part in About.from_json(about).from_:
        yield f"from {part_text(part)}"
    for key in ("citation", "homepage"):
        if about.get(key):
            yield str(about[key])


def _preprocessing(preprocessing: Mapping[str, Any]) -> tuple[str, str]:
    name = str(preprocessing.get("name", "custom"))
    if preprocessing.get("source"):
        name += f" ({preprocessing['source']})"
    details = []
    if preprocessing.get("channels"):
        details.append(str(preprocessing["channels"]).upper())
    if isinstance(preprocessing.get("scale"), float | int):
        details.append(f"scale {preprocessing['scale']:.4g}")
    for key in ("mean", "std"):
        values = preprocessing.get(key)
        if isinstance(values, Sequence) and not isinstance(values, str):
            details.append(f"{key} " + " ".join(f"{value:.4g}" for value in values))
    return name, _joined(details)


def _took(manifest: Mapping[str, Any]) -> str:
    timing = section(manifest, "timing")
    # "pass_decode" is a part of "pass"
    phases = [value for name, value in timing.items() if name.rpartition("_")[0] not in timing]
    seconds = sum(value for value in phases if isinstance(value, float | int))
    return f"{seconds:,.1f} s" if seconds else ""
