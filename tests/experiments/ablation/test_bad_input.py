"""What cannot be ablated is refused in words: what was asked, what was found, and what to type next."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from support.ablated import EACH, UNITS, ablated_world
from support.explained import CLASSES, explained_world
from support.models import Builder, save

import onnxdissect
from onnxdissect.errors import (
    EmptyDataError,
    ImageFileError,
    LayerCutError,
    NonFiniteError,
    OnnxDissectError,
    OutputError,
    ParameterError,
    RunMismatchError,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ablated_world(tmp_path_factory.mktemp("refused"))


@pytest.fixture(scope="module")
def branched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Layers that something gets around, behind the scores and beside them; images of three classes."""
    folder = explained_world(tmp_path_factory.mktemp("branched"))
    rng = np.random.default_rng(0)
    for name in CLASSES:
        (folder / "labelled" / name).mkdir(parents=True)
        for i in range(2):
            pixels = rng.integers(0, 4, (20, 30, 3)).astype(np.uint8)
            cv2.imwrite(str(folder / "labelled" / name / f"{i}.png"), pixels)
    return folder


def ablate(world: Path, images: Path | None = None, **options: Any) -> onnxdissect.AblationResult:
    given: dict[str, Any] = {"repeats": 1, "resamples": 0, "top_n": [1], "provider": "cpu"} | options
    return onnxdissect.ablate(world / "net.onnx", images or world / "labelled", world / "run", **given)


def copied(world: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(world / "labelled", tmp_path / "labelled"))


def test_a_folder_that_is_no_class(world: Path, tmp_path: Path) -> None:
    images = copied(world, tmp_path)
    (images / "ski slope").rename(images / "ski slop")
    with pytest.raises(ParameterError, match=r"ski slop/0\.png of .*no class 'ski slop'") as error:
        ablate(world, images)
    assert error.value.candidates[0] == "ski slope"


def test_images_of_one_class_only(world: Path, tmp_path: Path) -> None:
    shutil.copytree(world / "labelled" / "beach", tmp_path / "images" / "beach")
    with pytest.raises(EmptyDataError, match=f"all {EACH} images .* show 'beach'.*images of others") as error:
        ablate(world, tmp_path / "images")
    assert error.value.hint is not None and "at least one other class" in error.value.hint
    with pytest.raises(ParameterError, match="kept by a limit of 1") as limited:
        ablate(world, limit=1)
    assert limited.value.hint == "--limit 40 takes ten images of each class"


def test_a_class_of_one_image_cannot_be_halved(world: Path, tmp_path: Path) -> None:
    images = copied(world, tmp_path)
    for path in sorted((images / "beach").iterdir())[1:]:
        path.unlink()
    with pytest.raises(EmptyDataError, match=r"only one image .* shows 'beach'") as error:
        ablate(world, images)
    assert error.value.hint is not None and "--rank-on all" in error.value.hint
    assert ablate(world, images, rank_on="all").images == 3 * EACH + 1
    with pytest.raises(EmptyDataError, match="that a limit of 6 keeps shows"):
        ablate(world, limit=6)


def test_folders_without_images(world: Path, tmp_path: Path) -> None:
    with pytest.raises(EmptyDataError, match="holds no image in a folder of a class"):
        ablate(world, tmp_path)


def test_a_damaged_image_is_named_and_what_was_done_is_kept(world: Path, tmp_path: Path) -> None:
    images = copied(world, tmp_path)
    good = (images / "kitchen" / "3.png").read_bytes()
    (images / "kitchen" / "3.png").write_bytes(good[:50])
    with pytest.raises(ImageFileError, match=r"kitchen.3\.png"):
        ablate(world, images, out=tmp_path / "out")
    assert not (tmp_path / "out" / "ablation.json").exists()
    (images / "kitchen" / "3.png").write_bytes(good)
    again = ablate(world, images, out=tmp_path / "out")
    np.testing.assert_array_equal(again.arrays.predicted, ablate(world, images).arrays.predicted)


