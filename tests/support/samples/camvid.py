"""CamVid as it is handed on in 32 colours: frames in a folder for each split, and masks beside it."""

from __future__ import annotations

from pathlib import Path

from support.masked import Array, blocks, coloured, grey, photograph, save, save_photograph

FRAMES = {
    "train": ("0001TP_006690", "0006R0_f00930", "0016E5_07890"),
    "val": ("0016E5_07959",),
    "test": ("Seq05VD_f00000", "Seq05VD_f00030"),
}
# What the masks of the sample hold, as the published table has it: name in this package, colour.
COLORS = {
    1: ("sky", (128, 128, 128)),
    2: ("road", (128, 64, 128)),
    3: ("column pole", (192, 192, 128)),
    4: ("lane markings drivable", (128, 0, 192)),
    5: ("bicyclist", (0, 128, 192)),
    0: ("", (0, 0, 0)),
}
# The same frames as the papers on segmentation have them: names by index, 11 is void.
ELEVEN = (
    *("sky", "building", "pole", "road", "pavement", "tree", "sign symbol", "fence", "car", "pedestrian"),
    "bicyclist",
)


def frames() -> list[tuple[str, str, int]]:
    """Split, name and seed of each."""
    named = [(split, name) for split, names in FRAMES.items() for name in names]
    return [(split, name, seed) for seed, (split, name) in enumerate(named)]


def mask(seed: int) -> Array:
    return blocks(seed, tuple(COLORS))


def make(folder: Path) -> None:
    for split, name, seed in frames():
        save_photograph(folder / "CamVid" / split / f"{name}.png", photograph(seed))
        colors = {code: color for code, (_, color) in COLORS.items()}
        save(folder / "CamVid" / f"{split}_labels" / f"{name}_L.png", coloured(mask(seed), colors))
    (folder / "CamVid" / "class_dict.csv").write_text("name,r,g,b\nSky,128,128,128\n", encoding="utf-8")


def make_eleven(folder: Path) -> None:
    """Make the form with masks of indices."""
    for split, name, seed in frames():
        save_photograph(folder / "CamVid" / split / f"{name}.png", photograph(seed))
        save(folder / "CamVid" / f"{split}annot" / f"{name}.png", grey(blocks(seed, tuple(range(12)))))
