"""Records of what a network offers: its image input, its layers, where their cells lie."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass

__all__ = ["LAYOUTS", "ImageInput", "Layer", "ReceptiveField", "make_alias", "make_slug"]

LAYOUTS = ("NCHW", "NHWC", "NTC", "TNC", "NC")
"""Orders of axes in which a value can be dissected: N image, C unit, H and W place, T token."""

SLUG_LENGTH = 80


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """Where the cells of a layer lie in the input image, and how much of it each sees.

    Cell ``i`` along an axis has its centre at ``offset + i * stride`` and sees ``size`` pixels around it.
    Units are input pixels, pixel ``p`` having its centre at ``p``; pairs are (vertical, horizontal).

    Attributes
    ----------
    offset : (float, float)
        Input coordinate of the centre of cell 0.
    stride : (float, float)
        Distance of neighbouring cells.
    size : (float, float) or None
        Extent of what one cell sees, padding included; where branches look to different sides it need not
        be centred on the cell. None once attention or global pooling has mixed the whole map.
    """

    offset: tuple[float, float]
    stride: tuple[float, float]
    size: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Layer:
    """An ONNX value whose units can be dissected.

    Attributes
    ----------
    name : str
        Name of the ONNX value.
    alias : str
        Short name, unique in the network: lower-case operator and a running number.
    slug : str
        Name for a folder, unique in the network: ``[A-Za-z0-9._-]``, at most 80 characters.
    op : str
        Operator that computed it; for a dequantised value the one whose result was quantised.
    node : str
        Name of the producing node, "" where the file names none.
    layout : str
        "NCHW" or "NHWC"; "NTC" or "TNC" for tokens; "NC" for units without a map.
    dtype : str
        Type in the file, "float32", "float16" or "float64".
    shape : tuple of int
        Shape in the file's own layout for a batch of one, at the size the network was inspected with.
    units : int
        Length of the channel axis.
    grid : (int, int)
        (h, w) of the activation map; (1, 1) where there is none.
    receptive_field : ReceptiveField or None
        None where the graph does not determine it.
    parameters : int
        Elements of all stored weights it depends on.
    macs : int
        Multiply-accumulates up to and including it, for one image.
    stage : int or None
        From 1; None for layers outside the default selection.
    skipped : (int, int)
        Tokens before and behind the grid that are no patches: class, distillation and register tokens.
    reason : str
        What the layout was derived from.
    share : float
        Multiply-accumulates up to and including it, as a share of the whole network's, in 0..1.
    part : str
        "trunk", "neck" or "head", "unused" where no output of the network is computed from it.
    """

    name: str
    alias: str
    slug: str
    op: str
    node: str
    layout: str
    dtype: str
    shape: tuple[int, ...]
    units: int
    grid: tuple[int, int]
    receptive_field: ReceptiveField | None
    parameters: int
    macs: int
    stage: int | None
    skipped: tuple[int, int] = (0, 0)
    reason: str = ""
    share: float = 0.0
    part: str = "trunk"


@dataclass(frozen=True, slots=True)
class ImageInput:
    """The graph input that takes the images.

    Attributes
    ----------
    name : str
        Name of the graph input.
    layout : str
        "NCHW" or "NHWC".
    dtype : str
        Such as "float32" or "uint8".
    batch : int or None
        Frozen batch size, None when free.
    channels : int
        3, or 1 for grey-scale.
    size : (int, int) or None
        Fixed (height, width), None when either is free.
    """

    name: str
    layout: str
    dtype: str
    batch: int | None
    channels: int
    size: tuple[int, int] | None

    def shape(self, batch: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Shape of a batch of images of one size.

        Parameters
        ----------
        batch : int
            Number of images.
        size : (int, int)
            (height, width).

        Returns
        -------
        tuple of int
            In the input's own layout.
        """
        if self.layout == "NHWC":
            return batch, *size, self.channels
        return batch, self.channels, *size


def make_alias(op: str, name: str, taken: Collection[str], start: int = 1) -> tuple[str, int]:
    """Give a value a short name that nothing else has.

    Parameters
    ----------
    op : str
        Operator.
    name : str
        The value's own name; kept where it is such a short name already.
    taken : collection of str
        Names that mean something else.
    start : int
        First number to try.

    Returns
    -------
    alias : str
        Lower-case operator and number.
    number : int
        The last number tried.
    """
    stem = re.sub(r"[^a-z0-9_]", "", op.lower()) or "value"
    own = re.fullmatch(rf"{stem}([1-9][0-9]{{0,8}})", name)
    if own:
        return name, max(int(own[1]), start - 1)
    number = start
    while f"{stem}{number}" in taken:
        number += 1
    return f"{stem}{number}", number


def make_slug(name: str, taken: Collection[str]) -> str:
    """Turn a value name into a folder name that nothing else has.

    Parameters
    ----------
    name : str
        Name of the value.
    taken : collection of str
        Slugs given already, case folded: some file systems do not tell cases apart.

    Returns
    -------
    str
        At most 80 characters of ``[A-Za-z0-9._-]``, never starting with a dot.
    """
    slug = re.sub(r"[^A-Za-z0-9._-]", "-", name).lstrip(".") or "value"
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    if len(slug) > SLUG_LENGTH:
        # exporters repeat long scopes at the front; the end tells layers apart
        slug = f"{digest}-{slug[-(SLUG_LENGTH - 9) :]}"
    if slug.casefold() in taken:
        slug = f"{slug[: SLUG_LENGTH - 9]}-{digest}"
    number = 2
    unique = slug
    while unique.casefold() in taken:
        unique = f"{slug[: SLUG_LENGTH - 1 - len(str(number))]}-{number}"
        number += 1
    return unique
