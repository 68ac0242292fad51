"""Data sets drawn from a larger one: rows of its index, shuffled annotations, crops."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

_ABOUT = ("image", "split", "ih", "iw", "sh", "sw")


def read_index(source: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a Broden folder's index."""
    with (source / "index.csv").open(newline="", encoding="utf-8-sig") as file:
        header, *rows = list(csv.reader(file))
    return header, rows


def write_folder(source: Path, target: Path, header: list[str], rows: list[list[str]]) -> Path:
    """A Broden folder with the tables of another one and an index of its own; the images are to be added."""
    target.mkdir(parents=True, exist_ok=True)
    for table in source.glob("*.csv"):
        shutil.copy(table, target)
    with (target / "index.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return target


def link_images(source: Path, target: Path) -> str:
    """Let a folder show the images of another one, and tell what opens it."""
    (target / "images").unlink(missing_ok=True)
    (target / "images").symlink_to((source / "images").absolute(), target_is_directory=True)
    return f"linked:{target.absolute()}"


def draw(source: Path, target: Path, images: int, random: np.random.Generator, *, shuffled: bool) -> str:
    """A Broden folder of images drawn with replacement; shuffled, with the annotations of others."""
    header, rows = read_index(source)
    chosen = [rows[i] for i in random.integers(0, len(rows), images)]
    if shuffled:
        # What belongs to the picture stays, what belongs to the annotation moves.
        own = [header.index(name) for name in ("image", "split", "ih", "iw")]
        permutations = [chosen[i] for i in random.permutation(images)]
        chosen = [
            [row[i] if i in own else donor[i] for i in range(len(header))]
            for row, donor in zip(chosen, permutations, strict=True)
        ]
    return link_images(source, write_folder(source, target, header, chosen))


def disturb(source: Path, folders: Sequence[Path], images: int, random: np.random.Generator) -> list[str]:
    """Broden folders of the same drawn images and labels, each with the pixels disturbed anew.

    Contrast, brightness and noise are drawn for every image of every folder alike, so that no folder differs
    from another but by chance. All have the same fingerprint: to a comparison they are the same images.
    """
    header, rows = read_index(source)
    at = header.index("image")
    chosen = [rows[i] for i in random.integers(0, len(rows), images)]
    named = [[*row[:at], f"disturbed/{number:05d}.png", *row[at + 1 :]] for number, row in enumerate(chosen)]
    opened = []
    for folder in folders:
        write_folder(source, folder, header, named)
        own = folder / "images" / "disturbed"
        own.mkdir(parents=True)
        for inner in (source / "images").iterdir():
            (folder / "images" / inner.name).symlink_to(inner.absolute(), inner.is_dir())
        for number, row in enumerate(chosen):
            pixels = cv2.imread(str(source / "images" / row[at]), cv2.IMREAD_COLOR).astype(np.float32)
            pixels = (pixels - 127) * random.uniform(0.7, 1.3) + 127 + random.uniform(-30, 30)
            pixels += 12 * random.standard_normal(pixels.shape, np.float32)
            disturbed = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
            # stored as they are: files of one length give all folders one fingerprint
            cv2.imwrite(str(own / f"{number:05d}.png"), disturbed, [cv2.IMWRITE_PNG_COMPRESSION, 0])
        opened.append(f"linked:{folder.absolute()}")
    return opened


def crop(
    source: Path, target: Path, chosen: NDArray[np.integer], share: float, random: np.random.Generator
) -> Path:
    """A Broden folder of random crops: a window of each chosen image, the same of its label maps.

    The window has the given share of each side and begins and ends between label pixels.
    """
    header, rows = read_index(source)
    at = {name: header.index(name) for name in _ABOUT}
    written = []
    for number, row in enumerate(rows[i] for i in chosen):
        ih, iw, sh, sw = (int(row[at[name]]) for name in ("ih", "iw", "sh", "sw"))
        if ih % sh or iw % sw:
            raise SystemExit(f"{row[at['image']]}: {ih}x{iw} is no multiple of its label map, {sh}x{sw}")
        high, wide = max(1, round(share * sh)), max(1, round(share * sw))
        top, left = int(random.integers(sh - high + 1)), int(random.integers(sw - wide + 1))

        def cut(path: str, number: int, window: tuple[slice, slice]) -> str:
            cropped = f"{number:05d}/{Path(path).with_suffix('.png')}"
            out = target / "images" / cropped
            out.parent.mkdir(parents=True, exist_ok=True)
            pixels = cv2.imread(str(source / "images" / path), cv2.IMREAD_COLOR)
            # Speed matters more here than bytes.
            cv2.imwrite(str(out), pixels[window], [cv2.IMWRITE_PNG_COMPRESSION, 1])
            return cropped

        zoom, turn = ih // sh, iw // sw
        labels = slice(top, top + high), slice(left, left + wide)
        picture = slice(zoom * top, zoom * (top + high)), slice(turn * left, turn * (left + wide))
        row = list(row)
        for i, name in enumerate(header):
            if name not in _ABOUT:
                parts = [cut(part, number, labels) if "." in part else part for part in row[i].split(";")]
                row[i] = ";".join(parts)
        row[at["image"]] = cut(row[at["image"]], number, picture)
        for name, value in (("ih", zoom * high), ("iw", turn * wide), ("sh", high), ("sw", wide)):
            row[at[name]] = str(value)
        written.append(row)
    return write_folder(source, target, header, written)