def test_images_of_all_kinds_are_taken_as_what_they_show(world: Path, tmp_path: Path) -> None:
    """Grey, 16 bits, an alpha channel, CMYK and turned by EXIF: predicted as the same pixels in RGB."""
    rng = np.random.default_rng(2)
    for folder in ("kinds", "plain"):
        for name in ("kitchen", "beach"):
            (tmp_path / folder / name).mkdir(parents=True)
    for i in range(4):
        grey = rng.integers(0, 7, (30, 17)).astype(np.uint8)
        name = "kitchen" if i % 2 else "beach"
        written = [
            Image.fromarray(grey),
            Image.fromarray(grey.astype(np.uint16) << 8),
            Image.fromarray(np.dstack([grey] * 3 + [255 - grey])),
            Image.fromarray(np.rot90(grey).copy()),
        ][i]
        exif = Image.Exif()
        if i == 3:
            exif[274] = 6
        written.save(tmp_path / "kinds" / name / f"{i}.png", exif=exif)
        Image.fromarray(np.dstack([grey] * 3)).save(tmp_path / "plain" / name / f"{i}.png")
    options: dict[str, Any] = {"rank_on": "all", "target": ["beach"]}
    kinds, plain = (ablate(world, tmp_path / folder, **options) for folder in ("kinds", "plain"))
    assert kinds.arrays.images.tolist() == plain.arrays.images.tolist()
    np.testing.assert_array_equal(kinds.arrays.log_loss, plain.arrays.log_loss)


def test_layers_that_lead_to_no_scores_or_are_gone_around(branched: Path) -> None:
    with pytest.raises(ParameterError, match="lies behind the class scores"):
        ablate(branched, layer="behind")
    with pytest.raises(ParameterError, match="holds the class scores"):
        ablate(branched, layer="logits")
    with pytest.raises(LayerCutError, match="inner") as error:
        ablate(branched, layer="inner")
    assert error.value.hint is not None and "--layer" in error.value.hint
    with pytest.raises(ParameterError, match=r"'maps' .*is no vector of class scores"):
        ablate(branched, output="maps")
    assert ablate(branched, layer="joined").layer == "joined"


def test_a_run_of_another_model(world: Path, branched: Path) -> None:
    with pytest.raises(RunMismatchError, match="another model"):
        onnxdissect.ablate(world / "net.onnx", world / "labelled", branched / "run")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"top_n": [0]}, f"0 of {UNITS} units cannot be removed"),
        ({"top_n": [1, UNITS]}, f"{UNITS} of {UNITS} units cannot be removed"),
        ({"repeats": 0}, "cannot be drawn 0 times"),
        ({"seed": -1}, "seed cannot be -1"),
        ({"resamples": -1}, "resampled -1 times"),
        ({"limit": 0}, "number of images cannot be 0"),
        ({"rank_on": "halve"}, "not ranked on 'halve'"),
        ({"rank_by": "loss"}, "not ranked by 'loss'"),
        ({"target": ["kitchn"]}, "no class 'kitchn'"),
        ({"target": ["top"]}, "a number from 0 to 3, or a name"),
        ({"provider": "gpu"}, "unknown provider 'gpu'"),
        ({"layer": "nowhere"}, "nowhere"),
        ({"top_n": "4"}, "top_n"),
    ],
)
def test_parameters_out_of_range(world: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(OnnxDissectError, match=said):
        ablate(world, **options)


def test_a_class_that_no_image_shows(world: Path, tmp_path: Path) -> None:
    images = copied(world, tmp_path)
    shutil.rmtree(images / "beach")
    with pytest.raises(ParameterError, match=r"no image of .* shows beach") as error:
        ablate(world, images, target=["beach"])
    assert set(error.value.candidates) == {"kitchen", "ski slope", "ski lift"}


def test_folders_of_something_else_stay_as_they_are(world: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    for fresh in (False, True):
        with pytest.raises(OutputError, match=r"holds notes\.txt, no ablation"):
            ablate(world, out=tmp_path, fresh=fresh)
    with pytest.raises(OutputError, match="is a file"):
        ablate(world, out=tmp_path / "notes.txt")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "ablation.json").write_text("{}", encoding="utf-8")
    with pytest.raises(OutputError, match="that is no ablation of units"):
        ablate(world, out=tmp_path / "other", fresh=True)
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"
    mine = tmp_path / "third" / "work" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match=r"work holds mine\.txt, which no ablation has written"):
        ablate(world, out=tmp_path / "third", fresh=True)
    assert mine.exists()


