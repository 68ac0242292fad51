"""The drawn data set and the networks shipped with it."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from onnxdissect.data import open_dataset
from onnxdissect.errors import OutputError, ParameterError
from onnxdissect.tiny import (
    BumpMaps,
    cache_folder,
    draw,
    ensure_tiny,
    generate,
    make_tiny,
    scene_of,
    texture_of,
)
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

MODELS = Path(__file__).parents[2] / "models"
SOME = 48
PLANES = ("color", "object", "part", "nested", "material")


@pytest.fixture(scope="module")
def bump_maps() -> BumpMaps:
    return BumpMaps()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "tiny"
    make_tiny(folder, images=SOME, seed=7, workers=1)
    return folder


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def decoded(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None, path
    return np.ascontiguousarray(image[:, :, ::-1], dtype=np.uint8)


def label_map(path: Path) -> NDArray[np.int64]:
    image = decoded(path).astype(np.int64)
    assert not image[:, :, 2].any()
    return np.asarray(image[:, :, 0] + 256 * image[:, :, 1], np.int64)


def fingerprint(folder: Path) -> str:
    """Hash of names, tables and decoded pixels; how PNG files are compressed does not count."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(decoded(path).tobytes() if path.suffix == ".png" else path.read_bytes())
    return digest.hexdigest()


# ---------------------------------------------------------------------------------------- what is drawn


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


# ---------------------------------------------------------------------------------------- the Broden layout


def test_the_tables_agree_with_the_files(made: Path) -> None:
    rows = table(made / "index.csv")
    assert list(rows[0]) == ["image", "split", "ih", "iw", "sh", "sw", *CATEGORIES]
    assert len(rows) == SOME
    assert {row["split"] for row in rows} == {"train", "val"}
    labels = {int(row["number"]): row for row in table(made / "label.csv")}
    listed: set[str] = set()
    images: Counter[tuple[str, int]] = Counter()
    pixels: Counter[tuple[str, int]] = Counter()
    for row in rows:
        assert decoded(made / "images" / row["image"]).shape == (112, 112, 3)
        assert (row["ih"], row["iw"], row["sh"], row["sw"]) == ("112", "112", "56", "56")
        listed.add(row["image"])
        assert bool(row["scene"]) != bool(row["texture"])
        for category in CATEGORIES:
            found: Counter[int] = Counter()
            for entry in filter(None, row[category].split(";")):
                if entry.isdigit():
                    found[int(entry)] = 56 * 56
                    continue
                listed.add(entry)
                numbers = label_map(made / "images" / entry)
                assert numbers.shape == (56, 56)
                assert numbers.any()
                assert category != "color" or numbers.all()
                found.update(numbers[numbers > 0].tolist())
            for number, count in found.items():
                assert f"{category}(" in labels[number]["category"]
                images[category, number] += 1
                pixels[category, number] += count
    on_disk = {path.relative_to(made / "images").as_posix() for path in (made / "images").rglob("*.png")}
    assert on_disk == listed
    for category in CATEGORIES:
        entries = table(made / f"c_{category}.csv")
        assert [int(line["code"]) for line in entries] == list(range(1, len(NAMES[category]) + 1))
        frequencies = [int(line["frequency"]) for line in entries]
        assert frequencies == sorted(frequencies, reverse=True)
        for line in entries:
            key = category, int(line["number"])
            assert labels[key[1]]["name"] == line["name"]
            assert int(line["frequency"]) == images[key]
            assert float(line["coverage"]) == pixels[key] / 56**2
    for group in table(made / "category.csv"):
        mine = [NUMBERS[name] for name in NAMES[group["name"]]]
        assert (int(group["first"]), int(group["last"]), int(group["count"])) == (
            min(mine),
            max(mine),
            len(mine),
        )
        assert int(group["frequency"]) == sum(images[group["name"], number] for number in mine)
    for number, about in labels.items():
        told = {category: int(count) for category, count in re.findall(r"(\w+)\((\d+)\)", about["category"])}
        assert told == {c: images[c, number] for c in CATEGORIES if about["name"] in NAMES[c]}
        assert int(about["frequency"]) == sum(told.values())


def test_the_layout_has_its_quirks(made: Path) -> None:
    rows = table(made / "index.csv")
    assert any(";" in row["part"] for row in rows)  # two part layers in one cell
    assert any(not row["object"] for row in rows)  # empty cells
    assert any(";" in row["category"] for row in table(made / "label.csv"))  # a label in two categories


