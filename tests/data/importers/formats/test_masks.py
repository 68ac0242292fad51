"""`data import masks`: indexed, palette and RGB masks, by a list of classes."""

from __future__ import annotations

import json
import os
import re
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.commands import Called, called
from support.datasets import GREY, PALETTE, RGB, chunk, png
from support.importing import counted_masks, index_rows, pixels_by_name
from support.masked import blocks, coloured, grey, palette, photograph, save, save_photograph

from onnxdissect.data import open_dataset

Array = np.ndarray[Any, Any]

LIST = "0,sky,object,0,0,0\n1,road,object,128,64,128\n3,wall,object,70,130,180\n7,brick,material,220,20,60\n"
NAMES = {0: "sky", 1: "road", 3: "wall", 7: "brick"}


def import_masks(place: Path, *options: object) -> Called:
    folders = ("--images", "photos", "--masks", "masks", "--classes", "list.csv")
    return called(place, "data", "import", "masks", "out", *folders, *options)


def draw(place: Path, save_mask: Callable[[Array], Image.Image], ending: str = ".png") -> list[Array]:
    place.mkdir(exist_ok=True)
    (place / "list.csv").write_text(LIST, encoding="utf-8")
    drawn = []
    for i, name in enumerate(("a/one", "a/two", "b/one")):
        save_photograph(place / "photos" / f"{name}.jpg", photograph(i))
        drawn.append(blocks(i, (0, 1, 3, 7)))
        save(place / "masks" / f"{name}{ending}", save_mask(drawn[-1]))
    return drawn


