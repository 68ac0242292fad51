"""The parameters of a run: what decides its counts beside the model and the data."""

from __future__ import annotations

from dataclasses import dataclass

from onnxdissect.core.candidates import check_min_images
from onnxdissect.core.quantiles import check_quantiles
from onnxdissect.core.scoring import check_iou_threshold
from onnxdissect.core.upsampling import UPSAMPLINGS
from onnxdissect.errors import ParameterError
from onnxdissect.pipeline.options import RunOptions, StatisticsOptions
from onnxdissect.results.formats.manifest_schema import MOST_RESAMPLES

__all__ = ["Parameters"]


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters as they were asked for; two runs that share them all can be compared bit by bit.

    Attributes
    ----------
    layers : tuple of str
        Selectors.
    quantiles : tuple of float
        Levels tau.
    iou_threshold : float
        A unit whose best IoU exceeds it is a detector.
    scoring : str
        Convention of the IoU.
    upsample : str
        Coordinate map from cells to labels.
    top : int
        Top images kept per unit.
    batch_size : int or "auto"
        Images per inference call: convolutions may round differently at another size.
    provider : str
        Execution provider.
    bootstrap : int
        Resamples of the images; 0 for none.
    null : int
        Shuffles of the labels between images; 0 for none.
    seed : int
        What both are drawn by.
    min_images : int
        Concepts held by fewer images are no candidates for labels.
    """

    layers: tuple[str, ...]
    quantiles: tuple[float, ...]
    iou_threshold: float
    scoring: str
    upsample: str
    top: int
    batch_size: int | str
    provider: str
    bootstrap: int
    null: int
    seed: int
    min_images: int

    @classmethod
    def of(cls, options: RunOptions) -> Parameters:
        """Take them from what was asked for, and refuse what no run can be made with.

        Parameters
        ----------
        options : RunOptions

        Returns
        -------
        The parameters, scored by the paper's convention.

        Raises
        ------
        ParameterError
            Naming the parameter, what was asked and what could be.
        """
        method, execution, statistics = options.method, options.execution, options.statistics
        if not method.layers:
            raise ParameterError("no layer was asked for", hint="--layer stages")
        if method.upsample not in UPSAMPLINGS:
            raise ParameterError(
                f"there is no upsampling called {method.upsample!r}",
                candidates=UPSAMPLINGS,
            )
        if method.top < 0:
            raise ParameterError(f"the number of top images cannot be {method.top}", hint="--top 15")
        size = execution.batch_size
        if size != "auto" and (not isinstance(size, int) or size < 1):
            raise ParameterError(
                f"the batch size must be a positive number or auto, not {size!r}", hint="--batch-size auto"
            )
        _check_statistics(statistics)
        return cls(
            layers=method.layers,
            quantiles=check_quantiles(method.quantiles),
            iou_threshold=check_iou_threshold(method.iou_threshold),
            scoring="paper",
            upsample=method.upsample,
            top=method.top,
            batch_size=size,
            provider=execution.provider,
            bootstrap=statistics.bootstrap,
            null=statistics.null,
            seed=statistics.seed,
            min_images=check_min_images(method.min_images),
        )


def _check_statistics(asked: StatisticsOptions) -> None:
    if asked.bootstrap < 0:
        raise ParameterError(f"the number of resamples cannot be {asked.bootstrap}", hint="--bootstrap 1000")
    for option, count in (("--bootstrap", asked.bootstrap), ("--null", asked.null)):
        if count > MOST_RESAMPLES:
            raise ParameterError(
                f"{option} {count} is more than the {MOST_RESAMPLES:,} that a run directory may tell of",
                hint=f"{option} {1000 if option == '--bootstrap' else 20}",
            )
    if asked.null < 0 or asked.null == 1:
        raise ParameterError(
            f"the number of shuffles must be 0, or at least 2, not {asked.null}", hint="--null 20"
        )
    if not 0 <= asked.seed < 2**63:
        raise ParameterError(f"the seed must be from 0 to 2**63 - 1, not {asked.seed}", hint="--seed 0")
