"""All rules, in the order in which they are applied and named everywhere."""

from __future__ import annotations

from onnxdissect.check.comparing.comparison import Comparison
from onnxdissect.check.rules.entries.concepts import FORBIDDEN, REQUIRED
from onnxdissect.check.rules.entries.dead import DEAD
from onnxdissect.check.rules.entries.drift import DRIFT
from onnxdissect.check.rules.entries.duplicates import DUPLICATES
from onnxdissect.check.rules.entries.iou_loss import IOU_LOSS
from onnxdissect.check.rules.entries.labels import LABELS
from onnxdissect.check.rules.entries.layers import LAYERS
from onnxdissect.check.rules.entries.minima import CATEGORIES, DETECTORS, UNIQUE
from onnxdissect.check.rules.entries.parity import PARITY
from onnxdissect.check.rules.entries.runnable import RUNNABLE
from onnxdissect.check.rules.entries.unique_loss import UNIQUE_LOSS
from onnxdissect.check.rules.rule import Rule
from onnxdissect.check.verdict import Finding

__all__ = ["RULES", "apply_rules", "rule_named"]

RULES: tuple[Rule, ...] = (
    # what the network detects
    RUNNABLE,
    LAYERS,
    DETECTORS,
    UNIQUE,
    CATEGORIES,
    REQUIRED,
    FORBIDDEN,
    # how its units changed
    LABELS,
    IOU_LOSS,
    UNIQUE_LOSS,
    DEAD,
    DUPLICATES,
    DRIFT,
    PARITY,
)


def rule_named(name: str) -> Rule:
    """Give a rule.

    Parameters
    ----------
    name : str
        One that a finding has.

    Returns
    -------
    Rule
    """
    return next(rule for rule in RULES if rule.name == name)


def apply_rules(comparison: Comparison) -> tuple[Finding, ...]:
    """Apply all rules that are not off.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    tuple of Finding
        At least one for each rule and place that the rule is about: passed, failed or untested.
    """
    return tuple(
        finding
        for rule in RULES
        if rule.find is not None
        for finding in rule.find(comparison)
        if comparison.config.on(finding.rule)
    )
