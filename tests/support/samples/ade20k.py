"""ADE20K as it is published: ``ADE20K_2016_07_26``, the full set, and ``ADEChallengeData2016``, scene "
"parsing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from support.masked import Array, blocks, grey, photograph, save, save_photograph

# Number of a class, and its names in the release: some are numbered above 255, two begin alike.
NAMES = {
    3: "arm",
    300: "building, edifice",
    774: "door",
    800: "door, double door",
    1001: "hand",
    2978: "wall",
}
LAST = max(NAMES)
# By photograph: classes of the mask of objects, and of each level of parts.
FULL: dict[str, list[tuple[int, ...]]] = {
    "training/b/bedroom/ADE_train_00000001": [(0, 774, 2978), (0, 3, 800), (0, 1001)],
    "training/b/bus_station/indoor/ADE_train_00000002": [(0, 300, 2978)],
    "validation/misc/ADE_val_00000001": [(300, 774)],
}
CLASSES = ("wall", "building, edifice", "sky", "floor, flooring")
PARSING = {
    "training/ADE_train_00000001": "bedroom",
    "training/ADE_train_00000002": "bus_station",
    "validation/ADE_val_00000001": "bedroom",
}


def codes(photograph_: str, level: int) -> Array:
    return blocks(37 * level + int(photograph_[-3:]), FULL[photograph_][level])


def instances(mask: Array) -> Array:
    """An instance a class, in the order of their numbers."""
    return np.searchsorted(np.unique(np.append(mask, 0)), mask)


def coded(mask: Array) -> Image.Image:
    """R / 10 * 256 + G of the class, and B of the instance."""
    return Image.fromarray(
        np.stack([mask // 256 * 10, mask % 256, 20 * instances(mask)], axis=2).astype(np.uint8)
    )


def attributes(photograph_: str) -> str:
    lines = []
    for level in range(len(FULL[photograph_])):
        mask = codes(photograph_, level)
        found = [code for code in np.unique(mask).tolist() if code]
        lines += [
            f'{i:03} # {level} # 0 # {NAMES[code]} # {NAMES[code].split(",")[0]} # ""\n'
            for i, code in enumerate(found, 1)
        ]
    return "".join(lines)


def make_full(folder: Path, *, index: bool = True) -> Path:
    root = folder / "ADE20K_2016_07_26"
    for name, levels in FULL.items():
        base = root / "images" / name
        save_photograph(base.with_suffix(".jpg"), photograph(int(name[-3:])))
        for level in range(len(levels)):
            ending = f"_parts_{level}.png" if level else "_seg.png"
            save(base.with_name(base.name + ending), coded(codes(name, level)))
        base.with_name(base.name + "_atr.txt").write_text(attributes(name), encoding="utf-8")
    if index:
        names = np.array([NAMES.get(code, f"unused {code}") for code in range(1, LAST + 1)], object).reshape(
            1, -1
        )
        presence = np.zeros((LAST, len(FULL)))
        savemat(
            root / "index_ade20k.mat",
            {"index": {"filename": names[:, :3], "objectPresence": presence, "objectnames": names}},
            do_compression=True,
        )
    return root


def parsing_mask(name: str) -> Array:
    return blocks(int(name[-3:]) + 50 * name.startswith("val"), (0, 1, 2, 4))


def make_parsing(folder: Path, *, scenes: bool = True) -> Path:
    root = folder / "ADEChallengeData2016"
    for name in PARSING:
        save_photograph(root / "images" / f"{name}.jpg", photograph(int(name[-3:])))
        save(root / "annotations" / f"{name}.png", grey(parsing_mask(name)))
    rows = "".join(f"{i}\t0.1\t1\t1\t{name}\n" for i, name in enumerate(CLASSES, 1))
    (root / "objectInfo150.txt").write_text(f"Idx\tRatio\tTrain\tVal\tName\n{rows}", encoding="utf-8")
    if scenes:
        lines = "".join(f"{name.rpartition('/')[2]} {scene}\n" for name, scene in PARSING.items())
        (root / "sceneCategories.txt").write_text(lines, encoding="utf-8")
    return root


def make(folder: Path) -> None:
    make_full(folder)
    make_parsing(folder)
