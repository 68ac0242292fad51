"""Things that drive, sail or fly."""

from __future__ import annotations

from itertools import pairwise

from numpy.random import RandomState

from onnxdissect.tiny.painting.canvas import Canvas, Color, Pen, sine
from onnxdissect.tiny.painting.paints import between, chance, mix, pick, shade, tint, vivid

__all__ = ["airplane", "bicycle", "bus", "car", "sailing_boat", "ship", "tractor", "train"]

RUBBER: Color = (38, 36, 40)


def _glass(rng: RandomState) -> tuple[Color, bool]:
    # a lit pane glows at night; an unlit one is as dark as the night is
    if chance(rng, 25):
        return between(rng, (255, 236, 170), (255, 214, 110), 0), True
    return between(rng, (96, 130, 156), (196, 226, 238)), False


def _wheel(pen: Pen, u: int, v: int, radius: int, hub: Color) -> None:
    pen.disc(u, v, radius, RUBBER, "wheel", "plastic")
    pen.disc(u, v, radius * 11 // 20, hub, "hub", "metal")


def car(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a saloon, an estate or a van, seen from the side."""
    pen = Pen(canvas, "car", x, y, size, "metal", mirror=chance(rng, 50))
    body, (pane, lit) = vivid(rng), _glass(rng)
    roof = pick(rng, 34, 46)
    rear = pick(rng, -46, -24)
    pen.poly(((rear - 4, 24), (rear + 4, roof), (12, roof), (28, 24)), shade(body, 90))
    pen.poly(((rear + 2, 25), (rear + 7, roof - 3), (-10, roof - 3), (-10, 25)), pane, "window", "glass", lit)
    pen.poly(((-6, 25), (-6, roof - 3), (10, roof - 3), (22, 25)), pane, "window", "glass", lit)
    pen.poly(((-50, 8), (-50, 22), (-44, 26), (30, 26), (48, 20), (50, 8)), body)
    pen.box(-50, 8, 50, 12, shade(body, 70))
    pen.box(-10, 10, -9, 25, shade(body, 70))
    pen.disc(47, 17, 4, (255, 244, 190), "headlight", "glass", True)
    hub = between(rng, (140, 140, 146), (226, 226, 230))
    _wheel(pen, -28, 10, 10, hub)
    _wheel(pen, 28, 10, 10, hub)


def bus(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a bus with a row of windows."""
    pen = Pen(canvas, "bus", x, y, size, "metal", mirror=chance(rng, 50))
    body, (pane, lit) = vivid(rng), _glass(rng)
    top = pick(rng, 42, 54)
    pen.box(-50, 8, 50, top, body)
    pen.box(-50, 12, 50, 18, vivid(rng))
    count = pick(rng, 4, 6)
    step = 74 // count
    for i in range(count):
        left = -46 + i * step
        pen.box(left, 26, left + step - 3, top - 6, pane, "window", "glass", lit)
    pen.box(32, 10, 42, top - 6, mix(body, (30, 30, 34), 45), "door", "metal")
    pen.box(34, 24, 40, top - 8, pane, "door", "glass", lit)
    pen.box(45, 24, 50, top - 6, pane, "window", "glass", lit)
    pen.disc(48, 14, 3, (255, 244, 190), "headlight", "glass", True)
    for u in (-30, 22):
        _wheel(pen, u, 9, 9, (170, 170, 176))


def bicycle(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a bicycle."""
    pen = Pen(canvas, "bicycle", x, y, size, "metal", mirror=chance(rng, 50))
    frame = vivid(rng)
    spoke = between(rng, (120, 120, 126), (210, 210, 214))
    for u in (-28, 28):
        rim = [(sine(a + 90), sine(a)) for a in range(0, 361, 20)]
        for (c0, s0), (c1, s1) in pairwise(rim):
            pen.bar(
                (u + c0 * 20 // 1024, 21 + s0 * 20 // 1024),
                (u + c1 * 20 // 1024, 21 + s1 * 20 // 1024),
                4, RUBBER, "wheel", "plastic",
            )  # fmt: skip
        for a in (20, 80, 140):
            c, s = 18 * sine(a + 90) // 1024, 18 * sine(a) // 1024
            pen.bar((u - c, 21 - s), (u + c, 21 + s), 1, spoke, "wheel")
    for start, end in (
        ((-28, 21), (-10, 50)), ((-10, 50), (2, 20)), ((-28, 21), (2, 20)),
        ((2, 20), (22, 52)), ((-10, 50), (22, 52)), ((28, 21), (20, 62)),
    ):  # fmt: skip
        pen.bar(start, end, 4, frame)
    pen.bar((-12, 50), (-13, 58), 3, spoke)
    pen.box(-20, 57, -6, 62, (50, 40, 36), "saddle", "plastic")
    pen.bar((14, 64), (28, 66), 5, (60, 58, 60), "handlebar")


def tractor(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a tractor: one large wheel, one small, a cab and an exhaust."""
    pen = Pen(canvas, "tractor", x, y, size, "metal", mirror=chance(rng, 50))
    body, (pane, lit) = vivid(rng), _glass(rng)
    pen.bar((24, 46), (24, 70), 4, (70, 70, 74), "chimney")
    pen.box(-36, 24, 44, 48, body)
    pen.box(34, 26, 44, 46, shade(body, 70))
    pen.box(-38, 48, 6, 80, shade(body, 90))
    pen.box(-33, 50, 1, 74, pane, "window", "glass", lit)
    pen.box(-42, 78, 10, 84, shade(body, 75))
    hub = tint(pick(rng, 0, 59), pick(rng, 30, 220), 230)
    _wheel(pen, -22, 24, 24, hub)
    _wheel(pen, 34, 14, 14, hub)


def train(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a locomotive or rail car."""
    pen = Pen(canvas, "train", x, y, size, "metal", mirror=chance(rng, 50))
    body, (pane, lit) = vivid(rng), _glass(rng)
    for u in range(-44, 46, 12):
        pen.disc(u, 5, 5, (70, 68, 72), "wheel")
    pen.poly(((-70, 6), (-70, 36), (36, 36), (48, 24), (52, 6)), body)
    pen.poly(((-70, 36), (36, 36), (33, 39), (-70, 39)), shade(body, 70))
    stripe = vivid(rng)
    pen.poly(((-70, 12), (-70, 17), (50, 17), (51, 12)), stripe)
    for u in range(-66, 10, 15):
        pen.box(u, 21, u + 10, 32, pane, "window", "glass", lit)
    pen.box(14, 8, 24, 33, mix(body, stripe, 60), "door")
    pen.box(16, 21, 22, 31, pane, "door", "glass", lit)
    pen.poly(((29, 22), (29, 33), (37, 33), (45, 24), (45, 22)), pane, "window", "glass", lit)
    pen.disc(47, 11, 4, (255, 246, 200), "headlight", "glass", True)


def airplane(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw an airliner in flight."""
    pen = Pen(canvas, "airplane", x, y, size, "metal", mirror=chance(rng, 50))
    body = mix(vivid(rng), (240, 240, 244), 60)
    pen.poly(((-8, 2), (10, 2), (-2, 22), (-12, 22)), shade(body, 76), "wing")
    pen.poly(((-50, 4), (-40, 4), (-48, 26), (-56, 26)), vivid(rng), "tail")
    pen.poly(((-50, -4), (-46, 6), (36, 6), (50, 0), (36, -6), (-40, -6)), body)
    for u in range(-34, 36, 9):
        pen.disc(u, 2, 2, (70, 100, 130), "window", "glass")
    pen.poly(((-10, -2), (12, -2), (-16, -24), (-28, -24)), shade(body, 88), "wing")


def sailing_boat(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a sailing boat with one or two sails."""
    pen = Pen(canvas, "sailing boat", x, y, size, "wood", mirror=chance(rng, 50))
    sail = mix(vivid(rng), (248, 246, 240), 50 if chance(rng, 50) else 0)
    pen.bar((-2, 10), (-2, 98), 3, (110, 84, 60), "mast")
    belly = pick(rng, 28, 42)
    pen.poly(((1, 22), (1, 96), (belly, 26)), sail, "sail", "fabric")
    if chance(rng, 70):
        pen.poly(((-6, 22), (-6, 88), (-belly + 4, 24)), shade(sail, 88), "sail", "fabric")
    hull = vivid(rng)
    pen.poly(((-40, 18), (44, 18), (32, 0), (-30, 0)), hull, "hull")
    pen.poly(((-40, 18), (44, 18), (42, 14), (-38, 14)), shade(hull, 70), "hull")


def ship(canvas: Canvas, rng: RandomState, x: int, y: int, size: int) -> None:
    """Draw a freighter or ferry with a deckhouse and a funnel."""
    pen = Pen(canvas, "ship", x, y, size, "metal", mirror=chance(rng, 50))
    hull, (pane, lit) = vivid(rng), _glass(rng)
    house = mix(vivid(rng), (245, 245, 240), 70)
    pen.box(-28, 44, -16, 62, vivid(rng), "chimney")
    pen.box(-28, 56, -16, 60, (40, 40, 44), "chimney")
    pen.box(-38, 20, 2, 38, house)
    pen.box(-32, 36, -6, 48, shade(house, 92))
    for u in range(-35, -2, 9):
        pen.box(u, 27, u + 5, 33, pane, "window", "glass", lit)
    if chance(rng, 60):
        for u in range(6, 34, 10):
            pen.box(u, 20, u + 9, 20 + pick(rng, 6, 16), vivid(rng))
    pen.poly(((-50, 24), (-44, 24), (-42, 20), (44, 20), (54, 26), (44, 0), (-42, 0)), hull, "hull")
    pen.poly(((-43, 5), (46, 5), (44, 0), (-42, 0)), shade(hull, 60), "hull")
