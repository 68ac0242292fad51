"""Rotations of a layer's space as one call with flat keywords."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from numpy.typing import ArrayLike

from onnxdissect.arguments import checked_arguments
from onnxdissect.core.progress import Progress, Silent
from onnxdissect.data import Dataset
from onnxdissect.data.sources import DEFAULT_DATA
from onnxdissect.errors import RunFormatError, RunNotFoundError
from onnxdissect.experiments.rotation.choices import (
    ALPHAS,
    SEEDS,
    check_alphas,
    check_seeds,
    rotation_bases,
)
from onnxdissect.experiments.rotation.formats.stored import read_rotation, write_rotation
from onnxdissect.experiments.rotation.measure import measure_rotations
from onnxdissect.experiments.rotation.records import Verification
from onnxdissect.experiments.rotation.result import RotationResult
from onnxdissect.experiments.rotation.verify import verify_layers
from onnxdissect.model import OperatorTable
from onnxdissect.model.runtime.time_limit import PROBE_SECONDS
from onnxdissect.pipeline.options import (
    DataOptions,
    ExecutionOptions,
    MethodOptions,
    ModelOptions,
    PreprocessingOptions,
    RunOptions,
    StatisticsOptions,
)
from onnxdissect.pipeline.request import Request, open_request
from onnxdissect.pipeline.run import run
from onnxdissect.results import Dissection
from onnxdissect.storage.memory import explained_memory

__all__ = ["rotate"]

_OUT_ENDING = "-rotate"


@checked_arguments(but=("data", "alphas", "seeds"))
@explained_memory()
def rotate(
    model: str | Path,
    data: str | Path | Dataset = DEFAULT_DATA,
    layers: Sequence[str] | str = ("last",),
    *,
    alphas: Sequence[float] = ALPHAS,
    seeds: int = SEEDS,
    verify: bool = False,
    quantiles: Sequence[float] = (0.005,),
    iou_threshold: float = 0.04,
    upsample: str = "auto",
    preset: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    scale: float | None = None,
    channels: str | None = None,
    split: str | None = None,
    limit: int | None = None,
    groups: str | None = None,
    batch_size: int | Literal["auto"] = "auto",
    provider: str = "auto",
    workers: int | None = None,
    top: int = 15,
    bootstrap: int = 1000,
    null: int = 0,
    seed: int = 0,
    min_images: int = 1,
    out: str | Path | None = None,
    fresh: bool = False,
    image_size: tuple[int, int] | None = None,
    bind: Mapping[str, ArrayLike | str] | None = None,
    layouts: Mapping[str, str] | None = None,
    custom_ops: Sequence[str | Path] = (),
    operators: OperatorTable | None = None,
    probe_timeout: float = PROBE_SECONDS,
    save_every: float = 30.0,
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
) -> RotationResult:
    """Rotate the space of layers step by step and count what is still detected (CVPR 2017, section 4.2).

    Each layer is dissected as it is, under every share of every rotation, under a permutation of its units,
    which must change nothing but their numbers, and under as many random directions as it has units; all in
    one pass over the images.

    Parameters
    ----------
    model, data : str, Path or Dataset
        As `onnxdissect.dissect` takes them.
    layers : sequence of str
        Selectors.
    alphas : sequence of float
        Shares of each rotation, from 0 to 1 and ascending. 0, the layer itself, and 1, the whole rotation,
        are added where they are missing.
    seeds : int
        How many rotations, drawn by the seeds 0, 1 and so on.
    verify : bool
        Before the pass, turn each layer by a whole rotation and back, and compare the network's outputs on
        a few images; an error that rounding does not explain is refused.
    quantiles, iou_threshold, upsample, preset, mean, std, scale, channels, split, limit, groups
        As `onnxdissect.dissect` takes them.
    batch_size, provider, workers, top, bootstrap, null, seed, min_images
        Likewise. There are no shuffles unless they are asked for: how many units detect something is the
        question, and no p-value of theirs enters the curve.
    out : str or Path, optional
        The run directory; by default ``dissections/<model>-<data>-rotate``.
    fresh, image_size, bind, layouts, custom_ops, operators, probe_timeout, save_every, progress, notify
        As `onnxdissect.dissect` takes them.

    Returns
    -------
    RotationResult
        As `onnxdissect.load_rotation` would give it. The run directory is one like any other, and the result
        lies in it, in ``rotation/``. If it already holds what is asked for, nothing is run; an interrupted
        run is taken on.

    Raises
    ------
    OnnxDissectError
        Whatever is wrong with the request, the model, the data or the output folder, or if an output cannot
        be verified.
    """
    shares = check_alphas(alphas)
    options = RunOptions(
        model=Path(model),
        data=data,
        reading=ModelOptions(image_size, bind or {}, layouts or {}, custom_ops, operators, probe_timeout),
        images=DataOptions(split, limit, groups),
        method=MethodOptions(
            layers=(layers,) if isinstance(layers, str) else tuple(layers),
            quantiles=quantiles,
            iou_threshold=iou_threshold,
            upsample=upsample,
            top=top,
            min_images=min_images,
            bases=rotation_bases(shares, check_seeds(seeds, len(shares))),
        ),
        preprocessing=PreprocessingOptions(preset, mean, std, scale, channels),
        execution=ExecutionOptions(batch_size, provider, workers, save_every),
        statistics=StatisticsOptions(bootstrap, null, seed),
        out=None if out is None else Path(out),
        fresh=fresh,
        out_ending=_OUT_ENDING,
    )
    return _rotate(options, verify, progress or Silent(), notify or _ignore)


def _rotate(
    options: RunOptions, verify: bool, progress: Progress, notify: Callable[[str], None]
) -> RotationResult:
    verified: list[Verification] = []

    def verify_first(request: Request) -> None:
        verified.extend(verify_layers(request, notify))

    dissection = run(options, progress=progress, notify=notify, before=verify_first if verify else None)
    stored = _stored(dissection, notify)
    if stored is not None and (stored.verification or not verify):
        _warn(stored, notify)
        return stored
    if verify and not verified:
        verify_first(open_request(options, progress))
    if stored is None:
        result = measure_rotations(dissection, verified, progress)
    else:
        result = replace(stored, verification=tuple(verified))
    write_rotation(result)
    _warn(result, notify)
    return result


def _stored(dissection: Dissection, notify: Callable[[str], None]) -> RotationResult | None:
    """Read what a former call has found; None if there is nothing, or nothing that goes with the run."""
    try:
        return read_rotation(dissection)
    except RunNotFoundError:
        return None
    except RunFormatError as error:
        notify(f"{error.message}: it is made again from the run")
        return None


def _warn(result: RotationResult, notify: Callable[[str], None]) -> None:
    """Say loudly what the control has otherwise than the layer."""
    for curve in result.curves:
        for said in curve.permutation_differences:
            notify(
                f"warning: layer {curve.layer} at quantile {curve.quantile:g}: putting its units in another "
                f"order must change nothing but their numbers, and has changed the {said}; the curve may "
                "hold what comes of computing otherwise and not of rotating"
            )


def _ignore(message: str) -> None:
    pass
