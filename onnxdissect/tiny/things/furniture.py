"""Furniture and what hangs on walls."""

from __future__ import annotations

from numpy.random import RandomState

from onnxdissect.tiny.painting.canvas import Canvas, Pen, sine
from onnxdissect.tiny.painting.paints import between, chance, foliage, mix, pastel, pick, shade, vivid, wood

__all__ = [
    "bed", "bookcase", "chair", "clock", "desk", "door", "lamp", "office_chair", "picture",
    "plant", "rug", "sofa", "table", "wardrobe", "whiteboard", "window",
]  # fmt: skip


def bed(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a bed from the side: headboard, pillow, blanket."""
    pen = Pen(canvas, "bed", x, y, size, "fabric", mirror=chance(rng, 50))
    frame, sheet = wood(rng), mix(pastel(rng), (250, 250, 250), 60)
    for u in (-46, 42):
        pen.box(u, 0, u + 5, 14, shade(frame, 75), "leg", "wood")
    pen.box(-52, 4, -46, pick(rng, 44, 58), frame, "headboard", "wood")
    pen.box(46, 4, 51, pick(rng, 22, 32), frame, "headboard", "wood")
    pen.box(-48, 10, 48, 16, frame, "", "wood")
    pen.box(-47, 15, 47, 25, sheet)
    pen.oval(-33, 28, 13, 6, mix(vivid(rng), (252, 252, 252), 55), "pillow")
    cover = vivid(rng)
    edge = pick(rng, -22, -2)
    pen.poly(((edge, 12), (48, 12), (48, 27), (40, 31), (edge + 4, 31), (edge, 28)), cover, "blanket")
    pen.poly(
        ((edge, 12), (edge + 8, 12), (edge + 8, 31), (edge + 4, 31), (edge, 28)),
        mix(cover, (255, 255, 255), 45),
        "blanket",
    )
    if chance(rng, 50):
        for u in range(edge + 14, 46, 12):
            pen.box(u, 13, u + 5, 29, shade(cover, 75), "blanket")


def wardrobe(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a wardrobe with two or three doors."""
    pen = Pen(canvas, "wardrobe", x, y, size, "wood")
    color = wood(rng)
    half, doors = pick(rng, 28, 36), pick(rng, 2, 3)
    pen.box(-half, 0, half, 100, shade(color, 70))
    pen.box(-half - 2, 96, half + 2, 101, shade(color, 85))
    wide = 2 * half // doors
    for i in range(doors):
        left = -half + i * wide
        pen.box(left + 2, 6, left + wide - 1, 94, color, "door")
        pen.box(left + 6, 12, left + wide - 5, 88, shade(color, 88), "door")
        knob = left + wide - 5 if i % 2 == 0 else left + 4
        pen.box(knob - 1, 44, knob + 2, 56, (226, 206, 140), "handle", "metal")


def sofa(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a sofa with cushions."""
    pen = Pen(canvas, "sofa", x, y, size, "fabric")
    color = vivid(rng)
    for u in (-42, 38):
        pen.box(u, 0, u + 5, 8, (60, 44, 34), "leg", "wood")
    pen.box(-44, 18, 44, 46, shade(color, 85), "backrest")
    pen.box(-46, 6, 46, 24, color)
    pen.box(-1, 12, 1, 24, shade(color, 65))
    for u in (-50, 38):
        pen.box(u, 6, u + 12, 30, shade(color, 110))
        pen.oval(u + 6, 31, 7, 5, shade(color, 110))
    for u in (-26, pick(rng, 10, 26)):
        pillow = vivid(rng)
        pen.poly(((u - 10, 23), (u + 10, 25), (u + 9, 41), (u - 9, 40)), pillow, "cushion")
        pen.bar((u - 7, 32), (u + 7, 33), 3, mix(pillow, (255, 255, 255), 50), "cushion")


def table(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a table."""
    pen = Pen(canvas, "table", x, y, size, "wood")
    color = wood(rng)
    for u in (-40, 35):
        pen.box(u, 0, u + 5, 42, shade(color, 75), "leg")
    pen.box(-48, 42, 48, 48, color)
    pen.box(-44, 37, 44, 42, shade(color, 65))


def chair(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a chair from the side."""
    pen = Pen(canvas, "chair", x, y, size, "wood", mirror=chance(rng, 50))
    color = wood(rng) if chance(rng, 60) else vivid(rng)
    for u in (-26, 20):
        pen.box(u, 0, u + 6, 44, shade(color, 85), "leg")
    pen.poly(((-27, 46), (-20, 46), (-25, 100), (-33, 100)), color, "backrest")
    pen.box(-28, 42, 30, 50, shade(color, 112), "seat")


def desk(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a desk with a chest of drawers on one side."""
    pen = Pen(canvas, "desk", x, y, size, "wood", mirror=chance(rng, 50))
    color = wood(rng)
    pen.box(-46, 0, -41, 42, shade(color, 75), "leg")
    pen.box(14, 2, 46, 42, shade(color, 70))
    for v in (4, 17, 30):
        pen.box(16, v, 44, v + 11, shade(color, 92), "drawer")
        pen.box(26, v + 4, 34, v + 7, (216, 210, 196), "handle", "metal")
    pen.box(-50, 42, 50, 48, color)


def office_chair(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a swivel chair on castors."""
    pen = Pen(canvas, "office chair", x, y, size, "fabric", mirror=chance(rng, 50))
    color, steel = vivid(rng), (70, 70, 76)
    for u in (-24, 0, 24):
        pen.bar((0, 16), (u, 6), 4, steel, "", "metal")
        pen.disc(u, 4, 5, (34, 34, 36), "castor", "plastic")
    pen.bar((0, 12), (0, 40), 6, steel, "", "metal")
    pen.oval(0, 43, 28, 7, color, "seat")
    pen.bar((-22, 44), (-28, 60), 4, steel, "", "metal")
    pen.oval(-26, 78, 10, 24, shade(color, 90), "backrest")


def bookcase(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw shelves full of books."""
    pen = Pen(canvas, "bookcase", x, y, size, "wood")
    color = wood(rng)
    half, rows = pick(rng, 24, 36), pick(rng, 3, 4)
    pen.box(-half, 0, half, 100, color)
    high = 96 // rows
    for row in range(rows):
        low = 3 + row * high
        pen.box(-half + 4, low, half - 4, low + high - 4, shade(color, 45))
        u = -half + 4
        while u < half - 10:
            wide = pick(rng, 4, 7)
            if chance(rng, 86):
                pen.box(
                    u,
                    low,
                    u + wide - 1,
                    low + pick(rng, high * 5 // 9, high - 6),
                    vivid(rng),
                    "book",
                    "fabric",
                )
            u += wide
        pen.box(-half, low - 3, half, low, shade(color, 115), "shelf")


def lamp(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a standing lamp or table lamp with a cloth shade."""
    pen = Pen(canvas, "lamp", x, y, size, "metal")
    lit = chance(rng, 60)
    cloth = mix(vivid(rng), (255, 236, 180), 60 if lit else 10)
    pen.bar((0, 4), (0, 70), 4, between(rng, (60, 60, 64), (200, 180, 120)), "stand")
    pen.oval(0, 4, 18, 4, (70, 66, 62), "stand")
    pen.poly(((-28, 62), (28, 62), (16, 100), (-16, 100)), cloth, "shade", "fabric", lit)


def plant(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a pot plant."""
    pen = Pen(canvas, "plant", x, y, size, "foliage")
    color = foliage(rng)
    count = pick(rng, 5, 8)
    for i in range(count):
        angle = 20 + 140 * i // (count - 1)
        reach = pick(rng, 44, 62)
        tip = (reach * sine(angle + 90) // 1024 * 4 // 5, 34 + reach * sine(angle) // 1024)
        side = (9 * -sine(angle) // 1024, 9 * sine(angle + 90) // 1024)
        middle = (tip[0] * 3 // 5, 32 + (tip[1] - 32) * 3 // 5)
        pen.poly(
            ((0, 30), (middle[0] + side[0], middle[1] + side[1]), tip,
             (middle[0] - side[0], middle[1] - side[1])),
            shade(color, 84 + 6 * (i % 4)), "leaf",
        )  # fmt: skip
    pot = vivid(rng)
    pen.poly(((-17, 0), (17, 0), (23, 30), (-23, 30)), pot, "pot", "ceramic")
    pen.box(-25, 27, 25, 34, shade(pot, 82), "pot", "ceramic")


def rug(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a patterned rug on the floor."""
    pen = Pen(canvas, "rug", x, y, size, "fabric")
    one, two = vivid(rng), vivid(rng)
    pen.poly(((-50, 0), (50, 0), (42, 20), (-42, 20)), one)
    if chance(rng, 50):
        for u in range(-40, 40, 16):
            pen.poly(((u, 1), (u + 8, 1), (u * 6 // 7 + 7, 19), (u * 6 // 7, 19)), two)
    else:
        pen.oval(0, 10, 32, 7, two)
        pen.oval(0, 10, 18, 4, one)


def picture(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a framed picture."""
    pen = Pen(canvas, "picture", x, y, size, "wood")
    half = pick(rng, 34, 50)
    pen.box(-half, 0, half, 76, wood(rng), "frame")
    pen.box(-half + 6, 6, half - 6, 70, pastel(rng), "", "fabric")
    if chance(rng, 50):
        pen.poly(
            ((-half + 6, 6), (half - 6, 6), (half - 6, 26), (4, 46), (-half + 6, 20)),
            vivid(rng),
            "",
            "fabric",
        )
        pen.disc(pick(rng, -18, 18), 54, 9, vivid(rng), "", "fabric")
    else:
        for _ in range(4):
            pen.oval(
                pick(rng, -20, 20),
                pick(rng, 22, 54),
                pick(rng, 6, 13),
                pick(rng, 6, 13),
                vivid(rng),
                "",
                "fabric",
            )


def clock(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a round wall clock."""
    pen = Pen(canvas, "clock", x, y, size, "plastic")
    pen.disc(0, 50, 50, vivid(rng))
    pen.disc(0, 50, 40, (246, 244, 238))
    for turn in range(0, 360, 90):
        pen.disc(33 * sine(turn + 90) // 1024, 50 + 33 * sine(turn) // 1024, 4, (40, 40, 44))
    for reach, turn in ((22, pick(rng, 0, 359)), (32, pick(rng, 0, 359))):
        pen.bar(
            (0, 50),
            (reach * sine(turn + 90) // 1024, 50 + reach * sine(turn) // 1024),
            6,
            (30, 30, 34),
            "hand",
        )


def window(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a window with panes and, often, curtains."""
    pen = Pen(canvas, "window", x, y, size, "wood")
    frame = mix(pastel(rng), (250, 250, 250), 60)
    half = pick(rng, 30, 46)
    pen.box(-half, 0, half, 90, frame)
    night = chance(rng, 25)
    view = (
        between(rng, (16, 20, 44), (50, 50, 90)) if night else between(rng, (140, 190, 232), (236, 240, 244))
    )
    for left, right in ((-half + 5, -2), (2, half - 5)):
        pen.box(left, 6, right, 46, view, "pane", "glass", True)
        pen.box(left, 50, right, 84, view, "pane", "glass", True)
    if chance(rng, 55):
        cloth = vivid(rng)
        for side in (-1, 1):
            pen.poly(
                ((side * (half + 8), -6), (side * (half - 8), -6),
                 (side * (half - 18), 94), (side * (half + 8), 94)),
                cloth, "curtain", "fabric",
            )  # fmt: skip
            pen.bar(
                (side * (half + 1), -6), (side * (half - 2), 94), 3, shade(cloth, 75), "curtain", "fabric"
            )
        pen.bar((-half - 12, 95), (half + 12, 95), 4, (90, 70, 54), "", "wood")


def door(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a door in a room."""
    pen = Pen(canvas, "door", x, y, size, "wood", mirror=chance(rng, 50))
    color = wood(rng)
    pen.box(-24, 0, 24, 100, shade(color, 120))
    pen.box(-20, 0, 20, 97, color)
    for low, high in ((8, 44), (54, 90)):
        pen.box(-14, low, 14, high, shade(color, 80))
    pen.box(12, 47, 18, 51, (226, 206, 130), "handle", "metal")


def whiteboard(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a whiteboard or blackboard with scribbles."""
    pen = Pen(canvas, "whiteboard", x, y, size, "plastic")
    dark = chance(rng, 35)
    pen.box(-50, 0, 50, 58, wood(rng), "", "wood")
    pen.box(
        -46,
        4,
        46,
        54,
        between(rng, (30, 60, 50), (44, 44, 50)) if dark else between(rng, (226, 230, 234), (250, 250, 250)),
    )
    for _ in range(pick(rng, 3, 5)):
        ink = (236, 236, 226) if dark else vivid(rng)
        u, v = pick(rng, -42, 4), pick(rng, 10, 46)
        for _ in range(3):
            step = pick(rng, 6, 14)
            pen.bar((u, v), (min(u + step, 44), v + pick(rng, -3, 3)), 3, ink)
            u += step
