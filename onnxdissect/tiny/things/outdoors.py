"""Things for play, camping and the beach."""

from __future__ import annotations

from numpy.random import RandomState

from onnxdissect.tiny.painting.canvas import Canvas, Pen, sine
from onnxdissect.tiny.painting.paints import between, chance, mix, pick, shade, tint, vivid, wood

__all__ = [
    "ball", "campfire", "deck_chair", "hay_bale", "parasol", "rucksack",
    "sandcastle", "seesaw", "slide", "swing", "tent",
]  # fmt: skip


def parasol(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a parasol with coloured segments."""
    pen = Pen(canvas, "parasol", x, y, size, "fabric")
    one, two = vivid(rng), mix(vivid(rng), (250, 250, 246), 60)
    pen.bar((0, 0), (0, 70), 3, (214, 200, 180), "pole", "wood")
    bulge = pick(rng, 22, 32)
    rim = [(-46 + 92 * i // 6, 62) for i in range(7)]
    for i in range(6):
        a, b = 180 - 30 * i, 150 - 30 * i
        outer = (46 * sine(a + 90) // 1024, 62 + bulge * sine(a) // 1024)
        inner = (46 * sine(b + 90) // 1024, 62 + bulge * sine(b) // 1024)
        pen.poly((rim[i], outer, inner, rim[i + 1]), one if i % 2 else two, "canopy")
    for i in range(6):
        middle = (rim[i][0] + rim[i + 1][0]) // 2
        pen.oval(middle, 62, 8, 4, one if i % 2 else two, "canopy")
    pen.disc(0, 63 + bulge, 2, (120, 100, 80), "pole", "wood")


def deck_chair(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a deck chair with striped cloth."""
    pen = Pen(canvas, "deck chair", x, y, size, "wood", mirror=chance(rng, 50))
    frame, one = wood(rng), vivid(rng)
    two = mix(vivid(rng), (250, 248, 240), 70)
    pen.bar((-34, 2), (30, 44), 5, shade(frame, 80), "leg")
    pen.bar((36, 2), (-30, 34), 5, frame, "leg")
    for i in range(6):
        a, b = i * 100 // 6, (i + 1) * 100 // 6
        left = (-44 + 90 * a // 100, 22 + 60 * a * a // 10000)
        right = (-44 + 90 * b // 100, 22 + 60 * b * b // 10000)
        pen.poly(
            (left, right, (right[0] - 4, right[1] + 9), (left[0] - 4, left[1] + 9)),
            one if i % 2 else two,
            "seat",
            "fabric",
        )


def sandcastle(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a sandcastle with crenellated towers and a flag."""
    pen = Pen(canvas, "sandcastle", x, y, size, "sand")
    color = between(rng, (186, 150, 98), (236, 210, 160))
    pen.poly(((-50, 0), (50, 0), (40, 12), (-40, 12)), shade(color, 85))
    pen.box(-32, 8, 32, 34, color)
    for u, top in ((-32, pick(rng, 46, 60)), (32, pick(rng, 46, 60)), (0, pick(rng, 60, 78))):
        pen.box(u - 11, 8, u + 11, top, shade(color, 92 if u else 106), "tower")
        for step in (-11, -2, 7):
            pen.box(u + step, top, u + step + 5, top + 6, shade(color, 92 if u else 106), "tower")
        if not u:
            pen.bar((0, top), (0, top + 22), 2, (90, 70, 50), "flag", "wood")
            pen.poly(((1, top + 22), (18, top + 16), (1, top + 10)), vivid(rng), "flag", "fabric")
    pen.oval(0, 14, 7, 10, shade(color, 45))


def ball(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a ball with a few coloured fields."""
    pen = Pen(canvas, "ball", x, y, size, "plastic")
    pen.disc(0, 50, 50, vivid(rng))
    other = mix(vivid(rng), (255, 255, 255), 40)
    start = pick(rng, 0, 59)
    for turn in range(start, start + 360, 120):
        wedge = [(0, 50)] + [
            (49 * sine(a + 90) // 1024, 50 + 49 * sine(a) // 1024) for a in range(turn, turn + 61, 15)
        ]
        pen.poly(wedge, other)
    pen.disc(-16, 66, 9, (255, 255, 255))


def hay_bale(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a round bale of hay."""
    pen = Pen(canvas, "hay bale", x, y, size, "grass")
    color = between(rng, (160, 126, 60), (232, 204, 118))
    pen.poly(((-10, 0), (30, 0), (30, 70), (-10, 70)), shade(color, 82))
    pen.oval(30, 35, 22, 35, shade(color, 82))
    pen.oval(-10, 35, 30, 35, color)
    for ring in (24, 16, 8):
        pen.oval(-10, 35, ring, ring * 35 // 30, shade(color, 80 if ring != 16 else 108))


def swing(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a swing frame with one or two seats."""
    pen = Pen(canvas, "swing", x, y, size, "metal")
    frame = vivid(rng)
    for u in (-40, 40):
        pen.bar((u - 9, 0), (u, 78), 4, shade(frame, 85), "leg")
        pen.bar((u + 9, 0), (u, 78), 4, frame, "leg")
    pen.bar((-44, 78), (44, 78), 5, frame)
    for u in (-18, 18) if chance(rng, 60) else (pick(rng, -16, 16),):
        push = pick(rng, -16, 16)
        for side in (-7, 7):
            pen.bar((u + side, 77), (u + side + push, 24), 1, (70, 70, 74), "")
        pen.poly(
            ((u - 11 + push, 20), (u + 11 + push, 20), (u + 11 + push, 26), (u - 11 + push, 26)),
            vivid(rng),
            "seat",
            "plastic",
        )


def slide(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a slide with a ladder."""
    pen = Pen(canvas, "slide", x, y, size, "metal", mirror=chance(rng, 50))
    chute, frame = vivid(rng), vivid(rng)
    pen.bar((-16, 0), (-16, 70), 4, shade(frame, 80), "leg")
    pen.bar((14, 0), (14, 42), 4, shade(frame, 80), "leg")
    for u in (-40, -28):
        pen.bar((u, 0), (u + 16, 84), 3, frame, "ladder")
    for v in range(10, 70, 12):
        pen.bar((-39 + v // 5, v), (-25 + v // 5, v), 3, frame, "ladder")
    pen.box(-28, 66, -8, 71, shade(chute, 80))
    pen.poly(((-12, 70), (-8, 80), (36, 16), (50, 12), (50, 4), (32, 7)), chute, "", "plastic")
    pen.poly(((-12, 70), (-10, 74), (33, 11), (50, 8), (50, 4), (32, 7)), shade(chute, 74), "", "plastic")


def seesaw(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a seesaw, tipped to one side."""
    pen = Pen(canvas, "seesaw", x, y, size, "wood", mirror=chance(rng, 50))
    beam, tip = vivid(rng), pick(rng, 5, 14)
    pen.poly(((-12, 0), (12, 0), (4, 22), (-4, 22)), shade(vivid(rng), 85), "", "metal")
    pen.bar((-50, 22 - tip), (50, 22 + tip), 6, beam)
    seat = vivid(rng)
    for u, v in ((-44, 22 - tip * 9 // 10), (44, 22 + tip * 9 // 10)):
        pen.box(u - 7, v + 2, u + 7, v + 7, seat, "seat", "plastic")
        pen.bar((u * 3 // 4, v + 3), (u * 3 // 4, v + 15), 3, (70, 70, 74), "", "metal")


def tent(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a ridge tent or a dome."""
    pen = Pen(canvas, "tent", x, y, size, "fabric", mirror=chance(rng, 50))
    cloth = vivid(rng)
    gap = shade(cloth, 35)
    if chance(rng, 55):
        pen.poly(((-20, 56), (28, 56), (50, 0), (0, 0)), shade(cloth, 84))
        pen.poly(((-48, 0), (8, 0), (-20, 58)), cloth)
        pen.poly(((-31, 0), (-9, 0), (-20, 40)), gap, "door")
    else:
        high = pick(rng, 40, 52)
        dome = [(50 * sine(a + 90) // 1024, high * sine(a) // 1024) for a in range(0, 181, 15)]
        pen.poly(dome, cloth)
        pen.poly([(u * 2 // 5 + 6, v) for u, v in dome], shade(cloth, 120))
        pen.poly([(u // 3, v * 3 // 5) for u, v in dome], gap, "door")


def campfire(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw burning logs in a ring of stones."""
    pen = Pen(canvas, "campfire", x, y, size, "wood")
    log = between(rng, (70, 44, 26), (130, 88, 54))
    for u in range(-40, 48, 16):
        grey = pick(rng, 90, 160)
        pen.oval(u, 6, 9, 7, (grey, grey, grey), "", "stone")
    pen.bar((-30, 6), (24, 22), 9, log)
    pen.bar((30, 6), (-24, 22), 9, shade(log, 80))
    hue = pick(rng, 4, 24)
    lean = pick(rng, -10, 10)
    for reach, wide, color in (
        (80, 24, tint(hue, 235, 240)),
        (60, 16, tint(hue + 16, 225, 250)),
        (40, 9, tint(50, 150, 255)),
    ):
        pen.poly(
            ((-wide, 16), (wide, 16), (wide, 16 + reach // 3), (lean + 3, 16 + reach),
             (-wide * 3 // 4, 16 + reach // 2)),
            color, "flame", "", True,
        )  # fmt: skip


def rucksack(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a rucksack standing on the ground."""
    pen = Pen(canvas, "rucksack", x, y, size, "fabric")
    color = vivid(rng)
    pen.oval(0, 88, 12, 10, shade(color, 60))
    pen.oval(0, 70, 30, 24, color)
    pen.box(-34, 0, 34, 66, color)
    pen.box(-24, 6, 24, 36, shade(color, 80), "pocket")
    pen.box(-24, 30, 24, 36, shade(color, 60), "pocket")
    pen.box(-20, 40, -14, 84, shade(color, 60))
    pen.box(14, 40, 20, 84, shade(color, 60))
