"""Names no longer than they have to be: of runs the end of their path, of layers what differs among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

__all__ = ["distinct", "layer_names", "run_labels"]


def run_labels(paths: Sequence[str]) -> list[str]:
    """Name runs by the shortest ends of their paths that tell them apart.

    Parameters
    ----------
    paths : sequence of str
        Of run directories, as they were given; a path may be there twice.

    Returns
    -------
    list of str
        One per path, all different: of a path that is there again with `` (2)`` behind it.
    """
    absolute = [Path(path).absolute() for path in paths]
    different = list(dict.fromkeys(absolute))
    longest = max((len(path.parts) for path in different), default=0)
    named: dict[Path, str] = {}
    for length in range(1, longest + 1):
        ends = {path: "/".join(path.parts[-length:]) for path in different if path not in named}
        often = Counter(ends.values())
        named |= {path: end for path, end in ends.items() if often[end] == 1 and end not in named.values()}
    return distinct([named.get(path, str(path)) for path in absolute])


def layer_names(layers: Sequence[tuple[str, str, str, float]]) -> list[str]:
    """Name layers by what differs among them: run, layer, quantile.

    Parameters
    ----------
    layers : sequence of (str, str, str, float)
        Label of the run, alias, value name and quantile of each.

    Returns
    -------
    list of str
        One per layer. Two are alike only where two layers are alike in all of it.
    """
    several_runs = len({run for run, *_ in layers}) > 1
    several_layers = len({alias for _, alias, *_ in layers}) > 1
    several_quantiles = len({quantile for *_, quantile in layers}) > 1
    values: dict[tuple[str, str], set[str]] = {}
    for run, alias, value, _ in layers:
        values.setdefault((run, alias), set()).add(value)
    names = []
    for run, alias, value, quantile in layers:
        shared = len(values[run, alias]) > 1
        parts = [run] if several_runs else []
        parts += [value if shared else alias] if several_layers or shared or not several_runs else []
        parts += [repr(quantile)] if several_quantiles else []
        names.append(" ".join(parts))
    return names


def distinct(names: Sequence[str]) -> list[str]:
    """Put numbers behind names that are there again.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    list of str
        All different: the first as it is, the second followed by `` (2)``, and so on.
    """
    taken = set(names)
    seen: set[str] = set()
    found = []
    for name in names:
        told, number = name, 1
        while told in seen or (number > 1 and told in taken):
            number += 1
            told = f"{name} ({number})"
        seen.add(told)
        found.append(told)
    return found
