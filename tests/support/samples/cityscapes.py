"""Cityscapes: ``leftImg8bit`` and ``gtFine``, with masks of numbers, of instances and of colours."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from support.masked import Array, blocks, coloured, grey, photograph, save, save_photograph

FRAMES = {
    "train": ("aachen_000000_000019", "aachen_000001_000019", "hamburg_000000_000042"),
    "val": ("frankfurt_000000_000294",),
    "test": ("berlin_000000_000019",),
}
# As the published table has them: number, name (none where nothing is labelled), colour.
CLASSES = {
    0: ("", (0, 0, 0)),
    1: ("", (0, 0, 0)),
    4: ("", (0, 0, 0)),
    5: ("", (111, 74, 0)),
    7: ("road", (128, 64, 128)),
    11: ("building", (70, 70, 70)),
    17: ("pole", (153, 153, 153)),
    24: ("person", (220, 20, 60)),
    26: ("car", (0, 0, 142)),
    33: ("bicycle", (119, 11, 32)),
}


def frames() -> list[tuple[str, str, int]]:
    """Split, name and seed of each."""
    named = [(split, name) for split, names in FRAMES.items() for name in names]
    return [(split, name, seed) for seed, (split, name) in enumerate(named)]


def mask(split: str, seed: int) -> Array:
    return blocks(seed, (0, 1) if split == "test" else tuple(CLASSES))


def make(folder: Path) -> None:
    root = folder / "cityscapes"
    for split, name, seed in frames():
        city = name.partition("_")[0]
        numbers = mask(split, seed)
        save_photograph(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png", photograph(seed))
        masks = root / "gtFine" / split / city
        save(masks / f"{name}_gtFine_labelIds.png", grey(numbers))
        save(masks / f"{name}_gtFine_instanceIds.png", grey(numbers.astype("uint16") * 1000))
        colors = {number: color for number, (_, color) in CLASSES.items()}
        save(masks / f"{name}_gtFine_color.png", _opaque(coloured(numbers, colors)))
        (masks / f"{name}_gtFine_polygons.json").write_text("{}", encoding="utf-8")


def _opaque(image: Image.Image) -> Image.Image:
    return image.convert("RGBA")
