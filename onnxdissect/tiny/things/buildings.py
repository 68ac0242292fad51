"""Buildings and what stands about in streets and yards."""

from __future__ import annotations

from numpy.random import RandomState

from onnxdissect.tiny.painting.canvas import Canvas, Pen, sine
from onnxdissect.tiny.painting.paints import between, chance, mix, pastel, pick, shade, vivid, wood

__all__ = [
    "barn", "bench", "crane", "fence", "house", "lighthouse", "railway_signal",
    "skyscraper", "street_lamp", "traffic_light", "windmill",
]  # fmt: skip

_WALLS = ("brick", "plaster", "wood", "stone")


def _pane(pen: Pen, rng: RandomState, left: int, bottom: int, right: int, top: int) -> None:
    lit = chance(rng, 35)
    pane = (
        between(rng, (255, 232, 160), (255, 206, 110), 0)
        if lit
        else between(rng, (70, 96, 120), (170, 206, 224))
    )
    pen.box(left, bottom, right, top, pane, "window", "glass", lit)


def house(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a dwelling house with a pitched roof."""
    pen = Pen(canvas, "house", x, y, size, _WALLS[pick(rng, 0, 3)], mirror=chance(rng, 50))
    wall, roof = pastel(rng), between(rng, (120, 50, 40), (90, 90, 100), 30)
    half, eaves = pick(rng, 34, 44), pick(rng, 42, 56)
    if chance(rng, 70):
        pen.box(16, eaves, 26, eaves + 36, shade(wall, 75), "chimney", "brick")
    pen.box(-half, 0, half, eaves, wall)
    ridge = eaves + pick(rng, 26, 40)
    if chance(rng, 50):
        pen.poly(((-half - 6, eaves - 2), (half + 6, eaves - 2), (0, ridge)), roof, "roof", "tile")
    else:
        pen.poly(
            ((-half - 6, eaves - 2), (half + 6, eaves - 2), (half - 12, ridge), (12 - half, ridge)),
            roof,
            "roof",
            "tile",
        )
    frame = mix(wall, (255, 255, 255), 70)
    for u in (-half + 6, half - 20):
        pen.box(u - 1, 19, u + 15, 37, frame)
        _pane(pen, rng, u, 20, u + 14, 36)
        pen.box(u + 6, 20, u + 8, 36, frame)
    door = vivid(rng)
    pen.box(-7, 0, 7, 26, door, "door", "wood")
    pen.disc(4, 13, 1, (230, 210, 120), "door", "metal")


def skyscraper(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a tall block with a grid of windows."""
    pen = Pen(canvas, "skyscraper", x, y, size, ("stone", "brick", "metal", "plaster")[pick(rng, 0, 3)])
    wall = mix(vivid(rng), (130, 130, 140), pick(rng, 30, 80))
    half = pick(rng, 16, 28)
    pen.box(-half, 0, half, 96, wall)
    pen.box(half - 5, 0, half, 96, shade(wall, 80))
    if chance(rng, 40):
        pen.box(-half // 2, 96, half // 2, 106, shade(wall, 88))
    columns, rows = pick(rng, 2, 4), pick(rng, 5, 8)
    wide, high = (2 * half - 8) // columns, 78 // rows
    for i in range(columns):
        for j in range(rows):
            left, low = -half + 4 + i * wide, 14 + j * high
            _pane(pen, rng, left, low, left + wide * 2 // 3, low + high * 3 // 5)
    pen.box(-5, 0, 5, 10, shade(wall, 50), "door", "glass")


def barn(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a barn: gambrel roof, wide door with a cross, hay window."""
    pen = Pen(canvas, "barn", x, y, size, "wood")
    wall = wood(rng) if chance(rng, 50) else vivid(rng)
    trim = mix(wall, (250, 248, 240), 75)
    roof = between(rng, (70, 60, 60), (150, 140, 140))
    pen.poly(((-42, 0), (42, 0), (42, 46), (28, 72), (0, 84), (-28, 72), (-42, 46)), wall)
    for start, end in (
        ((-48, 44), (-29, 76)),
        ((-29, 76), (0, 88)),
        ((0, 88), (29, 76)),
        ((29, 76), (48, 44)),
    ):
        pen.bar(start, end, 7, roof, "roof", "metal")
    pen.box(-20, 0, 20, 38, trim, "door")
    pen.box(-17, 0, -1, 35, shade(wall, 70), "door")
    pen.box(1, 0, 17, 35, shade(wall, 70), "door")
    pen.bar((-17, 1), (17, 34), 3, trim, "door")
    pen.bar((-17, 34), (17, 1), 3, trim, "door")
    pen.box(-8, 52, 8, 66, trim)
    pen.box(-6, 54, 6, 64, (50, 40, 36), "window", "")


def windmill(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a windmill with four turning blades."""
    pen = Pen(canvas, "windmill", x, y, size, ("brick", "plaster", "wood")[pick(rng, 0, 2)])
    wall = pastel(rng)
    pen.poly(((-17, 0), (17, 0), (11, 60), (-11, 60)), wall)
    pen.poly(
        ((-14, 58), (14, 58), (8, 70), (0, 75), (-8, 70)),
        between(rng, (110, 50, 40), (80, 80, 90), 20),
        "roof",
        "tile",
    )
    pen.box(-5, 0, 5, 17, shade(wall, 50), "door", "wood")
    _pane(pen, rng, -4, 32, 4, 42)
    start, sail = pick(rng, 0, 89), mix(vivid(rng), (246, 240, 226), 60)
    for turn in range(start, start + 360, 90):
        c, s = sine(turn + 90), sine(turn)
        tip = (38 * c // 1024, 62 + 38 * s // 1024)
        side = (9 * -s // 1024, 9 * c // 1024)
        near = (10 * c // 1024, 62 + 10 * s // 1024)
        pen.poly(
            (near, tip, (tip[0] + side[0], tip[1] + side[1]), (near[0] + side[0], near[1] + side[1])),
            sail,
            "blade",
            "fabric",
        )
        pen.bar((0, 62), tip, 2, (90, 70, 54), "blade", "wood")
    pen.disc(0, 62, 4, (60, 50, 46))


def lighthouse(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a banded lighthouse."""
    pen = Pen(canvas, "lighthouse", x, y, size, "stone")
    one, two = vivid(rng), mix(vivid(rng), (250, 250, 246), 80)
    bands = pick(rng, 3, 6)
    for band in range(bands):
        low, high = band * 74 // bands, (band + 1) * 74 // bands
        a, b = 17 - low * 8 // 74, 17 - high * 8 // 74
        pen.poly(((-a, low), (a, low), (b, high), (-b, high)), one if band % 2 else two)
    pen.box(-5, 0, 5, 12, shade(one, 50), "door", "wood")
    for v in (28, 50):
        pen.box(-3, v, 3, v + 7, (60, 80, 100), "window", "glass")
    pen.box(-12, 74, 12, 77, (60, 60, 66), "", "metal")
    pen.box(-8, 77, 8, 88, (255, 240, 160), "window", "glass", True)
    pen.poly(((-11, 88), (11, 88), (0, 100)), shade(one, 80), "roof", "metal")


def crane(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a harbour crane with a lattice tower, a boom and a hook."""
    pen = Pen(canvas, "crane", x, y, size, "metal", mirror=chance(rng, 50))
    color = vivid(rng)
    dark = shade(color, 75)
    pen.bar((-20, 0), (-6, 70), 4, color)
    pen.bar((8, 0), (-2, 70), 4, color)
    for v in range(6, 66, 15):
        pen.bar((-18 + v // 5, v), (5 - v // 9, v + 13), 2, dark)
        pen.bar((7 - v // 9, v), (-16 + v // 5, v + 13), 2, dark)
    lift = pick(rng, 0, 14)
    pen.poly(((-34, 70), (-34, 76), (52, 78 + lift), (52, 75 + lift)), color, "boom")
    pen.bar((-4, 70), (-4, 98), 4, dark)
    pen.bar((-4, 97), (48, 77 + lift), 2, dark, "boom")
    pen.bar((-4, 97), (-32, 75), 2, dark, "boom")
    pen.box(-12, 60, 6, 72, dark)
    pen.box(-36, 62, -24, 74, (90, 90, 96), "", "stone")
    drop = pick(rng, 30, 55)
    pen.bar((44, 76 + lift), (44, drop), 1, (50, 50, 54), "hook")
    pen.box(38, drop - 10, 50, drop, shade(color, 60), "hook")


def fence(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a stretch of fence: pickets or rails."""
    pen = Pen(canvas, "fence", x, y, size, "wood")
    color = wood(rng) if chance(rng, 60) else mix(pastel(rng), (250, 250, 250), 60)
    pen.box(-50, 8, 50, 11, shade(color, 85))
    pen.box(-50, 20, 50, 23, shade(color, 85))
    if chance(rng, 60):
        for u in range(-50, 48, 9):
            pen.poly(((u, 0), (u + 5, 0), (u + 5, 27), (u + 2, 31), (u, 27)), color)
    else:
        for u in range(-50, 50, 24):
            pen.box(u, 0, u + 5, 30, color)


def street_lamp(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a lamp post with one arm or a lantern on top."""
    pen = Pen(canvas, "street lamp", x, y, size, "metal", mirror=chance(rng, 50))
    color = between(rng, (30, 34, 38), (130, 134, 140))
    light = (255, 240, 178)
    pen.bar((0, 0), (0, 92), 3, color, "pole")
    pen.box(-4, 0, 4, 8, color, "pole")
    if chance(rng, 50):
        pen.bar((0, 91), (16, 96), 3, color, "pole")
        pen.box(10, 92, 24, 97, light, "bulb", "glass", True)
    else:
        pen.poly(((-5, 88), (5, 88), (8, 102), (-8, 102)), light, "bulb", "glass", True)
        pen.poly(((-10, 102), (10, 102), (0, 109)), color)


def traffic_light(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a traffic light with one of its three signals on."""
    pen = Pen(canvas, "traffic light", x, y, size, "metal")
    pen.bar((0, 0), (0, 62), 5, between(rng, (60, 60, 64), (160, 160, 166)), "pole")
    case = between(rng, (26, 28, 28), (90, 96, 60), 10)
    pen.box(-12, 54, 12, 102, case)
    on = pick(rng, 0, 2)
    for place, color in enumerate(((60, 230, 110), (255, 200, 40), (250, 60, 50))):
        lit = place == on
        pen.disc(0, 63 + 15 * place, 6, color if lit else shade(color, 30), "signal", "glass", lit)


def railway_signal(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a level-crossing signal: a crossed board over a pair of lights."""
    pen = Pen(canvas, "railway signal", x, y, size, "metal")
    pole = between(rng, (110, 110, 116), (220, 220, 224))
    pen.bar((0, 0), (0, 96), 5, pole, "pole")
    board = mix(vivid(rng), (250, 250, 250), 60)
    pen.bar((-22, 74), (22, 100), 7, board)
    pen.bar((-22, 100), (22, 74), 7, board)
    pen.box(-22, 50, 22, 56, (40, 40, 44))
    on = pick(rng, 0, 1)
    for place, u in enumerate((-16, 16)):
        pen.disc(u, 53, 9, (34, 34, 38))
        pen.disc(u, 53, 6, (250, 70, 50) if place == on else (90, 30, 28), "signal", "glass", place == on)


def bench(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a park bench."""
    pen = Pen(canvas, "bench", x, y, size, "wood")
    color = wood(rng) if chance(rng, 60) else vivid(rng)
    iron = (54, 54, 58)
    for u in (-40, 36):
        pen.box(u, 0, u + 5, 44, iron, "leg", "metal")
    pen.box(-48, 26, 48, 31, color, "backrest")
    pen.box(-48, 36, 48, 41, color, "backrest")
    pen.box(-50, 15, 50, 20, shade(color, 115))
    pen.box(-50, 12, 50, 15, shade(color, 75))
