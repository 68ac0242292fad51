"""``onnxdissect import-netdissect`` as a person types it, and the other commands on what it makes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from naive import published as naive
from support.commands import Called, called
from support.fake_counts import contents
from support.result_files import draw_units, result_file, table, write

MODEL = Path(__file__).parents[2] / "models" / "tiny_scenes.onnx"


def typed(place: Path, *words: str) -> Called:
    done = called(place, *words)
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a result file, and what was made of it."""
    folder = tmp_path_factory.mktemp("published")
    result_file(folder / "conv5.csv", count=30)
    command = [sys.executable, "-m", "onnxdissect", "import-netdissect", "conv5.csv", "--out", "alexnet"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_what_was_imported_is_printed(tmp_path: Path) -> None:
    said = naive.read(result_file(tmp_path / "conv5.csv", count=30))
    done = typed(tmp_path, "import-netdissect", "conv5.csv", "--out", "alexnet")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.rstrip() for line in done.stdout.splitlines() if line.strip()]
    assert lines[0].startswith("Unique detectors (IoU > 0.04, scored as paper)")
    assert lines[2].split()[:5] == ["conv5", "conv5", "30", str(said["detectors"]), str(said["unique"])]
    assert lines[-3:] == [
        f"conv5: {said['detectors']} of 30 units detect a concept",
        "run:    alexnet",
        "pages:  onnxdissect report alexnet",
    ]
    again = typed(tmp_path, "import-netdissect", "conv5.csv", "--out", "alexnet", "--json")
    assert (again.returncode, again.stderr) == (0, "alexnet already holds these results\n")
    (layer,) = json.loads(again.stdout)["layers"]
    assert (layer["detectors"], layer["unique_any"]) == (said["detectors"], said["unique_any"])
    assert (layer["rare_labels"], layer["unique_low"]) == (None, None)


def test_layers_names_and_notes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.csv", table(draw_units(6), lite=True))
    files = ("a.csv", "b.csv", "--layer", "conv4", "--layer", "conv5")
    names = ("--network", "AlexNet", "--data-name", "Broden", "--quantile", "0.01", "--iou-threshold", "0.1")
    done = typed(tmp_path, "import-netdissect", *files, *names, "--out", "run")
    assert done.returncode == 0, done.stderr
    assert done.stderr == (
        "note: all counts are written with a decimal point, as NetDissect-Lite does: taken as scored by its "
        "convention, lite; --scoring says otherwise\n"
    )
    assert "(IoU > 0.1, scored as lite)" in done.stdout
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert [one["name"] for one in manifest["layers"]] == ["conv4", "conv5"]
    assert (manifest["model"]["path"], manifest["data"]["name"]) == ("AlexNet", "Broden")
    assert manifest["parameters"]["quantiles"] == [0.01]
    assert [(one["file"], one["layers"]) for one in manifest["imported"]["files"]] == [
        ("a.csv", ["conv4"]),
        ("b.csv", ["conv5"]),
    ]
    other = typed(tmp_path, "import-netdissect", *files, *names, "--out", "run", "--scoring", "paper")
    assert other.returncode == 2
    assert "parameters.scoring: 'lite' there, 'paper' asked for" in other.stderr
    fresh = typed(tmp_path, "import-netdissect", *files, "--out", "run", "--scoring", "paper", "--fresh")
    assert (fresh.returncode, fresh.stderr) == (0, "")


def test_a_wrong_file_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "page.csv").write_text("<!doctype html>\n<title>Not found</title>\n")
    done = typed(tmp_path, "import-netdissect", "page.csv", "--out", "run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "error: page.csv: it has no column called unit; its first line is '<!doctype html>'",
        "hint: a result file has the columns unit, category, label and score, and for every category "
        "<category>-label and <category>-iou, mostly with -truth, -activation and -intersect",
    ]
    missing = typed(tmp_path, "import-netdissect", "pages.csv", "--out", "run")
    assert missing.returncode == 2
    assert missing.stderr.splitlines() == ["error: there is no file pages.csv", "candidates: page.csv"]
    assert not (tmp_path / "run").exists()


