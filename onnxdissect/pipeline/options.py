"""What a run is asked for, in groups: model, data, method, preprocessing, execution, statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from onnxdissect.data import Dataset
from onnxdissect.data.sources import DEFAULT_DATA
from onnxdissect.errors import ParameterError
from onnxdissect.model import OperatorTable
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.runtime.time_limit import PROBE_SECONDS

__all__ = [
    "DataOptions",
    "ExecutionOptions",
    "MethodOptions",
    "ModelOptions",
    "PreprocessingOptions",
    "RunOptions",
    "StatisticsOptions",
]


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How a model file is to be read; see `onnxdissect.model.load_network`.

    Attributes
    ----------
    image_size : (int, int) or None
        (height, width) to run a network at that takes images of any size; by default the data's.
    bind : mapping of str to array_like or str
        Values of inputs beside the image.
    layouts : mapping of str to str
        Layouts of values that the graph leaves open, such as ``{"tokens": "NTC:1:14x14"}``.
    custom_ops : sequence of str or Path
        Shared libraries of operators that onnxruntime lacks.
    operators : OperatorTable or None
        What operators mean, where some are added by `onnxdissect.register_operator`.
    probe_timeout : float
        Seconds that the network may take whenever it is run to learn of it, before the pass.
    """

    image_size: tuple[int, int] | None = None
    bind: Mapping[str, Any] = field(default_factory=dict)
    layouts: Mapping[str, str] = field(default_factory=dict)
    custom_ops: Sequence[str | Path] = ()
    operators: OperatorTable | None = None
    probe_timeout: float = PROBE_SECONDS


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Which images are dissected on.

    Attributes
    ----------
    split : str or None
        Only images of this split.
    limit : int or None
        Only the first so many images.
    groups : str or None
        What says which images belong together; see `onnxdissect.data.open_dataset`.
    """

    split: str | None = None
    limit: int | None = None
    groups: str | None = None


@dataclass(frozen=True, slots=True)
class MethodOptions:
    """What decides counts and labels (arXiv 1711.05611, section 3).

    Attributes
    ----------
    layers : tuple of str
        Selectors.
    quantiles : sequence of float
        Levels tau.
    iou_threshold : float
        A unit whose best IoU exceeds it is a detector.
    upsample : str
        How layers are upsampled to the label grid: one of `onnxdissect.core.upsampling.UPSAMPLINGS`.
    layer_upsample : mapping of str to str
        Upsampling of single layers, by value name, in place of `upsample`.
    top : int
        Top images kept per unit.
    min_images : int
        Concepts held by fewer images are no candidates for labels.
    bases : sequence of (str or Basis)
        What each of the layers is dissected under as well: SPECs, paths of files, and bases.
    """

    layers: tuple[str, ...] = ("stages",)
    quantiles: Sequence[float] = (0.005,)
    iou_threshold: float = 0.04
    upsample: str = "auto"
    layer_upsample: Mapping[str, str] = field(default_factory=dict)
    top: int = 15
    min_images: int = 1
    bases: Sequence[str | Basis] = ()


@dataclass(frozen=True, slots=True)
class PreprocessingOptions:
    """How pixels are prepared; see `onnxdissect.model.choose_preprocessing`.

    Attributes
    ----------
    preset : str or None
        By name.
    mean, std : sequence of float or None
        ``(pixel * scale - mean) / std`` with pixels in 0..255.
    scale : float or None
        See `mean`.
    channels : {"rgb", "bgr"} or None
        Channel order of the network's input.
    """

    preset: str | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    scale: float | None = None
    channels: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutionOptions:
    """How the work is done. Beside the batch size and the provider, none of it changes a bit of the result.

    Attributes
    ----------
    batch_size : int or "auto"
        Images per inference call.
    provider : {"auto", "cpu", "cuda", "tensorrt"}
        onnxruntime's execution provider.
    workers : int or None
        Threads that decode images and run the network, on a GPU threads that decode for it; by default one
        per core.
    save_every : float
        Seconds between two saves of an unfinished run.

    Raises
    ------
    ParameterError
        If the number of workers is not positive.
    """

    batch_size: int | Literal["auto"] = "auto"
    provider: str = "auto"
    workers: int | None = None
    save_every: float = 30.0

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ParameterError(
                f"the number of workers must be positive, not {self.workers}", hint="--workers 2"
            )


@dataclass(frozen=True, slots=True)
class StatisticsOptions:
    """How certain the result is to be told.

    Attributes
    ----------
    bootstrap : int
        Resamples of the images for intervals and stabilities; 0 for none.
    null : int
        Shuffles of the labels between images for p-values; 0 for none.
    seed : int
        What both are drawn by.
    """

    bootstrap: int = 1000
    null: int = 10
    seed: int = 0


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Everything that a run is asked for.

    Attributes
    ----------
    model : Path
        An ONNX file.
    data : str, Path or Dataset
        A data set, or what names one; see `onnxdissect.data.open_data`.
    reading : ModelOptions
    images : DataOptions
    method : MethodOptions
    preprocessing : PreprocessingOptions
    execution : ExecutionOptions
    statistics : StatisticsOptions
    out : Path or None
        The run directory; by default ``dissections/<model>-<data>`` and `out_ending`.
    fresh : bool
        Start over, whatever a former run left there.
    keep_masks : bool
        Keep what makes the masks of all images. It changes nothing else, and is not part of what makes a run
        this run: an interrupted one may go on with or without it.
    out_ending : str
        What the name of the default run directory ends with: runs of an experiment lie beside the plain one.
    """

    model: Path
    data: str | Path | Dataset = DEFAULT_DATA
    reading: ModelOptions = ModelOptions()
    images: DataOptions = DataOptions()
    method: MethodOptions = MethodOptions()
    preprocessing: PreprocessingOptions = PreprocessingOptions()
    execution: ExecutionOptions = ExecutionOptions()
    statistics: StatisticsOptions = StatisticsOptions()
    out: Path | None = None
    fresh: bool = False
    keep_masks: bool = False
    out_ending: str = ""
