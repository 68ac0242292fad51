"""Kitchen, bathroom and office equipment."""

from __future__ import annotations

from numpy.random import RandomState

from onnxdissect.tiny.painting.canvas import Canvas, Color, Pen
from onnxdissect.tiny.painting.paints import between, chance, mix, pastel, pick, shade, tint, vivid, wood

__all__ = [
    "bathtub", "computer", "cupboard", "kettle", "mirror", "refrigerator",
    "stove", "television", "toilet", "washbasin",
]  # fmt: skip

CHROME: Color = (196, 200, 206)


def _enamel(rng: RandomState) -> Color:
    return mix(vivid(rng), (248, 248, 246), 70) if chance(rng, 55) else vivid(rng)


def stove(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a cooker: oven door, knobs, burners on top."""
    pen = Pen(canvas, "stove", x, y, size, "metal")
    body = _enamel(rng)
    pen.box(-44, 0, 44, 90, body)
    pen.box(-44, 76, 44, 90, shade(body, 80))
    for u in range(-34, 40, 17):
        pen.disc(u, 83, 5, (50, 50, 54))
    lit = chance(rng, 30)
    pen.box(-38, 8, 38, 70, shade(body, 90), "door")
    pen.box(-30, 14, 30, 54, (255, 176, 80) if lit else (44, 42, 46), "door", "glass", lit)
    pen.box(-30, 60, 30, 65, CHROME, "handle")
    for u in (-24, 24):
        pen.box(u - 14, 90, u + 14, 94, (36, 36, 40), "burner")


def refrigerator(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a refrigerator with a freezer door."""
    pen = Pen(canvas, "refrigerator", x, y, size, "metal", mirror=chance(rng, 50))
    body = _enamel(rng)
    split = pick(rng, 58, 70)
    pen.box(-26, 0, 26, 100, shade(body, 70))
    pen.box(-24, 4, 24, split - 1, body, "door")
    pen.box(-24, split + 1, 24, 98, body, "door")
    pen.box(14, split - 26, 18, split - 6, (90, 92, 98), "handle")
    pen.box(14, split + 6, 18, split + 18, (90, 92, 98), "handle")
    if chance(rng, 40):
        for _ in range(3):
            u, v = pick(rng, -18, 6), pick(rng, 24, 50)
            pen.box(u, v, u + 7, v + 8, vivid(rng), "door", "plastic")


def kettle(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a kettle with spout, lid and handle."""
    pen = Pen(canvas, "kettle", x, y, size, "metal", mirror=chance(rng, 50))
    body = vivid(rng)
    grip = (44, 40, 40)
    pen.bar((-22, 52), (-20, 90), 8, grip, "handle", "plastic")
    pen.bar((-20, 90), (20, 90), 8, grip, "handle", "plastic")
    pen.bar((22, 52), (20, 90), 8, grip, "handle", "plastic")
    pen.poly(((26, 18), (32, 34), (56, 62), (60, 54), (44, 26)), shade(body, 85), "spout")
    pen.poly(((-40, 0), (40, 0), (34, 44), (20, 60), (-20, 60), (-34, 44)), body)
    pen.poly(((-30, 8), (-22, 8), (-16, 52), (-26, 46)), mix(body, (255, 255, 255), 50))
    pen.oval(0, 60, 20, 7, shade(body, 75), "lid")
    pen.disc(0, 68, 5, grip, "lid", "plastic")


def cupboard(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a wall cupboard with two to four doors."""
    pen = Pen(canvas, "cupboard", x, y, size, "wood")
    color = wood(rng) if chance(rng, 50) else pastel(rng)
    doors, high = pick(rng, 2, 4), pick(rng, 34, 50)
    pen.box(-50, 0, 50, high, shade(color, 65))
    wide = 100 // doors
    for i in range(doors):
        left = -50 + i * wide
        pen.box(left + 2, 3, left + wide - 2, high - 3, color, "door")
        pen.box(left + 6, 7, left + wide - 6, high - 7, shade(color, 88), "door")
        pen.box(left + wide // 2 - 4, 4, left + wide // 2 + 4, 7, CHROME, "handle", "metal")


def television(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a television set on a low stand."""
    pen = Pen(canvas, "television", x, y, size, "plastic")
    board = wood(rng)
    pen.box(-46, 0, 46, 18, board, "stand", "wood")
    pen.box(-42, 4, -2, 14, shade(board, 75), "stand", "wood")
    pen.box(2, 4, 42, 14, shade(board, 75), "stand", "wood")
    pen.box(-10, 18, 10, 24, (40, 40, 44), "stand")
    pen.box(-50, 22, 50, 80, between(rng, (20, 20, 24), (120, 120, 126)))
    on = chance(rng, 65)
    pen.box(
        -46,
        26,
        46,
        76,
        tint(pick(rng, 0, 359), pick(rng, 90, 220), 220) if on else (24, 26, 32),
        "screen",
        "glass",
        on,
    )
    if on:
        pen.poly(((-46, 26), (46, 26), (46, 40), (0, 52), (-46, 36)), vivid(rng), "screen", "glass", True)
        pen.disc(pick(rng, -24, 24), 60, 9, vivid(rng), "screen", "glass", True)


def computer(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a computer: screen on a foot, keyboard in front."""
    pen = Pen(canvas, "computer", x, y, size, "plastic")
    case = between(rng, (30, 30, 34), (226, 224, 214))
    pen.box(-6, 4, 6, 26, shade(case, 80), "stand")
    pen.box(-20, 4, 20, 9, shade(case, 80), "stand")
    pen.box(-46, 24, 46, 88, case)
    page = between(rng, (30, 40, 70), (244, 246, 250))
    pen.box(-41, 29, 41, 83, page, "screen", "glass", True)
    ink = (40, 50, 70) if sum(page) > 380 else (190, 230, 190)
    for v in range(36, 80, 9):
        left = -36 + 6 * pick(rng, 0, 2)
        pen.box(left, v, left + pick(rng, 24, 60), v + 4, ink, "screen", "glass", True)
    pen.poly(((-38, -4), (38, -4), (32, 8), (-32, 8)), shade(case, 90), "keyboard")
    for v in (-1, 3):
        pen.box(-30, v, 30, v + 2, shade(case, 45), "keyboard")


def bathtub(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a bathtub on feet, with a tap."""
    pen = Pen(canvas, "bathtub", x, y, size, "ceramic", mirror=chance(rng, 50))
    body = _enamel(rng)
    pen.bar((40, 38), (40, 56), 4, CHROME, "tap", "metal")
    pen.bar((40, 56), (28, 54), 4, CHROME, "tap", "metal")
    for u in (-32, 30):
        pen.poly(((u - 5, 0), (u + 3, 0), (u + 7, 10), (u - 7, 10)), (200, 176, 110), "leg", "metal")
    pen.poly(((-50, 38), (50, 38), (42, 14), (32, 6), (-34, 6), (-44, 14)), body)
    pen.poly(((-44, 14), (42, 14), (32, 6), (-34, 6)), shade(body, 84))
    pen.box(-53, 36, 53, 42, shade(body, 108))
    if chance(rng, 50):
        for _ in range(6):
            pen.disc(pick(rng, -40, 24), 43, pick(rng, 4, 7), (238, 246, 252), "", "water")


def toilet(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a toilet with its cistern."""
    pen = Pen(canvas, "toilet", x, y, size, "ceramic", mirror=chance(rng, 50))
    body = _enamel(rng)
    pen.box(-38, 46, -14, 92, shade(body, 92), "cistern")
    pen.box(-40, 90, -12, 96, shade(body, 108), "cistern")
    pen.poly(((-22, 0), (12, 0), (10, 18), (38, 44), (-24, 46)), body)
    pen.poly(((-24, 40), (38, 40), (40, 47), (-24, 47)), shade(body, 85))
    if chance(rng, 50):
        pen.poly(((-20, 47), (-13, 47), (-8, 88), (-16, 88)), shade(vivid(rng), 95), "lid", "plastic")
    else:
        pen.oval(8, 49, 32, 5, vivid(rng), "lid", "plastic")


def washbasin(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a washbasin on a column, with a tap."""
    pen = Pen(canvas, "washbasin", x, y, size, "ceramic")
    body = _enamel(rng)
    pen.poly(((-12, 0), (12, 0), (8, 56), (-8, 56)), shade(body, 86), "stand")
    pen.poly(((-40, 74), (40, 74), (26, 52), (-26, 52)), body)
    pen.box(-44, 72, 44, 79, shade(body, 108))
    pen.bar((0, 78), (0, 98), 6, CHROME, "tap", "metal")
    pen.bar((0, 97), (16, 94), 6, CHROME, "tap", "metal")
    for u in (-16, 26):
        pen.bar((u, 79), (u, 86), 6, CHROME, "tap", "metal")


def mirror(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a mirror, round or square."""
    pen = Pen(canvas, "mirror", x, y, size, "glass")
    frame, pane = wood(rng), between(rng, (176, 204, 216), (226, 238, 244))
    if chance(rng, 50):
        pen.oval(0, 50, 40, 50, frame, "frame", "wood")
        pen.oval(0, 50, 33, 43, pane)
    else:
        pen.box(-42, 0, 42, 100, frame, "frame", "wood")
        pen.box(-36, 6, 36, 94, pane)
    pen.poly(((-20, 34), (-8, 34), (16, 72), (4, 72)), mix(pane, (255, 255, 255), 60))
    pen.poly(((2, 34), (8, 34), (26, 62), (22, 66)), mix(pane, (255, 255, 255), 60))
