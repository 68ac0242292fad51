"""What the abbreviations of Pascal-Part mean, as names of parts in Broden's manner.

Left and right, front and back, upper and lower are one part, and so are parts that are numbered: a unit that
detects ears detects either. The object that a part belongs to is no part of its name.
"""

from __future__ import annotations

import re

__all__ = ["PART_NAMES", "part_name"]

_SIDES = ("l", "r")
_ENDS = ("f", "b")


def _both(ending: str, name: str) -> dict[str, str]:
    return {f"{side}{ending}": name for side in _SIDES}


def _four(ending: str, name: str) -> dict[str, str]:
    return {f"{side}{end}{ending}": name for side in _SIDES for end in _ENDS}


PART_NAMES = {
    **{
        whole: whole
        for whole in (
            "beak",
            "body",
            "cap",
            "coach",
            "engine",
            "hair",
            "handlebar",
            "head",
            "headlight",
            "mouth",
        )
    },
    **{
        whole: whole
        for whole in ("muzzle", "neck", "nose", "plant", "pot", "saddle", "screen", "stern", "tail", "torso")
    },
    **{whole: whole for whole in ("door", "wheel", "window")},
    "chainwheel": "chain wheel",
    **{f"{end}wheel": "wheel" for end in _ENDS},
    **_both("wing", "wing"),
    **_both("eye", "eye"),
    **_both("ear", "ear"),
    **_both("ebrow", "eyebrow"),
    **_both("horn", "horn"),
    **_both("leg", "leg"),
    **_both("uleg", "leg"),
    **_both("lleg", "leg"),
    **_four("leg", "leg"),
    **_four("uleg", "leg"),
    **_four("lleg", "leg"),
    **_both("foot", "foot"),
    **_four("pa", "paw"),
    **_four("ho", "hoof"),
    **_both("uarm", "arm"),
    **_both("larm", "arm"),
    **_both("hand", "hand"),
    **{f"{side}mirror": "mirror" for side in ("left", "right")},
    **{f"{end}liplate": "license plate" for end in _ENDS},
    **{f"{before}{side}side": "side" for before in ("", "h", "c") for side in ("left", "right")},
    **{f"{before}frontside": "front" for before in ("", "h", "c")},
    **{f"{before}backside": "back" for before in ("", "h", "c")},
    **{f"{before}roofside": "roof" for before in ("", "h", "c")},
}
"""By abbreviation, without the number behind it."""

_NUMBER = re.compile(r"_\d+$")


def part_name(abbreviation: str) -> str | None:
    """Name a part.

    Parameters
    ----------
    abbreviation : str
        As Pascal-Part has it, such as ``lfleg`` or ``wheel_2``.

    Returns
    -------
    str or None
        None of one that is not known.
    """
    return PART_NAMES.get(_NUMBER.sub("", abbreviation.strip().lower()))