def test_the_reader_gives_back_what_was_drawn(made: Path, bump_maps: BumpMaps) -> None:
    dataset = open_dataset(made)
    assert len(dataset) == SOME
    assert set(dataset.vocabulary.categories) == set(CATEGORIES)
    names = [concept.name for concept in dataset.vocabulary.concepts]
    for index in (0, 3, 7, 12, 40):
        drawing = draw(7, index, bump_maps)
        assert np.array_equal(dataset.read_image(index), drawing.image)
        expected: Counter[str] = Counter()
        covered: dict[str, NDArray[np.bool_]] = {}
        for plane, codes in drawing.planes.items():
            for code in np.unique(codes[codes > 0]).tolist():
                name = NAMES["part" if plane == "nested" else plane][code - 1]
                covered[name] = covered.get(name, np.zeros(codes.shape, bool)) | (codes == code)
        for name, where in covered.items():
            expected[name] = int(where.sum())
        for category, position in (("scene", drawing.scene), ("texture", drawing.texture)):
            if position is not None:
                expected[NAMES[category][position]] = 56 * 56
        truth = dataset.read_annotation(index).truth(len(names))
        assert {names[i]: int(n) for i, n in enumerate(truth.tolist()) if n} == dict(expected)


# ---------------------------------------------------------------------------------------- generate


def test_pixels_are_the_same_on_every_machine(made: Path) -> None:
    digest = hashlib.sha256()
    for row in table(made / "index.csv")[:24]:
        digest.update(decoded(made / "images" / row["image"]).tobytes())
        for category in CATEGORIES:
            for entry in filter(None, row[category].split(";")):
                if not entry.isdigit():
                    digest.update(decoded(made / "images" / entry).tobytes())
    # a change here means another data set: raise generate.VERSION and train the shipped networks again
    assert digest.hexdigest() == "d7a53968aed23d8ea8d24b351363c5f961cbc7f928283e63a56d807b801db6b6"


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    images = 2 * generate._WORTH_A_WORKER
    seen: list[tuple[int, int]] = []
    make_tiny(tmp_path / "one", images=images, seed=1, workers=1)
    make_tiny(tmp_path / "two", images=images, seed=1, workers=2, progress=lambda *at: seen.append(at))
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")
    assert seen == [(done, images) for done in range(images + 1)]


def test_another_seed_is_another_data_set(made: Path, tmp_path: Path) -> None:
    make_tiny(tmp_path / "same", images=8, seed=7, workers=1)
    make_tiny(tmp_path / "other", images=8, seed=8, workers=1)
    name = "images/scenes/00000.png"
    assert np.array_equal(decoded(tmp_path / "same" / name), decoded(made / name))
    assert not np.array_equal(decoded(tmp_path / "other" / name), decoded(made / name))


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_making_leaves_nothing(tmp_path: Path, workers: int) -> None:
    def interrupt(done: int, _: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_tiny(tmp_path / "tiny", images=2 * generate._WORTH_A_WORKER, workers=workers, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


ENSURE = (
    "import sys; from pathlib import Path; from onnxdissect.tiny import generate; "
    "generate.IMAGES = int(sys.argv[2]); print(generate.ensure_tiny(Path(sys.argv[1])))"
)


def test_the_cache_is_filled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "IMAGES", 16)
    seen: list[tuple[int, int]] = []
    folder = ensure_tiny(tmp_path / "cache", progress=lambda *at: seen.append(at))
    assert folder == tmp_path / "cache" / "tiny-v1"
    assert seen == [(done, 16) for done in range(17)]
    before = fingerprint(folder)
    seen.clear()
    assert ensure_tiny(tmp_path / "cache", progress=lambda *at: seen.append(at)) == folder
    assert seen == []
    assert fingerprint(folder) == before


def test_what_a_killed_making_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ENSURE, str(tmp_path), "190"], stdout=subprocess.DEVNULL)
    while not list(tmp_path.glob("*.partial/images/scenes/*.png")):
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert list(tmp_path.glob("*.partial"))
    assert not (tmp_path / "tiny-v1").exists()
    monkeypatch.setattr(generate, "IMAGES", 8)
    assert len(table(ensure_tiny(tmp_path) / "index.csv")) == 8
    assert {path.name for path in tmp_path.iterdir()} == {"tiny-v1", "tiny-v1.lock"}


