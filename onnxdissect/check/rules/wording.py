"""Sentences of a verdict that depend on several numbers."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["list_names", "loss_sentence", "p_value_text"]

_SHOWN = 16


def loss_sentence(tested: int, lost: int, unseen: int, *, margin: float, significance: float) -> str:
    """Say how many detectors of a layer lost IoU, and for how many others there are too few images to tell.

    Parameters
    ----------
    tested : int
        Detectors of the baseline.
    lost : int
        Those of them that lost more than the margin.
    unseen : int
        Those of the others that are seen in so few images that even a loss of all their IoU could be chance.
    margin : float
        Share of the IoU that may be lost.
    significance : float
        Error rate of all tests together.

    Returns
    -------
    str
    """
    if not tested:
        return "the baseline has no detector here, so that none can lose IoU"
    rate = f"beyond chance (error rate {significance:g} for all units together)"
    share = f"more than {margin:.0%} of {'its' if tested == 1 or not lost else 'their'} IoU {rate}"
    if tested == 1:
        said = f"the one detector lost {share}" if lost else f"the one detector has not lost {share}"
    else:
        said = f"{lost or 'none'} of {tested} detectors lost {share}"
    others = tested - lost
    if not others:
        return said
    if not unseen:
        those = "it" if tested == 1 else f"each of the {'other ' if lost else ''}{others}"
        return f"{said}; the images suffice to notice a complete loss in {those}"
    if tested == 1:
        those = "it is"
    elif unseen == others:
        those = f"the {'other ' if lost else ''}{others} {'is' if others == 1 else 'are'}"
    else:
        those = f"of the {'other ' if lost else ''}{others}, {unseen} {'is' if unseen == 1 else 'are'}"
    return f"{said}; {those} seen in too few images to notice even a complete loss"


def list_names(names: Sequence[str]) -> str:
    """List names, and how many more there are than can be listed.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    str
    """
    more = "" if len(names) <= _SHOWN else f" and {len(names) - _SHOWN} more"
    return ", ".join(names[:_SHOWN]) + more


def p_value_text(value: float) -> str:
    """Say a p-value with the sign before it.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
    """
    return f"= {value:.2g}" if value >= 1e-6 else "< 1e-6"
