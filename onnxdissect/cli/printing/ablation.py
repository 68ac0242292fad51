"""What a terminal is told of an ablation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from onnxdissect.cli.printing.names import visible_cell
from onnxdissect.cli.printing.tables import plain_table
from onnxdissect.wording import counted

if TYPE_CHECKING:
    from onnxdissect.experiments.ablation import AblationResult, Accuracy, Difference

__all__ = ["ablation_tables"]

_FEW, _MANY = 4, 20
"""How many units the paper's table removes; the largest numbers up to these are shown."""

_MOST_CLASSES, _MOST_GROUPS, _MOST_UNITS, _NAMED = 40, 30, 12, 4


def ablation_tables(result: AblationResult) -> Iterator[Table]:
    """Lay out classes, their mean by the number of units, groups, and the units that classes need."""
    yield _classes(result)
    yield _counts(result, "removed")
    yield _counts(result, "kept")
    if result.groups:
        yield _groups(result)
    if any(one.classes for one in result.needs):
        yield _needs(result)


def _classes(result: AblationResult) -> Table:
    chosen = [
        max((n for n in result.counts if n <= most), default=result.counts[0]) for most in (_FEW, _MANY)
    ]
    told = sorted(set(chosen))
    columns = ["class", ">images", ">accuracy", *([">95 %"] if result.nothing.low is not None else [])]
    columns += [">top-1", ">log-loss", *(f">without {n}" for n in told), f">without {told[-1]} random"]
    columns += [f">only {told[-1]}", ">its ROC area", "most important units"]
    labels = {one.unit: one.label for one in result.needs if one.detector}
    rows = []
    for one in result.classes[:_MOST_CLASSES]:
        found = {(r.kind, r.n): r for r in result.removals if r.class_index == one.class_index}
        shares = [found["removed", n].value.accuracy for n in told]
        shares += [found[kind, told[-1]].value.accuracy for kind in ("random removed", "kept")]
        shares.append(found["kept", told[-1]].value.area)
        units = ", ".join(
            f"{unit} {labels[unit]}" if unit in labels else str(unit) for unit in one.important[:2]
        )
        rows.append(
            [
                one.class_name,
                one.images,
                *_told(one.nothing),
                *(f"{100 * share:.1f}" for share in shares),
                units,
            ]
        )
    left = len(result.classes) - len(rows)
    said = f", {left:,} more are in --json" if left else ""
    title = (
        f"{result.alias}: accuracy of each class in %, on {counted(result.images, 'image')}, without its "
        f"most important units and with only them{said}"
    )
    return plain_table(escape(visible_cell(title)), columns, rows)


def _told(value: Accuracy) -> list[str]:
    cells = [f"{100 * value.accuracy:.1f}"]
    if value.low is not None and value.high is not None:
        cells.append(f"{100 * value.low:.1f}-{100 * value.high:.1f}")
    return [*cells, f"{100 * value.top1:.1f}", f"{value.log_loss:.3f}"]


def _counts(result: AblationResult, kind: str) -> Table:
    """Lay out the mean over classes, with the most important units removed or kept."""
    within = [">95 %"] if result.nothing.low is not None else []
    columns = [">n", ">accuracy", *within, ">top-1", ">ROC area", ">random", ">difference", *within]
    columns += [">random ROC area", ">other classes"]
    rows = []
    for one, random in zip(result.curve(None, kind), result.curve(None, f"random {kind}"), strict=True):
        cells = [f"{100 * one.value.accuracy:.1f}"]
        if one.value.low is not None and one.value.high is not None:
            cells.append(f"{100 * one.value.low:.1f}-{100 * one.value.high:.1f}")
        cells += [f"{100 * one.value.top1:.1f}", f"{100 * one.value.area:.1f}"]
        cells.append(f"{100 * random.value.accuracy:.1f}")
        beyond = one.beyond_random
        assert beyond is not None, "only random ones have none"
        cells += [f"{100 * beyond.value:+.1f}", *_ends(beyond), f"{100 * random.value.area:.1f}"]
        rows.append([one.n, *cells, f"{100 * one.others:.1f}"])
    said = "without the n" if kind == "removed" else "with only the n"
    title = (
        f"Mean over {len(result.classes)} classes in %, {said} most important units of each, beside "
        f"{counted(result.repeats, 'draw')} of random ones"
    )
    return plain_table(title, columns, rows)


def _ends(found: Difference) -> list[str]:
    if found.low is None or found.high is None:
        return []
    return [f"{100 * found.low:+.1f} to {100 * found.high:+.1f}"]


def _groups(result: AblationResult) -> Table:
    within = [">95 %"] if result.nothing.low is not None else []
    columns = ["without all", "category", ">units", ">accuracy", ">random", ">difference", *within]
    columns += ["classes that lose most"]
    rows = []
    for group in result.groups[:_MOST_GROUPS]:
        losers = [one for one in group.classes if one.drop.value > 0][:_NAMED]
        rows.append(
            [
                group.name,
                group.category or "(category)",
                len(group.units),
                f"{100 * group.value.accuracy:.1f}",
                f"{100 * group.random.accuracy:.1f}",
                f"{100 * group.beyond_random.value:+.1f}",
                *_ends(group.beyond_random),
                ", ".join(f"{one.class_name} -{100 * one.drop.value:.1f}" for one in losers),
            ]
        )
    left = len(result.groups) - len(rows)
    said = f", {left:,} more are in --json" if left else ""
    return plain_table(
        f"Mean accuracy of all {result.shown} classes in %, without groups{said}", columns, rows
    )


def _needs(result: AblationResult) -> Table:
    columns = ["unit", "label", "category", ">IoU", ">classes", "which"]
    order = sorted((one for one in result.needs if one.classes), key=lambda one: -len(one.classes))
    rows = []
    for one in order[:_MOST_UNITS]:
        label = one.label if one.detector else f"({one.label})" if one.label else ""
        more = f" and {len(one.classes) - _NAMED} more" if len(one.classes) > _NAMED else ""
        named = ", ".join(one.classes[:_NAMED]) + more
        rows.append([one.unit, label, one.category, f"{one.iou:.3f}", len(one.classes), named])
    return plain_table("Units that most classes need", columns, rows)
