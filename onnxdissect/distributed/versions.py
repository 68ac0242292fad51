"""What has to be the same wherever a run is computed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from onnxdissect import __version__

__all__ = ["decisive_versions", "differing_versions"]

# By what a user calls it, the distributions of which one is installed.
_DISTRIBUTIONS = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "numpy": ("numpy",),
    "opencv": ("opencv-python", "opencv-python-headless"),
}


def decisive_versions() -> dict[str, str]:
    """Tell the versions that decide the bits of a result, or whether processes understand one another.

    Returns
    -------
    dict of str to str
        Only what is installed.
    """
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}", "onnxdissect": __version__}
    for name, distributions in _DISTRIBUTIONS.items():
        for distribution in distributions:
            try:
                found[name] = version(distribution)
                break
            except PackageNotFoundError:
                continue
    return found


def differing_versions(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """Say in what two machines differ.

    Parameters
    ----------
    here, there : mapping of str to str
        From `decisive_versions`.

    Returns
    -------
    str
        Empty where they do not.
    """
    names = dict.fromkeys([*here, *there])
    return "; ".join(
        f"{name} {there.get(name, 'is not installed')} there, {here.get(name, 'not installed')} here"
        for name in names
        if here.get(name) != there.get(name)
    )
