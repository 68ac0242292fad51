"""A check from end to end: dissect the candidate as the baseline was, then apply the rules."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from onnxdissect.check.baseline import open_baseline
from onnxdissect.check.comparison import compare
from onnxdissect.check.config import Config
from onnxdissect.check.snapshot import Snapshot, snapshot_of
from onnxdissect.check.verdict import Finding, Verdict
from onnxdissect.data import open_dataset
from onnxdissect.data.tiny import ensure_tiny
from onnxdissect.errors import ModelError, ModelNotFoundError, RunMismatchError
from onnxdissect.model import Layer, load_network
from onnxdissect.run import dissect

__all__ = ["check_model"]


def check_model(
    model: str | Path,
    baseline: str | Path,
    config: Config | None = None,
    *,
    data: str | Path | None = None,
    notify: Callable[[str], None] | None = None,
) -> Verdict:
    """Hold a model against a baseline.

    Parameters
    ----------
    model : str or Path
        The candidate, an ONNX file.
    baseline : str or Path
        A run directory, a ``baseline.json``, or another ONNX file, which is dissected first, on `data`.
    config : Config, optional
        The rules.
    data : str or Path, optional
        Where the baseline's data lies on this machine; by default where it lay.
    notify : callable, optional
        Given one-line statements.

    Returns
    -------
    Verdict

    Raises
    ------
    RunMismatchError
        If the data is not the baseline's.
    OnnxDissectError
        Whatever else is wrong with the request. A candidate that is no valid model or does not run is
        a finding, no error.
    """
    config = config or Config()
    path = Path(model)
    if not path.is_file():
        raise ModelNotFoundError(f"there is no model at {path}")
    with tempfile.TemporaryDirectory(prefix="onnxdissect-check-") as work:
        if Path(baseline).suffix == ".onnx":
            folder = Path(work) / "baseline"
            snapshot = snapshot_of(
                dissect(baseline, data or "tiny", provider=config.provider, out=folder, notify=notify)
            )
        else:
            snapshot = open_baseline(Path(baseline))
        source = str(data) if data is not None else _folder(snapshot)
        _same_data(snapshot, source)
        statements: list[str] = []
        try:
            candidate = _dissect(path, snapshot, config, source, Path(work) / "candidate", statements, notify)
        except ModelError as error:
            return Verdict(
                str(path),
                str(baseline),
                (Finding("runnable", "error", "failed", "", error.message, error.candidates),),
            )
        findings, changed = compare(snapshot, candidate, config)
    ran = Finding("runnable", "error", "passed", "", f"valid, and runs on provider {config.provider}")
    return Verdict(str(path), str(baseline), (ran, *findings), changed, tuple(statements))


def _folder(snapshot: Snapshot) -> str:
    return "tiny" if str(snapshot.data["name"]).startswith("tiny-v") else str(snapshot.data["folder"])


def _same_data(snapshot: Snapshot, source: str) -> None:
    # Before the candidate is run over it for nothing.
    dataset = open_dataset(ensure_tiny() if source == "tiny" else source)
    found = dataset.subset(split=snapshot.data["split"], limit=snapshot.data["limit"]).fingerprint
    if found != snapshot.data["fingerprint"]:
        raise RunMismatchError(
            f"{source} has the fingerprint {found[:12]}, "
            f"the baseline's data {snapshot.data['fingerprint'][:12]}",
            hint="--data with the baseline's data, or write the baseline again",
        )


def _dissect(
    model: Path,
    baseline: Snapshot,
    config: Config,
    data: str,
    out: Path,
    statements: list[str],
    notify: Callable[[str], None] | None,
) -> Snapshot:
    network = load_network(model)
    names: dict[str, str] = {}
    for layer in baseline.layers:
        name = _match(layer.name, len(layer.label), layer.shape, network.layers, set(names))
        if name is None:
            continue
        names[name] = layer.name
        if name != layer.name:
            statements.append(f"layer {layer.name} is taken to be {name}: the last of the same shape")
    preprocessing = baseline.preprocessing
    run = dissect(
        model,
        data,
        list(names) or ["stages"],
        quantiles=baseline.parameters["quantiles"],
        iou_threshold=baseline.iou_threshold,
        upsample=baseline.parameters["upsample"],
        mean=preprocessing["mean"],
        std=preprocessing["std"],
        scale=preprocessing["scale"],
        channels=preprocessing["channels"],
        split=baseline.data["split"],
        limit=baseline.data["limit"],
        top=baseline.parameters["top"],
        provider=config.provider,
        out=out,
        notify=notify,
    )
    if baseline.scoring != run.scoring:
        run = run.rescore(baseline.scoring)
    snapshot = snapshot_of(run)
    layers = tuple(replace(layer, name=names.get(layer.name, layer.name)) for layer in snapshot.layers)
    return replace(snapshot, layers=layers)


def _match(
    name: str, units: int, shape: tuple[int, int], layers: Sequence[Layer], taken: set[str]
) -> str | None:
    if any(layer.name == name for layer in layers):
        return name
    alike = [
        layer.name
        for layer in layers
        if layer.units == units and layer.grid == shape and layer.name not in taken
    ]
    return alike[-1] if alike else None
