"""A run from request to tally, for layers that no selector gives yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from onnxdissect.core.layer_tally import LayerTally
from onnxdissect.core.progress import Silent
from onnxdissect.core.state.intake import Intake
from onnxdissect.core.state.pass_state import PassState
from onnxdissect.data import batches
from onnxdissect.model import Layer
from onnxdissect.pipeline.execution.image_pass import run_pass
from onnxdissect.pipeline.options import RunOptions
from onnxdissect.pipeline.prepare import prepare
from onnxdissect.pipeline.request import open_request
from onnxdissect.pipeline.tally import tally

__all__ = ["dissected"]


def dissected(
    options: RunOptions, work: Path, under: Callable[[Layer], list[Layer]]
) -> tuple[LayerTally, ...]:
    """A run's stages, for other layers than the selectors gave."""
    request = open_request(options, Silent())
    request = replace(request, layers=[made for layer in request.layers for made in under(layer)])
    prepared = prepare(request, lambda said: None)
    intake = Intake(PassState(prepared.plan, work))
    stream = batches(
        request.dataset,
        prepared.preparer,
        shape=prepared.preparer.shape,
        dtype=prepared.preparer.dtype,
        batch_size=prepared.plan.block,
        workers=1,
        start=0,
    )
    run_pass(
        intake,
        stream,
        prepared.session,
        request.dataset.image_name,
        Silent(),
        workers=1,
        batch_size=prepared.batch_size,
        tag={},
        save_every=1e9,
        stopped=lambda: False,
    )
    return tally(prepared.plan, intake.gathered().settle(), Silent()).layers
