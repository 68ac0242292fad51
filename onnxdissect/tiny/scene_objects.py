"""Which objects occur in which scene, how often, how large and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from numpy.random import RandomState

from onnxdissect.tiny.painting.canvas import Canvas
from onnxdissect.tiny.things import appliances, buildings, furniture, nature, outdoors, vehicles

__all__ = ["INDOORS", "INDOOR_OBJECTS", "OUTDOOR_OBJECTS", "SCENE_OBJECTS", "SceneObject"]

Drawer = Callable[[Canvas, RandomState, int, int, int], None]

INDOORS = ("kitchen", "bedroom", "living_room", "office", "bathroom")


@dataclass(frozen=True, slots=True)
class SceneObject:
    """An object that may occur in a scene.

    Attributes
    ----------
    draw : callable
        Draws it at (x, y) in a size.
    percent : int
        Per cent of the scene's images in which it occurs.
    sizes : (int, int)
        Smallest and largest size in canvas pixels (two to a pixel of the image).
    zone : str
        Where it is placed: outdoors "sky", "back", "water" or "ground", indoors "wall", "floor" or "front";
        "top" for what stands on another object.
    most : int
        At most so many of it.
    tops : tuple of SceneObject
        What may stand on it.
    height : int
        Height of its surface in hundredths of its size, where something may stand on it.
    """

    draw: Drawer
    percent: int
    sizes: tuple[int, int]
    zone: str
    most: int = 1
    tops: tuple[SceneObject, ...] = ()
    height: int = 0


_KETTLE = SceneObject(appliances.kettle, 100, (30, 44), "top")
_COMPUTER = SceneObject(appliances.computer, 100, (46, 62), "top")
_TABLE_LAMP = SceneObject(furniture.lamp, 100, (36, 52), "top")
_SMALL_PLANT = SceneObject(furniture.plant, 100, (30, 46), "top")

SCENE_OBJECTS: Mapping[str, tuple[SceneObject, ...]] = MappingProxyType(
    {
        "street": (
            SceneObject(vehicles.car, 65, (64, 112), "ground", 2),
            SceneObject(vehicles.bus, 45, (100, 150), "ground"),
            SceneObject(vehicles.bicycle, 40, (58, 86), "ground", 2),
            SceneObject(buildings.traffic_light, 60, (70, 124), "ground", 2),
        ),
        "harbour": (
            SceneObject(vehicles.ship, 60, (90, 150), "water", 2),
            SceneObject(vehicles.sailing_boat, 50, (64, 112), "water", 2),
            SceneObject(buildings.crane, 50, (84, 124), "back", 2),
            SceneObject(buildings.lighthouse, 45, (76, 116), "back"),
        ),
        "beach": (
            SceneObject(outdoors.parasol, 65, (70, 112), "ground", 2),
            SceneObject(outdoors.deck_chair, 60, (54, 84), "ground", 2),
            SceneObject(outdoors.sandcastle, 50, (44, 76), "ground"),
            SceneObject(outdoors.ball, 35, (20, 34), "ground"),
        ),
        "farm": (
            SceneObject(vehicles.tractor, 50, (66, 106), "ground"),
            SceneObject(buildings.barn, 50, (76, 116), "back"),
            SceneObject(nature.cow, 50, (52, 86), "ground", 2),
            SceneObject(nature.sheep, 45, (44, 70), "ground", 3),
            SceneObject(outdoors.hay_bale, 45, (40, 66), "ground", 2),
            SceneObject(buildings.windmill, 35, (96, 140), "back"),
        ),
        "playground": (
            SceneObject(outdoors.swing, 60, (84, 124), "ground"),
            SceneObject(outdoors.slide, 60, (80, 120), "ground"),
            SceneObject(outdoors.seesaw, 50, (84, 124), "ground"),
            SceneObject(outdoors.ball, 35, (20, 34), "ground", 2),
        ),
        "railway": (
            SceneObject(vehicles.train, 75, (90, 136), "ground", 1),
            SceneObject(buildings.railway_signal, 70, (70, 116), "ground", 2),
        ),
        "campsite": (
            SceneObject(outdoors.tent, 75, (72, 120), "ground", 2),
            SceneObject(outdoors.campfire, 60, (44, 72), "ground"),
            SceneObject(outdoors.rucksack, 55, (38, 60), "ground", 2),
        ),
        "kitchen": (
            SceneObject(appliances.stove, 65, (72, 98), "floor", 1, (_KETTLE,), 94),
            SceneObject(appliances.refrigerator, 60, (110, 148), "floor"),
            SceneObject(appliances.cupboard, 65, (70, 120), "wall", 2),
            SceneObject(furniture.table, 50, (88, 124), "floor", 1, (_KETTLE, _KETTLE, _SMALL_PLANT), 48),
        ),
        "bedroom": (
            SceneObject(furniture.bed, 80, (120, 164), "floor"),
            SceneObject(furniture.wardrobe, 65, (110, 148), "floor"),
            SceneObject(furniture.lamp, 35, (76, 116), "floor"),
        ),
        "living_room": (
            SceneObject(furniture.sofa, 75, (110, 150), "floor"),
            SceneObject(appliances.television, 65, (76, 110), "floor"),
            SceneObject(furniture.bookcase, 35, (100, 136), "floor"),
            SceneObject(furniture.rug, 40, (110, 160), "front"),
        ),
        "office": (
            SceneObject(
                furniture.desk, 75, (100, 136), "floor", 1, (_COMPUTER, _COMPUTER, _COMPUTER, _TABLE_LAMP), 48
            ),
            SceneObject(furniture.office_chair, 65, (66, 94), "front"),
            SceneObject(furniture.whiteboard, 55, (84, 124), "wall"),
            SceneObject(furniture.bookcase, 35, (100, 136), "floor"),
        ),
        "bathroom": (
            SceneObject(appliances.bathtub, 60, (104, 136), "floor"),
            SceneObject(appliances.toilet, 60, (64, 90), "floor"),
            SceneObject(appliances.washbasin, 60, (72, 98), "floor"),
            SceneObject(appliances.mirror, 50, (48, 74), "wall"),
        ),
    }
)

OUTDOOR_OBJECTS = (
    SceneObject(nature.tree, 55, (80, 150), "back", 3),
    SceneObject(nature.bush, 35, (40, 80), "ground", 2),
    SceneObject(nature.person, 45, (56, 92), "ground", 2),
    SceneObject(nature.cloud, 45, (50, 100), "sky", 3),
    SceneObject(nature.bird, 22, (20, 40), "sky", 2),
    SceneObject(vehicles.airplane, 10, (46, 80), "sky"),
    SceneObject(buildings.house, 30, (66, 110), "back", 2),
    SceneObject(buildings.skyscraper, 25, (90, 150), "back", 3),
    SceneObject(buildings.street_lamp, 20, (90, 140), "ground"),
    SceneObject(buildings.bench, 18, (60, 86), "ground"),
    SceneObject(buildings.fence, 18, (80, 140), "ground"),
    SceneObject(vehicles.car, 6, (60, 90), "ground"),
    SceneObject(vehicles.bicycle, 4, (58, 80), "ground"),
    SceneObject(nature.cat, 6, (36, 54), "ground"),
)

INDOOR_OBJECTS = (
    SceneObject(furniture.window, 45, (64, 92), "wall"),
    SceneObject(furniture.picture, 40, (38, 64), "wall", 2),
    SceneObject(furniture.clock, 22, (30, 44), "wall"),
    SceneObject(appliances.mirror, 8, (44, 64), "wall"),
    SceneObject(furniture.lamp, 18, (76, 116), "floor"),
    SceneObject(furniture.plant, 30, (52, 90), "floor"),
    SceneObject(furniture.door, 22, (120, 146), "floor"),
    SceneObject(furniture.chair, 25, (66, 92), "front", 2),
    SceneObject(furniture.rug, 15, (110, 160), "front"),
    SceneObject(furniture.table, 10, (80, 110), "floor", 1, (_SMALL_PLANT, _TABLE_LAMP), 48),
    SceneObject(nature.person, 22, (100, 140), "front"),
    SceneObject(nature.cat, 14, (44, 66), "front"),
    SceneObject(outdoors.ball, 5, (18, 30), "front"),
)
