"""What a check found: one finding per rule and place, and the verdict they add up to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["ChangedUnit", "Finding", "Verdict"]

Status = Literal["passed", "failed", "untested"]
Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says about one place.

    Attributes
    ----------
    rule : str
        Name of the rule.
    level : str
        ``error`` or ``warning``: what a failure of it is.
    status : str
        ``passed``, ``failed``, or ``untested`` where what it needs is not there.
    layer : str
        The layer it is about; empty for the model as a whole.
    message : str
        The reason, in one sentence.
    evidence : tuple of str
        Facts behind it, one line each.
    """

    rule: str
    level: Level
    status: Status
    layer: str
    message: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangedUnit:
    """A unit that no longer does what it did.

    Attributes
    ----------
    layer : str
        The layer's name in the baseline.
    unit : int
        From 0.
    before, after : str
        Its labels; empty for none.
    iou_before, iou_after : float
        IoU of the baseline's label in either run.
    p_value : float or None
        Adjusted for all units tested; None where it was not tested.
    """

    layer: str
    unit: int
    before: str
    after: str
    iou_before: float
    iou_after: float
    p_value: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a check.

    Attributes
    ----------
    model : str
        The candidate.
    baseline : str
        What it was held against.
    findings : tuple of Finding
        In order of the rules.
    changed : tuple of ChangedUnit
        Largest loss first.
    statements : tuple of str
        What was assumed on the way.
    """

    model: str
    baseline: str
    findings: tuple[Finding, ...]
    changed: tuple[ChangedUnit, ...] = ()
    statements: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no rule of level ``error`` failed."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Failures that make the check fail."""
        return tuple(f for f in self.findings if f.status == "failed" and f.level == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Failures that do not, and rules that could not be tested."""
        return tuple(
            f
            for f in self.findings
            if f.status == "untested" or (f.status == "failed" and f.level == "warning")
        )

    @property
    def headline(self) -> str:
        """The verdict in one line."""
        word = "passed" if self.passed else "failed"
        return (
            f"check {word}: {len(self.errors)} errors, {len(self.warnings)} warnings, "
            f"{len(self.findings)} findings ({self.model} against {self.baseline})"
        )

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON values.

        Returns
        -------
        dict
        """
        return {"format_version": 1, "passed": self.passed} | asdict(self)
