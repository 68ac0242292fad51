"""A run as one call with flat keywords."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from numpy.typing import ArrayLike

from onnxdissect.arguments import checked_arguments
from onnxdissect.core.progress import Progress
from onnxdissect.data import Dataset
from onnxdissect.data.sources import DEFAULT_DATA
from onnxdissect.model import OperatorTable
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.runtime.time_limit import PROBE_SECONDS
from onnxdissect.pipeline.execution.clients import executor_of
from onnxdissect.pipeline.options import (
    DataOptions,
    ExecutionOptions,
    MethodOptions,
    ModelOptions,
    PreprocessingOptions,
    RunOptions,
    StatisticsOptions,
)
from onnxdissect.pipeline.run import run
from onnxdissect.results import Dissection
from onnxdissect.storage.memory import explained_memory

__all__ = ["dissect"]


@checked_arguments(but=("data", "bases", "client"))
@explained_memory()
def dissect(
    model: str | Path,
    data: str | Path | Dataset = DEFAULT_DATA,
    layers: Sequence[str] | str = ("stages",),
    *,
    quantiles: Sequence[float] = (0.005,),
    iou_threshold: float = 0.04,
    upsample: str = "auto",
    layer_upsample: Mapping[str, str] | None = None,
    bases: Sequence[str | Basis] = (),
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
    null: int = 10,
    seed: int = 0,
    min_images: int = 1,
    out: str | Path | None = None,
    fresh: bool = False,
    keep_masks: bool = False,
    image_size: tuple[int, int] | None = None,
    bind: Mapping[str, ArrayLike | str] | None = None,
    layouts: Mapping[str, str] | None = None,
    custom_ops: Sequence[str | Path] = (),
    operators: OperatorTable | None = None,
    probe_timeout: float = PROBE_SECONDS,
    save_every: float = 30.0,
    client: object = None,
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
) -> Dissection:
    """Label every unit of a network's layers with the concept it detects (arXiv 1711.05611, section 3).

    Parameters
    ----------
    model : str or Path
        An ONNX file.
    data : str, Path or Dataset
        A folder in the Broden layout; the name of an installed source, such as ``"tiny"`` for the drawn data
        set, which is made on first use; or a data set, such as an `onnxdissect.data.ArrayDataset`.
    layers : sequence of str
        Selectors: value names, node names, aliases, globs, ``"last"``, ``"stages"``, ``"neck"``,
            ``"heads"`` or ``"all"``.
    quantiles : sequence of float
        Levels tau, each in (0, 1): the share of a unit's activations that lies above its threshold T_k.
    iou_threshold : float
        A unit whose best IoU exceeds this is a detector; in 0..1.
    upsample : {"auto", "receptive-field", "effective", "resize"}
        How activation maps are brought to the label grid: cells at the centres of their receptive fields,
        where they were measured to respond on the first images, or spread evenly. ``"auto"`` is
        ``"receptive-field"``, but ``"resize"`` where a check on the first images has the cells more than half
        a cell elsewhere and nearer to that. Where a layer cannot be given its map it takes another one. What
        it was given is recorded.
    layer_upsample : mapping of str to str, optional
        Upsampling of single layers, by value name, in place of `upsample`: those of a run to compare with.
    bases : sequence of (str or Basis)
        Other directions of each layer's space to label as well, in the same pass: SPECs such as
        ``"rotation:seed=1,alpha=0.5"`` or ``"pca:n=16"``, paths of files, and bases. Each of a layer's is a
        layer of its own in the result, called ``<value>/basis/<name>``.
    preset : str, optional
        Preprocessing by name; see `onnxdissect.model.choose_preprocessing`.
    mean, std : sequence of float, optional
        Explicit preprocessing, ``(pixel * scale - mean) / std`` with pixels in 0..255.
    scale : float, optional
        See `mean`.
    channels : {"rgb", "bgr"}, optional
        Channel order of the network's input.
    split : str, optional
        Only images of this split.
    limit : int, optional
        Only the first so many images.
    groups : str, optional
        What groups images that belong together, so that they are resampled and shuffled together: a column
        of index.csv, ``"folder"``, ``"prefix:N"`` or ``"none"``; see `onnxdissect.data.open_dataset`.
    batch_size : int or "auto"
        Images per inference call.
    provider : {"auto", "cpu", "cuda", "tensorrt"}
        onnxruntime's execution provider.
    workers : int, optional
        Workers that decode images, run the network and take in its activations side by side; on a GPU,
        threads that decode images for it. By default as many as there are cores. What comes out does not
        depend on it.
    top : int
        How many of each unit's strongest images are kept.
    bootstrap : int
        How often the images are resampled for intervals and stabilities; 0 leaves them out, and the counts
        by image too.
    null : int
        How often labels are shuffled between images for p-values; 0 leaves them out.
    seed : int
        What both are drawn by. Runs over the same images with the same seed resample the same images.
    min_images : int
        Concepts held by fewer images than this are counted, but are no candidates for labels.
    out : str or Path, optional
        The run directory; by default ``dissections/<model>-<data>``.
    fresh : bool
        Start over, whatever a former run left in `out`.
    keep_masks : bool
        Keep what makes the masks of all images, not only of the top ones, for `Dissection.mask`. A finished
        run that lacks it is refused unless `fresh`; one that has it is given without it being asked for.
    image_size : (int, int), optional
        (height, width) to run a network at that takes images of any size; by default the data's.
    bind : mapping of str to array_like or str, optional
        Values of the network's inputs beside the image; see `onnxdissect.model.load_network`.
    layouts : mapping of str to str, optional
        Layouts of values that the graph leaves open, such as ``{"tokens": "NTC:1:14x14"}``.
    custom_ops : sequence of str or Path
        Shared libraries of operators that onnxruntime lacks.
    operators : OperatorTable, optional
        What operators mean, where some are added by `onnxdissect.register_operator`.
    probe_timeout : float
        Seconds that the network may take whenever it is run to learn of it, before the pass; infinity for no
        limit. The pass itself has none.
    save_every : float
        Seconds between two saves of an unfinished run, from which the same call goes on.
    client : distributed.Client, optional
        Of a Dask cluster whose workers run the network, keep what they gathered and count it; by default
        this process does. The results are the same to the bit. Such a run is not saved before it is done.
    progress : Progress, optional
        Told how far each phase is.
    notify : callable, optional
        Given one-line statements: what was assumed, chosen or worth a warning.

    Returns
    -------
    Dissection
        The finished run, as `load` would give it. If `out` already holds a run of the same model, data and
        parameters, it is returned as it is, or taken on from where it was interrupted.

    Raises
    ------
    OnnxDissectError
        Whatever is wrong with the request, the model, the data or the output folder; see
        `onnxdissect.errors`.
    """
    with executor_of(client) as executor:
        return run(
            RunOptions(
                model=Path(model),
                data=data,
                reading=ModelOptions(
                    image_size, bind or {}, layouts or {}, custom_ops, operators, probe_timeout
                ),
                images=DataOptions(split, limit, groups),
                method=MethodOptions(
                    layers=(layers,) if isinstance(layers, str) else tuple(layers),
                    quantiles=quantiles,
                    iou_threshold=iou_threshold,
                    upsample=upsample,
                    layer_upsample=layer_upsample or {},
                    top=top,
                    min_images=min_images,
                    bases=(bases,) if isinstance(bases, str | Path | Basis) else bases,
                ),
                preprocessing=PreprocessingOptions(preset, mean, std, scale, channels),
                execution=ExecutionOptions(batch_size, provider, workers, save_every),
                statistics=StatisticsOptions(bootstrap, null, seed),
                out=None if out is None else Path(out),
                fresh=fresh,
                keep_masks=keep_masks,
            ),
            progress=progress,
            notify=notify,
            executor=executor,
        )
