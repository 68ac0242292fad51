"""Remove units, and measure what the network can no longer tell."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from onnxdissect.arguments import checked_arguments
from onnxdissect.core.progress import Progress, Silent
from onnxdissect.data.dataset import Dataset
from onnxdissect.data.labelled_images import labelled_images
from onnxdissect.errors import ParameterError, nearest, shown
from onnxdissect.experiments.ablation.cases import Cases, choose_cases
from onnxdissect.experiments.ablation.formats.folder import (
    RESULT,
    WORK,
    expect_ablation_folder,
    expect_apart,
    former_request,
)
from onnxdissect.experiments.ablation.formats.stored import load_ablation, write_ablation
from onnxdissect.experiments.ablation.groups import find_groups
from onnxdissect.experiments.ablation.importance import RANK_BY
from onnxdissect.experiments.ablation.predicting.measuring import Measuring
from onnxdissect.experiments.ablation.predicting.work import expect_same_request, working
from onnxdissect.experiments.ablation.records import AblationResult
from onnxdissect.experiments.ablation.result import Plan, measure_ablation
from onnxdissect.experiments.ablation.variants import (
    default_counts,
    expect_counts,
)
from onnxdissect.experiments.class_scores.labelled import tell_empty_folders
from onnxdissect.experiments.class_scores.scored_layer import ScoredLayer, find_scored_layer
from onnxdissect.experiments.class_scores.target import class_number
from onnxdissect.model.runtime.choosing import check_provider
from onnxdissect.results import Dissection
from onnxdissect.results.formats.manifest_schema import MOST_RESAMPLES
from onnxdissect.storage.json_file import json_bytes
from onnxdissect.storage.memory import explained_memory

__all__ = ["ablate"]

_MOST_SEED = 2**63
_MOST_REPEATS = 1000


@checked_arguments(but=("images",))
@explained_memory()
def ablate(
    model: str | Path,
    images: str | Path | Dataset,
    run: str | Path | Dissection,
    *,
    target: Sequence[str | int] = (),
    layer: str | None = None,
    top_n: Sequence[int] = (),
    groups: Sequence[str] = (),
    repeats: int = 5,
    rank_on: str = "half",
    rank_by: str = "accuracy",
    seed: int = 0,
    resamples: int = 1000,
    limit: int | None = None,
    classes: str | Path | Sequence[str] | None = None,
    output: str | None = None,
    reduce: str | None = None,
    provider: str = "auto",
    bind: Mapping[str, ArrayLike | str] | None = None,
    custom_ops: Sequence[str | Path] = (),
    out: str | Path | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
) -> AblationResult:
    """Remove units of a layer, and measure what the network can no longer tell.

    A unit is removed by setting its activations to zero. Each is removed by itself; then of each class the
    most important ones together, and all but these, beside as many random ones; and groups of detectors.

    Parameters
    ----------
    model : str or Path
        The ONNX file that the run was made of.
    images : str, Path or Dataset
        A folder with one folder for each class, a CSV file with the columns ``image`` and ``class``, or a
        data set whose scenes are the classes.
    run : str, Path or Dissection
        The finished run whose labels units have.
    target : sequence of (str or int)
        The classes whose most important units are removed, by name or number; by default all that the images
        show.
    layer : str, optional
        A layer of the run, by default the deepest through which everything reaches the scores.
    top_n : sequence of int
        How many units to remove and to keep; by default powers of two, and 20.
    groups : sequence of str
        Groups of detectors to remove as a whole: "concept" for one of each concept, "category" for one of
        each category, or names of concepts or categories.
    repeats : int
        How many times as many random units are removed and kept, for comparison.
    rank_on : str
        "half": of each class a random half of the images tells which units are important, and everything is
        measured on the other half. "all": both on all of them, which flatters the ranking.
    rank_by : str
        "accuracy": a unit is as important for a class as the accuracy that the class loses without it, among
        equals as its log-loss rises. "log-loss": the other way round, which tells more where hardly any
        image is predicted wrongly.
    seed : int
        Of the halves, the random units and the resamples.
    resamples : int
        Of the images, for 95 % intervals; 0 for none.
    limit : int, optional
        At most so many images, the first ones of each class.
    classes : str, Path or sequence of str, optional
        Names of the classes, or a file with one a line; by default those of the model's metadata.
    output : str, optional
        The network's output with the scores, where there are several.
    reduce : str, optional
        Where the output scores classes at many places (maps of a segmenter, boxes of a detector), how they
        are made one score of a class: their "mean" or "max". "max:2" says that classes lie along axis 2.
    provider : str
        Where the network runs, as in `onnxdissect.dissect`.
    bind : mapping of str to array_like or str, optional
        Values of inputs beside the image, as in the run.
    custom_ops : sequence of str or Path
        Libraries of operators that onnxruntime lacks.
    out : str or Path, optional
        Where the result is written. What is finished there is read; what was interrupted goes on.
    fresh : bool
        Start over, whatever ablation is in `out`.
    progress : Progress, optional
        Told how far it is.
    notify : callable, optional
        Told, in a line each, what a person should know.

    Returns
    -------
    AblationResult

    Raises
    ------
    OnnxDissectError
        If the run is of another model, there is no such class, layer, output or group, the output is no
        vector of class scores, something of the image gets around the layer, an image is damaged or shows no
        class of the network, all images show the same class, or `out` holds something else.
    """
    _expect_numbers(repeats, seed, resamples)
    check_provider(provider)
    folder = None if out is None else Path(out)
    if folder is not None:
        expect_apart(folder, run, images)
    if rank_by not in RANK_BY:
        raise ParameterError(
            f"units are not ranked by {shown(rank_by)}", candidates=nearest(rank_by, RANK_BY) or RANK_BY
        )
    source = find_scored_layer(
        model,
        run,
        layer=layer,
        classes=classes,
        output=output,
        reduce=reduce,
        bind=bind,
        custom_ops=custom_ops,
    )
    counts = expect_counts(top_n or default_counts(source.layer.units), source.layer.units)
    grouped = find_groups(source.units(), groups)
    labelled = labelled_images(images)
    tell_empty_folders(labelled, notify)
    cases = choose_cases(labelled, source, limit=limit, rank_on=rank_on, seed=seed)
    chosen = _chosen_classes(target, source, cases)
    asked = {
        "reduce": reduce,
        "top_n": list(counts),
        "groups": [[one.name, one.category] for one in grouped],
        "repeats": repeats,
        "rank_on": rank_on,
        "rank_by": rank_by,
        "seed": seed,
        "resamples": resamples,
    }
    request = _request(source, cases, chosen, asked)
    if folder is not None:
        expect_ablation_folder(folder)
        former = None if fresh or (folder / WORK).exists() else former_request(folder / RESULT)
        if former is not None:
            # what is finished was computed somewhere, and "auto" asks for no place of its own
            ran = former.get("provider") if provider == "auto" else provider
            expect_same_request(folder, former, request | {"provider": ran})
            return load_ablation(folder)
    parts = source.open(cases.read(0), provider=provider, notify=notify)
    plan = Plan(source, cases, chosen, counts, grouped, request | {"provider": parts.provider})
    with working(folder, plan.request, fresh=fresh) as work:
        measuring = Measuring(source, parts, cases, work, progress or Silent())
        result = measure_ablation(plan, measuring)
        if folder is not None:
            write_ablation(result, folder)
    return result


def _expect_numbers(repeats: int, seed: int, resamples: int) -> None:
    if not 1 <= repeats <= _MOST_REPEATS:
        raise ParameterError(
            f"random units cannot be drawn {repeats} times: 1 to {_MOST_REPEATS:,}", hint="--repeats 5"
        )
    if not 0 <= seed < _MOST_SEED:
        raise ParameterError(f"the seed cannot be {seed}", hint="--seed 0")
    if not 0 <= resamples <= MOST_RESAMPLES:
        raise ParameterError(
            f"images cannot be resampled {resamples} times: 0 to {MOST_RESAMPLES:,}", hint="--bootstrap 1000"
        )


def _chosen_classes(target: Sequence[str | int], source: ScoredLayer, cases: Cases) -> tuple[int, ...]:
    """Positions of the classes whose units are removed, among those that the images show."""
    there = cases.classes.tolist()
    if not target:
        return tuple(range(len(there)))
    try:
        numbers = [class_number(one, source.scores, source.names) for one in target]
    except ParameterError as error:
        raise ParameterError(
            error.message,
            candidates=error.candidates,
            hint=f"--class takes a number from 0 to {source.scores.classes - 1}, or a name as in the model "
            "or in --classes FILE",
        ) from error
    for number in numbers:
        if number not in there:
            raise ParameterError(
                f"no image of {cases.images.source} shows {source.class_name(number)}",
                candidates=[source.class_name(one) for one in there],
                hint="--class takes a class that images show",
            )
    return tuple(dict.fromkeys(there.index(number) for number in numbers))


def _request(
    source: ScoredLayer, cases: Cases, chosen: Sequence[int], asked: Mapping[str, Any]
) -> dict[str, Any]:
    """Say what makes this ablation this one, as JSON values."""
    labels = [[one.label, one.category, one.iou, one.detector] for one in source.units()]
    pairs = [[name, number] for name, number in zip(cases.names, cases.truth.tolist(), strict=True)]
    return {
        "model": source.network.sha256,
        "run": str(source.run.path),
        "labels": _digest(labels),
        "layer": source.info.name,
        "output": source.scores.value,
        "classes": [source.class_name(int(cases.classes[one])) for one in chosen],
        # several classes of a network may be called alike
        "class_numbers": [int(cases.classes[one]) for one in chosen],
        "names": _digest(list(source.names or ())),
        "images": cases.images.source,
        "shown": _digest(pairs),
        "image_count": len(cases.truth),
        **asked,
    }


def _digest(value: object) -> str:
    return hashlib.sha256(json_bytes(value)).hexdigest()[:16]
