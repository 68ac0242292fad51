"""What a terminal is told of right and wrong predictions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from onnxdissect.cli.printing.names import visible_cell
from onnxdissect.cli.printing.tables import plain_table

if TYPE_CHECKING:
    from onnxdissect.experiments.confusions import LabelledExplanations

__all__ = ["class_table", "prediction_sentences"]

_CONFUSIONS = 10


def class_table(result: LabelledExplanations) -> Table:
    """Lay out how often each class is told right."""
    from onnxdissect.experiments.confusions.formats.wording import percent, range_text

    rows = [
        [
            one.class_name,
            f"{one.images:,}",
            f"{one.right:,}",
            percent(one.accuracy.value, 1),
            range_text(one.accuracy, 1),
            f"{one.predicted:,}",
        ]
        for one in result.classes
    ]
    return plain_table(
        escape(visible_cell(result.source)),
        ["class", ">images", ">right", ">accuracy", ">95 %", ">predicted"],
        rows,
    )


def prediction_sentences(result: LabelledExplanations) -> Iterator[str]:
    """Say which classes are confused by which detectors, and what that is."""
    from onnxdissect.experiments.confusions.formats import wording

    yield wording.accuracy_sentence(result)
    yield from wording.confusion_sentences(result, _CONFUSIONS)
    if result.held is not None:
        yield wording.held_sentence(result)
    yield f"{result.alias}, {wording.attribution_sentence(result)}"
    if result.left_out:
        yield f"{result.left_out:,} of the source have no class, and are left out"
