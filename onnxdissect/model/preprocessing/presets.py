"""Preprocessings by name: which numbers turn pixels into what many networks were trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["PRESETS", "Preprocessing", "numbers"]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """``x = (pixel * scale - mean) / std`` per channel, pixels in 0..255.

    Attributes
    ----------
    name : str
        "imagenet", "caffe", "tf", "unit", "raw", "clip" or "custom".
    mean, std : tuple of float
        One per channel, in the order in which the network takes them.
    scale : float
        Factor on the pixel.
    channels : str
        "rgb" or "bgr"; of no meaning for grey-scale.
    source : str
        Why these: "asked for", "model metadata", "read off the graph" or "assumed".
    remark : str
        What speaks against an assumption, with what to state instead; empty where nothing does.
    """

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float
    channels: str
    source: str
    remark: str = ""

    def describe(self) -> str:
        """Say it in one line.

        Returns
        -------
        str
            Such as ``imagenet, assumed: rgb, x = (pixel / 255 - (0.485, 0.456, 0.406)) / (...)``.
        """
        colour = "grey" if len(self.mean) == 1 else self.channels
        return f"{self.name}, {self.source}: {colour}, x = {self._formula()}"

    def _formula(self) -> str:
        inverse = 1 / self.scale
        if self.scale == 1:
            pixel = "pixel"
        elif math.isclose(inverse, round(inverse, 3), rel_tol=1e-9):
            pixel = f"pixel / {round(inverse, 3):g}"
        else:
            pixel = f"pixel * {self.scale:g}"
        if any(self.mean):
            pixel = f"{pixel} - {numbers(self.mean)}"
        if any(s != 1 for s in self.std):
            pixel = f"({pixel}) / {numbers(self.std)}"
        return pixel

    def to_json(self) -> dict[str, object]:
        """Give the fields as JSON types.

        Returns
        -------
        dict
        """
        return {
            "name": self.name,
            "mean": list(self.mean),
            "std": list(self.std),
            "scale": self.scale,
            "channels": self.channels,
            "source": self.source,
        }


def numbers(values: tuple[float, ...]) -> str:
    """Write numbers of channels, one where all are the same.

    Parameters
    ----------
    values : tuple of float

    Returns
    -------
    str
    """
    if len(set(values)) == 1:
        return f"{values[0]:g}"
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"


_ZERO, _ONE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

PRESETS: dict[str, Preprocessing] = {
    p.name: p
    for p in (
        Preprocessing("imagenet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1 / 255, "rgb", "asked for"),
        Preprocessing("caffe", (103.939, 116.779, 123.68), _ONE, 1.0, "bgr", "asked for"),
        Preprocessing("tf", _ONE, _ONE, 1 / 127.5, "rgb", "asked for"),
        Preprocessing("unit", _ZERO, _ONE, 1 / 255, "rgb", "asked for"),
        Preprocessing("raw", _ZERO, _ONE, 1.0, "rgb", "asked for"),
        Preprocessing(
            "clip",
            (0.48145466, 0.4578275, 0.40821073),
            (0.26862954, 0.26130258, 0.27577711),
            1 / 255,
            "rgb",
            "asked for",
        ),
    )
}
"""Preprocessings that many networks share. Never changed."""
