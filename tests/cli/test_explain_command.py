"""``onnxdissect explain`` as a person types it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from support.commands import run_command
from support.explained import CLASSES, explained_world

import onnxdissect
from onnxdissect.experiments.explanation import explanation_json

# in the order in which they are written
PARTS = (".png", ".svg", "-segments.png", "-painted.png", "-painted.svg")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = explained_world(tmp_path_factory.mktemp("typed"))
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 4, (40, 60, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / f"image{number}.png"), pixels)
    return folder


def test_tables_and_sentences_are_printed_and_nothing_is_written(world: Path) -> None:
    before = sorted(path.name for path in world.iterdir())
    words = ["explain", "net.onnx", "image0.png", "image1.png", "--run", "run", "--top", "3"]
    said = subprocess.run(
        [sys.executable, "-m", "onnxdissect", *words], capture_output=True, text=True, cwd=world, check=False
    )
    assert said.returncode == 0, said.stderr
    found = onnxdissect.explain(
        world / "net.onnx", [world / f"image{n}.png" for n in (0, 1)], world / "run", top=3
    )
    blocks = said.stdout.strip().split("\n\n")
    assert len(blocks) == 2
    for block, one in zip(blocks, found, strict=True):
        title, heads, *rows = block.splitlines()
        assert title.strip().endswith(f"predicted: {one.predicted_name}, score {one.score:.4g}")
        assert heads.split()[:3] == ["unit", "label", "category"] and "fired" in heads
        for row, unit in zip(rows[:3], one.units, strict=True):
            assert row.split()[0] == str(unit.unit)
            assert f"{unit.contribution:+.4g}" in row and f"{100 * unit.share:+.0f} %" in row
            assert ("of the image" in row) == (unit.box is not None)
        assert rows[3].startswith(f"{one.class_name}: ")
        assert f"{one.alias}, linear: a contribution is the score with only this unit active" in rows[4]
        assert "shares are of the sum of all contributions of the same sign" in rows[4]
        assert "the score is 'logits', before the Softmax of 'chances'" in rows[4]
    assert sorted(path.name for path in world.iterdir()) == before


def test_a_folder_takes_what_was_found_and_a_figure_of_each_image(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "out"
    images = [world / "image0.png", world / "image1.png"]
    words = ["explain", world / "net.onnx", *images, "--run", world / "run"]
    assert run_command(monkeypatch, *words, "--out", out, "--json") == 0
    told = json.loads(capfd.readouterr().out)
    names = [f"{image}{part}" for image in ("01-image0", "02-image1") for part in PARTS]
    beside = ["explanation.json", "index.html", "page", "segments.json"]
    assert sorted(path.name for path in out.iterdir()) == sorted([*names, *beside])
    files = ["explanation.json", *names, "segments.json", "index.html"]
    assert told.pop("files") == [str(out / name) for name in files]
    written = json.loads((out / "explanation.json").read_text(encoding="utf-8"))
    assert written.pop("figures") == names and written == told
    found = onnxdissect.explain(world / "net.onnx", [str(image) for image in images], world / "run")
    assert json.loads(json.dumps(explanation_json(found))) == told
    first = told["explanations"][0]
    assert first["image_size"] == [40, 60] and len(first["contributions"]) == 6
    with Image.open(out / names[0]) as figure:
        assert figure.width > figure.height > 300
        pixels = np.asarray(figure.convert("RGB"))
    # panels are drawn, and so is the outline of a mask
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100
    svg = (out / names[1]).read_text(encoding="utf-8")
    texts = re.findall(r"<text[^>]*>(.*?)</text>", svg)
    for unit in found[0].units:
        assert any(text.startswith(f"{unit.unit} ") for text in texts)
    assert svg.count("<image") == 1 + 2 * len(found[0].units)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert run_command(monkeypatch, *words, "--out", out) == 0
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    # fewer images leave no figure of those before
    assert run_command(monkeypatch, *words[:3], "--run", world / "run", "--out", out) == 0
    assert sorted(path.name for path in out.iterdir()) == sorted([*names[: len(PARTS)], *beside])
    assert sorted(path.name for path in (out / "page" / "photos").iterdir()) == ["1.webp"]


def test_a_folder_with_anything_else_stays_as_it_is(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["explain", world / "net.onnx", world / "image0.png", "--run", world / "run"]
    (tmp_path / "thesis.tex").write_text("years of work")
    assert run_command(monkeypatch, *words, "--out", tmp_path) == 2
    assert "holds thesis.tex" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "explanation.json").write_text('{"why": "because"}')
    assert run_command(monkeypatch, *words, "--out", other) == 2
    assert "is no explanation of predictions" in capfd.readouterr().err
    assert (other / "explanation.json").read_text() == '{"why": "because"}'
    assert run_command(monkeypatch, *words, "--out", tmp_path / "thesis.tex") == 2
    assert "is a file" in capfd.readouterr().err
    mine = tmp_path / "mine"
    assert run_command(monkeypatch, *words, "--out", mine) == 0
    (mine / "page" / "notes.txt").write_text("seen it")
    assert run_command(monkeypatch, *words, "--out", mine) == 2
    assert "holds page/notes.txt, which no explanation has written" in " ".join(
        capfd.readouterr().err.split()
    )
    assert (mine / "page" / "notes.txt").read_text() == "seen it"
    assert run_command(monkeypatch, *words, "--out", world / "run") == 2
    assert "it stays as it is" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--class", "ski slop"), "candidates: ski slope"),
        (("--class", "7"), "there is no class 7"),
        (("--layer", "inner"), "goes around"),
        (("--layer", "behind"), "lies behind the class scores"),
        (("--output", "maps"), "is no vector of class scores"),
        (("--attribution", "linear", "--layer", "mid"), "hint: --attribution ablation"),
        (("--top", "0"), "hint: --top 6"),
        (("--attribution", "shapley", "--over", "concept"), "candidates: concepts"),
        (("--attribution", "shapley", "--permutations", "0"), "hint: --permutations 64"),
        (("--ablate", "other-classes"), "hint: --reference"),
        (("--ablate", "mean", "--reference", "nowhere"), "nowhere"),
        (("--reference", "tiny"), "hint: --ablate mean"),
    ],
)
def test_what_is_wrong_is_told_in_one_message(
    world: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    asked = ["explain", world / "net.onnx", world / "image0.png", "--run", world / "run", *words]
    assert run_command(monkeypatch, *asked) == 2
    captured = capfd.readouterr()
    assert said in captured.err and not captured.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ablate", "mean"), "set to its mean over the 12 images of data; changes need not add up"),
        (
            ("--attribution", "shapley", "--layer", "joined", "--permutations", "2"),
            "over 2 orders and their reverses (seed 0) of the 4 units of the largest ablation (others stay",
        ),
        (
            ("--attribution", "shapley", "--over", "concepts"),
            "what this concept adds to the score on joining others, on average over all orders of",
        ),
    ],
)
def test_every_attribution_says_what_it_is(
    world: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    asked = ["explain", world / "net.onnx", world / "image0.png", "--run", world / "run", *words]
    assert run_command(monkeypatch, *asked, "--out", tmp_path / "out") == 0
    printed = capfd.readouterr().out
    written = json.loads((tmp_path / "out" / "explanation.json").read_text(encoding="utf-8"))
    (one,) = written["explanations"]
    assert said in printed and said in one["contribution"] and said in one["attribution_sentence"]
    assert one["ablated_to"] == ("mean" if "mean" in words else "zero")
    name = f"{'concepts' if 'concepts' in words else 'units'}, to zero" if "shapley" in words else "to mean"
    for drawn in ("index.html", "01-image0.svg"):
        assert name in (tmp_path / "out" / drawn).read_text(encoding="utf-8")
    if "shapley" in words:
        assert f"the score with none {one['bias']:.4g} and contributions" in printed
        assert one["orders"]["over"] == ("concepts" if "concepts" in words else "units")
        told = [unit["standard_error"] for unit in one["units"]]
        assert ("s.e." in printed) == bool(told or "concepts" in words)
        assert all(f"{error:.2g}" in printed for error in told)
    for concept in one["concepts"] if "concepts" in words else ():
        assert not concept["contribution"] or f"{concept['contribution']:+.4g}" in printed
    if "concepts" in words:
        assert run_command(monkeypatch, *asked, "--top", "1") == 0
        first, _, row, sentence, _ = capfd.readouterr().out.splitlines()
        assert first.strip().endswith(f"score {one['score']:.4g}") and sentence == one["sentence"]
        strongest = max(one["concepts"], key=lambda concept: abs(concept["contribution"]))
        assert row.startswith(strongest["concept"])
    assert (tmp_path / "out" / "01-image0.png").stat().st_size > 1000


def test_a_fitted_classifier_says_how_well_it_tells_images(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for number in range(10):
        place = tmp_path / "photos" / ("dark" if number % 2 else "light")
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 3 if number % 2 else 30, (30, 30, 3)).astype(np.uint8)
        cv2.imwrite(str(place / f"{number}.png"), pixels)
    words = ["explain", world / "net.onnx", world / "image0.png", "--run", world / "run"]
    words += ["--attribution", "fitted", "--reference", tmp_path / "photos"]
    assert run_command(monkeypatch, *words, "--json") == 0
    (one,) = json.loads(capfd.readouterr().out)["explanations"]
    assert one["class_name"] == "dark" and one["fit"]["classes"] == ["dark", "light"]
    assert run_command(monkeypatch, *words) == 0
    said = capfd.readouterr().out
    share = f"{100 * one['fit']['accuracy']:.0f} %"
    assert f"it tells {share} of the 10 images rightly in cross-validation (5 folds, 2 classes)" in said
    assert "classifier fitted to the 10 labelled images of" in said


def test_an_image_that_cannot_be_read_leaves_nothing_half_done(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.png").write_text("no image")
    words = [
        "explain",
        world / "net.onnx",
        world / "image0.png",
        tmp_path / "bad.png",
        "--run",
        world / "run",
    ]
    for more in ([], ["--json"], ["--out", tmp_path / "out"]):
        assert run_command(monkeypatch, *words, *more) == 2
        told = capfd.readouterr()
        assert "bad.png" in told.err and not told.out
    assert [path.name for path in tmp_path.iterdir()] == ["bad.png"]


def test_another_class_is_explained_beside_what_was_predicted(
    world: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (found,) = onnxdissect.explain(world / "net.onnx", world / "image0.png", world / "run")
    other = next(name for name in CLASSES if name != found.predicted_name)
    words = ["explain", world / "net.onnx", world / "image0.png", "--run", world / "run"]
    assert run_command(monkeypatch, *words, "--class", other, "--attribution", "ablation") == 0
    said = capfd.readouterr().out
    assert f"explained: {other}, score" in said and f"(predicted: {found.predicted_name})" in said
    assert "ablation: a contribution is the score, less the score with this unit set to zero" in said


def test_names_are_printed_as_they_are(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "[bold]$x$[_1].png"
    image.write_bytes((world / "image0.png").read_bytes())
    (tmp_path / "names").write_text("[red]\n[/x] $a$_b\n:cat:\n")
    words = ["explain", world / "net.onnx", image, "--run", world / "run", "--classes", tmp_path / "names"]
    assert run_command(monkeypatch, *words, "--class", "1", "--out", tmp_path / "out") == 0
    said = "".join(capfd.readouterr().out.split())
    assert "[bold]$x$[_1].png:" in said and "[/x]$a$_b" in said
    svg = next((tmp_path / "out").glob("*_1*[!d].svg")).read_text(encoding="utf-8")
    assert "[bold]$x$[_1].png" in svg and "[/x] $a$_b" in svg


def test_an_image_that_no_unit_responds_to_has_no_units(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((30, 30, 3), np.uint8))
    words = ["explain", world / "net.onnx", tmp_path / "black.png", "--run", world / "run"]
    assert run_command(monkeypatch, *words, "--out", tmp_path / "out") == 0
    assert "no unit speaks for it" in capfd.readouterr().out
    told = json.loads((tmp_path / "out" / "explanation.json").read_text(encoding="utf-8"))
    assert told["explanations"][0]["units"] == [] and set(told["explanations"][0]["contributions"]) == {0.0}
    with Image.open(tmp_path / "out" / "01-black.png") as figure:
        assert figure.width > 1000


def test_a_report_leads_to_explanations_of_its_run_and_to_no_others(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["explain", world / "net.onnx", world / "image0.png", "--run", world / "run"]
    assert run_command(monkeypatch, *words, "--out", tmp_path / "out") == 0
    asked = ["report", world / "run", "--explanations", tmp_path / "out"]
    assert run_command(monkeypatch, *asked) == 0
    capfd.readouterr()
    slug = onnxdissect.load(world / "run").layer("deep").slug
    data = world / "run" / "report" / "data" / f"{slug}.js"
    before = data.read_text(encoding="ascii")
    assert "/out/index.html#unit=" in before
    assert run_command(monkeypatch, *asked, "--explanations", world / "data") == 2
    assert "no explanation lies in" in capfd.readouterr().err
    told = json.loads((tmp_path / "out" / "explanation.json").read_text(encoding="utf-8"))
    told["explanations"][0]["units"][0]["threshold"] += 1
    (tmp_path / "out" / "explanation.json").write_text(json.dumps(told), encoding="utf-8")
    assert run_command(monkeypatch, *asked) == 2
    said = " ".join(capfd.readouterr().err.split())
    assert "are not of the run" in said and "hint: onnxdissect explain" in said
    # the report that was there stays
    assert data.read_text(encoding="ascii") == before
