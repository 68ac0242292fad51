"""Scenes: sky, ground and walls are drawn, and the objects of the scene placed.

Surroundings and light are drawn alike for all scenes, so that only its objects tell one scene from another.
"""

from __future__ import annotations

from collections.abc import Sequence

from numpy.random import RandomState

from onnxdissect.tiny.concepts import SCENES
from onnxdissect.tiny.painting.canvas import SIDE, Canvas, Color, Pen
from onnxdissect.tiny.painting.paints import between, chance, mix, pastel, pick, shade, tint, vivid, wood
from onnxdissect.tiny.scene_objects import (
    INDOOR_OBJECTS,
    INDOORS,
    OUTDOOR_OBJECTS,
    SCENE_OBJECTS,
    SceneObject,
)
from onnxdissect.tiny.things import furniture, nature, vehicles

__all__ = ["compose"]

Ground = tuple[str, str, Color]  # the object, material and colour that a shadow falls on

_GROUNDS = ("grass", "grass", "sand", "stone", "asphalt", "sand")


def _ground_color(material: str, rng: RandomState) -> Color:
    if material == "grass":
        return between(rng, (74, 120, 48), (168, 170, 92), 16)
    if material == "sand":
        return between(rng, (196, 164, 112), (224, 212, 184), 14)
    if material == "stone":
        return mix(pastel(rng), (150, 148, 144), 70)
    return between(rng, (70, 70, 76), (128, 126, 124))


def _draw_objects(items: tuple[SceneObject, ...], rng: RandomState, least: int) -> list[SceneObject]:
    while True:
        found = [item for item in items if chance(rng, item.percent)]
        if len(found) >= least:
            return [item for item in found for _ in range(pick(rng, 1, item.most))]


