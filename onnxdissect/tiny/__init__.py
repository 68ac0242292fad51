"""`tiny`: a data set drawn by program, in the Broden layout, with concepts of all six categories.

`concepts` names what is drawn. `scene_objects` says what occurs in which scene, `scenes` places it, `things`
draws each object and `painting` provides canvas, textures and light. `drawing` makes one image with its label
maps, `broden` writes it, `generate` makes the whole data set with `worker` processes, and `source` makes it
known to `onnxdissect.data.open_data`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxdissect.tiny.concepts import SCENES
    from onnxdissect.tiny.drawing import Drawing, draw, scene_of, texture_of
    from onnxdissect.tiny.generate import cache_folder, ensure_tiny, make_tiny
    from onnxdissect.tiny.painting.bump_maps import BumpMaps
    from onnxdissect.tiny.source import SOURCE, open_tiny

__all__ = [
    "SCENES",
    "SOURCE",
    "BumpMaps",
    "Drawing",
    "cache_folder",
    "draw",
    "ensure_tiny",
    "make_tiny",
    "open_tiny",
    "scene_of",
    "texture_of",
]

_MODULES = {
    "SCENES": "concepts",
    "SOURCE": "source",
    "Drawing": "drawing",
    "BumpMaps": "painting.bump_maps",
    "cache_folder": "generate",
    "draw": "drawing",
    "ensure_tiny": "generate",
    "make_tiny": "generate",
    "open_tiny": "source",
    "scene_of": "drawing",
    "texture_of": "drawing",
}


def __getattr__(name: str) -> object:
    # a tab completion or `--help` must not wait for numpy
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
