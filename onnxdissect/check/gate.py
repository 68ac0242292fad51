"""A check from end to end: dissect the candidate as the baseline was, then apply the rules."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onnxdissect.check.baseline.bases import asked_bases, names_under, own_layers
from onnxdissect.check.baseline.file import open_baseline
from onnxdissect.check.baseline.snapshot import Snapshot, snapshot_of
from onnxdissect.check.comparing.comparison import Comparison, changed_units, check_names, make_comparison
from onnxdissect.check.comparing.matching import LayerMatch, match_layers
from onnxdissect.check.comparing.parity import Side, measure_drift
from onnxdissect.check.outputs.page import render_check
from onnxdissect.check.rules.config import Config
from onnxdissect.check.rules.entries.parity import parity_findings
from onnxdissect.check.rules.rules import apply_rules
from onnxdissect.check.verdict import Finding, LayerDrift, Verdict
from onnxdissect.core.progress import Progress
from onnxdissect.data import Dataset, open_data
from onnxdissect.data.groups import NO_GROUPS
from onnxdissect.data.opening import recorded_spec
from onnxdissect.data.sources import DEFAULT_DATA
from onnxdissect.errors import (
    DataNotFoundError,
    ImageInputError,
    ModelError,
    ModelNotFoundError,
    ParameterError,
    RunMismatchError,
    listed,
)
from onnxdissect.model import Basis, Network, choose_preprocessing, load_network
from onnxdissect.pipeline.dissect import dissect
from onnxdissect.pipeline.options import ModelOptions
from onnxdissect.storage.files import utf8, write_output
from onnxdissect.storage.memory import explained_memory

__all__ = ["ModelOptions", "check_model"]

# Fields of `ModelOptions`, which are keywords of `dissect` and `load_network` as well.
_MODEL_OPTIONS = ("image_size", "bind", "layouts", "custom_ops", "operators", "probe_timeout")
_PREPROCESSING = ("mean", "std", "scale", "channels")


@explained_memory()
def check_model(
    model: str | Path,
    baseline: str | Path,
    config: Config | None = None,
    *,
    data: str | Path | Dataset | None = None,
    options: ModelOptions | None = None,
    layers: Sequence[str] = (),
    limit: int | None = None,
    preset: str | None = None,
    page: Path | None = None,
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
) -> Verdict:
    """Check a model against a baseline.

    Parameters
    ----------
    model : str or Path
        The candidate, an ONNX file.
    baseline : str or Path
        A run directory, a ``baseline.json``, or another ONNX file, which is dissected first, on `data`;
        then the activations of the two models are compared directly as well.
    config : Config, optional
        The rules.
    data : str, Path or Dataset, optional
        Where the baseline's data lies on this machine, or the data set itself; by default where the rules
        say, or where it lay.
    options : ModelOptions, optional
        How the candidate's file is to be read. If the baseline is a model, its file is read likewise.
    layers : sequence of str
        Only if the baseline is a model: which of its layers to dissect, by default its stages.
    limit : int, optional
        Only if the baseline is a model: dissect only the first so many images.
    preset : str, optional
        How images are prepared for the candidate, and for the baseline if that is a model. By default as they
        were for the baseline, unless the candidate takes whole numbers where the baseline took others.
    page : Path, optional
        Where to write a page of the verdict, with the units that changed before and after.
    progress : Progress, optional
        Told how far the dissections are.
    notify : callable, optional
        Given one-line statements.

    Returns
    -------
    Verdict

    Raises
    ------
    RunMismatchError
        If the data is not the baseline's.
    ParameterError
        If `layers` or `limit` are given for a baseline, which has its own.
    OnnxDissectError
        Whatever else is wrong with the request. A candidate that is no valid model or does not run is
        a finding, no error.
    """
    config = config or Config()
    options = options or ModelOptions()
    path = Path(model)
    if not path.is_file():
        raise ModelNotFoundError(f"there is no model at {path}")
    source = config.data if data is None else data
    against = Path(baseline) if Path(baseline).suffix == ".onnx" else None
    if against is None and (layers or limit is not None):
        raise ParameterError(
            "layers and limit are those of the baseline; they can be given with another model only",
            hint="--against MODEL",
        )
    with tempfile.TemporaryDirectory(prefix="onnxdissect-check-") as work:
        if against is not None:
            folder = Path(work) / "baseline"
            made = dissect(
                against,
                source or DEFAULT_DATA,
                layers or ("stages",),
                limit=limit,
                preset=preset,
                provider=config.provider,
                out=folder,
                progress=progress,
                notify=notify,
                **_reading(options),
            )
            snapshot = snapshot_of(made)
        else:
            snapshot = open_baseline(Path(baseline))
        config = check_names(config, snapshot)
        if source == "":
            source = _recorded_spec(snapshot)
        dataset = _open_same_data(snapshot, source, told=bool(data is not None or config.data))
        bases = asked_bases(snapshot, Path(baseline))
        try:
            reading = _reading(options)
            writing = {"out": Path(work) / "candidate", "progress": progress, "notify": notify}
            candidate = _dissect(
                path, snapshot, config, source, dataset.image_size, bases, reading, preset, writing
            )
            drift: tuple[LayerDrift, ...] = ()
            parity: tuple[Finding, ...] = ()
            if against is not None and config.on("parity"):
                drift = _measure_layers(snapshot, against, path, candidate, dataset, config, reading)
                parity = parity_findings(snapshot, drift, config)
        except ModelError as error:
            broken = Finding("runnable", "error", "failed", "", error.message, _evidence(error))
            verdict = Verdict(str(path), str(baseline), (broken,))
            if page is not None:
                write_output(page, utf8(render_check(verdict, None, None, dataset)))
            return verdict
        comparison = make_comparison(snapshot, candidate.snapshot, config, candidate.refusals)
    ran = Finding("runnable", "error", "passed", "", f"valid, and runs on provider {candidate.provider}")
    findings = (ran, *apply_rules(comparison), *parity)
    statements = (
        *candidate.statements,
        *_rename_statements(candidate.matches),
        *_grid_statements(comparison),
    )
    verdict = Verdict(str(path), str(baseline), findings, changed_units(comparison), drift, statements)
    if page is not None:
        write_output(page, utf8(render_check(verdict, snapshot, candidate.snapshot, dataset)))
    return verdict


def _reading(options: ModelOptions) -> dict[str, Any]:
    return {name: getattr(options, name) for name in _MODEL_OPTIONS}


@dataclass(frozen=True, slots=True)
class _Candidate:
    """The candidate's snapshot, its layers named as the baseline's are, and what is to be said of its run."""

    snapshot: Snapshot
    matches: tuple[LayerMatch, ...]
    provider: str
    refusals: Mapping[str, str]
    statements: tuple[str, ...]


def _evidence(error: ModelError) -> tuple[str, ...]:
    candidates = (f"candidates: {listed(error.candidates)}",) if error.candidates else ()
    return (*candidates, *((f"hint: {error.hint}",) if error.hint else ()))


def _rename_statements(matches: Sequence[LayerMatch]) -> Iterator[str]:
    for match in matches:
        if match.reason:
            yield f"layer {match.before} is taken to be {match.after}: {match.reason}"


def _grid_statements(comparison: Comparison) -> Iterator[str]:
    for pair in comparison.pairs:
        if pair.after is not None and pair.after.shape != pair.before.shape:
            had, has = ("x".join(map(str, side.shape)) for side in (pair.before, pair.after))
            place = f"layer {pair.before.name} has maps of {has}, the baseline's are {had}"
            yield f"{place}: another image size or stride"


def _recorded_spec(snapshot: Snapshot) -> str:
    spec = recorded_spec(snapshot.data)
    if spec is None:
        raise DataNotFoundError(
            f"the baseline's data, {snapshot.data['name']}, was in memory and lies nowhere",
            hint="give the data set: check_model(model, baseline, data=...)",
        )
    return spec


def _grouping(snapshot: Snapshot) -> str:
    """Give the baseline's grouping of images: the candidate's images are grouped in the same way."""
    return str(snapshot.data.get("groups") or NO_GROUPS)


def _open_same_data(snapshot: Snapshot, source: str | Path | Dataset, *, told: bool) -> Dataset:
    """Open the data, and refuse it if it is not the baseline's, before any time is spent on the candidate."""
    try:
        dataset = open_data(source, groups=_grouping(snapshot))
    except DataNotFoundError as error:
        if told:
            raise
        raise DataNotFoundError(
            f"the baseline's data lay in {source}, where there is none now: {error.message}",
            candidates=error.candidates,
            hint="--data with where it lies on this machine, or data in the rules",
        ) from error
    dataset = dataset.subset(split=snapshot.data["split"], limit=snapshot.data["limit"])
    if dataset.fingerprint != snapshot.data["fingerprint"]:
        raise RunMismatchError(
            f"{source if isinstance(source, str | Path) else source.name} has the fingerprint "
            f"{dataset.fingerprint[:12]}, "
            f"the baseline's data {snapshot.data['fingerprint'][:12]}",
            hint="--data with the baseline's data, or write the baseline again",
        )
    return dataset


