"""Axes after a reshape: those that it leaves whole keep their meaning."""

from __future__ import annotations

from math import prod

from onnxdissect.model.layout.tokens import Tokens

__all__ = ["regroup"]


def regroup(
    source: str, shape: tuple[int, ...], out: tuple[int, ...], tokens: Tokens | None = None
) -> str | None:
    """Name the axes of a reshape's result.

    Parameters
    ----------
    source : str
        One letter per axis of the operand; see `onnxdissect.model.layout.axes`.
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
    filled = False
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
        filled |= source[start : start + 1] in ("H", "W") and "c" in source[start:i]
        letters.extend(_regroup_one(source[start:i], shape[start:i], out[j:end], tokens))
    first = source[:1] in ("T", "c") or (source[:1] == "t" and "x" not in letters)
    if first and "N" not in source and letters[0] == "?" and out[0] == 1:
        # the probe's batch of one was laid into the row of cells, as dense layers over the last axis do, or
        # counted among the heads, or among the cells of blocks that attention over a grid keeps apart
        letters[0] = "N"
    if filled and letters.count("c") == 1 and "C" not in letters:
        # the other parts of the channels have become cells; these are all that is left
        letters[letters.index("c")] = "C"
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
        return letters
    if names == "HW" and len(real) == 1 and out == (prod(shape),):
        # a map of a single row or column
        return ["T"]
    if real == ["T"] and 1 in out and tokens is not None and (tokens.length, tokens.grid) == (prod(out), out):
        return ["H", "W"]
    named = _merged(real) if len(wide) == 1 else _split(real, [out[i] for i in wide], tokens)
    for i, letter in zip(wide, named, strict=True):
        letters[i] = letter
    return letters


def _merged(real: list[str]) -> str:
    """Name one axis that is made of several."""
    if len(real) == 1:
        return real[0]
    if real in (["H", "W"], ["h", "w"]):
        return "T" if real[0] == "H" else "t"
    if real in (["H", "h"], ["W", "w"]):
        return real[0]
    if real[0] in "HW" and set(real[1:]) <= {"?", "c"}:
        # finer rows within each: repeated ones, or units that were turned into cells
        return real[0]
    # in any other order cells are not those of the picture
    cells = set(real) & set("HWThwtx")
    return "x" if cells and set(real) <= set("HWThwtxc?") else "?"


def _split(real: list[str], wide: list[int], tokens: Tokens | None) -> str:
    """Name the axes that one is taken apart into, or that several are regrouped to."""
    open_ = "?" * len(wide)
    if real in (["H"], ["W"]):
        # rows of patches, and rows within each
        return real[0] + (real[0].lower() if len(wide) == 2 else open_[1:])
    if real == ["t"]:
        # which of unequal sides is the height is not known any more
        return "hw" if len(wide) == 2 and wide[0] == wide[1] else "x" * len(wide)
    if real != ["T"]:
        return "x" * len(wide) if set(real) <= set("hwx") else open_
    if len(wide) == 2 and tokens == Tokens(0, (wide[0], wide[1]), 0):
        return "HW"
    rows = _rows(wide, tokens)
    if len(wide) == 2 or not rows:
        return open_
    # rows of patches, and rows within each; columns, and columns within each
    inside = [
        "h" if rows == 2 else "?" * (rows - 1),
        "w" if len(wide) - rows == 2 else "?" * (len(wide) - rows - 1),
    ]
    return f"H{inside[0]}W{inside[1]}"


def _rows(wide: list[int], tokens: Tokens | None) -> int:
    """How many of the axes that tokens are cut into are rows; 0 where they do not fit the grid."""
    if tokens is None or tokens.length != tokens.cells:
        return 0
    return next((n for n in range(1, len(wide)) if prod(wide[:n]) == tokens.grid[0]), 0)
