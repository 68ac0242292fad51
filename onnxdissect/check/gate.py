"""A check from end to end: dissect the candidate as the baseline was, then apply the rules."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from onnxdissect.check.baseline import open_baseline
from onnxdissect.check.comparison import changed_units, check_names, make_comparison
from onnxdissect.check.config import Config
from onnxdissect.check.matching import LayerMatch, match_layers
from onnxdissect.check.page import render_check
from onnxdissect.check.parity import Side, measure_drift
from onnxdissect.check.rules import apply_rules
from onnxdissect.check.snapshot import Snapshot, snapshot_of
from onnxdissect.check.verdict import Finding, LayerDrift, Level, Verdict
from onnxdissect.data import Dataset, open_dataset
from onnxdissect.data.tiny import ensure_tiny
from onnxdissect.errors import ModelError, ModelNotFoundError, RunMismatchError
from onnxdissect.files import write_text
from onnxdissect.model import Network, Preprocessing, choose_preprocessing, load_network
from onnxdissect.run import dissect

__all__ = ["ModelOptions", "check_model"]


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How the candidate's file is to be read, as in `onnxdissect.dissect`.

    Attributes
    ----------
    image_size : (int, int) or None
        For graphs that take images of any size; by default the data's.
    bind : mapping of str to array_like or str
        Values of inputs beside the image.
    layouts : mapping of str to str
        Layouts that the graph leaves open.
    custom_ops : sequence of str or Path
        Libraries of operators.
    """

    image_size: tuple[int, int] | None = None
    bind: Mapping[str, Any] = field(default_factory=dict)
    layouts: Mapping[str, str] = field(default_factory=dict)
    custom_ops: Sequence[str | Path] = ()

    def given(self, dataset: Dataset) -> dict[str, Any]:
        """Give them as arguments.

        Parameters
        ----------
        dataset : Dataset
            What the model is dissected on.

        Returns
        -------
        dict
        """
        return {
            "image_size": self.image_size or dataset.image_size,
            "bind": self.bind,
            "layouts": self.layouts,
            "custom_ops": self.custom_ops,
        }


def check_model(
    model: str | Path,
    baseline: str | Path,
    config: Config | None = None,
    *,
    data: str | Path | None = None,
    options: ModelOptions | None = None,
    page: Path | None = None,
    notify: Callable[[str], None] | None = None,
) -> Verdict:
    """Hold a model against a baseline.

    Parameters
    ----------
    model : str or Path
        The candidate, an ONNX file.
    baseline : str or Path
        A run directory, a ``baseline.json``, or another ONNX file, which is dissected first, on `data`;
        then the activations of the two models are compared directly as well.
    config : Config, optional
        The rules.
    data : str or Path, optional
        Where the baseline's data lies on this machine; by default where the rules say, or where it lay.
    options : ModelOptions, optional
        How the candidate's file is to be read; one that is compared against is read alike.
    page : Path, optional
        Where to write a page of the verdict, with the units that changed before and after.
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
    options = options or ModelOptions()
    path = Path(model)
    if not path.is_file():
        raise ModelNotFoundError(f"there is no model at {path}")
    source = str(data) if data is not None else config.data
    against = Path(baseline) if Path(baseline).suffix == ".onnx" else None
    with tempfile.TemporaryDirectory(prefix="onnxdissect-check-") as work:
        if against is not None:
            folder = Path(work) / "baseline"
            made = dissect(
                against,
                source or "tiny",
                provider=config.provider,
                out=folder,
                notify=notify,
                image_size=options.image_size,
                bind=options.bind,
                layouts=options.layouts,
                custom_ops=options.custom_ops,
            )
            snapshot = snapshot_of(made)
        else:
            snapshot = open_baseline(Path(baseline))
        check_names(config, snapshot)
        source = source or _folder(snapshot)
        dataset = _same_data(snapshot, source)
        try:
            reading = options.given(dataset)
            out = Path(work) / "candidate"
            candidate = _dissect(path, snapshot, config, source, reading, out, notify)
            drift = () if against is None else _drift(against, path, candidate, dataset, config, reading)
        except ModelError as error:
            broken = Finding("runnable", "error", "failed", "", error.message, error.candidates)
            verdict = Verdict(str(path), str(baseline), (broken,))
            if page is not None:
                write_text(page, render_check(verdict, None, None, dataset))
            return verdict
        comparison = make_comparison(snapshot, candidate.snapshot, config)
    ran = Finding("runnable", "error", "passed", "", f"valid, and runs on provider {config.provider}")
    findings = (ran, *apply_rules(comparison), *_parity(drift, config))
    statements = tuple(
        f"layer {match.before} is taken to be {match.after}: {match.reason}"
        for match in candidate.matches
        if match.reason
    )
    verdict = Verdict(str(path), str(baseline), findings, changed_units(comparison), drift, statements)
    if page is not None:
        write_text(page, render_check(verdict, snapshot, candidate.snapshot, dataset))
    return verdict


@dataclass(frozen=True, slots=True)
class _Candidate:
    """The candidate's snapshot, its layers called as the baseline calls them, and which are which."""

    snapshot: Snapshot
    matches: tuple[LayerMatch, ...]


