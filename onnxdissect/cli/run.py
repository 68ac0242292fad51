"""``onnxdissect run``."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxdissect.cli import options
from onnxdissect.cli.printing.console import log, output, print_json
from onnxdissect.cli.printing.progress import Announced, open_progress
from onnxdissect.cli.printing.tables import best_units, headlines, summary_json, summary_table
from onnxdissect.errors import ParameterError

if TYPE_CHECKING:
    from onnxdissect.core.progress import Progress
    from onnxdissect.report.figures.beside import FigureProcess
    from onnxdissect.results import Dissection

__all__ = ["run"]


def run(
    model: Annotated[Path, typer.Argument(help="An ONNX file.", show_default=False)],
    data: Annotated[
        str,
        typer.Option(metavar=options.DATA, help="A Broden folder, or a source such as tiny."),
    ] = "tiny",
    layer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SEL",
            help="Value, node, alias, glob, last, stages (the default), neck, heads or all; repeatable.",
        ),
    ] = None,
    quantile: Annotated[
        list[float] | None,
        typer.Option(metavar="TAU", help="Share of activations above T_k, 0.005 by default; repeatable."),
    ] = None,
    iou_threshold: Annotated[
        float, typer.Option(help="A unit is a detector if its IoU exceeds this.")
    ] = 0.04,
    upsample: Annotated[
        str,
        typer.Option(
            metavar="auto|receptive-field|effective|resize",
            help="Where cells lie: at their fields' centres (auto: where a check agrees), as measured, or "
            "evenly spread.",
        ),
    ] = "auto",
    basis: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC|FILE",
            help="Label other directions of each layer as well: rotation:seed=S,alpha=A, permutation:seed=S, "
            "directions:seed=S,n=N, pca:n=N, or a file with a matrix; repeatable.",
        ),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Preprocessing: imagenet, caffe, tf, unit, raw or clip.")
    ] = None,
    mean: Annotated[str | None, typer.Option(help="One number, or one per channel: 0.5,0.5,0.5.")] = None,
    std: Annotated[str | None, typer.Option(help="Likewise: (pixel * scale - mean) / std.")] = None,
    scale: Annotated[float | None, typer.Option(help="Factor on pixels of 0..255.")] = None,
    channels: Annotated[str | None, typer.Option(metavar="rgb|bgr", help="Channel order.")] = None,
    split: Annotated[str | None, typer.Option(help="Only images of this split.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many images.")] = None,
    groups: options.Groups = None,
    batch_size: Annotated[str, typer.Option(metavar="N|auto", help="Images per inference call.")] = "auto",
    provider: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda|tensorrt", help="Where the network runs.")
    ] = "auto",
    workers: Annotated[
        int | None, typer.Option(help="Threads that decode images, on a CPU for themselves.")
    ] = None,
    top: Annotated[int, typer.Option(help="Top images kept per unit.")] = 15,
    bootstrap: Annotated[int, typer.Option(help="Resamples of the images for intervals; 0 for none.")] = 1000,
    null: Annotated[int, typer.Option(help="Shuffles of the annotations for p-values; 0 for none.")] = 10,
    seed: Annotated[int | None, typer.Option(help="Seed of resamples and shuffles; 0 by default.")] = None,
    min_images: options.MinImages = 1,
    image_size: options.ImageSize = None,
    bind: options.Bind = None,
    layout: options.Layout = None,
    custom_ops: options.CustomOps = None,
    probe_timeout: options.ProbeTimeout = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS|local[:N]",
            help="Run on a Dask cluster: tcp://HOST:PORT, tls://..., or N processes of this machine.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="By default dissections/<model>-<data>.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over, whatever is in --out.")] = False,
    keep_masks: Annotated[
        bool,
        typer.Option("--keep-masks", help="Keep the masks of all images; their size is printed first."),
    ] = False,
    no_report: Annotated[bool, typer.Option("--no-report", help="Leave out the pages.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Dissect a network: label each unit of its layers with the concept it detects.

    A run that was interrupted goes on when the same command is typed again.
    """
    from onnxdissect.pipeline.dissect import dissect
    from onnxdissect.statistics.reliability import fewest_resamples

    if not bootstrap and not null:
        _refuse_idle(seed, groups)
    console = log()
    if 0 < bootstrap < fewest_resamples():
        console.print(
            f"warning: of {bootstrap} resamples no detector can be told to be reliable: that takes "
            f"{fewest_resamples()} at the least; --bootstrap 1000",
            markup=False,
        )
    progress = open_progress(console)
    report = _Report()
    cluster = contextlib.ExitStack()
    try:
        client = None if scheduler is None else cluster.enter_context(_connected(scheduler))
        dissection = dissect(
            model,
            data,
            layer or ["stages"],
            quantiles=quantile or [0.005],
            iou_threshold=iou_threshold,
            upsample=upsample,
            bases=basis or (),
            preset=preset,
            mean=options.numbers("--mean", mean),
            std=options.numbers("--std", std),
            scale=scale,
            channels=channels,
            split=split,
            limit=limit,
            groups=groups,
            batch_size=options.batch_size(batch_size),
            provider=provider,
            workers=workers,
            top=top,
            bootstrap=bootstrap,
            null=null,
            seed=seed or 0,
            min_images=min_images,
            image_size=options.image_size(image_size),
            bind=options.bindings(bind),
            layouts=options.layouts(layout),
            custom_ops=custom_ops or (),
            probe_timeout=options.probe_timeout(probe_timeout),
            out=out,
            fresh=fresh,
            keep_masks=keep_masks,
            client=client,
            progress=progress if no_report else Announced(progress, "tally", report.expect),
            notify=lambda line: console.print(line, markup=False),
        )
        cluster.close()
        page = None if no_report else report.build(dissection, progress)
    except KeyboardInterrupt:
        if scheduler is not None:
            raise KeyboardInterrupt("what workers had done is let go; the same command starts over") from None
        raise KeyboardInterrupt("the same command again goes on from the last saved state") from None
    finally:
        cluster.close()
        progress.close()
        report.close()
    if as_json:
        print_json(summary_json(dissection) | {"report": None if page is None else str(page)})
        return
    console = output()
    console.print(summary_table(dissection))
    console.print()
    console.print(best_units(dissection))
    console.print()
    for line in headlines(dissection):
        console.print(line, markup=False, soft_wrap=True)
    console.print()
    console.print(f"run:    {dissection.path}", markup=False, soft_wrap=True)
    if page is not None:
        console.print(f"report: {page}", markup=False, soft_wrap=True)


def _refuse_idle(seed: int | None, groups: str | None) -> None:
    """Refuse what says how to draw where nothing is drawn."""
    idle = ["--seed"] if seed is not None else []
    idle += ["--groups"] if groups not in (None, "none") else []
    if idle:
        raise ParameterError(
            f"{' and '.join(idle)}: with --bootstrap 0 and --null 0 nothing is drawn",
            hint=f"leave {' and '.join(idle)} out",
        )


def _connected(scheduler: str) -> AbstractContextManager[object]:
    from onnxdissect.distributed.connecting import connected

    return connected(scheduler)


class _Report:
    """The report of a run, whose figures another core prepares for while the run counts."""

    def __init__(self) -> None:
        self._figures: FigureProcess | None = None

    def expect(self) -> None:
        """Say that there will be one soon."""
        from onnxdissect.report.figures.beside import FigureProcess

        self._figures = FigureProcess()
        self._figures.start()

    def build(self, dissection: Dissection, progress: Progress) -> Path:
        """Write it."""
        from onnxdissect.report import build

        return build(dissection, progress=progress, figures=self._figures)

    def close(self) -> None:
        """End what was started, also where there was no report after all."""
        if self._figures is not None:
            self._figures.close()