def test_rescore_changes_the_threshold_and_refuses_the_rest(place: Path) -> None:
    said = naive.read(place / "conv5.csv", 0.2)
    done = typed(place, "rescore", "alexnet", "--iou-threshold", "0.2", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (layer,) = json.loads(done.stdout)["layers"]
    assert (layer["detectors"], layer["unique_detectors"]) == (said["detectors"], said["unique"])
    assert layer["unique_any"] == said["unique_any"]
    before = contents(place / "alexnet")
    for option, value, words in (
        ("--scoring", "pnas", "they are scored as 'paper' and hold no counts to score them as 'pnas'"),
        ("--min-images", "10", "they do not tell how many images hold a concept"),
    ):
        refused = typed(place, "rescore", "alexnet", option, value)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "error: the run alexnet was imported from published results: " in refused.stderr
        assert words in refused.stderr
        assert "hint: --iou-threshold can be another" in refused.stderr
    assert contents(place / "alexnet") == before
    assert typed(place, "rescore", "alexnet", "--iou-threshold", "0.04").returncode == 0


def test_an_interrupted_rescoring_is_finished_by_the_same_command(place: Path) -> None:
    path = place / "alexnet" / "manifest.json"
    path.write_text(path.read_text().replace('"status": "complete"', '"status": "rescoring"'))
    (place / "alexnet" / "units.csv").unlink()
    assert "was being rescored" in typed(place, "report", "alexnet").stderr
    assert typed(place, "rescore", "alexnet").returncode == 0
    assert typed(place, "import-netdissect", "conv5.csv", "--out", "alexnet").returncode == 0


def test_a_check_refuses_imported_results(place: Path) -> None:
    done = typed(place, "check", str(MODEL), "--baseline", "alexnet")
    assert done.returncode == 2
    assert "alexnet was imported from published results: a check takes thresholds, images" in done.stderr
    written = typed(place, "check", "--baseline", "alexnet", "--write-baseline", "baseline.json")
    assert written.returncode == 2
    assert "was imported from published results" in written.stderr


def test_a_run_of_the_network_does_not_overwrite_imported_results(place: Path) -> None:
    before = contents(place / "alexnet")
    done = typed(place, "run", str(MODEL), "--limit", "5", "--out", "alexnet")
    assert done.returncode == 2
    assert "alexnet holds another run" in done.stderr
    assert contents(place / "alexnet") == before


def test_imported_results_are_compared_and_matched_like_others(tmp_path: Path) -> None:
    """The same layer, its units in another order: no difference, and every unit finds itself."""
    units = draw_units(30)
    order = [(7 * k + 3) % 30 for k in range(30)]
    write(tmp_path / "conv5.csv", table(units))
    (tmp_path / "other").mkdir()
    write(tmp_path / "other" / "conv5.csv", table([units[k] for k in order]))
    for file, run in (("conv5.csv", "first"), ("other/conv5.csv", "second")):
        assert typed(tmp_path, "import-netdissect", file, "--out", run).returncode == 0
    done = typed(tmp_path, "compare", "first", "second", "--match", "profiles", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    detectors = naive.read(tmp_path / "conv5.csv")["detectors"]
    assert [(layer["images"], layer["detectors"]) for layer in said["layers"]] == [(0, detectors)] * 2
    (pair,) = said["pairs"]
    assert (pair["paired"], pair["unique"]["value"], pair["unique"]["p_value"]) == (False, 0, None)
    assert (pair["gained"], pair["lost"], pair["overlap"]["jaccard"]) == ([], [], 1.0)
    (matching,) = said["matchings"]
    ious = {k: max(best.iou for best in unit.values()) for k, unit in enumerate(units)}
    met = {k for k, iou in ious.items() if iou}
    sides = (order, list(range(30))) if matching["first"] == "second" else (list(range(30)), order)
    for one in matching["units"]:
        first, second = sides[0][one["first"]], sides[1][one["second"]]
        assert first == second or not {first, second} & met or units[first] == units[second]
    refused = typed(tmp_path, "compare", "first", "second", "--match", "masks")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "was imported from published results, which tell of no masks to match units by" in refused.stderr