@pytest.mark.parametrize("kind", [grey, palette, coloured])
@pytest.mark.parametrize("ending", [".png", ".tif", ".bmp"])
def test_pixels_per_class_are_those_of_the_masks(
    tmp_path: Path, kind: Callable[[Array], Image.Image], ending: str
) -> None:
    drawn = draw(tmp_path, kind, ending)
    done = import_masks(tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
    assert pixels_by_name(tmp_path / "out") == counted_masks(drawn, NAMES)
    for name in ("a/one", "a/two", "b/one"):
        copied = (tmp_path / "out" / "images" / f"{name}.jpg").read_bytes()
        assert copied == (tmp_path / "photos" / f"{name}.jpg").read_bytes()
    checked = called(tmp_path, "data", "check", "out", "--json")
    problems = [one["message"] for one in json.loads(checked.stdout)["problems"]]
    assert checked.returncode == 0 and all("in 3 images, fewer than" in one for one in problems)


def test_the_other_form_of_the_same_masks(tmp_path: Path) -> None:
    """Indexed, as a palette and in colours, with a size: the same bytes."""
    written = []
    for i, kind in enumerate((grey, palette, coloured)):
        place = tmp_path / str(i)
        draw(place, kind)
        assert import_masks(place, "--size", "16", "--color").returncode == 0
        images = place / "out" / "images"
        written.append({path.relative_to(images): path.read_bytes() for path in images.rglob("*.png")})
    assert written[0] == written[1] == written[2] and len(written[0]) == 3 * 4


def test_masks_of_16_bits(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("1,road\n256,far\n65535,last\n", encoding="utf-8")
    save_photograph(tmp_path / "photos" / "1.png", photograph(1))
    mask = blocks(1, (0, 1, 256, 65535))
    save(tmp_path / "masks" / "1.png", grey(mask))
    assert import_masks(tmp_path, "--ignore", "0").returncode == 0
    names = {1: "road", 256: "far", 65535: "last"}
    assert pixels_by_name(tmp_path / "out") == counted_masks([mask], names)


def test_masks_of_32_bits(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("1,road\n70000,far\n2147483647,last\n", encoding="utf-8")
    save_photograph(tmp_path / "photos" / "1.png", photograph(1))
    mask = blocks(1, (0, 1, 70000, 2147483647)).astype(np.int32)
    save(tmp_path / "masks" / "1.tif", grey(mask))
    assert import_masks(tmp_path, "--ignore", "0").returncode == 0
    names = {1: "road", 70000: "far", 2147483647: "last"}
    assert pixels_by_name(tmp_path / "out") == counted_masks([mask], names)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("kind", [GREY, PALETTE])
def test_masks_of_few_bits(tmp_path: Path, bits: int, kind: int) -> None:
    """Decoders stretch such grey to 8 bits; the index of a class stays what it is."""
    (tmp_path / "list.csv").write_text("0,sky\n1,road\n", encoding="utf-8")
    save_photograph(tmp_path / "photos" / "1.png", photograph(1))
    mask = blocks(1, (0, 1))
    few = np.unpackbits(mask.astype(np.uint8)[..., None], axis=-1)[..., 8 - bits :]
    packed = np.packbits(few.reshape(24, -1), axis=1)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    header = struct.pack(">IIBBBBB", 32, 24, bits, kind, 0, 0, 0)
    colours = chunk(b"PLTE", bytes([9, 9, 9, 200, 0, 0])) if kind == PALETTE else b""
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + colours
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "1.png").write_bytes(
        content + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )
    assert import_masks(tmp_path).returncode == 0
    assert pixels_by_name(tmp_path / "out") == counted_masks([mask], {0: "sky", 1: "road"})


def test_alpha_says_nothing_and_images_of_16_bits_are_read_as_ever(tmp_path: Path) -> None:
    [drawn, *_] = draw(tmp_path, lambda mask: coloured(mask).convert("RGBA"))
    deep = np.random.default_rng(0).integers(0, 65536, (24, 32)).astype(np.uint16)
    save(tmp_path / "photos" / "b" / "one.jpg", Image.fromarray(photograph(2)))
    (tmp_path / "photos" / "b" / "one.jpg").unlink()
    save(tmp_path / "photos" / "b" / "one.png", Image.fromarray(deep))
    transparent = np.dstack([photograph(0), np.full((24, 32), 7, np.uint8)])
    (tmp_path / "photos" / "a" / "one.jpg").unlink()
    save(tmp_path / "photos" / "a" / "one.png", Image.fromarray(transparent))
    for options in ((), ("--size", "16")):
        done = called(
            tmp_path, "data", "import", "masks", f"out{len(options)}", "--images", "photos",
            "--masks", "masks", "--classes", "list.csv", *options,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert drawn.shape == (24, 32)
    dataset = open_dataset(tmp_path / "out0")
    assert np.array_equal(dataset.read_image(0), photograph(0))
    assert open_dataset(tmp_path / "out2").read_image(2).shape == (16, 16, 3)


def test_masks_are_matched_at_any_depth_and_what_is_without_is_told(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(LIST, encoding="utf-8")
    for i, name in enumerate(("a/1.jpg", "b/1.jpg", "c/deep/2.jpg", "c/lonely.jpg")):
        save_photograph(tmp_path / "photos" / name, photograph(i))
    for i, name in enumerate(("a/1.png", "b/1.png", "2.png", "x/stray.png")):
        save(tmp_path / "masks" / name, grey(blocks(i, (0, 1))))
    done = import_masks(tmp_path)
    assert done.returncode == 0, done.stderr
    assert [row["image"] for row in index_rows(tmp_path / "out")] == ["a/1.jpg", "b/1.jpg", "c/deep/2.jpg"]
    assert "note: 1 image without mask is left out: 'c/lonely.jpg'" in done.stdout
    assert "note: 1 mask without image is left out: 'x/stray.png'" in done.stdout


def test_masks_among_the_images_by_their_ending(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(LIST, encoding="utf-8")
    for i in range(2):
        save_photograph(tmp_path / "photos" / f"{i}.png", photograph(i))
        save(tmp_path / "photos" / f"{i}_mask.png", grey(blocks(i, (0, 1))))
    folders = ("--images", "photos", "--masks", "photos", "--classes", "list.csv", "--mask-suffix", "_mask")
    done = called(tmp_path, "data", "import", "masks", "out", *folders)
    assert done.returncode == 0 and "without" not in done.stdout
    assert [row["image"] for row in index_rows(tmp_path / "out")] == ["0.png", "1.png"]


def test_masks_in_a_folder_of_the_images_folder(tmp_path: Path) -> None:
    for seed, name in enumerate(("1", "2")):
        save_photograph(tmp_path / "data" / "photos" / f"{name}.jpg", photograph(seed))
        save(tmp_path / "data" / "masks" / f"{name}.png", grey(blocks(seed, (0, 1))))
    (tmp_path / "list.csv").write_text(LIST, encoding="utf-8")
    folders = ("--images", "data", "--masks", "data/masks", "--classes", "list.csv")
    done = called(tmp_path, "data", "import", "masks", "out", *folders)
    assert done.returncode == 0 and "left out: '" not in done.stdout, done.stderr
    assert [row["image"] for row in index_rows(tmp_path / "out")] == ["photos/1.jpg", "photos/2.jpg"]
    for name in ("1", "2"):
        (tmp_path / "data" / "photos" / f"{name}.jpg").unlink()
    done = called(tmp_path, "data", "import", "masks", "none", *folders)
    assert done.returncode == 2 and "there are masks such as '1.png', and no images" in done.stderr


def test_a_mask_that_lies_elsewhere_than_the_others_is_told(tmp_path: Path) -> None:
    draw(tmp_path, grey)
    (tmp_path / "masks" / "a" / "two.png").rename(tmp_path / "masks" / "b" / "two.png")
    done = import_masks(tmp_path)
    assert "note: 1 mask is matched by name alone" in done.stdout
    assert "'a/two.jpg' has 'b/two.png'" in done.stdout


def test_files_that_are_no_images_are_told(tmp_path: Path) -> None:
    draw(tmp_path, grey)
    for name in ("x.heic", "a/y", "b/z.txt", "b/zz.txt"):
        (tmp_path / "photos" / name).write_bytes(b"-")
    (tmp_path / "photos" / "a" / "one.jpg").rename(tmp_path / "photos" / "a" / "one.jfif")
    done = import_masks(tmp_path)
    said = "4 files are no images by their endings, and left out: 'a/y', 'b/z.txt', 'b/zz.txt', ..."
    assert f"note: {said}" in done.stdout
    assert len(index_rows(tmp_path / "out")) == 3


def test_which_mask_it_is_cannot_be_told(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(LIST, encoding="utf-8")
    for i, name in enumerate(("a/1.jpg", "b/1.jpg")):
        save_photograph(tmp_path / "photos" / name, photograph(i))
    save(tmp_path / "masks" / "1.png", grey(blocks(1, (0, 1))))
    done = import_masks(tmp_path)
    assert done.returncode == 2
    assert (
        "which mask belongs to which image cannot be told by the name '1': 'a/1.jpg', 'b/1.jpg', '1.png'"
        in done.stderr
    )
    save(tmp_path / "masks" / "1.tif", grey(blocks(1, (0, 1))))
    done = import_masks(tmp_path)
    assert done.returncode == 2 and "'1.png' and '1.tif' are both the mask '1'" in done.stderr
    for path in (tmp_path / "masks").iterdir():
        path.rename(path.with_name(f"other{path.suffix}"))
    (tmp_path / "masks" / "other.tif").unlink()
    done = import_masks(tmp_path)
    assert done.returncode == 2 and "no mask is called like an image" in done.stderr
    assert "images are called like 'a/1.jpg', masks like 'other.png'" in done.stderr


def test_names_in_other_forms_of_unicode_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(LIST, encoding="utf-8")
    composed, apart = "caf\u00e9", "cafe\u0301"
    save_photograph(tmp_path / "photos" / f"{composed}.png", photograph(0))
    save(tmp_path / "masks" / f"{apart}.png", grey(blocks(0, (0, 1))))
    done = import_masks(tmp_path)
    assert done.returncode == 0, done.stderr
    assert (
        "note: 1 image and its mask are called by the same letters in other forms of Unicode" in done.stdout
    )
    assert [row["image"] for row in index_rows(tmp_path / "out")] == [f"{composed}.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="links take a privilege there")
def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    draw(tmp_path, grey)
    save(tmp_path / "elsewhere" / "two.png", grey(blocks(1, (0, 1))))
    (tmp_path / "masks" / "a" / "two.png").unlink()
    (tmp_path / "masks" / "a" / "two.png").symlink_to(tmp_path / "elsewhere" / "two.png")
    done = import_masks(tmp_path)
    assert done.returncode == 2 and not (tmp_path / "out").exists()
    assert "two.png is a link that is not followed: it leads out of masks" in done.stderr
    # one that stays inside is a file like any other, and the folder itself may be a link
    (tmp_path / "masks" / "a" / "two.png").unlink()
    (tmp_path / "masks" / "a" / "two.png").symlink_to(tmp_path / "masks" / "b" / "one.png")
    (tmp_path / "masks").rename(tmp_path / "real")
    (tmp_path / "masks").symlink_to(tmp_path / "real")
    (tmp_path / "masks" / "a" / "two.png").unlink()
    (tmp_path / "masks" / "a" / "two.png").symlink_to("../b/one.png")
    assert import_masks(tmp_path).returncode == 0


def bad_mask(place: Path, make: Callable[[Path], object], *options: object) -> str:
    """Put another mask in the place of one, and import: the message, of two lines at most and a hint."""
    draw(place, grey)
    path = place / "masks" / "a" / "two.png"
    path.unlink()
    make(path)
    done = import_masks(place, *options)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert sorted(one.name for one in place.iterdir()) == ["list.csv", "masks", "photos"]
    assert done.stderr.startswith("error: ") and "Traceback" not in done.stderr
    return done.stderr


def sixteen_bits_in_colour(path: Path) -> None:
    path.write_bytes(png(np.full((24, 32, 3), 300, np.int64), RGB, 16))


def png_that_claims(path: Path, height: int, width: int) -> None:
    content = bytearray(png(np.zeros((4, 4, 1), np.int64), GREY, 8))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(bytes(content))


def full(value: int, height: int = 24, width: int = 32) -> Array:
    return np.full((height, width), value)


def several_pages(path: Path) -> None:
    save(path, grey(full(1)), format="TIFF", save_all=True, append_images=[grey(full(1))])


BAD: dict[str, Callable[[Path], object]] = {
    "two.png is an empty file\n": lambda path: path.write_bytes(b""),
    "two.png is no image, or damaged": lambda path: path.write_bytes(b"GIF 1"),
    "holds the number 2 (768 pixels), for which list.csv lists no class": lambda path: save(
        path, grey(full(2))
    ),
    "and its label map of object in masks/a/two.png is 32x24, of another aspect": (
        lambda path: save(path, grey(full(1, 32, 24)))
    ),
    "holds the colour #010203 (768 pixels), which list.csv does not list; nearest to the first is #000000": (
        lambda path: save(path, coloured(full(300)))
    ),
    "holds pixels of the kind F": lambda path: save(path, grey(full(1)).convert("F"), format="TIFF"),
    "two.png is a JPEG file: masks are read from PNG, TIFF, BMP, GIF files": (
        lambda path: save(path, coloured(full(1)), format="JPEG")
    ),
    "has 16 bits a channel and several channels": sixteen_bits_in_colour,
    "has 50,000 x 50,000 pixels by its header": lambda path: png_that_claims(path, 50_000, 50_000),
    "has 10,000 x 10,000 pixels by its header; a mask has 67,108,864 at most": (
        lambda path: png_that_claims(path, 10_000, 10_000)
    ),
    "two.png is truncated: the PNG file breaks off": lambda path: path.write_bytes(
        png(full(1)[..., None], GREY, 8)[:-30]
    ),
    "two.png is a link that leads nowhere": lambda path: path.symlink_to("nowhere.png"),
    "holds several images, and a mask is one": several_pages,
}


@pytest.mark.parametrize("said", BAD)
def test_bad_masks_are_one_message_each(tmp_path: Path, said: str) -> None:
    assert said in bad_mask(tmp_path, BAD[said])


def test_a_folder_in_a_masks_place_is_no_mask(tmp_path: Path) -> None:
    draw(tmp_path, grey)
    (tmp_path / "masks" / "a" / "two.png").unlink()
    (tmp_path / "masks" / "a" / "two.png").mkdir()
    assert "1 image without mask is left out: 'a/two.jpg'" in import_masks(tmp_path).stdout


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes of POSIX")
def test_a_pipe_in_a_masks_place_is_not_waited_for(tmp_path: Path) -> None:
    assert "it is a named pipe, and only regular files are read" in bad_mask(tmp_path, os.mkfifo)


def test_colours_without_a_list_of_colours(tmp_path: Path) -> None:
    """A palette that a program has expanded to RGB says so, and so does grey that was saved as RGB."""
    for kind, said in (
        (lambda mask: palette(mask).convert("RGB"), "one.png is an RGB mask, and list.csv lists no colours"),
        (lambda mask: grey(mask).convert("RGB"), "lists no colours, though all its pixels are grey"),
    ):
        draw(tmp_path, kind)
        (tmp_path / "list.csv").write_text("0,sky\n1,road\n3,wall\n7,brick\n", encoding="utf-8")
        done = import_masks(tmp_path)
        assert done.returncode == 2 and said in done.stderr
        assert "hint: save masks with one channel, or as palette images" in done.stderr
        done = import_masks(tmp_path, "--ignore", "#000000")
        assert done.returncode == 2 and said in done.stderr


def test_a_photograph_in_a_masks_place(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint8)
    said = bad_mask(tmp_path, lambda path: save(path, Image.fromarray(noise)))
    assert re.search(r"holds the colours #\w{6} \(1 pixel\)(, #\w{6} \(1 pixel\)){4} and 7\d\d more", said)
    assert len(said) < 600


def test_a_name_in_two_categories_is_one_label(tmp_path: Path) -> None:
    drawn = draw(tmp_path, grey)
    (tmp_path / "list.csv").write_text("0,sky\n1,food\n3,food,material\n7,brick\n", encoding="utf-8")
    assert import_masks(tmp_path).returncode == 0
    names = {0: "sky", 1: "food", 3: "food", 7: "brick"}
    assert pixels_by_name(tmp_path / "out") == counted_masks(drawn, names)
    concepts = open_dataset(tmp_path / "out").vocabulary.concepts
    assert {c.name: set(c.categories) for c in concepts} == {
        "sky": {"object"},
        "food": {"object", "material"},
        "brick": {"object"},
    }


@pytest.mark.skipif(sys.platform == "win32", reason="links take a privilege there")
def test_links_to_folders(tmp_path: Path) -> None:
    """What leads out is not silently left out; what leads inside is found where it lies."""
    draw(tmp_path, grey)
    (tmp_path / "photos" / "again").symlink_to(tmp_path / "photos" / "a")
    assert import_masks(tmp_path).returncode == 0
    assert len(index_rows(tmp_path / "out")) == 3
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "photos" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out").rename(tmp_path / "first")
    done = import_masks(tmp_path)
    assert (
        done.returncode == 2 and "more is a link that is not followed: it leads out of photos" in done.stderr
    )


def test_the_data_set_is_not_written_among_its_sources(tmp_path: Path) -> None:
    draw(tmp_path, grey)
    folders = ("--images", "photos", "--masks", "masks", "--classes", "list.csv")
    done = called(tmp_path, "data", "import", "masks", "photos/out", *folders)
    assert done.returncode == 2
    assert "photos/out lies in photos, which --images takes images or annotations from" in done.stderr
