"""Where Broden lies, by resolution, as its makers published it."""

from __future__ import annotations

from collections.abc import Mapping

from onnxdissect.errors import ParameterError, nearest, shown

__all__ = ["PUBLISHED", "published_address"]

PUBLISHED: Mapping[str, str] = {
    name: f"http://netdissect.csail.mit.edu/data/{name}.zip"
    for name in ("broden1_224", "broden1_227", "broden1_384")
}
"""Addresses of archives by what they are asked for as. Their makers published no checksums."""


def published_address(name: str) -> str:
    """Tell where a data set was published.

    Parameters
    ----------
    name : str
        Such as ``broden1_224``.

    Returns
    -------
    str
        A URL.

    Raises
    ------
    ParameterError
        If there is no such data set.
    """
    if name not in PUBLISHED:
        raise ParameterError(
            f"no data set is called {shown(name)} that can be downloaded",
            candidates=nearest(name, PUBLISHED) or tuple(PUBLISHED),
            hint=f"onnxdissect data download {next(iter(PUBLISHED))} DIR",
        )
    return PUBLISHED[name]
