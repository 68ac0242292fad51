"""Names that fonts and files of figures have no way to write, as escapes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from onnxdissect.storage.json_file import UNSEEN

if TYPE_CHECKING:
    from onnxdissect.experiments.comparison.result import ComparisonResult

__all__ = ["with_drawable_names"]

# XML has no control characters, and no font the halves of pairs that stand for bytes of a file's name.
_UNDRAWN = re.compile(f"[\x00-\x1f\ud800-\udfff]|{UNSEEN.pattern}")


def with_drawable_names(result: ComparisonResult) -> ComparisonResult:
    """Give a result whose names can all be drawn.

    Parameters
    ----------
    result : ComparisonResult

    Returns
    -------
    ComparisonResult
        The same if there is nothing to replace. Different names stay different.
    """
    named = [text for layer in result.layers for text in (layer.name, layer.run, layer.model, layer.alias)]
    named += [result.by, *result.categories, *(group.name for group in result.groups)]
    named += [concept.concept for concept in result.concepts]
    drawn: ComparisonResult = _drawn(result) if any(map(_UNDRAWN.search, named)) else result
    return drawn


def _drawn(value: Any) -> Any:
    if isinstance(value, str):
        return _UNDRAWN.sub(lambda found: ascii(found[0])[1:-1], value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _drawn(getattr(value, field.name)) for field in fields(value)})
    if isinstance(value, tuple):
        return tuple(map(_drawn, value))
    if isinstance(value, Mapping):
        return {_drawn(name): _drawn(one) for name, one in value.items()}
    return value
