"""The permutation null of a spool that lies in parts in other places, each counted where it lies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from onnxdissect.core.per_image_counts import LabelSample, Null
from onnxdissect.core.progress import Progress, Silent
from onnxdissect.core.spool.parts import SpoolParts
from onnxdissect.core.spool.spool import Chunk
from onnxdissect.core.state.pass_state import PassResult
from onnxdissect.statistics.permutation_null import NullCounts, PermutationNull

__all__ = ["null_parts"]


def null_parts(null: PermutationNull, passed: PassResult, progress: Progress) -> list[Null]:
    """Score every unit with its own annotations and with shuffled ones, as `PermutationNull.scores` does.

    Parameters
    ----------
    null : PermutationNull
        Has seen all images.
    passed : PassResult
        Its spool is a `SpoolParts`.
    progress : Progress

    Returns
    -------
    list of Null
        One per layer.

    Raises
    ------
    OnnxDissectError
        If a part is lost and cannot be made again.
    """
    parts = passed.spool
    if not isinstance(parts, SpoolParts):
        raise TypeError(f"a spool in parts was expected, not {type(parts).__name__}")
    rounds, label_sample = null.rounds(), null.label_sample()
    # of what the pass left, the masks are made of the thresholds alone
    bare = replace(passed.over(()), top=(), samples=())
    work = partial(_count_part, null.bare(), bare, label_sample)

    def counted() -> Iterator[NullCounts]:
        for shares in rounds:
            found = null.count(passed.over(parts.here), label_sample, shares, progress)
            for more in parts.each("null", work, shares):
                found.merge(more)
                progress.advance(len(more.images))
            found.images.expect_counted(len(null.images))
            yield found

    progress.start("null", len(null.images) * len(rounds))
    found = null.score(passed, label_sample, counted())
    progress.finish()
    return found


def _count_part(
    null: PermutationNull,
    passed: PassResult,
    label_sample: LabelSample,
    chunks: Iterable[Chunk],
    shares: Sequence[tuple[int, slice]],
) -> NullCounts:
    return null.count(passed.over(chunks), label_sample, shares, Silent())
