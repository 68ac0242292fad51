"""Casts: which things occur in which scene, how often, how large and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from numpy.random import RandomState

from onnxdissect.tiny.painting.canvas import Canvas
from onnxdissect.tiny.things import appliances, buildings, furniture, nature, outdoors, vehicles

__all__ = ["INDOORS", "INDOOR_EXTRAS", "KEYS", "OUTDOOR_EXTRAS", "Item"]

Drawer = Callable[[Canvas, RandomState, int, int, int], None]

INDOORS = ("kitchen", "bedroom", "living_room", "office", "bathroom")


@dataclass(frozen=True, slots=True)
class Item:
    """A thing that may occur in a scene.

    Attributes
    ----------
    draw : callable
        Draws it at (x, y) in a size.
    percent : int
        In so many images of a hundred.
    sizes : (int, int)
        Smallest and largest size in canvas pixels (two to a pixel of the image).
    zone : str
        Where it stands: outdoors "sky", "back", "water" or "ground", indoors "wall", "floor" or "front";
        "top" for what stands on other things.
    most : int
        At most so many of it.
    tops : tuple of Item
        What may stand on it.
    height : int
        Height of its surface in hundredths of its size, where something may stand on it.
    """

    draw: Drawer
    percent: int
    sizes: tuple[int, int]
    zone: str
    most: int = 1
    tops: tuple[Item, ...] = ()
    height: int = 0


_KETTLE = Item(appliances.kettle, 100, (30, 44), "top")
_COMPUTER = Item(appliances.computer, 100, (46, 62), "top")
_TABLE_LAMP = Item(furniture.lamp, 100, (36, 52), "top")
_SMALL_PLANT = Item(furniture.plant, 100, (30, 46), "top")

KEYS: Mapping[str, tuple[Item, ...]] = MappingProxyType(
    {
        "street": (
            Item(vehicles.car, 65, (64, 112), "ground", 2),
            Item(vehicles.bus, 45, (100, 150), "ground"),
            Item(vehicles.bicycle, 40, (58, 86), "ground", 2),
            Item(buildings.traffic_light, 60, (70, 124), "ground", 2),
        ),
        "harbour": (
            Item(vehicles.ship, 60, (90, 150), "water", 2),
            Item(vehicles.sailing_boat, 50, (64, 112), "water", 2),
            Item(buildings.crane, 50, (84, 124), "back", 2),
            Item(buildings.lighthouse, 45, (76, 116), "back"),
        ),
        "beach": (
            Item(outdoors.parasol, 65, (70, 112), "ground", 2),
            Item(outdoors.deck_chair, 60, (54, 84), "ground", 2),
            Item(outdoors.sandcastle, 50, (44, 76), "ground"),
            Item(outdoors.ball, 35, (20, 34), "ground"),
        ),
        "farm": (
            Item(vehicles.tractor, 50, (66, 106), "ground"),
            Item(buildings.barn, 50, (76, 116), "back"),
            Item(nature.cow, 50, (52, 86), "ground", 2),
            Item(nature.sheep, 45, (44, 70), "ground", 3),
            Item(outdoors.hay_bale, 45, (40, 66), "ground", 2),
            Item(buildings.windmill, 35, (96, 140), "back"),
        ),
        "playground": (
            Item(outdoors.swing, 60, (84, 124), "ground"),
            Item(outdoors.slide, 60, (80, 120), "ground"),
            Item(outdoors.seesaw, 50, (84, 124), "ground"),
            Item(outdoors.ball, 35, (20, 34), "ground", 2),
        ),
        "railway": (
            Item(vehicles.train, 75, (90, 136), "ground", 1),
            Item(buildings.railway_signal, 70, (70, 116), "ground", 2),
        ),
        "campsite": (
            Item(outdoors.tent, 75, (72, 120), "ground", 2),
            Item(outdoors.campfire, 60, (44, 72), "ground"),
            Item(outdoors.rucksack, 55, (38, 60), "ground", 2),
        ),
        "kitchen": (
            Item(appliances.stove, 65, (72, 98), "floor", 1, (_KETTLE,), 94),
            Item(appliances.refrigerator, 60, (110, 148), "floor"),
            Item(appliances.cupboard, 65, (70, 120), "wall", 2),
            Item(furniture.table, 50, (88, 124), "floor", 1, (_KETTLE, _KETTLE, _SMALL_PLANT), 48),
        ),
        "bedroom": (
            Item(furniture.bed, 80, (120, 164), "floor"),
            Item(furniture.wardrobe, 65, (110, 148), "floor"),
            Item(furniture.lamp, 35, (76, 116), "floor"),
        ),
        "living_room": (
            Item(furniture.sofa, 75, (110, 150), "floor"),
            Item(appliances.television, 65, (76, 110), "floor"),
            Item(furniture.bookcase, 35, (100, 136), "floor"),
            Item(furniture.rug, 40, (110, 160), "front"),
        ),
        "office": (
            Item(
                furniture.desk, 75, (100, 136), "floor", 1, (_COMPUTER, _COMPUTER, _COMPUTER, _TABLE_LAMP), 48
            ),
            Item(furniture.office_chair, 65, (66, 94), "front"),
            Item(furniture.whiteboard, 55, (84, 124), "wall"),
            Item(furniture.bookcase, 35, (100, 136), "floor"),
        ),
        "bathroom": (
            Item(appliances.bathtub, 60, (104, 136), "floor"),
            Item(appliances.toilet, 60, (64, 90), "floor"),
            Item(appliances.washbasin, 60, (72, 98), "floor"),
            Item(appliances.mirror, 50, (48, 74), "wall"),
        ),
    }
)

OUTDOOR_EXTRAS = (
    Item(nature.tree, 55, (80, 150), "back", 3),
    Item(nature.bush, 35, (40, 80), "ground", 2),
    Item(nature.person, 45, (56, 92), "ground", 2),
    Item(nature.cloud, 45, (50, 100), "sky", 3),
    Item(nature.bird, 22, (20, 40), "sky", 2),
    Item(vehicles.airplane, 10, (46, 80), "sky"),
    Item(buildings.house, 30, (66, 110), "back", 2),
    Item(buildings.skyscraper, 25, (90, 150), "back", 3),
    Item(buildings.street_lamp, 20, (90, 140), "ground"),
    Item(buildings.bench, 18, (60, 86), "ground"),
    Item(buildings.fence, 18, (80, 140), "ground"),
    Item(vehicles.car, 6, (60, 90), "ground"),
    Item(vehicles.bicycle, 4, (58, 80), "ground"),
    Item(nature.cat, 6, (36, 54), "ground"),
)

INDOOR_EXTRAS = (
    Item(furniture.window, 45, (64, 92), "wall"),
    Item(furniture.picture, 40, (38, 64), "wall", 2),
    Item(furniture.clock, 22, (30, 44), "wall"),
    Item(appliances.mirror, 8, (44, 64), "wall"),
    Item(furniture.lamp, 18, (76, 116), "floor"),
    Item(furniture.plant, 30, (52, 90), "floor"),
    Item(furniture.door, 22, (120, 146), "floor"),
    Item(furniture.chair, 25, (66, 92), "front", 2),
    Item(furniture.rug, 15, (110, 160), "front"),
    Item(furniture.table, 10, (80, 110), "floor", 1, (_SMALL_PLANT, _TABLE_LAMP), 48),
    Item(nature.person, 22, (100, 140), "front"),
    Item(nature.cat, 14, (44, 66), "front"),
    Item(outdoors.ball, 5, (18, 30), "front"),
)