def test_two_processes_may_make_it_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENSURE, str(tmp_path), "40"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert {process.communicate(timeout=120)[0].strip() for process in both} == {str(tmp_path / "tiny-v1")}
    assert [process.returncode for process in both] == [0, 0]
    assert len(table(tmp_path / "tiny-v1" / "index.csv")) == 40
    assert not list(tmp_path.glob("*.partial"))


def test_making_it_again_does_nothing(made: Path) -> None:
    before = (made / "index.csv").stat().st_mtime_ns
    make_tiny(made, images=SOME, seed=7, workers=1)
    assert (made / "index.csv").stat().st_mtime_ns == before


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    make_tiny(tmp_path, images=3, workers=1)
    assert len(table(tmp_path / "index.csv")) == 3


def test_what_is_not_ours_is_left_alone(tmp_path: Path, made: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(OutputError, match="is no data set tiny"):
        make_tiny(tmp_path, images=3)
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]
    with pytest.raises(OutputError, match="it is a file"):
        make_tiny(tmp_path / "diary.txt", images=3)
    with pytest.raises(OutputError, match="cannot be made in"):
        make_tiny(tmp_path / "diary.txt" / "tiny", images=3)
    with pytest.raises(OutputError, match="was asked for"):
        make_tiny(made, images=SOME, seed=8)
    with pytest.raises(OutputError, match="cannot be kept in"):
        ensure_tiny(tmp_path / "diary.txt")


@pytest.mark.parametrize("wrong", [{"images": 0}, {"seed": -1}, {"seed": 2**32}, {"workers": 0}])
def test_parameters_out_of_range(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(ParameterError):
        make_tiny(tmp_path / "tiny", **wrong)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_the_cache_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "onnxdissect"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")  # to be ignored, says the specification
    assert cache_folder().is_relative_to(Path.home() if os.name != "nt" else Path(cache_folder().anchor))


# ---------------------------------------------------------------------------------------- the networks

NETWORKS = ("tiny_scenes", "tiny_scenes_untrained")


@pytest.mark.parametrize("name", NETWORKS)
def test_the_card_tells_the_truth(name: str) -> None:
    model = onnx.load(MODELS / f"{name}.onnx")
    card = (MODELS / f"{name}.md").read_text(encoding="utf-8")
    parameters = sum(int(np.prod(weight.dims)) for weight in model.graph.initializer)
    assert f"{parameters:,} parameters" in card
    assert 300_000 <= parameters <= 2_000_000


def test_both_are_the_same_network_and_small() -> None:
    graphs = [onnx.load(MODELS / f"{name}.onnx").graph for name in NETWORKS]
    shapes = [[(weight.name, tuple(weight.dims)) for weight in graph.initializer] for graph in graphs]
    assert shapes[0] == shapes[1]
    assert [str(node) for node in graphs[0].node] == [str(node) for node in graphs[1].node]
    assert sum((MODELS / f"{name}.onnx").stat().st_size for name in NETWORKS) < 10e6


@pytest.mark.parametrize(
    ("name", "low", "high"), [("tiny_scenes", 0.95, 1.0), ("tiny_scenes_untrained", 0.0, 0.25)]
)
def test_accuracy_on_scenes_never_drawn_before(
    name: str, low: float, high: float, bump_maps: BumpMaps
) -> None:
    path = MODELS / f"{name}.onnx"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"]) == list(NAMES["scene"])
    norm = json.loads(metadata["onnxdissect.preprocessing"])
    assert norm["channels"] == "rgb"
    drawings = [
        drawing
        for drawing in (draw(20_260_101, i, bump_maps) for i in range(192))
        if drawing.scene is not None
    ]
    pixels = np.stack([drawing.image for drawing in drawings]).astype(np.float64)
    x = ((pixels * norm["scale"] - norm["mean"]) / norm["std"]).astype(np.float32).transpose(0, 3, 1, 2)
    (scores,) = session.run(None, {"image": np.ascontiguousarray(x)})
    right = np.mean(np.asarray(scores).argmax(axis=1) == [drawing.scene for drawing in drawings])
    assert low <= right <= high
