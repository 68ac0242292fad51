"""`data import coco`: what is written covers what the annotations cover."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.commands import Called, called
from support.import_counts import add_up, counts, rows, splits
from support.masked import blocks, grey, palette, photograph, save, save_photograph
from support.samples import coco

INSTANCES = "annotations/instances_val2017.json"
STUFF, PANOPTIC = "annotations/stuff_val2017.json", "annotations/panoptic_val2017.json"
# Pixels of each annotation of the sample by pycocotools 2.0.11.
PIXELS = {1: 292, 2: 260, 3: 81, 4: 24}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    coco.make(tmp_path)
    return tmp_path / "COCO"


def import_coco(place: Path, *options: object) -> Called:
    return called(place, "data", "import", "coco", "../out", "--images", ".", *options)


def change(path: Path, **lists: Any) -> None:
    coco.write(path, json.loads(path.read_text(encoding="utf-8")) | lists)


def test_instances_cover_what_cocos_decoder_says(place: Path) -> None:
    done = import_coco(place, "--annotations", INSTANCES)
    assert done.returncode == 0, done.stderr
    assert counts(place.parent / "out") == {
        ("object", "person"): PIXELS[1] + PIXELS[3],
        ("object", "tv"): PIXELS[2],
        ("object", "bear"): PIXELS[4],
    }
    assert "crowds are drawn as their class: 1 annotation" in done.stdout
    assert "1 image without any annotation" in done.stdout
    # the tv lies over the person, and neither is lost
    maps = {row["image"]: row["object"].count(".png") for row in rows(place.parent / "out")}
    assert maps == {
        "val2017/000000000139.jpg": 2,
        "val2017/000000000285.jpg": 2,
        "val2017/000000000632.jpg": 0,
    }
    assert set(splits(place.parent / "out").values()) == {"val"}
    copied = (place.parent / "out" / "images" / "val2017" / "000000000139.jpg").read_bytes()
    assert copied == (place / "val2017" / "000000000139.jpg").read_bytes()
    assert called(place, "data", "check", "../out").returncode == 0


# pycocotools is older than NumPy's rule
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_what_is_written_is_what_cocos_decoder_draws(place: Path) -> None:
    mask = pytest.importorskip("pycocotools.mask")
    assert import_coco(place, "--annotations", INSTANCES).returncode == 0
    drawn = {}
    for one in coco.INSTANCES:
        found = mask.frPyObjects(one["segmentation"], coco.HEIGHT, coco.WIDTH)
        drawn[one["id"]] = mask.decode(mask.merge(found) if isinstance(found, list) else found) > 0
    assert {key: int(one.sum()) for key, one in drawn.items()} == PIXELS
    folder = place.parent / "out" / "images" / "val2017"
    planes = [np.asarray(Image.open(folder / f"000000000139_object_{n}.png")) for n in (1, 2)]
    for number, key in ((1, 1), (72, 2)):
        assert np.array_equal((planes[0][:, :, 0] == number) | (planes[1][:, :, 0] == number), drawn[key])


def test_crowds_are_left_out_where_that_is_asked_for(place: Path) -> None:
    done = import_coco(place, "--annotations", INSTANCES, "--no-crowd")
    assert done.returncode == 0 and "crowds are left out: 1 annotation" in done.stdout
    assert counts(place.parent / "out")["object", "person"] == PIXELS[1]


def test_stuff_and_instances_become_one_data_set(place: Path) -> None:
    done = import_coco(place, "--annotations", INSTANCES, "--annotations", STUFF)
    assert done.returncode == 0, done.stderr
    stuff = [
        ("object", name, mask == key)
        for mask in coco.stuff_masks().values()
        for key, name in ((119, "flower"), (149, "road"))
    ]
    assert counts(place.parent / "out") == add_up(*stuff) | {
        ("object", "person"): PIXELS[1] + PIXELS[3],
        ("object", "tv"): PIXELS[2],
        ("object", "bear"): PIXELS[4],
    }
    assert "the category 183 (other), all that is none of the others, is left out" in done.stdout


@pytest.mark.parametrize("crowd", [True, False])
def test_panoptic_pixels_are_those_of_the_png(place: Path, crowd: bool) -> None:
    names = {one["id"]: one["name"] for one in coco.THINGS + coco.STUFF}
    want = add_up(
        *(
            ("object", str(names[category]), coco.segment_ids(key) == segment)
            for key, segments in coco.SEGMENTS.items()
            for segment, category, of_crowd in segments
            if crowd or not of_crowd
        )
    )
    done = import_coco(place, "--annotations", PANOPTIC, "--crowd" if crowd else "--no-crowd")
    assert done.returncode == 0, done.stderr
    assert counts(place.parent / "out") == want


def test_pngs_of_other_folders_are_found(place: Path) -> None:
    (place / "annotations" / "panoptic_val2017").rename(place / "pngs")
    assert import_coco(place, "--annotations", PANOPTIC, "--masks", "pngs").returncode == 0


@pytest.mark.parametrize("kind", [grey, palette])
def test_maps_of_ids_are_read_by_index(place: Path, kind: Any) -> None:
    drawn = {key: blocks(key, (0, 119, 149, 255), coco.HEIGHT, coco.WIDTH) for key in coco.IMAGES}
    for key, mask in drawn.items():
        save(place / "maps" / f"{key:012}.png", kind(mask))
    done = import_coco(place, "--annotations", STUFF, "--masks", "maps")
    assert done.returncode == 0, done.stderr
    names = {119: "flower", 149: "road"}
    want = [("object", name, mask == key) for mask in drawn.values() for key, name in names.items()]
    assert counts(place.parent / "out") == add_up(*want)


def test_a_list_around_one_polygon_may_be_missing(place: Path) -> None:
    flat = [one | {"segmentation": one["segmentation"][0]} for one in coco.INSTANCES if one["id"] == 2]
    change(place / INSTANCES, annotations=flat)
    assert import_coco(place, "--annotations", INSTANCES).returncode == 0
    assert counts(place.parent / "out") == {("object", "tv"): PIXELS[2]}


def test_boxes_and_lines_are_left_out_and_told_of(place: Path) -> None:
    one = coco.INSTANCES[0]
    others = [
        one | {"id": 50, "segmentation": []},
        one | {"id": 51, "segmentation": [[1, 1, 5, 5]]},
        {name: value for name, value in one.items() if name != "segmentation"} | {"id": 52},
    ]
    change(place / INSTANCES, annotations=[one, *others])
    done = import_coco(place, "--annotations", INSTANCES)
    assert counts(place.parent / "out") == {("object", "person"): PIXELS[1]}
    assert "left out: 2 annotations with a box or points only" in done.stdout
    assert "left out: 1 annotation with outlines of fewer than three points" in done.stdout


def test_ids_that_are_no_label_numbers_are_numbered_anew(place: Path) -> None:
    renumbered = [one | {"id": one["id"] * 10**6} for one in coco.THINGS]
    change(
        place / INSTANCES,
        categories=[*renumbered, {"id": 0, "name": "nothing"}],
        annotations=[one | {"category_id": one["category_id"] * 10**6} for one in coco.INSTANCES],
    )
    assert import_coco(place, "--annotations", INSTANCES).returncode == 0
    assert counts(place.parent / "out")["object", "tv"] == PIXELS[2]


def test_categories_of_one_name_become_one(place: Path) -> None:
    change(place / INSTANCES, categories=[one | {"name": "thing"} for one in coco.THINGS])
    done = import_coco(place, "--annotations", INSTANCES)
    assert "the categories 1, 23, 72 are all called 'thing' and become one" in done.stdout
    assert list(counts(place.parent / "out")) == [("object", "thing")]


def test_names_in_another_unicode_form_are_found(place: Path) -> None:
    (place / "val2017" / "000000000139.jpg").rename(place / "val2017" / "cafe\u0301.jpg")
    change(
        place / INSTANCES,
        images=[
            one | {"file_name": "caf\u00e9.jpg"} if one["id"] == 139 else one for one in coco.IMAGES.values()
        ],
    )
    done = import_coco(place, "--annotations", INSTANCES)
    assert done.returncode == 0, done.stderr
    assert "1 of the names of files are in another Unicode form than the files" in done.stdout
    assert "val2017/caf\u00e9.jpg" in splits(place.parent / "out")


def test_sizes_of_turned_photographs_lead_to_upright(place: Path) -> None:
    path = place / "val2017" / "000000000139.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    save_photograph(path, photograph(3, coco.WIDTH, coco.HEIGHT), exif=exif)
    told = import_coco(place, "--annotations", INSTANCES)
    assert told.returncode == 2
    assert "was drawn on an image of 24 x 32 pixels (height x width), and val2017" in told.stderr
    assert "hint: the EXIF data of the image turn it: --upright, if the annotations are" in told.stderr
    upright = import_coco(place, "--annotations", INSTANCES, "--upright")
    assert upright.returncode == 0, upright.stderr
    assert counts(place.parent / "out")["object", "tv"] == PIXELS[2]
    # annotations that are those of the pixels as stored
    sizes = [one | {"height": one["width"], "width": one["height"]} for one in coco.IMAGES.values()]
    change(place / INSTANCES, images=[sizes[0], *list(coco.IMAGES.values())[1:]])
    (place.parent / "out").rename(place.parent / "before")
    told = import_coco(place, "--annotations", INSTANCES, "--upright")
    assert told.returncode == 2 and "hint: annotations fit the images that they were drawn on" in told.stderr


def test_lists_may_come_in_any_order_and_layout(place: Path) -> None:
    value = json.loads((place / INSTANCES).read_text(encoding="utf-8"))
    turned = dict(reversed(value.items()))
    (place / INSTANCES).write_text("\ufeff" + json.dumps(turned, indent=3), encoding="utf-8")
    assert import_coco(place, "--annotations", INSTANCES).returncode == 0
    assert counts(place.parent / "out")["object", "tv"] == PIXELS[2]


def test_the_split_is_what_is_asked_for_or_how_the_file_is_called(place: Path) -> None:
    (place / INSTANCES).rename(place / "labels.json")
    done = import_coco(place, "--images", "val2017", "--annotations", "labels.json")
    assert done.returncode == 0 and set(splits(place.parent / "out").values()) == {"train"}
    again = called(
        place,
        *("data", "import", "coco", "../other", "--images", "val2017", "--annotations", "labels.json"),
        *("--split", "mine"),
    )
    assert again.returncode == 0 and set(splits(place.parent / "other").values()) == {"mine"}