def test_runs_and_images_are_not_written_into(world: Path, tmp_path: Path) -> None:
    """Figures among images would be images of a class the next time."""
    images = copied(world, tmp_path)
    (tmp_path / "link").symlink_to(world / "run")
    for out, said in (
        (world / "run" / "ablation", "lies in the run"),
        (tmp_path / "link" / "a" / "b", "lies in the run"),
        (images, "lies in the images"),
        (images / "out", "lies in the images"),
    ):
        with pytest.raises(OutputError, match=said):
            ablate(world, images, out=out)
        assert out == images or not out.exists()


def test_pages_are_replaced_and_nothing_else_in_them(world: Path, tmp_path: Path) -> None:
    from onnxdissect.report.ablation import build_ablation

    out = tmp_path / "out"
    found = ablate(world, out=out)
    build_ablation(found, out)
    # as a writer that was killed leaves them
    (out / "page.0123abcd.partial").mkdir()
    (out / "page.0123abcd.lock.partial").write_bytes(b"")
    assert ablate(world, out=out) == found
    build_ablation(found, out)
    assert sorted(path.name for path in out.iterdir()) == [
        "ablation.json",
        "ablation.npz",
        "index.html",
        "page",
    ]
    assert ablate(world, out=out, top_n=[2], fresh=True).counts == (2,)
    assert not (out / "index.html").exists(), "a page of another ablation"
    (out / "page" / "data" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match=r"page holds data.mine\.txt, which no ablation has written"):
        ablate(world, out=out, fresh=True)
    shutil.rmtree(out / "page")
    (out / "page").symlink_to(world)
    with pytest.raises(OutputError, match="page holds a link"):
        ablate(world, out=out, fresh=True)


def test_empty_folders_of_classes_are_told(world: Path, tmp_path: Path) -> None:
    images = copied(world, tmp_path)
    for path in (images / "beach").iterdir():
        path.unlink()
    told: list[str] = []
    assert ablate(world, images, notify=told.append).shown == 3
    assert any("no image in these folders" in line and "beach" in line for line in told)


def test_classes_that_are_called_alike_are_told_apart(world: Path, tmp_path: Path) -> None:
    names = ["crane", "kitchen", "crane", "beach"]
    images = copied(world, tmp_path)
    for number, path in enumerate(sorted(images.iterdir())):
        path.rename(images / str(number))
    options: dict[str, Any] = {"classes": names, "out": tmp_path / "out"}
    assert ablate(world, images, target=[0], **options).classes[0].class_index == 0
    with pytest.raises(RunMismatchError, match=r"class_numbers: \[0\] there, \[2\] asked for"):
        ablate(world, images, target=[2], **options)


def test_the_provider_that_ran_is_what_counts(world: Path, tmp_path: Path) -> None:
    first = ablate(world, out=tmp_path / "out", provider="auto")
    assert first.request["provider"] in ("cpu", "cuda")
    ran = str(first.request["provider"])
    for provider in ("auto", ran):
        assert ablate(world, out=tmp_path / "out", provider=provider) == first
    other = "cuda" if ran == "cpu" else "cpu"
    with pytest.raises(RunMismatchError, match=f"provider: '{ran}' there, '{other}' asked for"):
        ablate(world, out=tmp_path / "out", provider=other)


