"""``onnxdissect compare`` as a person types it."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.commands import Called, called
from support.compared_runs import compared_runs, with_manifest
from support.disks import small_disk
from support.small_runs import contents

import onnxdissect
import onnxdissect.report.comparison as show
from onnxdissect.cli.compare import compare
from onnxdissect.errors import OutputError
from onnxdissect.experiments.comparison import comparison_files
from onnxdissect.results.formats import tables


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compared_runs(tmp_path_factory.mktemp("typed"))


def typed(world: Path, *words: str) -> Called:
    return called(world, "compare", *words)


def process(world: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "onnxdissect", "compare", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=world, check=False)


def test_tables_and_sentences_are_printed_and_nothing_is_written(world: Path) -> None:
    before = sorted(path.name for path in world.iterdir())
    said = process(world, "one", "two")
    assert said.returncode == 0, said.stderr
    found = onnxdissect.compare([world / "one", world / "two"])
    blocks = [block.splitlines() for block in said.stdout.strip().split("\n\n")]
    assert [block[0].strip() for block in blocks[:2]] == [
        "Unique detectors (IoU > 0.04)",
        "Differences (60 resamples of the images)",
    ]
    heads = blocks[0][1].split()
    assert heads == [
        "layer",
        "units",
        "detectors",
        "share",
        "reliable",
        "unique",
        "95",
        "%",
        *found.categories,
    ]
    for row, layer in zip(blocks[0][2:], found.layers, strict=True):
        cells = row.split()
        assert " ".join(cells[:2]) == layer.name
        assert cells[2:4] == [str(layer.units), str(layer.detectors)]
        assert cells[7:9] == [
            f"{layer.unique.value:.0f}",
            f"{layer.unique.low:.0f}..{layer.unique.high:.0f}",
        ]
    for row, pair in zip(blocks[1][2:], found.pairs, strict=True):
        cells = row.split()
        assert " ".join(cells[:2]) == pair.second and " ".join(cells[2:4]) == pair.first
        assert cells[4] == f"{pair.unique.value:+g}" and cells[6] == f"{pair.unique.p_adjusted:.3f}"
    for line, pair in zip(blocks[2], found.pairs, strict=True):
        assert line.startswith(f"{pair.second} against {pair.first}: {len(pair.gained)} concept")
        assert f"Jaccard {pair.overlap.jaccard:.2f}, by chance {pair.overlap.expected:.2f}" in line
    assert "resampling compared layers: 4 layers" in said.stderr
    assert sorted(path.name for path in world.iterdir()) == before


def test_members_that_are_alike_have_a_mean(world: Path) -> None:
    said = typed(world, "one", "two", "three", "--by", "layer")
    found = onnxdissect.compare([world / name for name in ("one", "two", "three")], by="layer")
    block = next(part for part in said.stdout.split("\n\n") if "Mean unique" in part).strip().splitlines()
    assert block[0].strip() == "Mean unique detectors by layer"
    for row, group in zip(block[2:], found.groups, strict=True):
        assert row.split()[:2] == [group.name, "3"]
        assert float(row.split()[4]) == round(group.unique.mean, 1)


def test_each_form_goes_to_standard_output(world: Path) -> None:
    found = onnxdissect.compare([world / "one", world / "two"])
    told = json.loads(typed(world, "one", "two", "--json").stdout)
    assert [layer["name"] for layer in told["layers"]] == [layer.name for layer in found.layers]
    assert told["pairs"][0]["unique"]["p_value"] == found.pairs[0].unique.p_value
    assert told["files"] == []
    head, *rows = csv.reader(io.StringIO(typed(world, "one", "two", "--csv").stdout))
    table = [dict(zip(head, row, strict=True)) for row in rows]
    assert {row["record"] for row in table} == {"layer", "group", "pair"}
    pair = next(row for row in table if row["record"] == "pair" and row["count"] == "unique")
    assert (pair["name"], pair["against"], pair["category"]) == ("two relu2", "one relu2", "")
    assert [float(pair[name]) for name in ("value", "low", "high", "p_value", "p_adjusted")] == [
        found.pairs[0].unique.value,
        found.pairs[0].unique.low,
        found.pairs[0].unique.high,
        found.pairs[0].unique.p_value,
        found.pairs[0].unique.p_adjusted,
    ]
    text = typed(world, "one", "two", "--markdown").stdout
    assert text.startswith("# Comparison\n") and "| two relu1 | one relu1 | " in text
    both = typed(world, "one", "two", "--csv", "--json")
    assert both.returncode == 2 and not both.stdout
    assert "--json and --csv cannot both go to standard output" in both.stderr


def test_a_folder_holds_what_is_read_again(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "kept"
    said = typed(world, "one", "two", "--out", str(out), "--json")
    assert said.returncode == 0, said.stderr
    found, read = onnxdissect.compare([world / "one", world / "two"]), onnxdissect.load_comparison(out)
    assert [layer.run for layer in read.layers] == ["one", "one", "two", "two"]
    assert (read.pairs, read.concepts, read.groups) == (found.pairs, found.concepts, found.groups)
    files = [Path(path) for path in json.loads(said.stdout)["files"]]
    assert set(comparison_files(out)) < set(files) and files[-1] == out / "index.html"
    assert all(path.is_file() for path in files)
    assert {path.suffix for path in files if path.parent.name == "figures"} == {".svg", ".pdf", ".png"}
    before = contents(out)
    # the same again, and another one, in its place
    assert typed(world, "one", "two", "--out", str(out)).returncode == 0
    assert contents(out) == before
    assert typed(world, "one", "three", "--out", str(out)).returncode == 0
    after = contents(out)
    assert after != before
    assert {name for name in after if "/" not in name} == {name for name in before if "/" not in name}
    assert [path.name for path in out.parent.iterdir()] == ["kept"]
    (out / "mine.txt").write_text("mine")
    refused = typed(world, "one", "two", "--out", str(out))
    assert refused.returncode == 2 and "holds mine.txt, and is no comparison" in refused.stderr
    assert not refused.stdout and (out / "mine.txt").read_text() == "mine"


def test_nothing_is_put_into_a_run_or_in_the_place_of_others(world: Path, tmp_path: Path) -> None:
    before = contents(world / "one")
    (tmp_path / "link").symlink_to(world / "one")
    for out in (world / "one" / "report", tmp_path / "link" / "layers" / "beside"):
        refused = typed(world, "one", "two", "--out", str(out))
        assert refused.returncode == 2 and not refused.stdout
        assert "lies in the run one, and comparing changes no run" in refused.stderr
    assert contents(world / "one") == before
    # another program calls its file the same
    for text in ("[1, 2]", '{"layers": [], "pairs": []}', "{", ""):
        (tmp_path / "comparison.json").write_text(text)
        (tmp_path / "link").unlink(missing_ok=True)
        refused = typed(world, "one", "two", "--out", str(tmp_path))
        assert refused.returncode == 2 and "comparison.json that is no comparison of runs" in refused.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["comparison.json"]
        assert (tmp_path / "comparison.json").read_text() == text


def test_a_folder_that_was_filled_meanwhile_stays(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "kept"
    draw = show.show_comparison

    def filled(*given: Any, **options: Any) -> Any:
        out.mkdir()
        (out / "mine.txt").write_text("mine")
        return draw(*given, **options)

    monkeypatch.setattr(show, "show_comparison", filled)
    with pytest.raises(OutputError, match=r"holds mine\.txt, and is no comparison"):
        compare([str(world / "one"), str(world / "two")], out=out)
    assert {path.name: contents(path) for path in tmp_path.iterdir()} == {"kept": {"mine.txt": b"mine"}}


def test_each_run_is_read_once(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = tables.read_units
    opened: list[Path] = []

    def counted(folder: Path, *given: Any, **options: Any) -> Any:
        opened.append(folder)
        return read(folder, *given, **options)

    monkeypatch.setattr(tables, "read_units", counted)
    monkeypatch.chdir(world)
    compare(["one", "./two/", "one"], out=tmp_path / "kept")
    assert sorted(opened) == [Path("one"), Path("two")]
    layers = onnxdissect.load_comparison(tmp_path / "kept").layers
    assert {layer.run for layer in layers} == {"one", "two"}


def test_two_comparisons_at_once_leave_one_that_is_whole(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "kept"
    draw = show.show_comparison
    later = [("one", "three")]

    def drawn(result: Any, runs: Any, folder: Path, *given: Any, **options: Any) -> Any:
        figures, page = draw(result, runs, folder, *given, **options)
        if later:
            said = process(world, *later.pop(), "--out", str(out))
            assert said.returncode == 0, said.stderr
            assert {layer.run for layer in onnxdissect.load_comparison(out).layers} == {"one", "three"}
        return figures, page

    monkeypatch.setattr(show, "show_comparison", drawn)
    compare([str(world / "one"), str(world / "two")], out=out)
    compare([str(world / "one"), str(world / "two")], out=tmp_path / "alone")
    assert contents(out) == contents(tmp_path / "alone")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "kept"]


def test_files_among_figures_and_pages_are_not_lost(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "kept"
    runs = [str(world / "one"), str(world / "two")]
    compare(runs, out=out)
    before = contents(out)
    for name in ("figures/mine.svg", "page/images0/notes.txt", "page/data/deep/er.js"):
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("mine")
        with pytest.raises(OutputError) as caught:
            compare(runs, out=out)
        assert f"holds {name}, which no comparison has written: it stays as it is" in caught.value.message
        assert caught.value.hint is not None and f"move {name} elsewhere" in caught.value.hint
        assert contents(out) == before | {name: b"mine"}
        (out / name).unlink()
    (out / "page" / "link").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(OutputError, match="holds page/link, which no comparison has written"):
        compare(runs, out=out)
    (out / "page" / "link").unlink()
    # without its list, whatever lies there may be anybody's
    (out / "page" / "files.json").write_text("[1")
    with pytest.raises(OutputError, match=r"holds page/.*, which no comparison has written"):
        compare(runs, out=out)
    shutil.rmtree(out / "page")
    shutil.rmtree(out / "figures")
    compare(runs, out=out)
    assert contents(out) == before


def test_a_full_disk_leaves_the_earlier_comparison(world: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, 8000):
        out = disk / "kept"
        compare([str(world / "one"), str(world / "two")], out=out)
        before = contents(out)
        free = shutil.disk_usage(disk).free
        for left in (2**13, sum(map(len, before.values())) // 2):
            (disk / "filler").write_bytes(bytes(free - left))
            with pytest.raises(OutputError) as caught:
                compare([str(world / "one"), str(world / "three")], out=out)
            assert f"cannot write the comparison {out}: No space left on device" in caught.value.message
            assert caught.value.hint is not None
            assert f"make room on {disk}, then the same command again: nothing of it" in caught.value.hint
            assert "an earlier comparison there is as it was" in caught.value.hint
            assert contents(out) == before
            assert sorted(path.name for path in disk.iterdir()) == ["filler", "kept"]


def test_options_reach_the_comparison(world: Path) -> None:
    said = typed(world, "one", "--by", "basis", "--layer", "relu0", "--resamples", "45", "--json")
    told = json.loads(said.stdout)
    assert told["by"] == "basis" and told["resamples"] == 45
    assert [layer["name"] for layer in told["layers"]] == ["relu2", "relu2/permutation:seed=1"]
    said = typed(world, "t*", "one", "--layer", "last", "--quantile", "0.02", "--series", "--json")
    told = json.loads(said.stdout)
    assert [layer["name"] for layer in told["layers"]] == ["three", "two", "one"]
    assert [(pair["first"], pair["second"]) for pair in told["pairs"]] == [("three", "two"), ("two", "one")]
    assert {layer["quantile"] for layer in told["layers"]} == {0.02}
    said = typed(world, "one", "two", "three", "--layer", "last", "--against", "two", "--json")
    assert [pair["first"] for pair in json.loads(said.stdout)["pairs"]] == ["two", "two"]
    said = typed(world, "one", "--basis", "perm*", "--layer", "relu1", "--json")
    assert len(json.loads(said.stdout)["layers"]) == 2


def test_runs_of_other_data_are_refused_and_marked_anyway(world: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(world / "two", tmp_path / "other"))
    with_manifest(other, data__fingerprint="f" * 64)
    said = typed(world, "one", str(other))
    assert said.returncode == 2 and not said.stdout
    assert "the data differs" in said.stderr and "hint: --anyway" in said.stderr
    said = typed(world, "one", str(other), "--anyway")
    assert said.returncode == 0
    assert "not alike: the data differs" in said.stderr
    assert "no interval of the difference, for they are not of the same images" in said.stdout
    assert "not alike" not in typed(world, "one", "two", "--anyway").stderr


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (("nowhere",), "there is no run directory nowhere", "one"),
        (("non*",), "no run directory fits non*", "one"),
        (("one", "--layer", "relu0"), "there is nothing to compare: of one only layer relu2", "--by basis"),
        (("one", "two", "--layer", "rely0"), "holds no layer 'rely0'", "relu0"),
        (("one", "two", "--by", "paramters.top"), "no run has a key 'paramters.top'", "parameters.top"),
    ],
)
def test_what_cannot_be_compared_is_said_at_once(
    world: Path, words: tuple[str, ...], said: str, hint: str
) -> None:
    found = typed(world, *words, "--out", "kept")
    assert found.returncode == 2, found.stderr
    assert said in " ".join(found.stderr.split()) and hint in found.stderr
    assert "Traceback" not in found.stderr and not found.stdout
    assert not (world / "kept").exists()
