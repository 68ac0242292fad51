"""Scenes: which things occur together, and where they stand.

Surroundings (sky, ground, walls, light) are drawn alike for all scenes, so that it is the things in them
that tell one scene from another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from numpy.random import RandomState

from onnxdissect.data.tiny import appliances, buildings, furniture, nature, outdoors, vehicles
from onnxdissect.data.tiny.canvas import SIDE, Canvas, Color, Pen
from onnxdissect.data.tiny.concepts import SCENES
from onnxdissect.data.tiny.paints import between, chance, mix, pastel, pick, shade, tint, vivid, wood

__all__ = ["INDOORS", "compose"]

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
        Where it stands: "sky", "back", "water", "ground", "wall", "floor" or "front".
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

_GROUNDS = ("grass", "grass", "sand", "stone", "asphalt", "sand")


def _ground_color(material: str, rng: RandomState) -> Color:
    if material == "grass":
        return between(rng, (74, 120, 48), (168, 170, 92), 16)
    if material == "sand":
        return between(rng, (196, 164, 112), (224, 212, 184), 14)
    if material == "stone":
        return mix(pastel(rng), (150, 148, 144), 70)
    return between(rng, (70, 70, 76), (128, 126, 124))


def _chosen(items: tuple[Item, ...], rng: RandomState, least: int) -> list[Item]:
    while True:
        found = [item for item in items if chance(rng, item.percent)]
        if len(found) >= least:
            return [item for item in found for _ in range(pick(rng, 1, item.most))]


def _place(canvas: Canvas, rng: RandomState, item: Item, x: int, y: int, size: int) -> None:
    item.draw(canvas, rng, x, y, size)
    if item.tops and chance(rng, 85):
        top = item.tops[pick(rng, 0, len(item.tops) - 1)]
        x += size * pick(rng, -18, 18) // 100
        top.draw(canvas, rng, x, y - size * item.height // 100, pick(rng, *top.sizes))


def _spread(rng: RandomState, count: int) -> list[int]:
    # shuffled places across the picture, so that things seldom hide each other wholly
    step = SIDE // max(count, 1)
    places = [step * i + step // 2 + pick(rng, -step // 3, step // 3) for i in range(count)]
    order = rng.permutation(count).tolist()
    return [places[i] for i in order]


def _shadow(canvas: Canvas, thing: str, material: str, color: Color, x: int, y: int, size: int) -> None:
    Pen(canvas, thing, x, y, size, material).oval(0, 0, 42, 5, shade(color, 78))


def _outdoors(canvas: Canvas, scene: str, rng: RandomState) -> None:
    horizon = pick(rng, 84, 128)
    sky = tint(pick(rng, 190, 230), pick(rng, 30, 150), pick(rng, 170, 250))
    if chance(rng, 35):
        sky = tint(pick(rng, 0, 359), pick(rng, 20, 130), pick(rng, 140, 240))
    canvas.rows(0, horizon, sky, mix(sky, (250, 240, 224), pick(rng, 20, 80)), "sky")
    items = _chosen(KEYS[scene], rng, 2) + _chosen(OUTDOOR_EXTRAS, rng, 0)
    if chance(rng, 25):
        nature.sun(canvas, rng, pick(rng, 10, SIDE - 10), pick(rng, 30, horizon), pick(rng, 16, 34))
    for item in items:
        if item.zone == "sky":
            _place(canvas, rng, item, pick(rng, 0, SIDE), pick(rng, 16, horizon - 20), pick(rng, *item.sizes))
    if chance(rng, 35):
        for _ in range(pick(rng, 1, 3)):
            nature.hill(canvas, rng, pick(rng, 0, SIDE), horizon, pick(rng, 90, 220))
    material = _GROUNDS[pick(rng, 0, 5)]
    if scene == "beach" and chance(rng, 50):
        material = "sand"
    color = _ground_color(material, rng)
    canvas.rows(horizon, SIDE, shade(color, 88), shade(color, 108), "ground", material)
    back = [item for item in items if item.zone == "back"]
    for item, x in zip(back, _spread(rng, len(back)), strict=True):
        item.draw(canvas, rng, x, horizon + pick(rng, 2, 8), pick(rng, *item.sizes))
    shore = horizon
    if scene == "harbour" or chance(rng, 75 if scene == "beach" else 14):
        shore = horizon + (pick(rng, 44, 70) if scene == "harbour" else pick(rng, 16, 44))
        sea = tint(pick(rng, 170, 235), pick(rng, 50, 200), pick(rng, 90, 220))
        canvas.rows(horizon + 6, shore, mix(sea, sky, 40), sea, "sea", "water")
        if chance(rng, 30 if scene != "harbour" else 10):
            items.append(Item(vehicles.sailing_boat, 100, (36, 60), "water"))
    afloat = [item for item in items if item.zone == "water"]
    rows = sorted(pick(rng, min(horizon + 22, shore - 4), shore - 2) for _ in afloat)
    for item, y, x in zip(afloat, rows, _spread(rng, len(afloat)), strict=True):
        item.draw(canvas, rng, x, y, pick(rng, *item.sizes))
    road = chance(rng, 60 if scene == "street" else 25)
    if road:
        top = pick(rng, min(shore + 10, SIDE - 44), SIDE - 40)
        lane = between(rng, (60, 60, 66), (150, 140, 130))
        canvas.rows(top, top + pick(rng, 30, 44), lane, shade(lane, 108), "road", "asphalt")
    if chance(rng, 60 if scene == "railway" else 3):
        _track(canvas, rng, pick(rng, min(shore + 20, SIDE - 20), SIDE - 14))
    standing = [item for item in items if item.zone == "ground"]
    feet = sorted(pick(rng, min(shore + 14, SIDE - 12), SIDE - 4) for _ in standing)
    order = rng.permutation(len(standing)).tolist()
    for which, y, x in zip(order, feet, _spread(rng, len(standing)), strict=True):
        item = standing[which]
        size = pick(rng, *item.sizes)
        if not road:
            _shadow(canvas, "ground", material, color, x, y, size)
        _place(canvas, rng, item, x, y, size)


def _track(canvas: Canvas, rng: RandomState, y: int) -> None:
    pen = Pen(canvas, "track", SIDE // 2, y, SIDE, "metal")
    timber, steel = between(rng, (70, 50, 40), (150, 140, 130)), between(rng, (90, 80, 76), (170, 170, 176))
    for u in range(-52, 54, 7):
        pen.box(u, -3, u + 3, 3, timber, "", "wood")
    pen.box(-52, 1, 52, 2, steel)
    pen.box(-52, -2, 52, -1, steel)


def _indoors(canvas: Canvas, scene: str, rng: RandomState) -> None:
    skirting = pick(rng, 138, 170)
    paint = pastel(rng)
    cover = ("plaster", "plaster", "plaster", "tile", "wood", "brick")[pick(rng, 0, 5)]
    canvas.rows(0, skirting, shade(paint, 104), shade(paint, 94), "wall", cover)
    if cover == "plaster" and chance(rng, 30):
        pen = Pen(canvas, "wall", 0, skirting, 100, "plaster")
        other, gap = mix(paint, vivid(rng), 35), pick(rng, 12, 24)
        for u in range(0, SIDE, gap):
            pen.box(u, 0, u + gap // 2, 180, other)
    cloth = ("wood", "wood", "tile", "stone", "fabric")[pick(rng, 0, 4)]
    board = wood(rng) if cloth == "wood" else pastel(rng)
    canvas.rows(skirting, SIDE, shade(board, 85), shade(board, 108), "floor", cloth)
    canvas.rows(skirting - 5, skirting, shade(paint, 60), shade(paint, 60), "wall", "wood")
    items = _chosen(KEYS[scene], rng, 2) + _chosen(INDOOR_EXTRAS, rng, 0)
    hung = [item for item in items if item.zone == "wall"]
    for item, x in zip(hung, _spread(rng, len(hung)), strict=True):
        item.draw(canvas, rng, x, pick(rng, 80, 108), pick(rng, *item.sizes))
    for zone, low, high in (("floor", skirting + 3, skirting + 18), ("front", skirting + 22, SIDE - 4)):
        standing = [item for item in items if item.zone == zone]
        feet = sorted(pick(rng, low, high) for _ in standing)
        order = rng.permutation(len(standing)).tolist()
        for which, y, x in zip(order, feet, _spread(rng, len(standing)), strict=True):
            item = standing[which]
            size = pick(rng, *item.sizes)
            if item.draw is not furniture.rug:
                _shadow(canvas, "floor", cloth, board, x, y, size)
            _place(canvas, rng, item, x, y, size)


def compose(scene: int, rng: RandomState) -> Canvas:
    """Draw a scene.

    Parameters
    ----------
    scene : int
        Position in `concepts.SCENES`.
    rng : RandomState
        Draws everything else.

    Returns
    -------
    Canvas
        Flat paint and marks; reliefs and light come later.
    """
    canvas = Canvas()
    name = SCENES[scene]
    if name in INDOORS:
        _indoors(canvas, name, rng)
    else:
        _outdoors(canvas, name, rng)
    return canvas
