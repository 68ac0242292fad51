"""Splits by what the files hold: the same image goes the same way, whatever it is called and joined with."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

__all__ = ["draw_splits"]


def draw_splits(digests: Sequence[bytes], groups: Sequence[str], shares: Mapping[str, float]) -> list[str]:
    """Draw a split for each image.

    Parameters
    ----------
    digests : sequence of bytes
        SHA-256 of each image's file. Uniformly spread, so that they are the draw.
    groups : sequence of str
        What each image is one of, or empty. All images of a group go where its smallest digest goes: frames
        of a film in two splits would tell each other's labels.
    shares : mapping of str to float
        By split; 1 together.

    Returns
    -------
    list of str
    """
    keys: list[Hashable] = [group or digest for group, digest in zip(groups, digests, strict=True)]
    drawn: dict[Hashable, bytes] = {}
    for key, digest in zip(keys, digests, strict=True):
        drawn[key] = min(digest, drawn.get(key, digest))
    return [_split(drawn[key], shares) for key in keys]


def _split(digest: bytes, shares: Mapping[str, float]) -> str:
    place = int.from_bytes(digest[:8], "big") / 2**64
    above = 0.0
    for name, share in shares.items():
        above += share
        if place < above:
            return name
    return list(shares)[-1]
