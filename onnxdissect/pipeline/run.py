"""One run in its stages: request, prepare, pass, settle, tally, write (arXiv 1711.05611, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from onnxdissect.core.plateaus import plateau_warnings
from onnxdissect.core.progress import Clock, Progress, Silent
from onnxdissect.core.state.pass_state import PassResult, PassState
from onnxdissect.data.broden.about import told_about
from onnxdissect.pipeline.bases import keep_bases, plan_under, say_memory, under_bases
from onnxdissect.pipeline.execution.executor import Executor, LocalExecutor, PassTask, pass_tag
from onnxdissect.pipeline.execution.gathering import gather_states
from onnxdissect.pipeline.execution.warmup import kernels_warming
from onnxdissect.pipeline.findings import count_masks
from onnxdissect.pipeline.keep_masks import (
    check_space,
    expect_kept_masks,
    keep_masks,
    masks_size,
    size_text,
)
from onnxdissect.pipeline.options import RunOptions
from onnxdissect.pipeline.prepare import Prepared, prepare, without_network
from onnxdissect.pipeline.request import Request, open_request
from onnxdissect.pipeline.run_directory import RunDirectory, claim_directory
from onnxdissect.pipeline.write_run import layer_infos, tool_versions, write_layers, write_run
from onnxdissect.results import Dissection, load
from onnxdissect.storage.files import free_bytes
from onnxdissect.storage.memory import trim_memory

__all__ = ["run"]


def run(
    options: RunOptions,
    *,
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
    executor: Executor | None = None,
    before: Callable[[Request], None] | None = None,
) -> Dissection:
    """Label every unit of a network's layers with the concept it detects.

    Parameters
    ----------
    options : RunOptions
        What is asked for.
    progress : Progress, optional
        Told how far each phase is.
    notify : callable, optional
        Given one-line statements: what was assumed, chosen or worth a warning.
    executor : Executor, optional
        Runs the network over the images; by default workers of this process.
    before : callable, optional
        Given the opened request of a run that is not complete, before anything is run or written. What it
        raises ends the run.

    Returns
    -------
    Dissection
        The finished run, as `onnxdissect.load` would give it.

    Raises
    ------
    OnnxDissectError
        Whatever is wrong with the request, the model, the data or the output folder.
    """
    progress, notify = progress or Silent(), notify or _ignore
    executor = executor or LocalExecutor()
    clock = Clock()
    with kernels_warming(notify, options.statistics, keep_masks=options.keep_masks):
        request = open_request(options, progress)
        directory = claim_directory(request.target, request.identity, fresh=options.fresh)
        if directory.complete:
            found = load(request.target)
            if options.keep_masks:
                expect_kept_masks(found)
            notify(f"{request.target} already holds this run, complete; --fresh starts over")
            return found
        if before is not None:
            before(request)
        prepared = prepare(request, notify)
        if request.bases:
            say_memory(prepared, notify)
        if options.keep_masks:
            check_space(masks_size(plan_under(prepared)), free_bytes(request.target), request.target, notify)
        with directory.work() as work:
            clock.lap("start")
            if request.bases:
                unfinished = directory.unfinished
                prepared = under_bases(prepared, work, progress, notify, unfinished=unfinished)
                trim_memory()
                clock.lap("bases")
            state = _pass(prepared, executor, directory, work, progress, notify)
            clock.lap("pass")
            if clock.seconds["pass"] > options.execution.save_every and state.elsewhere is None:
                state.save(pass_tag(prepared))
            held = state.nbytes
            keep_bases(prepared)
            infos = layer_infos(prepared)
            # from here on neither the network nor the numbers of bases are needed, nor what settling leaves
            # of the state; of many wide layers they are large
            prepared = without_network(prepared)
            passed = state.settle()
            del state
            trim_memory()
            clock.lap("thresholds")
            findings = count_masks(prepared.plan, prepared.request.parameters, passed, work, progress, clock)
            kept = _keep_masks(prepared, passed, progress, notify, clock)
            saturated = list(plateau_warnings(prepared.plan, passed, findings.tallies))
            for warning in saturated:
                notify(f"warning: {warning}")
            memory = {"pass": held, "tally": findings.nbytes}
            timing = clock.seconds | {f"pass_{k}": round(v, 3) for k, v in executor.seconds.items()}
            record = _record(prepared, saturated, memory, timing) | kept
            passed.spool.forget()
            concepts = write_layers(prepared.request, infos, findings)
            # the files are read again for labels and intervals
            del passed, findings
            trim_memory()
            return write_run(prepared.request, infos, concepts, record)


def _pass(
    prepared: Prepared,
    executor: Executor,
    directory: RunDirectory,
    work: Path,
    progress: Progress,
    notify: Callable[[str], None],
) -> PassState:
    """Run the network over the images, from where an interrupted run has left them."""
    images = len(prepared.request.dataset)
    state = PassState(prepared.plan, work)
    if directory.unfinished and state.restore(pass_tag(prepared)):
        notify(f"going on with the interrupted run after {len(state.images)} of {images} images")
    elif directory.unfinished:
        notify(
            "what the interrupted run left cannot be taken up (another version, provider or batch "
            "size, or damaged files): starting over"
        )
    gather_states(executor, PassTask(prepared, state, progress), state.images.missing(images))
    return state


def _keep_masks(
    prepared: Prepared, passed: PassResult, progress: Progress, notify: Callable[[str], None], clock: Clock
) -> dict[str, Any]:
    """Keep the maps that make the masks, if that was asked for; give what the manifest says about it."""
    if not prepared.request.options.keep_masks:
        return {}
    kept = keep_masks(prepared, passed, progress)
    notify(f"masks: {size_text(kept['bytes'])} kept")
    clock.lap("masks")
    return {"kept_masks": kept}


def _record(
    prepared: Prepared, saturated: Sequence[str], memory: Mapping[str, int], timing: Mapping[str, float]
) -> dict[str, Any]:
    """Compose the manifest."""
    session, identity = prepared.session, prepared.request.identity
    # told here and in no identity: a licence that is worded anew makes no other run
    told = {"data": identity["data"] | told_about(prepared.request.dataset)}
    return (
        identity
        | told
        | {
            "provider": {"name": session.provider, "note": session.provider_note},
            "batch_size": prepared.batch_size,
            "warnings": [*prepared.warnings, *saturated],
            "coverage": asdict(prepared.coverage),
            "memory": memory,
            "versions": tool_versions(),
            "timing": timing,
        }
    )


def _ignore(message: str) -> None:
    pass
