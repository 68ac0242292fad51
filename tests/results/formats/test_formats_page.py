"""``docs/formats.md`` names every column, key and array that a run writes, and tables no other columns."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.result_files import Best, draw_units, table, write
from support.small_runs import Convolution, broden, dissect, network

from onnxdissect import import_netdissect
from onnxdissect.results.formats.tables import read_summaries, write_summaries
from onnxdissect.results.records import LayerSummary

PAGE = Path(__file__).parents[3] / "docs" / "formats.md"
OPTIONAL = {"groups", "surprise", "activation", "names"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = tmp_path_factory.mktemp("world")
    network(world / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(world / "data", 20, seed=2)
    return dissect(world, quantiles=[0.1, 0.2], bootstrap=5, null=2, keep_masks=True, bases=["pca:n=2"]).path


def section(title: str) -> str:
    """The text below a heading, up to the next."""
    text = PAGE.read_text(encoding="utf-8").replace("\\<", "<").replace("\\>", ">")
    (found,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return str(found)


def named(table: str) -> list[str]:
    """The names in the first column of the tables of a text, in order."""
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def manifest(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "manifest.json").read_text())
    return found


TABLES = ["units.csv", "layers.csv", "concepts.csv", "images.csv"]
SWEEP = ["quantiles.csv", "labels_by_quantile.csv", "generic_labels.csv"]


@pytest.mark.parametrize("table", TABLES + SWEEP)
def test_tables_have_the_columns_of_the_page_in_its_order(finished: Path, table: str) -> None:
    names = named(section(table))
    expected = [name for name in names if "<" not in name]
    categories, quantiles = manifest(finished)["data"]["categories"], ["0.1", "0.2"]
    # A row of the page for one column repeats by itself, a row for two or three repeats as a whole.
    rows = [
        line for line in section(table).splitlines() if line.startswith("| `") and "<" in line.split("|")[1]
    ]
    groups = [rows] if table == "units.csv" else [[row] for row in rows]
    for group in groups:
        for value in quantiles if "<tau>" in group[0] else categories:
            expected += [re.sub("<[a-z]+>", value, name) for name in named("\n".join(group))]
    with (finished / table).open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == expected


def test_the_manifest_has_the_keys_of_the_page(finished: Path) -> None:
    top, layers = section("manifest.json").split("An entry of `layers`:")
    written = manifest(finished)
    assert set(named(top)) - {"relabelled"} == set(written)
    assert set(named(layers)) == {key for layer in written["layers"] for key in layer}
    for key in (key for key, value in written.items() if isinstance(value, dict) and key != "versions"):
        (row,) = (line for line in top.splitlines() if line.startswith(f"| `{key}` |"))
        for inner in written[key]:
            name = inner.rpartition("/")[2] if key == "archives" else inner
            assert f"`{name}`" in row, f"{key}.{inner}"


def test_imported_results_have_the_keys_and_arrays_of_the_page(tmp_path: Path) -> None:
    units = draw_units(5)
    units[0]["texture"] = Best("", 90, 0, 40)
    rows = [[*row, "note"] for row in table(units)]
    made = import_netdissect(write(tmp_path / "conv5.csv", rows), tmp_path / "run").path
    imported, page = manifest(made)["imported"], section("Imported results")
    assert set(named(page)) == set(imported)
    for key in ("files", "nameless"):
        assert all(f"`{inner}`" in page for inner in imported[key][0])
    assert all(f"`{known}`" in page for known in imported["known"])
    with np.load(made / "layers" / "conv5" / "published.npz") as archive:
        assert archive.files == named(section("layers/<slug>/published.npz"))


def test_archives_have_the_arrays_of_the_page(finished: Path) -> None:
    archives = sorted(finished.rglob("*.npz"))
    for path in archives:
        title = path.name if path.parent == finished else f"layers/<slug>/{path.name}"
        with np.load(path) as archive:
            found = {re.sub(r"^\d+\.\d+\.", "<i>.<u>.", name) for name in archive.files}
        assert found - OPTIONAL == set(named(section(title))) - OPTIONAL, path.name
    assert len({path.name for path in archives}) == 10


def test_every_file_is_on_the_page(finished: Path) -> None:
    listed = section_of_files()
    for path in (path for path in finished.rglob("*") if path.is_file()):
        name = path.relative_to(finished).as_posix()
        name = re.sub(r"^layers/[^/]+/", "layers/<slug>/", name)
        name = re.sub(r"netdissect-[0-9.]+\.csv", "netdissect-<tau>.csv", name)
        assert f"{name}\n" in listed, name


def section_of_files() -> str:
    """The listing of the run directory, without what it says beside the names."""
    text = PAGE.read_text(encoding="utf-8").split("    RUN/\n")[1].split("\n\n")[0]
    return "".join(f"{line.split()[0]}\n" for line in text.splitlines())


def test_no_category_takes_the_column_of_the_layer(tmp_path: Path) -> None:
    categories = ["any", "detectors", "b", "any_category"]
    summary = LayerSummary(
        layer="relu1",
        quantile=0.005,
        units=8,
        detectors=7,
        unique_detectors=6,
        unique_any=5,
        unique={"any": 1, "detectors": 2, "b": 3, "any_category": 4},
        detectors_fdr=None,
        unique_low=None,
        unique_high=None,
    )
    write_summaries(tmp_path, [summary], categories)
    with (tmp_path / "layers.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["unique_any"], row["unique_detectors"]) == ("5", "6")
    columns = (
        "unique_any_category_category",
        "unique_detectors_category",
        "unique_b",
        "unique_any_category",
    )
    assert [row[column] for column in columns] == ["1", "2", "3", "4"]
    assert read_summaries(tmp_path, categories) == (summary,)


def test_runs_of_earlier_versions_with_two_columns_of_one_name_are_read(tmp_path: Path) -> None:
    summary = LayerSummary(
        layer="relu1",
        quantile=0.005,
        units=8,
        detectors=7,
        unique_detectors=6,
        unique_any=5,
        unique={"any": 1},
        detectors_fdr=None,
        unique_low=None,
        unique_high=None,
    )
    write_summaries(tmp_path, [summary], ["any"])
    table = tmp_path / "layers.csv"
    former = table.read_text().replace("unique_any_category", "unique_any")
    assert former.splitlines()[0].count("unique_any") == 2
    table.write_text(former)
    assert read_summaries(tmp_path, ["any"]) == (summary,)