def _folder(snapshot: Snapshot) -> str:
    return "tiny" if str(snapshot.data["name"]).startswith("tiny-v") else str(snapshot.data["folder"])


def _same_data(snapshot: Snapshot, source: str) -> Dataset:
    # Before the candidate is run over it for nothing.
    dataset = open_dataset(ensure_tiny() if source == "tiny" else source)
    dataset = dataset.subset(split=snapshot.data["split"], limit=snapshot.data["limit"])
    if dataset.fingerprint != snapshot.data["fingerprint"]:
        raise RunMismatchError(
            f"{source} has the fingerprint {dataset.fingerprint[:12]}, "
            f"the baseline's data {snapshot.data['fingerprint'][:12]}",
            hint="--data with the baseline's data, or write the baseline again",
        )
    return dataset


def _dissect(
    model: Path,
    baseline: Snapshot,
    config: Config,
    data: str,
    reading: Mapping[str, Any],
    out: Path,
    notify: Callable[[str], None] | None,
) -> _Candidate:
    matches = match_layers(baseline.layers, load_network(model, **reading).layers)
    parameters, preprocessing = baseline.parameters, baseline.preprocessing
    run = dissect(
        model,
        data,
        [match.after for match in matches] or ["stages"],
        quantiles=parameters["quantiles"],
        iou_threshold=baseline.iou_threshold,
        upsample=parameters["upsample"],
        mean=preprocessing["mean"],
        std=preprocessing["std"],
        scale=preprocessing["scale"],
        channels=preprocessing["channels"],
        split=baseline.data["split"],
        limit=baseline.data["limit"],
        top=parameters["top"],
        # The check resamples both runs itself, and asks nothing of chance labels.
        bootstrap=1 if config.on("iou-loss") or config.on("unique-loss") else 0,
        null=0,
        provider=config.provider,
        out=out,
        notify=notify,
        **reading,
    )
    if baseline.scoring != run.scoring:
        run = run.rescore(baseline.scoring)
    snapshot = snapshot_of(run)
    names = {match.after: match.before for match in matches}
    layers = tuple(replace(layer, name=names.get(layer.name, layer.name)) for layer in snapshot.layers)
    return _Candidate(replace(snapshot, layers=layers), matches)


def _drift(
    against: Path,
    model: Path,
    candidate: _Candidate,
    dataset: Dataset,
    config: Config,
    reading: Mapping[str, Any],
) -> tuple[LayerDrift, ...]:
    if not config.on("parity") or not candidate.matches:
        return ()
    stated = candidate.snapshot.preprocessing
    sides = []
    for path, names in (
        (against, [match.before for match in candidate.matches]),
        (model, [match.after for match in candidate.matches]),
    ):
        network = load_network(path, **reading)
        preprocessing = _preprocessing(network, stated)
        sides.append(Side(network, [network.select([name])[0] for name in names], preprocessing))
    return measure_drift(sides[0], sides[1], dataset, config.parity_images, config.provider)


def _preprocessing(network: Network, stated: Mapping[str, Any]) -> Preprocessing:
    return choose_preprocessing(
        network, **{name: stated[name] for name in ("mean", "std", "scale", "channels")}
    )


def _parity(drift: tuple[LayerDrift, ...], config: Config) -> tuple[Finding, ...]:
    level: Level = "warning" if config.levels["parity"] == "warning" else "error"
    return tuple(
        Finding(
            "parity",
            level,
            "passed" if layer.relative_rms <= config.parity else "failed",
            layer.layer,
            f"activations differ by {layer.relative_rms:.2%} (RMS, of {layer.images} images), "
            f"{config.parity:.2%} may be",
            (
                f"cosine {layer.cosine:.6f}, largest difference {layer.largest:.4g} of {layer.highest:.4g}",
                f"worst unit {layer.worst_unit}: {layer.worst_rms:.2%}",
            ),
        )
        for layer in drift
    )