def _place(canvas: Canvas, rng: RandomState, item: SceneObject, x: int, y: int, size: int) -> None:
    item.draw(canvas, rng, x, y, size)
    if item.tops and chance(rng, 85):
        top = item.tops[pick(rng, 0, len(item.tops) - 1)]
        x += size * pick(rng, -18, 18) // 100
        top.draw(canvas, rng, x, y - size * item.height // 100, pick(rng, *top.sizes))


def _columns(rng: RandomState, count: int) -> list[int]:
    # columns spread evenly over the picture, in random order, so that objects seldom hide each other wholly
    step = SIDE // max(count, 1)
    places = [step * i + step // 2 + pick(rng, -step // 3, step // 3) for i in range(count)]
    order = rng.permutation(count).tolist()
    return [places[i] for i in order]


def _place_row(
    canvas: Canvas,
    rng: RandomState,
    items: Sequence[SceneObject],
    low: int,
    high: int,
    ground: Ground | None,
) -> None:
    # the feet of objects lie between two rows; those further back are drawn first. A shadow is an ellipse of
    # the ground's own colour, darker
    feet = sorted(pick(rng, low, high) for _ in items)
    order = rng.permutation(len(items)).tolist()
    for which, y, x in zip(order, feet, _columns(rng, len(items)), strict=True):
        item = items[which]
        size = pick(rng, *item.sizes)
        if ground is not None and item.draw is not furniture.rug:
            thing, material, color = ground
            Pen(canvas, thing, x, y, size, material).oval(0, 0, 42, 5, shade(color, 78))
        _place(canvas, rng, item, x, y, size)


def _sky(canvas: Canvas, rng: RandomState, horizon: int) -> Color:
    sky = tint(pick(rng, 190, 230), pick(rng, 30, 150), pick(rng, 170, 250))
    if chance(rng, 35):
        sky = tint(pick(rng, 0, 359), pick(rng, 20, 130), pick(rng, 140, 240))
    canvas.rows(0, horizon, sky, mix(sky, (250, 240, 224), pick(rng, 20, 80)), "sky")
    return sky


def _distance(canvas: Canvas, rng: RandomState, items: Sequence[SceneObject], horizon: int) -> None:
    if chance(rng, 25):
        nature.sun(canvas, rng, pick(rng, 10, SIDE - 10), pick(rng, 30, horizon), pick(rng, 16, 34))
    for item in items:
        if item.zone == "sky":
            _place(canvas, rng, item, pick(rng, 0, SIDE), pick(rng, 16, horizon - 20), pick(rng, *item.sizes))
    if chance(rng, 35):
        for _ in range(pick(rng, 1, 3)):
            nature.hill(canvas, rng, pick(rng, 0, SIDE), horizon, pick(rng, 90, 220))


def _sea(
    canvas: Canvas, rng: RandomState, scene: str, horizon: int, sky: Color
) -> tuple[int, list[SceneObject]]:
    # the row where the land begins again, and a boat that may have come along
    if scene != "harbour" and not chance(rng, 75 if scene == "beach" else 14):
        return horizon, []
    shore = horizon + (pick(rng, 44, 70) if scene == "harbour" else pick(rng, 16, 44))
    sea = tint(pick(rng, 170, 235), pick(rng, 50, 200), pick(rng, 90, 220))
    canvas.rows(horizon + 6, shore, mix(sea, sky, 40), sea, "sea", "water")
    boat = SceneObject(vehicles.sailing_boat, 30 if scene != "harbour" else 10, (36, 60), "water")
    return shore, [boat] if chance(rng, boat.percent) else []


def _road(canvas: Canvas, rng: RandomState, shore: int) -> None:
    top = pick(rng, min(shore + 10, SIDE - 44), SIDE - 40)
    lane = between(rng, (60, 60, 66), (150, 140, 130))
    canvas.rows(top, top + pick(rng, 30, 44), lane, shade(lane, 108), "road", "asphalt")


def _track(canvas: Canvas, rng: RandomState, y: int) -> None:
    pen = Pen(canvas, "track", SIDE // 2, y, SIDE, "metal")
    timber, steel = between(rng, (70, 50, 40), (150, 140, 130)), between(rng, (90, 80, 76), (170, 170, 176))
    for u in range(-52, 54, 7):
        pen.box(u, -3, u + 3, 3, timber, "", "wood")
    pen.box(-52, 1, 52, 2, steel)
    pen.box(-52, -2, 52, -1, steel)


def _outdoors(canvas: Canvas, scene: str, rng: RandomState) -> None:
    horizon = pick(rng, 84, 128)
    sky = _sky(canvas, rng, horizon)
    items = _draw_objects(SCENE_OBJECTS[scene], rng, 2) + _draw_objects(OUTDOOR_OBJECTS, rng, 0)
    _distance(canvas, rng, items, horizon)
    material = _GROUNDS[pick(rng, 0, 5)]
    if scene == "beach" and chance(rng, 50):
        material = "sand"
    color = _ground_color(material, rng)
    canvas.rows(horizon, SIDE, shade(color, 88), shade(color, 108), "ground", material)
    back = [item for item in items if item.zone == "back"]
    for item, x in zip(back, _columns(rng, len(back)), strict=True):
        item.draw(canvas, rng, x, horizon + pick(rng, 2, 8), pick(rng, *item.sizes))
    shore, boats = _sea(canvas, rng, scene, horizon, sky)
    afloat = [item for item in items if item.zone == "water"] + boats
    rows = sorted(pick(rng, min(horizon + 22, shore - 4), shore - 2) for _ in afloat)
    for item, y, x in zip(afloat, rows, _columns(rng, len(afloat)), strict=True):
        item.draw(canvas, rng, x, y, pick(rng, *item.sizes))
    road = chance(rng, 60 if scene == "street" else 25)
    if road:
        _road(canvas, rng, shore)
    if chance(rng, 60 if scene == "railway" else 3):
        _track(canvas, rng, pick(rng, min(shore + 20, SIDE - 20), SIDE - 14))
    standing = [item for item in items if item.zone == "ground"]
    ground = None if road else ("ground", material, color)
    _place_row(canvas, rng, standing, min(shore + 14, SIDE - 12), SIDE - 4, ground)


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
    items = _draw_objects(SCENE_OBJECTS[scene], rng, 2) + _draw_objects(INDOOR_OBJECTS, rng, 0)
    hung = [item for item in items if item.zone == "wall"]
    for item, x in zip(hung, _columns(rng, len(hung)), strict=True):
        item.draw(canvas, rng, x, pick(rng, 80, 108), pick(rng, *item.sizes))
    for zone, low, high in (("floor", skirting + 3, skirting + 18), ("front", skirting + 22, SIDE - 4)):
        standing = [item for item in items if item.zone == zone]
        _place_row(canvas, rng, standing, low, high, ("floor", cloth, board))


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
        Flat colours and labels; bump maps and light are applied later.
    """
    canvas = Canvas()
    name = SCENES[scene]
    if name in INDOORS:
        _indoors(canvas, name, rng)
    else:
        _outdoors(canvas, name, rng)
    return canvas
