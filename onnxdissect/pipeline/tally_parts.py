"""The tally of a spool that lies in parts in other places, each counted where it lies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from onnxdissect.core.layer_tally import Tally
from onnxdissect.core.plan import Plan
from onnxdissect.core.progress import Progress, Silent
from onnxdissect.core.spool.parts import SpoolParts
from onnxdissect.core.spool.spool import Chunk
from onnxdissect.core.state.pass_state import PassResult
from onnxdissect.pipeline.tally import tally
from onnxdissect.statistics.per_image_collector import PerImageCollector
from onnxdissect.storage.scratch import ScratchFile

__all__ = ["tally_parts"]


@dataclass(frozen=True, slots=True)
class _PartTally:
    """What was counted in a part."""

    tally: Tally
    collector: PerImageCollector | None


def tally_parts(
    plan: Plan,
    passed: PassResult,
    progress: Progress,
    collector: PerImageCollector | None = None,
    scratch: ScratchFile | None = None,
) -> Tally:
    """Count the masks of everything a pass kept, as `tally` does, each part of the spool where it lies.

    Parameters
    ----------
    plan : Plan
    passed : PassResult
        Its spool is a `SpoolParts`.
    progress : Progress
    collector : PerImageCollector, optional
        Has what is counted image by image afterwards.
    scratch : ScratchFile, optional
        As for `tally`.

    Returns
    -------
    Tally

    Raises
    ------
    OnnxDissectError
        If a part is lost and cannot be made again.
    """
    parts = passed.spool
    if not isinstance(parts, SpoolParts):
        raise TypeError(f"a spool in parts was expected, not {type(parts).__name__}")
    found = tally(plan, passed.over(parts.here), Silent(), collector, scratch)
    bare = replace(passed, top=tuple(top.without_maps() for top in passed.top))
    mould = None if collector is None else collector.bare(Path())
    work = partial(_tally_part, replace(plan, threads=1), bare.over(()), mould)
    progress.start("tally", plan.images)
    progress.advance(len(found.images))
    for more in parts.each("tally", work):
        found.merge(more.tally)
        if collector is not None and more.collector is not None:
            collector.merge(more.collector)
        progress.advance(len(more.tally.images))
    progress.finish()
    found.images.expect_counted(plan.images)
    return found


def _tally_part(
    plan: Plan, passed: PassResult, mould: PerImageCollector | None, chunks: Iterable[Chunk]
) -> _PartTally:
    collector = None if mould is None else mould.bare(Path())
    return _PartTally(tally(plan, passed.over(chunks), Silent(), collector), collector)
