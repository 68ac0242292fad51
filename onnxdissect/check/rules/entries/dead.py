"""The rule `dead`: no units have become silent."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from onnxdissect.check.comparing.comparison import Comparison
from onnxdissect.check.rules.findings import make_finding, why_untested
from onnxdissect.check.rules.rule import Rule
from onnxdissect.check.rules.wording import list_names
from onnxdissect.check.verdict import Finding

__all__ = ["DEAD"]


def _dead(c: Comparison) -> Iterator[Finding]:
    """Ask that no more units have become silent than are allowed, beyond chance."""
    for pair in c.pairs:
        name, why = pair.before.name, why_untested(pair)
        if why or pair.after is None:
            yield make_finding(c, DEAD, None, name, why)
            continue
        if np.isnan(pair.before.highest).any() or np.isnan(pair.after.highest).any():
            yield make_finding(c, DEAD, None, name, "not tested: a run without top images (--top 0)")
            continue
        if pair.before.rectified is None or (pair.after.levels is None and not pair.before.rectified):
            yield make_finding(c, DEAD, None, name, "not tested: a run without samples of the activations")
            continue
        what = "never above zero" if pair.before.rectified else "the same everywhere"
        new = np.array([k for k, p in pair.dead_p_values.items() if p <= c.config.significance], np.int64)
        message = (
            f"{pair.after.silent(pair.before.rectified).sum()} of {pair.after.units} units are {what}, "
            f"{len(new)} of them "
            f"newly so, {c.config.new_dead} may be"
        )
        if len(pair.dead_p_values) > len(new):
            message += f"; {len(pair.dead_p_values) - len(new)} more fired in too few images before to tell"
        yield make_finding(c, DEAD, len(new) <= c.config.new_dead, name, message, _listed(new))


def _listed(units: NDArray[np.int64]) -> list[str]:
    return [f"units {list_names([str(k) for k in units])}"] if len(units) else []


DEAD = Rule(
    "dead",
    level="error",
    asks="No more units than before are never above zero behind a ReLU, or constant elsewhere.",
    remedy="Look for pruned or zeroed channels, and for a zero point of a quantised layer that is off.",
    settings=("new-dead", "significance"),
    find=_dead,
)
