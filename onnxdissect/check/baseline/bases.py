"""The bases of a baseline: what a candidate is to be put under, and what its layers are then called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnxdissect.check.baseline.snapshot import LayerSnapshot, Snapshot
from onnxdissect.check.comparing.matching import LayerMatch
from onnxdissect.errors import ParameterError
from onnxdissect.model.bases.basis import Basis
from onnxdissect.model.bases.kept import read_kept_basis
from onnxdissect.results import load

__all__ = ["asked_bases", "names_under", "own_layers"]

_NUMBERS = ":sha256="


def own_layers(baseline: Snapshot) -> tuple[LayerSnapshot, ...]:
    """Give the layers of a baseline that are the network's own, not under a basis.

    Parameters
    ----------
    baseline : Snapshot

    Returns
    -------
    tuple of LayerSnapshot
    """
    every = {layer.name for layer in baseline.layers}
    under = {f"{name}/basis/{basis}" for name in every for basis in _names(baseline)}
    return tuple(layer for layer in baseline.layers if layer.name not in under)


def names_under(baseline: Snapshot, matches: Sequence[LayerMatch]) -> dict[str, str]:
    """Tell what the candidate's layers are called in the baseline, also those under bases.

    Parameters
    ----------
    baseline : Snapshot
    matches : sequence of LayerMatch
        Of the network's own layers.

    Returns
    -------
    dict of str to str
        From names of the candidate to names of the baseline.
    """
    names = {match.after: match.before for match in matches}
    return names | {
        f"{match.after}/basis/{basis}": f"{match.before}/basis/{basis}"
        for match in matches
        for basis in _names(baseline)
    }


def asked_bases(baseline: Snapshot, path: Path) -> list[str | Basis]:
    """Give the bases that a baseline was dissected under, to ask for them again.

    Parameters
    ----------
    baseline : Snapshot
    path : Path
        The run directory or file that it was read from.

    Returns
    -------
    list of (str or Basis)
        SPECs, and where the baseline's numbers came from a file or from Python, the numbers. Principal
        components are fitted anew to the candidate.

    Raises
    ------
    ParameterError
        If the baseline is a file, which holds no such numbers.
    RunFormatError
        If the numbers are missing or damaged.
    """
    found: list[str | Basis] = []
    for text, name in zip(_asked(baseline), _names(baseline), strict=True):
        if _NUMBERS not in text:
            found.append(text)
        elif path.is_dir():
            run = load(path)
            info = next(one for one in run.layers if one.basis is not None and one.basis["name"] == name)
            found.append(read_kept_basis(run.path / "layers" / info.slug / "basis.npz", info.basis or {}))
        else:
            raise ParameterError(
                f"the baseline was dissected under the basis {name!r}, whose numbers {path} does not hold",
                hint="--baseline with the run directory that it was made of",
            )
    return found


def _asked(baseline: Snapshot) -> Sequence[str]:
    return tuple(baseline.parameters.get("bases", ()))


def _names(baseline: Snapshot) -> list[str]:
    return [text.rpartition(_NUMBERS)[0] if _NUMBERS in text else text for text in _asked(baseline)]
