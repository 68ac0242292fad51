"""What an executor gives back, merged and saved as it comes."""

from __future__ import annotations

import time

from onnxdissect.core.state.image_ranges import ImageRanges
from onnxdissect.core.state.pass_state import PassState
from onnxdissect.errors import ImagesOverlapError, ParameterError, RunMismatchError
from onnxdissect.pipeline.execution.executor import Executor, PassTask, pass_tag

__all__ = ["gather_states"]


def gather_states(executor: Executor, task: PassTask, images: ImageRanges) -> None:
    """Let an executor run the network over images, and merge what it gives back into the task's state.

    What has been merged is saved every ``save_every`` seconds, and also when the executor fails, is stopped
    or gives back too little, so that the same run goes on from there. An executor that adds to the task's own
    state saves that by itself.

    Parameters
    ----------
    executor : Executor
    task : PassTask
        Its state holds all images of the plan afterwards.
    images : ImageRanges
        Those that the state lacks.

    Raises
    ------
    ImagesMissingError
        If the executor ends before all images have been taken in, naming those that are missing.
    ImagesOverlapError
        If it gives back an image twice.
    RunMismatchError
        If it gives back a state of another model, other data or other options, naming what differs.
    ParameterError
        If it gives back something else than a state.
    OutputError
        If the disk does not take what does not fit in memory.
    """
    state, prepared = task.state, task.prepared
    tag, save_every = pass_tag(prepared), prepared.request.options.execution.save_every
    saved = time.monotonic()
    unsaved = False
    try:
        for more in executor.run(task, images):
            if more is state:
                continue
            if not isinstance(more, PassState):
                raise ParameterError(
                    f"the executor {type(executor).__name__} gave back {type(more).__name__}, "
                    "where a PassState was expected"
                )
            # What is merged by half must not be saved; a merge that is refused has changed nothing.
            before, unsaved = unsaved, False
            try:
                state.merge(more)
            except (ImagesOverlapError, RunMismatchError):
                unsaved = before
                raise
            unsaved = True
            if time.monotonic() - saved > save_every:
                state.save(tag)
                saved, unsaved = time.monotonic(), False
        state.expect_complete(prepared.request.dataset.image_name)
    except BaseException:
        if unsaved:
            state.save(tag)
        raise
