"""The parameters of a run: what decides its counts beside the model and the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxdissect.core.candidates import check_min_images
from onnxdissect.core.quantiles import check_quantiles
from onnxdissect.core.scoring import check_iou_threshold
from onnxdissect.core.upsampling import UPSAMPLE_MAPS
from onnxdissect.errors import ParameterError, nearest

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
    def checked(
        cls,
        *,
        layers: tuple[str, ...],
        quantiles: Sequence[float],
        iou_threshold: float,
        upsample: str,
        top: int,
        batch_size: int | str,
        provider: str,
        bootstrap: int = 0,
        null: int = 0,
        seed: int = 0,
        min_images: int = 1,
    ) -> Parameters:
        """Refuse what no run can be made with.

        Parameters
        ----------
        layers, quantiles, iou_threshold, upsample, top, batch_size, provider
            See the class.
        bootstrap, null, seed, min_images
            See the class.

        Returns
        -------
        The parameters, scored by the paper's convention.

        Raises
        ------
        ParameterError
            Naming the parameter, what was asked and what could be.
        """
        if not layers:
            raise ParameterError("no layer was asked for", hint="--layer stages")
        if upsample not in UPSAMPLE_MAPS:
            raise ParameterError(
                f"there is no upsampling called {upsample!r}",
                candidates=nearest(upsample, UPSAMPLE_MAPS) or UPSAMPLE_MAPS,
            )
        if top < 0:
            raise ParameterError(f"the number of top images cannot be {top}", hint="--top 15")
        if batch_size != "auto" and (not isinstance(batch_size, int) or batch_size < 1):
            raise ParameterError(
                f"the batch size must be a positive number or auto, not {batch_size!r}",
                hint="--batch-size auto",
            )
        if bootstrap < 0:
            raise ParameterError(f"the number of resamples cannot be {bootstrap}", hint="--bootstrap 1000")
        if null < 0 or null == 1:
            raise ParameterError(
                f"the number of shuffles must be 0, or at least 2, not {null}", hint="--null 20"
            )
        if not 0 <= seed < 2**63:
            raise ParameterError(f"the seed must be from 0 to 2**63 - 1, not {seed}", hint="--seed 0")
        return cls(
            layers=layers,
            quantiles=check_quantiles(quantiles),
            iou_threshold=check_iou_threshold(iou_threshold),
            scoring="paper",
            upsample=upsample,
            top=top,
            batch_size=batch_size,
            provider=provider,
            bootstrap=bootstrap,
            null=null,
            seed=seed,
            min_images=check_min_images(min_images),
        )