def _dissect(
    model: Path,
    baseline: Snapshot,
    config: Config,
    data: str | Path | Dataset,
    default_size: tuple[int, int],
    bases: Sequence[str | Basis],
    reading: Mapping[str, Any],
    preset: str | None,
    writing: Mapping[str, Any],
) -> _Candidate:
    network = load_network(model, default_size=default_size, **reading)
    matches = match_layers(own_layers(baseline), network.layers)
    parameters = baseline.parameters
    maps = parameters.get("layer_upsample", {})
    preprocessing, statements = _choose_preprocessing(baseline, network, preset)
    try:
        choose_preprocessing(network, **preprocessing)
    except ParameterError as error:
        if preset is not None:
            raise
        # No preset was asked for, so the request is right, and the model cannot take the baseline's images.
        raise ImageInputError(
            f"the model does not take images prepared as the baseline's: {error.message}"
        ) from error
    run = dissect(
        model,
        data,
        [match.after for match in matches] or ["stages"],
        quantiles=parameters["quantiles"],
        iou_threshold=baseline.iou_threshold,
        upsample=parameters["upsample"],
        # As in the baseline: a check of the rule on the candidate could decide otherwise by rounding alone.
        layer_upsample={m.after: maps[m.before] for m in matches if m.before in maps},
        bases=bases,
        **preprocessing,
        split=baseline.data["split"],
        limit=baseline.data["limit"],
        groups=_grouping(baseline),
        top=parameters["top"],
        min_images=parameters.get("min_images", 1),
        # The check resamples by itself and needs only the counts by image, which a run with any bootstrap
        # keeps. Shuffles are not needed.
        bootstrap=1 if config.on("iou-loss") or config.on("unique-loss") else 0,
        null=0,
        provider=config.provider,
        **writing,
        **reading,
    )
    if baseline.scoring != run.scoring:
        run = run.rescore(baseline.scoring)
    snapshot = snapshot_of(run)
    names = names_under(baseline, matches)
    layers = tuple(replace(layer, name=names.get(layer.name, layer.name)) for layer in snapshot.layers)
    provider = str(run.manifest["provider"]["name"])
    refusals = network.listing.refusals
    return _Candidate(replace(snapshot, layers=layers), matches, provider, refusals, statements)


