"""What the masks of a run are counted to: those of the images' own annotations, and of shuffled ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from onnxdissect.core.layer_tally import LayerTally
from onnxdissect.core.per_image_counts import Null
from onnxdissect.core.plan import Plan
from onnxdissect.core.progress import Clock, Progress
from onnxdissect.core.spool.parts import SpoolParts
from onnxdissect.core.state.pass_state import PassResult
from onnxdissect.pipeline.null_parts import null_parts
from onnxdissect.pipeline.parameters import Parameters
from onnxdissect.pipeline.tally import tally
from onnxdissect.pipeline.tally_parts import tally_parts
from onnxdissect.statistics.per_image_collector import PerImageCollector
from onnxdissect.statistics.permutation_null import PermutationNull
from onnxdissect.storage.scratch import ScratchFile

__all__ = ["Findings", "count_masks"]


@dataclass(frozen=True, slots=True)
class Findings:
    """What a run has found.

    Attributes
    ----------
    passed : PassResult
        What the pass left.
    tallies : sequence of LayerTally
        One per layer.
    collector : PerImageCollector or None
        Counts of single images and masks, if intervals were asked for.
    null : sequence of Null, or None
        What the units score with the images' annotations and with shuffled ones, one per layer, if that was
        asked for.
    scratch : ScratchFile
        Has the masks of top images, where they were too many to be held.
    nbytes : int
        Memory that the counting held at most.
    """

    passed: PassResult
    tallies: Sequence[LayerTally]
    collector: PerImageCollector | None
    null: Sequence[Null] | None
    scratch: ScratchFile
    nbytes: int


def count_masks(
    plan: Plan, parameters: Parameters, passed: PassResult, work: Path, progress: Progress, clock: Clock
) -> Findings:
    """Count masks against annotations: those of their own images, and shuffled ones.

    Parameters
    ----------
    plan : Plan
    parameters : Parameters
        How many resamples and shuffles are asked for.
    passed : PassResult
    work : Path
        Where what does not fit in memory goes.
    progress : Progress
    clock : Clock
        Told when the tally and when the shuffles are done.

    Returns
    -------
    Findings

    Raises
    ------
    OutputError
        If the disk does not take what does not fit in memory.
    """
    null = PermutationNull(plan, parameters.null, parameters.seed) if parameters.null else None
    collector = PerImageCollector(work, plan, masks=parameters.bootstrap > 0, permutation_null=null)
    scratch = ScratchFile(work)
    counted = tally_parts if isinstance(passed.spool, SpoolParts) else tally
    tallies = counted(plan, passed, progress, collector, scratch).layers
    clock.lap("tally")
    scores = None
    if null is not None:
        in_parts = isinstance(passed.spool, SpoolParts)
        scores = null_parts(null, passed, progress) if in_parts else null.scores(passed, progress)
    clock.lap("null")
    return Findings(
        passed,
        tallies,
        collector if parameters.bootstrap else None,
        scores,
        scratch,
        nbytes=plan.spool_bytes
        + collector.memory
        + sum(layer.counts.nbytes for layer in tallies)
        - scratch.nbytes,
    )
