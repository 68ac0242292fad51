"""`data check --fix` writes an index that can be run on, beside one that stays as it is."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from support.commands import called
from support.datasets import Damage, Quirks, random_broden, write_broden
from support.small_runs import Convolution, broden, network

from onnxdissect.data import (
    BrodenDataset,
    Dataset,
    check_folder,
    clean_index,
    installed_sources,
    join_datasets,
    open_data,
    open_dataset,
    open_packed,
)
from onnxdissect.errors import DataNotFoundError, EmptyDataError, OutputError, ParameterError


def spoil(damage: Damage) -> None:
    """A label map that is cut, a row of an unknown number, an image listed twice."""
    damage.truncate("a/one_object_0.png")
    index = damage.folder / "index.csv"
    index.write_text(
        index.read_text() + "three.jpg,val,24,24,6,8,,,300\nthree.jpg,val,24,24,6,8,,,8\n", encoding="utf-8"
    )


def test_what_cannot_be_read_is_left_out_and_said(damage: Damage) -> None:
    spoil(damage)
    index = damage.folder / "index.csv"
    before = {path: path.read_bytes() for path in damage.folder.rglob("*") if path.is_file()}
    done = called(damage.folder.parent, "data", "check", "street", "--fix")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("left out")] == [
        "left out: line 2, a/one.jpg: label map a/one_object_0.png of image a/one.jpg (index.csv, line 2) is "
        "truncated: the PNG file breaks off after 41 bytes",
        "left out: line 5, three.jpg: the image is listed in line 4 already",
        "left out: line 6, three.jpg: label number 8 is not in label.csv",
    ]
    cleaned = Path("street") / "index.cleaned.csv"
    assert lines[-1] == f"{cleaned} lists 2 images; 3 rows left out. Run on it: --data cleaned:street"
    rows = index.read_text(encoding="utf-8").splitlines()
    written = (damage.folder / "index.cleaned.csv").read_text(encoding="utf-8").splitlines()
    assert written == [rows[0], rows[2], rows[3]]
    after = {path: path.read_bytes() for path in damage.folder.rglob("*") if path.is_file()}
    assert {path.name for path in after.keys() - before.keys()} == {"index.cleaned.csv"}
    assert all(after[path] == content for path, content in before.items())


def test_the_cleaned_data_set_is_one_as_any(damage: Damage) -> None:
    spoil(damage)
    assert called(damage.folder, "data", "check", ".", "--fix").returncode == 0
    spec = f"cleaned:{damage.folder}"
    dataset = open_data(spec)
    assert [dataset.image_name(i) for i in range(len(dataset))] == ["a/two.png", "three.jpg"]
    assert dataset.source == {"spec": spec} and dataset.fingerprint
    whole = called(damage.folder, "data", "check", spec)
    assert whole.returncode == 0, whole.stdout
    assert (
        "images:       2, 1 of them without annotation" in called(damage.folder, "data", "info", spec).stdout
    )
    assert "no row of index.cleaned.csv lists this file" in whole.stdout
    # what is wrong with it later is told by its own lines
    damage.truncate("a/two.png")
    again = called(damage.folder, "data", "check", spec)
    assert again.returncode == 1 and "a/two.png (index.cleaned.csv, line 2) is truncated" in again.stdout
    (damage.folder / "images" / "a" / "two.png").unlink()
    gone = called(damage.folder, "data", "check", spec, "--fix")
    assert gone.returncode == 2 and "is cleaned already" in gone.stderr


def test_it_is_packed_and_joined_by_the_index_that_it_has(tmp_path: Path) -> None:
    folder = write_broden(tmp_path / "small", random_broden(3, pictures=5))
    sound = open_dataset(folder)
    expected = {sound.image_name(i): maps_by_name(sound, i) for i in range(1, 5)}
    (folder / "images" / sound.image_name(0)).write_bytes(b"")
    assert called(tmp_path, "data", "check", "small", "--fix").returncode == 0
    assert called(tmp_path, "data", "pack", "cleaned:small", "small.packed").returncode == 0
    packed, cleaned = open_data(tmp_path / "small.packed"), open_data(f"cleaned:{folder}")
    assert packed.fingerprint == cleaned.fingerprint
    assert {packed.image_name(i): maps_by_name(packed, i) for i in range(4)} == expected
    # rows are told apart by their lines, which are others than those of the index beside it
    join_datasets([f"cleaned:{folder}"], tmp_path / "joined")
    joined = open_dataset(tmp_path / "joined")
    assert {
        joined.image_name(i).removeprefix("small/"): maps_by_name(joined, i) for i in range(4)
    } == expected


def maps_by_name(dataset: Dataset, i: int) -> dict[str, tuple[int, bool]]:
    """How many cells hold each concept, and whether the image as a whole does."""
    annotation, concepts = dataset.read_annotation(i), dataset.vocabulary.concepts
    whole = set(annotation.image_labels.tolist())
    counts = {
        one.name: (int((annotation.planes == k + 1).sum()), k in whole) for k, one in enumerate(concepts)
    }
    return {name: found for name, found in counts.items() if found != (0, False)}


def test_a_run_on_it_finds_its_images_again(tmp_path: Path) -> None:
    broden(tmp_path / "data", images=7, seed=1)
    (tmp_path / "data" / "images" / "3.png").write_bytes(b"")
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (1, 1), (1, 1, 1, 1))], pool=False, seed=2)
    assert called(tmp_path, "run", "net.onnx", "--data", "data").returncode == 2
    assert called(tmp_path, "data", "check", "data", "--fix").returncode == 0
    done = called(tmp_path, "run", "net.onnx", "--data", "cleaned:data", "--out", "run", "--null", "0")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["data"]["spec"] == f"cleaned:{tmp_path / 'data'}"
    assert manifest["data"]["images"] == 6
    again = called(tmp_path, "report", "run")
    assert again.returncode == 0 and "no pictures" not in again.stderr + again.stdout


def test_a_sound_index_is_left_alone(damage: Damage) -> None:
    done = called(damage.folder, "data", "check", ".", "--fix", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["cleaned"] == {"path": None, "images": 3, "dropped": []}
    assert "nothing was written" in called(damage.folder, "data", "check", ".", "--fix").stdout
    assert not (damage.folder / "index.cleaned.csv").exists()
    done = called(damage.folder, "data", "info", "cleaned:.")
    assert done.returncode == 2 and "has no index.cleaned.csv" in done.stderr
    assert "data check . --fix writes one" in done.stderr


def test_a_cleaned_index_is_never_overwritten(damage: Damage) -> None:
    spoil(damage)
    (damage.folder / "index.cleaned.csv").write_text("mine")
    done = called(damage.folder, "data", "check", ".", "--fix")
    assert done.returncode == 2 and "is there already, and is not overwritten" in done.stderr
    assert not done.stdout, "said before every image is looked at"
    with pytest.raises(OutputError, match="not overwritten"):
        clean_index(damage.folder, check_folder(damage.folder))
    if sys.platform != "win32":
        (damage.folder / "index.cleaned.csv").unlink()
        (damage.folder / "index.cleaned.csv").symlink_to("nothing")
        assert called(damage.folder, "data", "check", ".", "--fix").returncode == 2
    assert not (damage.folder / "nothing").exists()


def test_where_nothing_is_left_nothing_is_written(damage: Damage) -> None:
    shutil.rmtree(damage.folder / "images")
    with pytest.raises(EmptyDataError, match="nothing to keep"):
        clean_index(damage.folder, check_folder(damage.folder))
    assert not (damage.folder / "index.cleaned.csv").exists()


def test_of_an_image_listed_twice_the_row_that_can_be_read_is_kept(damage: Damage) -> None:
    damage.truncate("a/one_object_0.png")
    index = damage.folder / "index.csv"
    index.write_text(index.read_text() + "a/one.jpg,val,24,24,6,8,,,300\n")
    cleaned = clean_index(damage.folder, check_folder(damage.folder))
    assert [row.line for row in cleaned.dropped] == [2]
    opened = open_data(f"cleaned:{damage.folder}")
    assert [opened.image_name(i) for i in range(3)] == ["a/two.png", "three.jpg", "a/one.jpg"]


def test_what_a_table_holds_beside_is_kept(tmp_path: Path) -> None:
    folder = write_broden(tmp_path / "d", random_broden(seed=2, pictures=5), Quirks(spaces=True))
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["group", *header, ""])
    writer.writerows([f'film, "{i // 2}"', *row, ""] for i, row in enumerate(rows))
    (folder / "index.csv").write_text("\n\n" + text.getvalue() + ",,\n", encoding="utf-8-sig", newline="")
    before = open_dataset(folder)
    (folder / "images" / before.image_name(0)).unlink()
    clean_index(folder, check_folder(folder))
    after = open_data(f"cleaned:{folder}")
    assert isinstance(after, BrodenDataset)
    assert [entry._replace(line=0) for entry in after.entries] == [
        entry._replace(line=0) for entry in before.entries[1:]
    ]
    assert after.entries[0].group == 'film, "0"' and after.grouped_by == "group"


@pytest.mark.skipif(sys.platform == "win32", reason="links are a privilege there")
def test_links_that_lead_out_are_followed_where_they_were(damage: Damage, tmp_path: Path) -> None:
    spoil(damage)
    (damage.folder / "images").rename(tmp_path / "elsewhere")
    (damage.folder / "images").symlink_to(tmp_path / "elsewhere")
    done = called(damage.folder.parent, "data", "check", "linked:street", "--fix")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].endswith("--data cleaned:linked:street")
    opened = open_data(f"cleaned:linked:{damage.folder}")
    assert opened.source == {"spec": f"cleaned:linked:{damage.folder}"}
    assert len(opened) == 2 and opened.fingerprint
    assert called(damage.folder, "data", "check", "cleaned:.").returncode == 1
    # without linked: every row would be left out
    again = called(damage.folder.parent, "data", "check", "cleaned:linked:street", "--fix")
    assert "then onnxdissect data check linked:street --fix" in again.stderr
    (damage.folder / "index.cleaned.csv").unlink()
    none = called(damage.folder.parent, "data", "info", "cleaned:linked:street")
    assert "hint: onnxdissect data check linked:street --fix writes one" in none.stderr


def test_the_source_says_what_it_takes(tmp_path: Path) -> None:
    assert "cleaned" in installed_sources().known
    for spec in ("cleaned", "cleaned:", "cleaned:linked:"):
        with pytest.raises(ParameterError, match="opens a folder, and none was given"):
            open_data(spec)
    with pytest.raises(DataNotFoundError, match="there is no folder"):
        open_data(f"cleaned:{tmp_path / 'nothing'}")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_may_not_be_written(damage: Damage) -> None:
    spoil(damage)
    damage.folder.chmod(0o555)
    try:
        assert called(damage.folder, "data", "check", ".", "--fix").returncode == 2
    finally:
        damage.folder.chmod(0o755)


def test_it_is_joined_and_packed_as_the_folder_of_these_rows(damage: Damage, tmp_path: Path) -> None:
    shutil.copytree(damage.folder, tmp_path / "same" / "street")
    spoil(damage)
    clean_index(damage.folder, check_folder(damage.folder))
    index = tmp_path / "same" / "street" / "index.csv"
    rows = index.read_text(encoding="utf-8").splitlines(keepends=True)
    index.write_text("".join([rows[0], *rows[2:]]), encoding="utf-8")
    same = open_dataset(index.parent)
    spec = f"cleaned:{damage.folder}"
    assert open_data(spec).fingerprint == same.fingerprint
    assert called(tmp_path, "data", "pack", spec, "street.packed").returncode == 0
    packed = open_packed(tmp_path / "street.packed")
    assert packed.fingerprint == same.fingerprint
    for of, out in ((spec, "joined"), (str(same.folder), "as")):
        done = called(tmp_path, "data", "join", of, "--out", out)
        assert done.returncode == 0, done.stderr
    joined, expected = open_dataset(tmp_path / "joined"), open_dataset(tmp_path / "as")
    assert [entry.image for entry in joined.entries] == ["street/a/two.png", "street/three.jpg"]
    assert joined.fingerprint == expected.fingerprint


def test_rows_of_another_width_are_told_of_and_left_out(damage: Damage) -> None:
    index = damage.folder / "index.csv"
    header, one, two, three = index.read_text(encoding="utf-8").splitlines()
    # as where the file was cut short
    index.write_text("\n".join([header, one, f"{two},x,", three[: three.index(",24,24")]]), encoding="utf-8")
    width = header.count(",") + 1
    report = check_folder(damage.folder)
    assert [(p.row, p.message) for p in report.problems if p.level == "error"] == [
        (3, f"the row has {width + 2} cells, and the header {width}"),
        (4, f"the row has 2 cells, and the header {width}"),
    ]
    # what such a row lists is not forgotten
    assert not any(p.file.startswith(("a/two", "three")) for p in report.problems)
    cleaned = clean_index(damage.folder, report)
    assert [(row.line, row.image) for row in cleaned.dropped] == [(3, "a/two.png"), (4, "three.jpg")]
    opened = open_data(f"cleaned:{damage.folder}")
    assert [opened.image_name(i) for i in range(len(opened))] == ["a/one.jpg"]
