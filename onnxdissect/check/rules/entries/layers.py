"""The rule `layers`: every layer is there, with as many units."""

from __future__ import annotations

from collections.abc import Iterator

from onnxdissect.check.comparing.comparison import Comparison
from onnxdissect.check.rules.findings import count_detectors, make_finding
from onnxdissect.check.rules.rule import Rule
from onnxdissect.check.verdict import Finding

__all__ = ["LAYERS"]


def _layers(c: Comparison) -> Iterator[Finding]:
    """Ask that every layer is there, with as many units."""
    for pair in c.pairs:
        name, had = pair.before.name, pair.before.units
        if pair.after is None:
            there = [layer.name for layer in c.candidate.layers]
            message = "the candidate has no such layer, and none that looks like it"
            evidence = [f"dissected instead: {', '.join(there)}"]
            if name in c.refusals:
                message = "the candidate has a value of this name, which is no layer"
                evidence = [c.refusals[name], *evidence]
            yield make_finding(c, LAYERS, False, name, message, evidence)
            continue
        has = pair.after.units
        message = f"{has} units" if had == has else f"{has} units, where the baseline has {had}"
        yield make_finding(
            c, LAYERS, had == has, name, f"{message}; {count_detectors(c.baseline, pair.before)}"
        )


LAYERS = Rule(
    "layers",
    level="error",
    asks="Every layer of the baseline is there, with as many units.",
    remedy="Compare onnxdissect layers of both files. After a wanted change of architecture, write the "
    "baseline anew.",
    find=_layers,
)