def test_another_ablation_is_not_overwritten_unless_asked(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = ablate(world, out=out)
    with pytest.raises(RunMismatchError, match=r"top_n: \[1\] there, \[2\] asked for; seed: 0 .* 4") as error:
        ablate(world, out=out, top_n=[2], seed=4)
    assert error.value.hint is not None and "--fresh" in error.value.hint
    images = copied(world, tmp_path)
    (images / "beach" / "9.png").write_bytes((images / "beach" / "0.png").read_bytes())
    with pytest.raises(RunMismatchError, match="images"):
        ablate(world, images, out=out)
    assert onnxdissect.load_ablation(out) == first
    assert ablate(world, out=out, top_n=[2], fresh=True).counts == (2,)


def test_images_that_change_before_it_goes_on_are_noticed(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopping:
        def start(self, phase: str, total: int) -> None:
            if phase == "ablation sets":
                raise KeyboardInterrupt

        def advance(self, images: int) -> None:
            pass

        def finish(self) -> None:
            pass

    images = copied(world, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        ablate(world, images, out=tmp_path / "out", progress=Stopping())
    with pytest.raises(RunMismatchError, match="seed: 0 there, 1 asked for"):
        ablate(world, images, out=tmp_path / "out", seed=1)
    for path in images.glob("*/*.png"):
        cv2.imwrite(str(path), np.full((12, 12, 3), 5, np.uint8))
    with pytest.raises(RunMismatchError, match="are others than when this ablation began"):
        ablate(world, images, out=tmp_path / "out")
    assert ablate(world, images, out=tmp_path / "out", fresh=True).images == 2 * EACH


def test_scores_that_are_no_numbers_without_a_unit_name_the_images(world: Path, tmp_path: Path) -> None:
    """Divided by the sum of two units of which one is silent, they are 0 / 0 without the other."""
    from support.small_runs import broden, dissect

    b = Builder(("N", 3, 12, 12))
    weights = np.zeros((2, 3, 1, 1))
    weights[0] = 1.0
    maps = b.node("Conv", b.image, b.constant(weights), name="coarse")
    b.units[maps] = 2
    deep = b.relu(maps, name="deep")
    flat = b.node("Flatten", b.node("GlobalAveragePool", deep))
    whole = b.node("ReduceSum", flat, b.constant([1], np.int64), keepdims=1)
    scores = b.node("Gemm", b.node("Div", flat, whole), b.weight((2, 4)), name="scores")
    b.metadata["classes"] = '["kitchen", "ski slope", "ski lift", "beach"]'
    save(b.model(scores), tmp_path / "net.onnx")
    broden(tmp_path / "data", 6, 0)
    dissect(tmp_path, layers=["deep"], bootstrap=0, null=0)
    with pytest.raises(NonFiniteError, match=r"not finite, of \w.*/\d\.png or one of the \d+") as error:
        ablate(tmp_path, world / "labelled", out=tmp_path / "out")
    assert error.value.hint is not None and "--layer" in error.value.hint
    assert not (tmp_path / "out" / "ablation.json").exists()


def test_a_network_of_one_score_tells_no_classes_apart(world: Path, tmp_path: Path) -> None:
    from support.small_runs import broden, dissect

    b = Builder(("N", 3, 12, 12))
    deep = b.relu(b.conv(b.image, 4, name="coarse"), name="deep")
    flat = b.node("Flatten", b.node("GlobalAveragePool", deep))
    save(b.model(b.node("Gemm", flat, b.weight((4, 1)), name="score")), tmp_path / "net.onnx")
    broden(tmp_path / "data", 6, 0)
    dissect(tmp_path, layers=["deep"], bootstrap=0, null=0)
    (tmp_path / "labelled" / "0").mkdir(parents=True)
    (tmp_path / "labelled" / "1").mkdir()
    for name in "01":
        shutil.copy(world / "labelled" / "beach" / "0.png", tmp_path / "labelled" / name)
    with pytest.raises(ParameterError, match="there is no class 1"):
        ablate(tmp_path)
