"""Joined data sets: no pixel, no image and no concept is lost, doubled or called another."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import data as naive_data
from support.commands import called
from support.datasets import Broden, Label, Listed, Picture, random_broden, write_broden
from support.named_labels import Draw

from onnxdissect.data import (
    About,
    JoinOptions,
    JoinReport,
    Part,
    check_folder,
    join_datasets,
    open_dataset,
    write_about,
)

# Spellings of one name each, none of them in the shipped table.
FAMILIES = (
    ("wheel", "Wheel", "WHEEL"),
    ("t-shirt", "T shirt", "t_shirt"),
    ("Straße", "STRASSE", "strasse"),
    ("café", "cafe\N{COMBINING ACUTE ACCENT}", "CAFÉ"),
    ("\N{LATIN SMALL LIGATURE FI}n", "fin", "Fin"),
    ("sky", "sky-s", "Sky-c"),
)


def renamed(broden: Broden, rng: np.random.Generator) -> Broden:
    """The labels of a data set under names of which some are one."""
    for label in broden.labels:
        family = FAMILIES[rng.integers(len(FAMILIES))]
        label.name = family[rng.integers(len(family))] if label.name else ""
    return broden


def family_of(label: Label) -> tuple[str, ...]:
    """What a label is one with, said once more: by its family, and by being a scene or a colour alone."""
    name, kind = label.name, "".join(label.listed)
    if kind in ("scene", "color"):
        name = name.removesuffix("-s" if kind == "scene" else "-c")
    else:
        kind = ""
    if name in FAMILIES[-1] and name.lower() != "sky":
        return kind, name.lower()
    return kind, *next(family for family in FAMILIES if name in family or name.lower() in family)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sets=st.integers(1, 3),
    labels=st.integers(1, 10),
    highest=st.sampled_from([12, 300, 65535]),
    nameless=st.booleans(),
    min_images=st.integers(0, 3),
)
def test_counts_add_up(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    sets: int,
    labels: int,
    highest: int,
    nameless: bool,
    min_images: int,
) -> None:
    place = tmp_path_factory.mktemp("join")
    rng = np.random.default_rng(seed)
    brodens = {
        f"set{i}": renamed(
            random_broden(
                rng, pictures=3, labels=labels, grids=((3, 4), (2, 2)), nameless=nameless, highest=highest
            ),
            rng,
        )
        for i in range(sets)
    }
    folders = [write_broden(place / name, broden) for name, broden in brodens.items()]
    families: dict[tuple[str, ...], set[tuple[str, int]]] = defaultdict(set)
    for name, broden in brodens.items():
        for label in broden.labels:
            if label.name:
                families[family_of(label)].add((name, label.number))
    if not families:
        return
    expected: dict[str, dict[tuple[str, ...], set[tuple[int, int]]]] = {}
    of_label = {origin: family for family, found in families.items() for origin in found}
    for folder in folders:
        for image in naive_data.read(folder).images:
            held = expected.setdefault(f"{folder.name}/{image.name}", defaultdict(set))
            for number, pixels in image.pixels.items():
                held[of_label[folder.name, number]] |= pixels
    times = {family: sum(bool(held.get(family)) for held in expected.values()) for family in families}
    kept = {family for family in families if times[family] >= min_images}
    if not kept:
        assert (
            called(place, "data", "join", *folders, "--out", "out", "--min-images", min_images).returncode
            == 2
        )
        assert not (place / "out").exists()
        return

    report = join_datasets(folders, place / "out", JoinOptions(min_images=min_images))

    joined = naive_data.read(place / "out")
    number_of = {}
    for concept in (*report.concepts, *report.dropped):
        found = {(origin.source, origin.number) for origin in concept.origins}
        family = next(family for family in families if families[family] == found)
        assert concept.images == times[family]
        assert (concept.number is not None) == (family in kept)
        if concept.number is not None:
            number_of[concept.number] = family
            assert joined.names[concept.number] == concept.name
            assert joined.primary[concept.number] == concept.category
    assert sorted(number_of) == sorted(joined.names) == list(range(1, len(kept) + 1))
    assert {image.name for image in joined.images} == set(expected)
    for image in joined.images:
        found_pixels = {number_of[number]: pixels for number, pixels in image.pixels.items()}
        wanted = {family: pixels for family, pixels in expected[image.name].items() if family in kept}
        assert found_pixels == wanted, image.name
    assert check_folder(place / "out").errors == 0
    shutil.rmtree(place)


def test_numbers_do_not_depend_on_the_order_of_the_data_sets(tmp_path: Path, draw: Draw) -> None:
    folders = [
        draw("a", {"object": ["road", "car"], "scene": ["street"]}),
        draw("b", {"object": ["tree", "Road"]}, images=3, rare=["tree"]),
    ]
    one = join_datasets(folders, tmp_path / "one")
    other = join_datasets(folders[::-1], tmp_path / "other")
    assert [(c.number, c.images) for c in one.concepts] == [(c.number, c.images) for c in other.concepts]
    assert [c.name for c in one.concepts] == ["road", "car", "street", "tree"]
    assert [c.name for c in other.concepts] == ["Road", "car", "street", "tree"]


def test_a_name_in_two_categories_is_one_concept_of_that_where_it_covers_most(tmp_path: Path) -> None:
    def folder(name: str, category: str, pixels: int) -> Path:
        plane = np.zeros((2, 4), int)
        plane.flat[:pixels] = 9
        picture = Picture("one.png", {category: [plane]}, grid=(2, 4))
        return write_broden(
            tmp_path / name,
            Broden((category,), [Label(9, "food", {category: Listed(1, pixels / 8)})], [picture]),
        )

    report = join_datasets([folder("a", "object", 3), folder("b", "material", 5)], tmp_path / "out")
    [food] = report.concepts
    assert (food.category, food.categories) == ("material", ("object", "material"))
    [concept] = open_dataset(tmp_path / "out").vocabulary.concepts
    assert (concept.category, concept.frequency, concept.coverage) == ("material", 2, 1.0)


def test_categories_that_differ_in_case_are_one(tmp_path: Path, draw: Draw) -> None:
    draw("a", {"Object": ["road"], "color": ["red"]})
    draw("b", {"object": ["road"], "Colour": ["blue"], "OBJECT": ["car"]})
    done = called(tmp_path, "data", "join", "a", "b", "--out", "out")
    assert open_dataset(tmp_path / "out").vocabulary.categories == ("Object", "color")
    for said in ("object of b is Object", "Colour of b is color", "OBJECT of b is Object"):
        assert said in done.stdout
    assert (tmp_path / "out" / "index.csv").read_text().startswith("image,split,ih,iw,sh,sw,Object,color\n")


def test_rare_concepts_are_dropped_and_their_pixels_unlabelled(tmp_path: Path, draw: Draw) -> None:
    draw("a", {"object": ["road", "yeti"], "scene": ["moon"]}, images=3, rare=["yeti", "moon"])
    done = called(tmp_path, "data", "join", "a", "--out", "out", "--min-images", "2")
    assert "dropped:      2 in fewer than 2 images, now unlabelled: moon, yeti\n" in done.stdout
    joined = naive_data.read(tmp_path / "out")
    assert joined.names == {1: "road"}
    assert [sum(map(len, image.pixels.values())) for image in joined.images] == [3, 3, 3]
    report = called(tmp_path, "data", "join", "a", "--out", "all", "--json", "--min-images", "1")
    assert json.loads(report.stdout)["dropped"] == []


def test_concepts_in_no_image_are_dropped_unless_they_are_asked_for(tmp_path: Path, draw: Draw) -> None:
    folder = draw("a", {"object": ["road", "ghost"]}, images=1)
    table = (folder / "label.csv").read_text()
    (folder / "label.csv").write_text(f"{table}7,nobody,object(0),0,0,\n")
    assert (
        "dropped:      1 in no image: nobody" in called(tmp_path, "data", "join", "a", "--out", "out").stdout
    )
    report = join_datasets([folder], tmp_path / "all", JoinOptions(min_images=0))
    assert [c.name for c in report.concepts] == ["ghost", "road", "nobody"]
    assert open_dataset(tmp_path / "all").vocabulary.concepts[2].name == "nobody"


def test_nameless_labels_are_told_and_unlabelled(tmp_path: Path, draw: Draw) -> None:
    folder = draw("a", {"object": ["road", "gap"]})
    (folder / "label.csv").write_text((folder / "label.csv").read_text().replace("gap", ""))
    done = called(tmp_path, "data", "join", "a", "--out", "out")
    assert "nameless:     2 of a: no concepts, unlabelled now\n" in done.stdout
    assert naive_data.read(tmp_path / "out").names == {1: "road"}


def test_names_that_several_concepts_would_have_get_endings(tmp_path: Path, draw: Draw) -> None:
    report = join_datasets(
        [draw("a", {"object": ["orange"], "color": ["orange"]}), draw("b", {"scene": ["orange"]})],
        tmp_path / "out",
    )
    # the first is one label of two categories, and no colour alone
    assert {c.name: [o.source for o in c.origins] for c in report.concepts} == {
        "orange": ["a"],
        "orange-s": ["b"],
    }


def test_the_same_image_in_two_data_sets_is_told(tmp_path: Path, draw: Draw) -> None:
    folders = [draw("a", {"object": ["road"]}), draw("b", {"object": ["road"]})]
    shutil.copy(folders[0] / "images" / "a1.png", folders[1] / "images" / "b0.png")
    done = called(tmp_path, "data", "join", "a", "b", "--out", "out")
    assert "doubles:      1 images are there once more, such as b/b0.png, which is a/a1.png\n" in done.stdout
    assert len(open_dataset(tmp_path / "out")) == 4
    assert json.loads((tmp_path / "out" / "joined.json").read_text())["doubles"] == [["a/a1.png", "b/b0.png"]]


def test_where_it_comes_from_travels(tmp_path: Path, draw: Draw) -> None:
    folders = [draw("a", {"object": ["road"]}), draw("b", {"object": ["road"]})]
    write_about(folders[0], About("Streets", "CC BY 4.0", "example.org", from_=(Part("Lanes", "CC0"),)))
    join_datasets(folders, tmp_path / "out", JoinOptions(name="Both"))
    about = open_dataset(tmp_path / "out").about
    assert about == About(
        "Both",
        "that of each data set it was made of",
        made="join Streets b",
        from_=(
            Part("Streets", "CC BY 4.0", open_dataset(folders[0]).fingerprint, 2, "example.org"),
            Part("Streets: Lanes", "CC0"),
            Part("b", "", open_dataset(folders[1]).fingerprint, 2),
        ),
    )
    write_about(folders[1], About("b", "CC BY 4.0"))
    join_datasets(folders, tmp_path / "same")
    same = open_dataset(tmp_path / "same").about
    assert same is not None
    assert (same.name, same.licence) == ("same", "CC BY 4.0")
    done = called(
        tmp_path, "data", "join", "a", "b", "--out", "typed", "--licence", "mine", "--name", "Typed"
    )
    typed = open_dataset(tmp_path / "typed").about
    assert typed is not None
    assert (typed.name, typed.licence) == ("Typed", "mine"), done.stderr


def test_what_is_said_is_what_was_done(tmp_path: Path, draw: Draw) -> None:
    draw("a", {"object": ["sofa", "road"]}, images=3)
    draw("b", {"object": ["couch", "Road"], "part": ["leg"]}, first=200)
    done = called(tmp_path, "data", "join", "a", "b", "--out", "out", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told.pop("folder"), told.pop("spec")) == ("out", "out")
    assert told == json.loads((tmp_path / "out" / "joined.json").read_text())
    assert (told["images"], told["categories"]) == (5, {"object": 2, "part": 1})
    assert told["concepts"][0]["origins"] == [
        {"source": "a", "number": 2, "name": "road"},
        {"source": "b", "number": 201, "name": "Road"},
    ]
    done = called(tmp_path, "data", "join", "a", "b", "--out", "again")
    for said in (
        "sofa         object         5  a: sofa (1), b: couch (200)",
        "images:       5 (train 5)\n",
        "concepts:     3 (object 2, part 1)\n",
        "made of:      5 concepts; 2 are made of several\n",
        "onnxdissect run MODEL --data again\n",
    ):
        assert said in done.stdout, done.stdout
    assert "counting concepts: 5 images" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_joined_data_sets_are_joined_to_the_same(tmp_path: Path, draw: Draw) -> None:
    """Joining a joined data set once more changes nothing but the folder of its images."""
    join_datasets(
        [draw("a", {"object": ["sofa"], "scene": ["den"]}), draw("b", {"object": ["couch"]})],
        tmp_path / "one",
    )
    report: JoinReport = join_datasets([tmp_path / "one"], tmp_path / "two")
    assert (report.dropped, report.kept_apart) == ((), ())
    for table in ("label.csv", "category.csv", "c_object.csv", "c_scene.csv"):
        assert (tmp_path / "one" / table).read_bytes() == (tmp_path / "two" / table).read_bytes()
    tables = [(tmp_path / name / "index.csv").read_text() for name in ("one", "two")]
    assert tables[1].replace("one/", "") == tables[0]
