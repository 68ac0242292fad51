"""What is drawn: the names of the six categories, their label numbers, and which parts an object may have."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = [
    "CATEGORIES",
    "COLORS",
    "MATERIALS",
    "NAMES",
    "NESTED_PARTS",
    "NUMBERS",
    "OBJECTS",
    "PARTS",
    "PARTS_OF",
    "SCENES",
    "SYNONYMS",
    "TEXTURES",
]

SCENES = (
    "street", "harbour", "beach", "farm", "playground", "railway",
    "campsite", "kitchen", "bedroom", "living_room", "office", "bathroom",
)  # fmt: skip

TEXTURES = (
    "banded", "bubbly", "chequered", "cracked", "crosshatched", "grid",
    "honeycombed", "polka-dotted", "scaly", "spiralled", "woven", "zigzagged",
)  # fmt: skip

MATERIALS = (
    "asphalt", "brick", "ceramic", "fabric", "foliage", "fur", "glass", "grass",
    "metal", "plaster", "plastic", "sand", "stone", "tile", "water", "wood",
)  # fmt: skip

COLORS = ("black", "blue", "brown", "green", "grey", "orange", "pink", "purple", "red", "white", "yellow")

# Each object with the parts that may be drawn on it.
PARTS_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # surroundings
        "sky": (), "ground": (), "road": (), "sea": (), "hill": (), "wall": (), "floor": (),
        "cloud": (), "sun": (),
        # nature
        "tree": ("crown", "trunk"), "bush": (), "bird": ("wing", "beak"),
        "cat": ("head", "ear", "leg", "tail"),
        "cow": ("head", "horn", "leg", "tail"), "sheep": ("head", "leg"),
        "person": ("head", "hair", "torso", "arm", "leg"),
        # vehicles
        "car": ("wheel", "hub", "window", "headlight"),
        "bus": ("wheel", "hub", "window", "door", "headlight"),
        "bicycle": ("wheel", "saddle", "handlebar"), "tractor": ("wheel", "hub", "window", "chimney"),
        "train": ("wheel", "window", "door", "headlight"), "airplane": ("wing", "tail", "window"),
        "sailing boat": ("sail", "mast", "hull"), "ship": ("hull", "window", "chimney"),
        # buildings and street furniture
        "house": ("roof", "window", "door", "chimney"), "skyscraper": ("window", "door"),
        "barn": ("roof", "door", "window"), "windmill": ("blade", "roof", "door", "window"),
        "lighthouse": ("roof", "window", "door"), "crane": ("boom", "hook"), "fence": (),
        "street lamp": ("pole", "bulb"), "traffic light": ("pole", "signal"), "bench": ("leg", "backrest"),
        "railway signal": ("pole", "signal"), "track": (),
        # outdoors
        "parasol": ("canopy", "pole"), "deck chair": ("leg", "seat"), "sandcastle": ("tower", "flag"),
        "ball": (),
        "hay bale": (), "swing": ("leg", "seat"), "slide": ("leg", "ladder"), "seesaw": ("seat",),
        "tent": ("door",), "campfire": ("flame",), "rucksack": ("pocket",),
        # furniture and fittings
        "bed": ("headboard", "pillow", "blanket", "leg"), "wardrobe": ("door", "handle"),
        "sofa": ("cushion", "backrest", "leg"), "table": ("leg",), "chair": ("leg", "seat", "backrest"),
        "desk": ("leg", "drawer", "handle"), "office chair": ("seat", "backrest", "castor"),
        "bookcase": ("book", "shelf"), "lamp": ("shade", "stand"), "plant": ("leaf", "pot"), "rug": (),
        "picture": ("frame",), "clock": ("hand",), "window": ("pane", "curtain"), "door": ("handle",),
        "whiteboard": (),
        # appliances
        "stove": ("door", "handle", "burner"), "refrigerator": ("door", "handle"),
        "kettle": ("handle", "spout", "lid"),
        "cupboard": ("door", "handle"), "television": ("screen", "stand"),
        "computer": ("screen", "stand", "keyboard"),
        "bathtub": ("tap", "leg"), "toilet": ("lid", "cistern"), "washbasin": ("tap", "stand"),
        "mirror": ("frame",),
    }
)  # fmt: skip

OBJECTS = tuple(PARTS_OF)

PARTS = tuple(dict.fromkeys(part for parts in PARTS_OF.values() for part in parts))

# Parts of parts: drawn into a second label map, as the second part layer of the published layout.
NESTED_PARTS: Mapping[str, str] = MappingProxyType(
    {"hub": "wheel", "hair": "head", "ear": "head", "beak": "head"}
)

CATEGORIES = ("color", "object", "part", "material", "scene", "texture")

# Names in each category, in the order of the drawing's own codes (code = position + 1).
NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "color": tuple(f"{name}-c" for name in COLORS),
        "object": OBJECTS,
        "part": PARTS,
        "material": MATERIALS,
        "scene": tuple(f"{name}-s" for name in SCENES),
        "texture": TEXTURES,
    }
)

SYNONYMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "refrigerator": ("fridge", "icebox"), "television": ("tv",), "sofa": ("couch",), "stove": ("cooker",),
        "sea": ("water body",), "rucksack": ("backpack",), "grey-c": ("gray-c",), "parasol": ("sunshade",),
        "campsite-s": ("camping ground-s",), "harbour-s": ("harbor-s",), "sailing boat": ("sailboat",),
    }
)  # fmt: skip


def _number() -> dict[str, int]:
    # A hundred numbers for each category keeps a number when concepts are added, leaves gaps, and
    # takes both bytes of the label maps; a name in two categories (door, window) has one number.
    numbers: dict[str, int] = {}
    for block, category in enumerate(CATEGORIES):
        for position, name in enumerate(NAMES[category]):
            numbers.setdefault(name, 100 * block + position + 1)
    return numbers


NUMBERS: Mapping[str, int] = MappingProxyType(_number())
