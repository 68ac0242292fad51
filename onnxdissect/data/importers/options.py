"""What may be asked for of every import, whatever the format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import SupportsIndex

from onnxdissect.data.groups import NO_GROUPS, group_rule
from onnxdissect.data.limits import MOST_PIXELS
from onnxdissect.errors import ParameterError, nearest, shown
from onnxdissect.wording import described

__all__ = ["ASPECTS", "RESAMPLES", "SCENES", "SPLITS_FROM", "ImportOptions"]

ASPECTS = ("stretch", "crop", "pad")
"""How an image that is no square becomes one."""
RESAMPLES = ("nearest", "majority")
"""What a cell of the label grid takes of the pixels of a label map."""
SCENES = ("folders",)
"""What scenes can be taken from."""
SPLITS_FROM = ("folders", "hash")
"""What splits can be taken from, in place of what the format knows."""

_LEAST_SIZE = 2
_MOST_SIZE = int(MOST_PIXELS**0.5)


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What may be asked for of every import.

    Attributes
    ----------
    size : int or None
        Images become `size` x `size` pixels, label grids half of that, rounded down. With None, files of
        images are taken over byte for byte, and label maps keep their resolution.
    aspect : str or None
        One of `ASPECTS`; None is the first. Only with `size`.
    resample : str or None
        One of `RESAMPLES`, for all categories; None is majority for parts and nearest for all others. Only
        with `size`.
    upright : bool
        Whether annotations lie over images that are turned as their EXIF data say, not over pixels as stored.
    link : bool
        Whether images stay where they are, with a link to each; with `size` only the label grid follows.
    color : bool
        Whether each pixel is labelled with one of eleven colours.
    scene : str or None
        One of `SCENES`.
    limit : int or None
        Only so many images, the first ones.
    split_from : str or None
        One of `SPLITS_FROM`: folders called train, val or test; or what files hold, seven of ten to train,
        images of a group together.
    group : str or None
        ``folder``, ``prefix:N`` or ``none``, as `onnxdissect.data.open_dataset` takes them, in place of what
        the format knows.
    name, licence : str
        Of the data set that is made; the name by default that of its folder.
    made : str
        How the data set is made, such as ``import voc --size 224``; for its about.json.
    workers : int
        Threads.

    Raises
    ------
    ParameterError
        If one is outside its range, or two contradict each other.
    """

    size: int | None = None
    aspect: str | None = None
    resample: str | None = None
    upright: bool = False
    link: bool = False
    color: bool = False
    scene: str | None = None
    limit: int | None = None
    split_from: str | None = None
    group: str | None = None
    name: str = ""
    licence: str = ""
    made: str = ""
    workers: int = 2

    def __post_init__(self) -> None:
        _require_one_of("--aspect", self.aspect, ASPECTS)
        _require_one_of("--resample", self.resample, RESAMPLES)
        _require_one_of("--scene", self.scene, SCENES)
        _require_one_of("--split-from", self.split_from, SPLITS_FROM)
        for option, number in (("--size", self.size), ("--limit", self.limit), ("workers", self.workers)):
            if number is not None and (isinstance(number, bool) or not isinstance(number, SupportsIndex)):
                raise ParameterError(f"{option} takes a whole number, not {described(number)}")
        if self.size is not None and not _LEAST_SIZE <= self.size <= _MOST_SIZE:
            raise ParameterError(
                f"--size takes {_LEAST_SIZE} to {_MOST_SIZE:,} pixels, not {self.size}", hint="--size 224"
            )
        for option, value in (("--aspect", self.aspect), ("--resample", self.resample)):
            if value is not None and self.size is None:
                raise ParameterError(
                    f"{option} {value} says how images and label maps are resized, and without --size they "
                    "keep their sizes",
                    hint=f"--size 224 {option} {value}",
                )
        if self.link and self.aspect not in (None, "stretch"):
            raise ParameterError(
                f"--link leaves images as they are, and --aspect {self.aspect} would change them",
                hint="one without the other",
            )
        if self.limit is not None and self.limit < 1:
            raise ParameterError(f"the limit must be 1 or more, not {self.limit}", hint="--limit 100")
        if self.workers < 1:
            raise ParameterError(f"the number of workers must be 1 or more, not {self.workers}")
        for option, text in (("--name", self.name), ("--licence", self.licence)):
            if not text.isprintable():
                raise ParameterError(f"{option} takes a line of text, not {shown(text)}")
        if self.group not in (None, NO_GROUPS):
            _check_group(self.group)


def _require_one_of(option: str, value: str | None, known: tuple[str, ...]) -> None:
    if value is not None and value not in known:
        raise ParameterError(
            f"{option} takes {' or '.join(known)}, not {shown(value)}",
            candidates=nearest(value, known) or known,
        )


def _check_group(asked: str) -> None:
    try:
        group_rule(asked, {}, ())
    except ParameterError as error:
        raise ParameterError(
            f"--group takes folder, prefix:N or none, not {shown(asked)}",
            hint="--group folder or --group prefix:6 group images by their paths, --group none not at all",
        ) from error
