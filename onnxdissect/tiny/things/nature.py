"""Things that grow, walk or drift: trees, animals, people, clouds."""

from __future__ import annotations

from numpy.random import RandomState

from onnxdissect.tiny.painting.canvas import Canvas, Color, Pen, sine
from onnxdissect.tiny.painting.paints import between, chance, foliage, mix, pick, shade, tint, vivid

__all__ = ["bird", "bush", "cat", "cloud", "cow", "hill", "person", "sheep", "sun", "tree"]

SKINS: tuple[Color, ...] = ((92, 58, 38), (141, 92, 60), (190, 138, 100), (224, 178, 142), (246, 208, 178))
HAIRS: tuple[Color, ...] = (
    (24, 20, 20),
    (70, 44, 26),
    (132, 84, 40),
    (214, 176, 96),
    (176, 70, 30),
    (200, 200, 204),
)


def sun(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw sun or moon, a pale or a warm disc."""
    pen = Pen(canvas, "sun", x, y, size)
    color = between(rng, (255, 236, 150), (255, 140, 70), 0) if chance(rng, 70) else (232, 236, 240)
    pen.disc(0, 50, 50, color, glow=True)


def cloud(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a cloud of a few overlapping puffs."""
    pen = Pen(canvas, "cloud", x, y, size)
    grey = pick(rng, 190, 250)
    color = (grey, grey, min(255, grey + 5))
    for _ in range(pick(rng, 3, 5)):
        u = pick(rng, -34, 34)
        pen.oval(u, pick(rng, 12, 22), pick(rng, 16, 24), pick(rng, 9, 16), color)
    pen.box(-36, 4, 36, 14, shade(color, 96))


def hill(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a rounded hill or a pointed mountain on the horizon."""
    color = tint(pick(rng, 60, 250), pick(rng, 20, 120), pick(rng, 80, 180))
    pen = Pen(canvas, "hill", x, y, size, "stone" if chance(rng, 40) else "grass")
    height = pick(rng, 18, 45)
    if pen.material == "stone":
        peak = pick(rng, -15, 15)
        pen.poly(((-60, -4), (peak, height), (60, -4)), color)
        pen.poly(((peak, height), (60, -4), (peak + 8, -4)), shade(color, 82))
    else:
        pen.oval(0, 0, 62, height, color)


def tree(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a broad-leaved tree, a fir or a poplar."""
    pen = Pen(canvas, "tree", x, y, size, "foliage")
    bark = between(rng, (60, 42, 30), (140, 112, 84))
    color = foliage(rng)
    kind = pick(rng, 0, 2)
    width = pick(rng, 3, 6)
    pen.poly(((-width - 2, 0), (width + 2, 0), (width, 60), (-width, 60)), bark, "trunk", "wood")
    if kind == 0:
        reach = pick(rng, 20, 30)
        pen.bar((0, 35), (reach - 6, 58), 4, bark, "trunk", "wood")
        pen.bar((0, 32), (6 - reach, 55), 4, bark, "trunk", "wood")
        for _ in range(5):
            pen.disc(pick(rng, -reach, reach) * 3 // 4, pick(rng, 56, 78), pick(rng, 13, 21), color, "crown")
        pen.disc(-reach // 3, 76, 14, mix(color, (255, 255, 220), 15), "crown")
    elif kind == 1:
        layers = pick(rng, 3, 4)
        for layer in range(layers):
            low = 16 + layer * 64 // layers
            half = 30 - layer * 18 // layers
            pen.poly(((-half, low), (half, low), (0, low + 42)), shade(color, 84 + 8 * layer), "crown")
    else:
        pen.oval(0, 58, pick(rng, 11, 17), 42, color, "crown")
        pen.oval(-3, 64, 7, 32, mix(color, (255, 255, 220), 14), "crown")


def bush(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a low bush, with blossoms in one case of three."""
    pen = Pen(canvas, "bush", x, y, size, "foliage")
    color = foliage(rng)
    for _ in range(pick(rng, 3, 5)):
        pen.oval(pick(rng, -32, 32), pick(rng, 12, 26), pick(rng, 16, 24), pick(rng, 12, 22), color)
    pen.box(-42, 0, 42, 10, shade(color, 80))
    if chance(rng, 33):
        blossom = vivid(rng)
        for _ in range(7):
            pen.disc(pick(rng, -38, 38), pick(rng, 8, 38), 4, blossom)


def bird(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a bird in flight."""
    pen = Pen(canvas, "bird", x, y, size, mirror=chance(rng, 50))
    color = mix(vivid(rng), (120, 120, 120), 55)
    lift = pick(rng, 10, 45)
    pen.poly(((-6, 4), (12, 4), (-14, lift), (-34, lift + 8)), shade(color, 80), "wing")
    pen.oval(4, 0, 26, 9, color)
    pen.poly(((-20, 0), (-40, 8), (-40, -6)), color)
    pen.disc(28, 5, 8, color)
    pen.poly(((34, 8), (48, 4), (34, 1)), (236, 160, 40), "beak")
    pen.poly(((-4, 2), (14, 2), (2, lift + 6), (-18, lift + 12)), shade(color, 115), "wing")


def person(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a standing or walking person."""
    pen = Pen(canvas, "person", x, y, size, "fabric", mirror=chance(rng, 50))
    skin, hair = SKINS[pick(rng, 0, 4)], HAIRS[pick(rng, 0, 5)]
    top, legs = vivid(rng), vivid(rng)
    stride, swing = pick(rng, 2, 11), pick(rng, 3, 20)
    pen.bar((3, 48), (stride, 2), 8, shade(legs, 85), "leg")
    pen.bar((-3, 48), (-stride, 2), 8, legs, "leg")
    for foot in (stride, -stride):
        pen.box(foot - 4, 0, foot + 7, 4, (40, 34, 34), "leg")
    pen.bar((7, 76), (10 + swing, 50), 6, shade(top, 85), "arm")
    pen.disc(10 + swing, 49, 3, skin, "arm", "")
    pen.poly(((-11, 45), (11, 45), (12, 80), (-12, 80)), top, "torso")
    if chance(rng, 30):
        pen.poly(((-15, 32), (15, 32), (9, 52), (-9, 52)), top, "torso")
    pen.bar((-8, 76), (-10 - swing // 2, 48), 6, shade(top, 110), "arm")
    pen.disc(-10 - swing // 2, 47, 3, skin, "arm", "")
    pen.box(-3, 78, 3, 86, shade(skin, 85), "head", "")
    pen.oval(0, 90, 8, 10, skin, "head", "")
    pen.poly(((-8, 91), (-9, 97), (-4, 102), (4, 102), (9, 97), (8, 94), (2, 96)), hair, "hair", "fur")
    if chance(rng, 40):
        pen.poly(((-8, 96), (-11, 78), (-6, 78), (-5, 96)), hair, "hair", "fur")


def cat(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a standing cat."""
    pen = Pen(canvas, "cat", x, y, size, "fur", mirror=chance(rng, 50))
    color = between(rng, (50, 46, 44), (232, 190, 140), 20)
    dark = shade(color, 78)
    pen.bar((-34, 34), (-48, 50 + pick(rng, 0, 22)), 6, dark, "tail")
    for u in (-28, -16, 16, 26):
        pen.bar((u, 24), (u, 1), 7, dark if u in (-16, 16) else color, "leg")
    pen.oval(-2, 30, 36, 15, color)
    pen.poly(((24, 56), (26, 72), (36, 62)), dark, "ear")
    pen.poly(((46, 56), (48, 72), (38, 62)), dark, "ear")
    pen.disc(36, 50, 15, color, "head")
    pen.disc(32, 53, 2, (20, 30, 20), "head")
    pen.disc(42, 53, 2, (20, 30, 20), "head")


def cow(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a cow, plain or spotted."""
    pen = Pen(canvas, "cow", x, y, size, "fur", mirror=chance(rng, 50))
    coat = between(rng, (70, 42, 30), (240, 232, 222), 16)
    spot = shade(coat, 40) if sum(coat) > 380 else (236, 230, 222)
    for u in (-34, -24, 18, 28):
        pen.bar((u, 30), (u, 1), 8, shade(coat, 76 if u in (-24, 18) else 94), "leg")
    pen.bar((-40, 54), (-48, 24), 3, shade(coat, 70), "tail")
    pen.disc(-48, 22, 4, shade(coat, 50), "tail")
    pen.poly(((-42, 30), (32, 26), (36, 58), (-40, 60)), coat)
    pen.oval(-2, 28, 34, 8, coat)
    if chance(rng, 70):
        for _ in range(4):
            pen.oval(pick(rng, -30, 24), pick(rng, 34, 52), pick(rng, 6, 11), pick(rng, 4, 8), spot)
    pen.oval(-14, 21, 6, 4, (236, 170, 160))
    pen.poly(((28, 44), (30, 64), (46, 70), (56, 48), (48, 42)), coat, "head")
    pen.oval(53, 48, 7, 7, (226, 172, 158), "head")
    pen.disc(44, 60, 2, (20, 20, 20), "head")
    pen.bar((38, 68), (34, 78), 4, (226, 216, 190), "horn")
    pen.bar((46, 70), (50, 80), 4, (226, 216, 190), "horn")


def sheep(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a woolly sheep."""
    pen = Pen(canvas, "sheep", x, y, size, "fur", mirror=chance(rng, 50))
    wool = between(rng, (120, 104, 92), (246, 242, 232), 8)
    face = (44, 40, 40) if chance(rng, 60) else shade(wool, 80)
    for u in (-24, -14, 14, 24):
        pen.bar((u, 26), (u, 1), 6, face, "leg")
    for step in range(0, 360, 40):
        pen.disc(28 * sine(step + 90) // 1024, 42 + 14 * sine(step) // 1024, 14, wool)
    pen.oval(0, 42, 30, 17, wool)
    pen.oval(38, 52, 10, 13, face, "head")
    pen.disc(34, 64, 7, wool)
    pen.poly(((28, 56), (24, 48), (32, 52)), face, "head")
