"""The rule `duplicates`: no units have become copies of others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from onnxdissect.check.comparing.comparison import Comparison
from onnxdissect.check.rules.findings import SHOWN, make_finding, why_untested
from onnxdissect.check.rules.rule import Rule
from onnxdissect.check.verdict import Finding

__all__ = ["DUPLICATES"]


def _duplicates(c: Comparison) -> Iterator[Finding]:
    """Ask that no more units have become copies of others than are allowed."""
    for pair in c.pairs:
        name, why = pair.before.name, why_untested(pair)
        if why or pair.after is None:
            yield make_finding(c, DUPLICATES, None, name, why)
            continue
        new = np.flatnonzero(pair.after.copies & ~pair.before.copies)
        message = (
            f"{pair.after.copies.sum()} of {pair.after.units} units do what another does, {len(new)} of them "
            f"newly so, {c.config.new_duplicates} may be"
        )
        lines = [f"unit {k} like unit {pair.after.twin[k]}" for k in new[:SHOWN]]
        yield make_finding(c, DUPLICATES, len(new) <= c.config.new_duplicates, name, message, lines)


DUPLICATES = Rule(
    "duplicates",
    level="warning",
    asks="No more units than before do what another one does.",
    remedy="Look for channels copied by a conversion, or saturated to the same value.",
    settings=("new-duplicates",),
    find=_duplicates,
)