def _choose_preprocessing(
    baseline: Snapshot, network: Network, preset: str | None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Decide how images are prepared for a candidate; statements tell what differs from the baseline."""
    stated = _preprocessing_arguments(baseline)
    if network.input.channels == 1:
        del stated["channels"]
    if preset is not None:
        return {"preset": preset}, (f"images are prepared for the candidate by the preset {preset}",)
    dtype = network.input.dtype
    if dtype.startswith("float") or _gives_whole_numbers(stated):
        return stated, ()
    own = choose_preprocessing(network)
    return (
        {name: own.to_json()[name] for name in stated},
        (
            f"the candidate takes pixels as {dtype}, where the baseline's were no whole numbers: they are "
            f"prepared as its own file says or lets assume (mean {own.mean}, std {own.std}, "
            f"scale {own.scale:g}); --preset for another way",
        ),
    )


def _gives_whole_numbers(stated: Mapping[str, Any]) -> bool:
    """Whether pixels of 0..255 are whole numbers after this preprocessing."""
    return float(stated["scale"]) == 1 and all(
        float(value).is_integer() and float(spread) == 1
        for value, spread in zip(stated["mean"], stated["std"], strict=True)
    )


def _measure_layers(
    baseline: Snapshot,
    against: Path,
    model: Path,
    candidate: _Candidate,
    dataset: Dataset,
    config: Config,
    reading: Mapping[str, Any],
) -> tuple[LayerDrift, ...]:
    """Compare the activations of those layers that have as many units and the same grid in both models."""
    shapes = [
        {layer.name: (layer.units, *layer.shape) for layer in s.layers}
        for s in (baseline, candidate.snapshot)
    ]
    matches = [match for match in candidate.matches if shapes[0][match.before] == shapes[1].get(match.before)]
    if not matches:
        return ()
    sides = []
    for path, names, stated in (
        (against, [match.before for match in matches], _preprocessing_arguments(baseline)),
        (model, [match.after for match in matches], _preprocessing_arguments(candidate.snapshot)),
    ):
        network = load_network(path, default_size=dataset.image_size, **reading)
        layers = [network.select([name])[0] for name in names]
        sides.append(Side(network, layers, choose_preprocessing(network, **stated)))
    return measure_drift(sides[0], sides[1], dataset, config.parity_images, config.provider)


def _preprocessing_arguments(snapshot: Snapshot) -> dict[str, Any]:
    """Give a run's preprocessing as keywords of `choose_preprocessing`."""
    return {name: snapshot.preprocessing[name] for name in _PREPROCESSING}
