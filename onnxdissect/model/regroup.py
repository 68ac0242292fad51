"""Axes after a reshape: those that it leaves whole keep their meaning."""

from __future__ import annotations

from math import prod

from onnxdissect.model.tokens import Tokens

__all__ = ["regroup"]


def regroup(
    source: str, shape: tuple[int, ...], out: tuple[int, ...], tokens: Tokens | None = None
) -> str | None:
    """Name the axes of a reshape's result.

    Parameters
    ----------
    source : str
        One letter per axis of the operand; see `onnxdissect.model.axes`.
    shape, out : tuple of int
        Shapes of the operand and of the result.
    tokens : Tokens, optional
        What lies along the operand's token axis.

    Returns
    -------
    str or None
        One letter per axis of the result; None where the shapes do not fit.
    """
    if prod(shape) != prod(out) or 0 in shape:
        return None
    letters: list[str] = []
    i = 0
    while len(letters) < len(out):
        j = len(letters)
        start, have, want = i, 1, out[j]
        end = j + 1
        if i < len(shape):
            have, i = shape[i], i + 1
        while have != want:
            if have < want:
                have, i = have * shape[i], i + 1
            else:
                want, end = want * out[end], end + 1
        letters.extend(_regroup_one(source[start:i], shape[start:i], out[j:end], tokens))
    if source[:1] in ("T", "c") and "N" not in source and letters[0] == "?" and out[0] == 1:
        # the probe's batch of one was laid into the row of cells, as dense layers over the last axis do, or
        # counted among the heads
        letters[0] = "N"
    return "".join(letters)


def _regroup_one(
    names: str, shape: tuple[int, ...], out: tuple[int, ...], tokens: Tokens | None
) -> list[str]:
    real = [name for name, length in zip(names, shape, strict=True) if length > 1] or list(names[:1])
    wide = [i for i, length in enumerate(out) if length > 1] or [0]
    letters = ["?"] * len(out)
    if not real:
        return letters
    if all(name in "Cc" for name in real):
        # groups of channels (a shuffle) become channels again when they are merged
        whole = len(wide) == 1 and (len(real) > 1 or real == ["C"])
        for i in wide:
            letters[i] = "C" if whole else "c"
    elif len(real) == 1 and len(wide) == 1:
        letters[wide[0]] = real[0]
    elif real == ["H", "W"] and len(wide) == 1:
        letters[wide[0]] = "T"
    elif real == ["T"] and len(wide) == 2 and tokens == Tokens(0, (out[wide[0]], out[wide[1]]), 0):
        letters[wide[0]], letters[wide[1]] = "HW"
    elif real == ["T"] and len(wide) > 2 and _rows(wide, out, tokens):
        # rows of patches, and rows within each; columns, and columns within each
        letters[wide[0]], letters[wide[_rows(wide, out, tokens)]] = "HW"
    elif real in (["H"], ["W"]):
        # rows of patches, and rows within each
        letters[wide[0]] = real[0]
    elif real[0] in "HW" and set(real[1:]) == {"?"} and len(wide) == 1:
        # finer rows within each: repeated ones, or units that were turned into cells
        letters[wide[0]] = real[0]
    return letters


def _rows(wide: list[int], out: tuple[int, ...], tokens: Tokens | None) -> int:
    """How many of the axes that tokens are cut into are rows; 0 where they do not fit the grid."""
    if tokens is None or tokens.length != tokens.cells:
        return 0
    return next((n for n in range(1, len(wide)) if prod(out[i] for i in wide[:n]) == tokens.grid[0]), 0)
