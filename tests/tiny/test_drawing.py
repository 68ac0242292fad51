"""What is drawn: concepts, scenes, parts on their objects, and colors by name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from support.tiny_set import decoded, label_map

from onnxdissect.tiny import BumpMaps, draw, scene_of, texture_of
from onnxdissect.tiny.concepts import (
    CATEGORIES,
    COLORS,
    MATERIALS,
    NAMES,
    NESTED_PARTS,
    NUMBERS,
    OBJECTS,
    PARTS,
    PARTS_OF,
    SCENES,
    TEXTURES,
)
from onnxdissect.tiny.painting.canvas import Canvas
from onnxdissect.tiny.painting.colors import color_codes
from onnxdissect.tiny.painting.polygons import filler, pieces

PLANES = ("color", "object", "part", "nested", "material")


def test_there_are_enough_concepts() -> None:
    assert len(SCENES) == 12
    assert len(TEXTURES) == 12
    assert len(COLORS) == 11
    assert len(MATERIALS) >= 6
    assert len(OBJECTS) >= 20
    assert len(PARTS) >= 15
    assert {part for parts in PARTS_OF.values() for part in parts} == set(PARTS)


def test_names_and_numbers_agree() -> None:
    for category in CATEGORIES:
        assert len(set(NAMES[category])) == len(NAMES[category])
    assert len(set(NUMBERS.values())) == len(NUMBERS)
    assert max(NUMBERS.values()) > 255  # the second byte of the label maps is used
    assert {name for names in NAMES.values() for name in names} == set(NUMBERS)


def test_an_image_depends_on_seed_and_index_alone(bump_maps: BumpMaps) -> None:
    one, again = draw(3, 11, bump_maps), draw(3, 11, BumpMaps())
    assert np.array_equal(one.image, again.image)
    for plane in PLANES:
        assert np.array_equal(one.planes[plane], again.planes[plane])
    assert not np.array_equal(one.image, draw(4, 11, bump_maps).image)
    assert not np.array_equal(one.image, draw(3, 11 + 96, bump_maps).image)


def test_scenes_and_textures_come_in_turn() -> None:
    whole = range(8 * 12)
    assert Counter(texture_of(i) for i in whole if scene_of(i) is None) == dict.fromkeys(range(12), 1)
    assert Counter(scene_of(i) for i in whole if texture_of(i) is None) == dict.fromkeys(range(12), 7)


def test_parts_lie_on_their_objects(bump_maps: BumpMaps) -> None:
    seen: set[tuple[str, str]] = set()
    for index in range(64):
        drawing = draw(5, index, bump_maps)
        if drawing.texture is not None:
            assert set(drawing.planes) == {"color"}
            continue
        triples = np.stack([drawing.planes[plane] for plane in ("object", "part", "nested")], axis=-1)
        for thing, part, nested in np.unique(triples.reshape(-1, 3), axis=0).tolist():
            if part:
                assert PARTS[part - 1] in PARTS_OF[OBJECTS[thing - 1]]
                seen.add((OBJECTS[thing - 1], PARTS[part - 1]))
            if nested:
                assert PARTS[nested - 1] in PARTS_OF[OBJECTS[thing - 1]]
                assert NESTED_PARTS[PARTS[nested - 1]] == PARTS[part - 1]
    assert len({part for _, part in seen}) >= 40


def test_a_stroke_takes_no_foreign_part() -> None:
    with pytest.raises(KeyError, match="sail is no part of car"):
        Canvas().polygon([(0, 0), (9, 0), (9, 9)], (1, 2, 3), "car", "sail")


def test_a_polygon_is_cut_where_need_be() -> None:
    fill = filler()
    comb = [
        (10, 10),
        (90, 10),
        (90, 80),
        (70, 80),
        (70, 40),
        (50, 40),
        (50, 80),
        (30, 80),
        (30, 40),
        (10, 40),
    ]
    for corners in (comb, comb[::-1]):
        parts = pieces(corners)
        assert len(parts) == len(comb) - 2
        plane = np.zeros((100, 100), np.uint8)
        fill(plane, corners, 7)
        expected = np.zeros_like(plane)
        expected[10:41, 10:91] = expected[10:81, 30:51] = expected[10:81, 70:91] = 7
        assert np.array_equal(plane, expected)
    roof = [(0, 0), (40, 5), (20, 50), (10, 20)]
    assert pieces(roof) == [roof]


def test_things_come_in_many_colors_and_everything_occurs(bump_maps: BumpMaps) -> None:
    shades: dict[str, set[int]] = {"car": set(), "sofa": set(), "tent": set(), "kettle": set()}
    objects: set[int] = set()
    parts: set[int] = set()
    materials: set[int] = set()
    for index in range(400):
        drawing = draw(6, index, bump_maps)
        if drawing.texture is not None:
            continue
        things = drawing.planes["object"]
        objects.update(np.unique(things).tolist())
        parts.update(np.unique(drawing.planes["part"]).tolist(), np.unique(drawing.planes["nested"]).tolist())
        materials.update(np.unique(drawing.planes["material"]).tolist())
        for thing, colors in shades.items():
            where = things == OBJECTS.index(thing) + 1
            if where.sum() > 20:
                colors.add(int(np.bincount(drawing.planes["color"][where]).argmax()))
    assert objects >= set(range(1, len(OBJECTS) + 1))
    assert parts >= set(range(1, len(PARTS) + 1))
    assert materials >= set(range(1, len(MATERIALS) + 1))
    assert all(len(colors) >= 6 for colors in shades.values()), shades


def naive_color(red: int, green: int, blue: int) -> str:
    value, chroma = max(red, green, blue), max(red, green, blue) - min(red, green, blue)
    if value < 48:
        return "black"
    if 100 * chroma < 16 * value or chroma < 14:
        return "black" if value < 70 else "white" if value > 196 else "grey"
    if value == red:
        hue = 60 * (green - blue) // chroma % 360
    elif value == green:
        hue = 120 + 60 * (blue - red) // chroma
    else:
        hue = 240 + 60 * (red - green) // chroma
    ends = (
        (14, "red"),
        (44, "orange"),
        (68, "yellow"),
        (170, "green"),
        (258, "blue"),
        (312, "purple"),
        (346, "pink"),
    )
    name = next((name for end, name in ends if hue < end), "red")
    weak = 100 * chroma
    if name == "red" and value > 150 and weak < 58 * value:
        return "pink"
    if 4 <= hue < 44 and (value < 165 or weak < 52 * value):
        return "brown"
    if name == "yellow" and value < 110:
        return "green" if hue >= 56 else "brown"
    if name == "pink" and value < 110:
        return "purple"
    return name


def test_color_names_follow_the_pixels(made: Path, bump_maps: BumpMaps) -> None:
    rng = np.random.RandomState(0)
    anything = rng.randint(0, 256, (40, 50, 3)).astype(np.uint8)
    greyish = np.clip(anything[:, :1] + rng.randint(-9, 9, (40, 50, 3)), 0, 255).astype(np.uint8)
    for image in (anything, greyish):
        names = [COLORS[code - 1] for code in color_codes(image).ravel().tolist()]
        assert names == [naive_color(*pixel) for pixel in image.reshape(-1, 3).tolist()]
    image = decoded(made / "images/scenes/00003.png").astype(np.int64)
    numbers = label_map(made / "images/scenes/00003_color.png")
    for row in range(0, 56, 5):
        for column in range(0, 56, 3):
            block = image[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].reshape(4, 3)
            mean = [(int(total) + 2) // 4 for total in block.sum(axis=0)]
            assert numbers[row, column] == NUMBERS[naive_color(*mean) + "-c"]


def test_color_names_of_plain_paint() -> None:
    paints = {
        "red": (220, 30, 30), "green": (40, 160, 60), "blue": (40, 80, 220), "yellow": (240, 220, 40),
        "orange": (250, 140, 20), "brown": (110, 70, 40), "pink": (250, 170, 190), "purple": (130, 40, 180),
        "white": (250, 250, 250), "grey": (128, 128, 128), "black": (10, 12, 10),
    }  # fmt: skip
    for name, paint in paints.items():
        assert COLORS[int(color_codes(np.array([[paint]], np.uint8))[0, 0]) - 1] == name
