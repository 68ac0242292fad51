"""What a check found: one finding per rule and place, and the verdict they add up to."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["ChangedUnit", "Finding", "LayerDrift", "Level", "Status", "Verdict"]

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
        ``error`` or ``warning``: how serious it is if the rule is not met, or cannot be tested.
    status : str
        ``passed``, ``failed``, or ``untested`` where what it needs is not there.
    layer : str
        The layer it is about; empty for the model as a whole.
    message : str
        The reason, in one sentence.
    evidence : tuple of str
        Facts behind it, one line each.
    subject : str
        The concept or category it is about; empty for none.
    """

    rule: str
    level: Level
    status: Status
    layer: str
    message: str
    evidence: tuple[str, ...] = ()
    subject: str = ""

    @property
    def place(self) -> str:
        """What it is about, by a name that does not change with the outcome."""
        return self.layer or self.subject or ("model" if self.rule == "runnable" else "all layers")

    @property
    def outcome(self) -> str:
        """One word: ``passed``, or the level, or the level and that it was not tested."""
        if self.status == "passed":
            return "passed"
        return self.level if self.status == "failed" else f"{self.level} (untested)"

    @property
    def text(self) -> str:
        """Layer, reason and evidence, on lines of their own."""
        place = f"{self.layer}: " if self.layer else ""
        return "\n".join([place + self.message, *self.evidence])


@dataclass(frozen=True, slots=True)
class ChangedUnit:
    """A detector of the baseline that lost IoU or has another label now.

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
    label_iou : float
        IoU of the label it has now.
    p_value : float or None
        Of a loss of IoU, adjusted for all units tested; None where it was not tested.
    """

    layer: str
    unit: int
    before: str
    after: str
    iou_before: float
    iou_after: float
    label_iou: float
    p_value: float | None


@dataclass(frozen=True, slots=True)
class LayerDrift:
    """How much the activations of a layer differ between two models, on the same images.

    Attributes
    ----------
    layer : str
        Name in the model compared against.
    images : int
        How many images both were run on.
    relative_rms : float
        Root mean square of the differences, divided by the root mean square of the first model's activations.
    cosine : float
        Of the two layers' activations taken as one long vector each; 1 if both are zero.
    largest : float
        Largest absolute difference.
    highest : float
        Largest absolute activation of the first.
    worst_unit : int
        The unit of the largest relative RMS of its own.
    worst_rms : float
        Relative RMS of that unit.
    """

    layer: str
    images: int
    relative_rms: float
    cosine: float
    largest: float
    highest: float
    worst_unit: int
    worst_rms: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a check.

    Attributes
    ----------
    model : str
        The candidate.
    baseline : str
        What it was compared with.
    findings : tuple of Finding
        In order of the rules.
    changed : tuple of ChangedUnit
        Largest loss first.
    drift : tuple of LayerDrift
        Per layer, where two models were compared directly.
    statements : tuple of str
        What was assumed on the way.
    """

    model: str
    baseline: str
    findings: tuple[Finding, ...]
    changed: tuple[ChangedUnit, ...] = ()
    drift: tuple[LayerDrift, ...] = ()
    statements: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every rule of level ``error`` was tested and met."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What makes the check fail: rules of level ``error`` that are not met, or could not be tested."""
        return self._of("error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Rules of level ``warning`` that are not met, or not tested; they do not make the check fail."""
        return self._of("warning")

    @property
    def passed_findings(self) -> tuple[Finding, ...]:
        """Rules that were tested and met."""
        return tuple(f for f in self.findings if f.status == "passed")

    @property
    def summary(self) -> str:
        """The verdict and how many findings are behind it, without names."""
        return (
            f"check {'passed' if self.passed else 'failed'}: {_counted(len(self.errors), 'error')}, "
            f"{_counted(len(self.warnings), 'warning')}, {len(self.passed_findings)} passed"
        )

    @property
    def headline(self) -> str:
        """The verdict in one line."""
        return f"{self.summary} ({self.model} against {self.baseline})"

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON values.

        Returns
        -------
        dict
            Numbers that are not finite become None. Bytes of file names that are no valid text become
            question marks.
        """
        head = {"format_version": 1, "passed": self.passed, "headline": self.headline}
        values: dict[str, Any] = _plain(head | asdict(self))
        return values

    def _of(self, level: Level) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.status != "passed" and f.level == level)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return None if isinstance(value, float) and not math.isfinite(value) else value
