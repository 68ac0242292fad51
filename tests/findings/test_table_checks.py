"""Tables that are cut off, or do not belong together, are named, and nothing is told of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from page.evidence import Evidence, MissingNetworksError
from support.findings_tables import predictions_of, thresholds_of, write_experiment

ROOM = Path(__file__).parents[2] / "models" / "findings"
Damage = Callable[[Path], object]


def cut(name: str, lines: int) -> Damage:
    def damage(tables: Path) -> None:
        path = tables / name
        path.write_text("".join(path.read_text(encoding="utf-8").splitlines(True)[:lines]), encoding="utf-8")

    return damage


def exchanged(name: str, before: str, after: str) -> Damage:
    def damage(tables: Path) -> None:
        path = tables / name
        text = path.read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")

    return damage


def said(**told: object) -> Damage:
    def damage(tables: Path) -> None:
        path = tables / "parts-s1" / "network.json"
        card = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**card, **told}), encoding="utf-8")

    return damage


DAMAGES: dict[str, tuple[Damage, str]] = {
    "no units": (lambda tables: (tables / "base-s0" / "units.csv").unlink(), "units.csv is missing"),
    "no layers": (lambda tables: (tables / "dropout-s1" / "layers.csv").unlink(), "layers.csv is missing"),
    "no concepts": (lambda tables: (tables / "concepts.csv").unlink(), "concepts.csv is missing"),
    "no counts": (lambda tables: (tables / "parts-s2" / "resampled.npz").unlink(), "parts-s2"),
    "half a card": (
        lambda tables: (tables / "parts-s1" / "network.json").write_text('{"variant": "pa', encoding="utf-8"),
        "parts-s1/network.json is damaged",
    ),
    "another card": (
        lambda tables: (tables / "parts-s1" / "network.json").write_text("[]", encoding="utf-8"),
        "does not say",
    ),
    "fewer layers": (cut("base-s1/layers.csv", 4), "other layers"),
    "fewer units": (cut("base-s1/units.csv", 90), "other units of the last layer"),
    "fewer concepts": (cut("concepts.csv", 9), "other concepts"),
    "half a cell": (exchanged("base-s1/units.csv", "object,false", "object,fals"), "neither true nor false"),
    "other columns": (exchanged("base-s1/units.csv", "label,", "name,"), "no column label"),
    "semicolons": (exchanged("base-s1/layers.csv", ",", ";"), "no column layer, units"),
    "a word for a count": (exchanged("base-s1/layers.csv", "relu1,16", "relu1,many"), "are no numbers"),
    "a word for images": (exchanged("concepts.csv", "100,10", "100,ten"), "has images that are no numbers"),
    "a word for a score": (said(score="good"), "score is no number"),
    "half a row": (exchanged("base-s1/layers.csv", "relu1,16,", "relu1\n16,"), "a row is cut off"),
    "another recipe": (said(recipe="another"), "tables of parts-s1 in"),
    "other images": (said(data="other"), "parts-s1/network.json has another data than"),
    "other resamples": (said(resamples=41), "has another resamples than"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_tables_that_do_not_belong_together_are_named(name: str, made_tables: Path, tmp_path: Path) -> None:
    damage, words = DAMAGES[name]
    tables = Path(shutil.copytree(made_tables, tmp_path / "tables"))
    damage(tables)
    with pytest.raises(MissingNetworksError) as caught:
        Evidence(tables).check()
    text = str(caught.value)
    assert words in text.replace("\\", "/")
    assert "python models/findings/train.py makes" in text
    assert "\n" not in text


@pytest.mark.parametrize("name", ["predictions", "thresholds"])
def test_answers_of_fewer_images_are_named(name: str, made_tables: Path, tmp_path: Path) -> None:
    tables = Path(shutil.copytree(made_tables, tmp_path / "tables"))
    found = predictions_of(1) if name == "predictions" else thresholds_of(1)
    fewer = {
        key: array[:9] if name == "predictions" and key != "units" else array for key, array in found.items()
    }
    if name == "thresholds":
        fewer |= {key: array[:, :9] for key, array in fewer.items() if key != "quantiles"}
    write_experiment(tables, "base-s1", name, fewer)
    with pytest.raises(MissingNetworksError, match=f"{name}.npz is of 9 images or resamples"):
        Evidence(tables).check()


def call(script: str, *words: str, hidden: str = "") -> subprocess.CompletedProcess[str]:
    """Run a script as it is typed, as if a package were not installed."""
    start = (
        f"import runpy, sys; sys.argv = {[str(ROOM / script), *words]!r}; sys.path.insert(0, {str(ROOM)!r}); "
        f"sys.modules.update(dict.fromkeys({hidden.split()!r})); "
        "runpy.run_path(sys.argv[0], None, '__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", start], capture_output=True, text=True, timeout=300, check=False
    )


def test_nothing_is_written_of_tables_that_are_cut_off(made_tables: Path, tmp_path: Path) -> None:
    tables = Path(shutil.copytree(made_tables, tmp_path / "tables"))
    cut("base-s1/units.csv", 90)(tables)
    page = tmp_path / "docs" / "page.md"
    done = call("figures.py", "--tables", str(tables), "--page", str(page))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert not page.parent.exists()


def test_a_page_that_is_a_folder_is_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    done = call("figures.py", "--page", str(tmp_path))
    assert done.returncode == 2
    assert "is no Markdown file to be written" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_training_without_torch_says_what_to_install() -> None:
    done = call("train.py", "--steps", "2", hidden="torch")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "training needs torch, of the extra train: sh setup.sh train, or pip install -e '.[train]'"
    ]


def test_trying_out_does_not_replace_what_is_shipped() -> None:
    before = {path: path.stat().st_mtime_ns for path in ROOM.glob("tables/*/*")}
    done = call("experiments.py", "--limit", "5")
    assert done.returncode == 2
    assert "give another folder: --out FOLDER" in done.stderr
    assert call("experiments.py", "--limit", "0").returncode == 2
    assert before == {path: path.stat().st_mtime_ns for path in ROOM.glob("tables/*/*")}
