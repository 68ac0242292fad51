"""A verdict as Markdown, for a comment on a pull request or the summary of a step."""

from __future__ import annotations

import re
from collections.abc import Sequence

from onnxdissect.check.verdict import ChangedUnit, Finding, Verdict
from onnxdissect.storage.characters import printable

__all__ = ["markdown"]

# A comment takes 65,536 characters.
_MOST = 60_000
_MOST_EVIDENCE = 20_000
_MOST_ROWS = 50
_MOST_UNITS = 20
_LONGEST_CELL = 600
_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")
# What a forge would make a mention or a reference of.
_REFERENCE = re.compile(r"([@#!])(?=\w)")
_FENCE = re.compile(r"`{3,}")


def markdown(verdict: Verdict) -> str:
    """Write Markdown: the verdict, a row for each reason, and the details folded.

    Parameters
    ----------
    verdict : Verdict

    Returns
    -------
    str
        Short enough for a comment: of very many reasons the first are told, and how many more there are.
    """
    shown = (*verdict.errors, *verdict.warnings)
    head = [
        f"### onnxdissect {_cell(verdict.summary)}",
        "",
        f"{_code(verdict.model)} against {_code(verdict.baseline)}",
        "",
    ]
    parts = []
    if shown:
        parts.append(
            _table(
                ("outcome", "rule", "where", "reason"),
                [(f.outcome, f.rule, _where(f), _cell(f.message)) for f in shown[:_MOST_ROWS]],
                len(shown),
            )
        )
    if any(f.evidence for f in shown):
        parts.append(_folded("Evidence", _evidence(shown)))
    if verdict.changed:
        parts.append(_folded(f"Changed units ({len(verdict.changed)})", _units(verdict.changed)))
    if verdict.passed_findings:
        lines = [f"{f.rule}: {f.place}: {f.message}" for f in verdict.passed_findings]
        parts.append(_folded(f"Passed ({len(lines)})", _block(lines)))
    if verdict.statements:
        parts.append("\n".join(f"- {_cell(statement)}" for statement in verdict.statements) + "\n")
    text, left = "\n".join(head) + "\n", 0
    for part in parts:
        if len(text) + len(part) > _MOST:
            left += 1
        else:
            text += part + "\n"
    if left:
        text += f"{left} more sections did not fit here; the other outputs have them.\n"
    return text.rstrip() + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], total: int) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    if total > len(rows):
        lines += ["", f"{total - len(rows)} more are not shown."]
    return "\n".join(lines) + "\n"


def _evidence(shown: Sequence[Finding]) -> str:
    told = [f for f in shown if f.evidence]
    blocks, length = [], 0
    for finding in told:
        block = f"{finding.rule}: {_where(finding)}\n\n{_block(finding.evidence)}"
        length += len(block)
        if length > _MOST_EVIDENCE:
            break
        blocks.append(block)
    if len(blocks) < len(told):
        blocks.append(f"{len(told) - len(blocks)} more are not shown.\n")
    return "\n".join(blocks)


def _units(changed: tuple[ChangedUnit, ...]) -> str:
    rows = [
        (
            _name(unit.layer),
            str(unit.unit),
            f"{_cell(unit.before)} {unit.iou_before:.3f}",
            f"{_cell(unit.after)} {unit.label_iou:.3f}" if unit.after else "nothing",
            f"{unit.iou_after:.3f}",
            "" if unit.p_value is None else f"{unit.p_value:.2g}",
        )
        for unit in changed[:_MOST_UNITS]
    ]
    return _table(("layer", "unit", "before", "now", "IoU of the old label now", "p"), rows, len(changed))


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{_html(title)}</summary>\n\n{content}\n</details>\n"


def _block(lines: Sequence[str]) -> str:
    text = printable("\n".join(lines))
    fence = "`" * max([3, *(len(run) + 1 for run in _FENCE.findall(text))])
    return f"{fence}text\n{text}\n{fence}\n"


def _where(finding: Finding) -> str:
    return _name(finding.layer) if finding.layer else _cell(finding.place)


def _name(layer: str) -> str:
    # Bars end cells even in code.
    return _code(layer).replace("|", "\\|")


def _code(text: str) -> str:
    """Set a name as code, where nothing in it means anything."""
    text = " ".join(printable(text).split()) or "-"
    fence = "`" * (1 + max([0, *map(len, re.findall(r"`+", text))]))
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _cell(text: str) -> str:
    text = " ".join(printable(text).split())
    if len(text) > _LONGEST_CELL:
        text = text[:_LONGEST_CELL] + "..."
    return _REFERENCE.sub(r"\1<!-- -->", _SPECIAL.sub(r"\\\1", _escaped(text)))


def _html(text: str) -> str:
    return _REFERENCE.sub(r"\1<!-- -->", _escaped(" ".join(printable(text).split())))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
