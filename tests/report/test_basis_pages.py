"""What bases find, in the report: pages, navigation, names of rows, data for programs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.basis_runs import fake_basis_run, random_nearest, save_with_nearest
from support.report_pages import Page, build_pages, files_in

from onnxdissect.experiments.basis_findings import basis_findings
from onnxdissect.report import build
from onnxdissect.report.data.bases import chance_cosine
from onnxdissect.report.pages.scripts import read_script, rounded
from onnxdissect.results import Dissection

NASTY = "</script><b>\u202eowned</b>&amp;\"'"


@pytest.fixture
def run(tmp_path: Path) -> Dissection:
    made = fake_basis_run(units=(9, 14, 5), bases=("mine", "pca:n=5"), quantiles=(0.005, 0.1))
    return save_with_nearest(made, tmp_path / "run")


def test_every_layer_under_a_basis_has_a_page_of_what_it_finds(run: Dissection) -> None:
    report = build_pages(run).parent
    own, *under = run.layers
    files = files_in(report)
    assert {name for name in files if name.startswith("bases")} == {
        "bases.html",
        *(f"bases/{info.slug}.{ending}" for info in under for ending in ("html", "js")),
    }
    assert not list(report.glob(f"bases/{own.slug}.*"))
    for info in under:
        page = Page(report / "bases" / f"{info.slug}.html")
        for found in basis_findings(run, info.name):
            counts = [len(one) for one in (found.new, found.lost, found.both)]
            new, lost, both = (f"{count} {'is' if count == 1 else 'are'}" for count in counts)
            new = new.replace(" ", " concept " if counts[0] == 1 else " concepts ")
            assert f"{info.units} directions at quantile {found.quantile:g}, " in page.text
            assert f"{new} new, {lost} lost, {both} detected by both." in page.text.replace(" ,", ",")
        links = {attrs["href"] for attrs in page.all("a") if "href" in attrs}
        assert f"../layers/{info.slug}.html" in links
        assert f"../layers/{own.slug}.html" in links
        for link in links:
            name = link.partition("#")[0]
            assert not name or (report / "bases" / name).resolve().is_file(), link


def test_cards_are_of_the_best_units(run: Dissection) -> None:
    report = build_pages(run).parent
    own, info, _ = run.layers
    page = Page(report / "bases" / f"{info.slug}.html")
    lists = [attrs for attrs in page.all("ul") if "glimpse" in attrs.get("class", "")]
    expected = []
    for q, found in enumerate(basis_findings(run, info.name)):
        for side, concepts in ((info, found.new), (own, found.lost)):
            if concepts:
                units = [(c.direction if c.found == "new" else c.own).unit for c in concepts]
                expected.append((side.slug, str(q), " ".join(map(str, units))))
    assert [(a["data-slug"], a["data-quantile"], a["data-units"]) for a in lists] == expected


def test_the_page_and_data_json_have_the_findings(run: Dissection) -> None:
    report = build_pages(run).parent
    own, info, _ = run.layers
    slug, record = read_script(report / "bases" / f"{info.slug}.js")
    assert slug == info.slug
    layers = {one["slug"]: one for one in json.loads((report / "data.json").read_text())["layers"]}
    assert layers[info.slug]["basis"] == record
    assert "basis" not in layers[own.slug]
    assert (record["name"], record["layer"], record["slug"]) == ("mine", own.name, own.slug)
    nearest = random_nearest(info)
    assert record["nearest"] == nearest.unit.tolist()
    assert record["cosine"] == [rounded(value) for value in nearest.cosine.tolist()]
    for view, found in zip(record["views"], basis_findings(run, info.name), strict=True):
        for kind in ("new", "lost", "both"):
            told = getattr(found, kind)
            assert [one["concept"] for one in view[kind]] == [one.concept.number for one in told]
            assert [one["direction"]["unit"] for one in view[kind]] == [one.direction.unit for one in told]
            assert [one["own"]["iou"] for one in view[kind]] == [rounded(one.own.iou) for one in told]


def test_navigation_and_overview_list_the_networks_own_layers(run: Dissection) -> None:
    report = build_pages(run).parent
    own, *under = run.layers
    for path in sorted(report.rglob("*.html")):
        page = Page(path)
        # the head's links come first; those of bases would have their alias as text
        titles = [
            attrs["title"]
            for attrs in page.all("a")
            if "title" in attrs and "keeps" in attrs.get("class", "")
        ]
        assert titles == [own.name], path
    index = Page(report / "index.html")
    assert "under 2 bases" in index.text
    assert f"bases.html#layer={own.slug}" in {attrs.get("href") for attrs in index.all("a")}
    rows = {attrs["title"] for attrs in index.all("small") if "title" in attrs}
    assert own.name in rows
    assert not rows & {info.name for info in under}
    overview = Page(report / "bases.html")
    assert {attrs["id"] for attrs in overview.all("h2")} - {"unit-title"} == {f"layer={own.slug}"}
    assert all(f"bases/{info.slug}.html" in {a["href"] for a in overview.all("a")} for info in under)


def test_a_run_without_bases_has_no_word_of_them(tmp_path: Path) -> None:
    from support.fake_counts import save_fake_run

    report = build_pages(save_fake_run(tmp_path / "run")).parent
    assert not any(name.startswith("bases") for name in files_in(report))
    for path in report.rglob("*.html"):
        assert "bases" not in path.read_text(encoding="utf-8")


def test_many_bases_have_no_figures_of_their_own(tmp_path: Path) -> None:
    few = fake_basis_run(units=(8, *[6] * 6), bases=[f"few{i}" for i in range(6)])
    many = fake_basis_run(units=(8, *[6] * 7), bases=[f"many{i}" for i in range(7)])
    for made, drawn in ((few, True), (many, False)):
        run = save_with_nearest(made, tmp_path / str(drawn))
        report = build(run).parent
        own, *under = run.layers
        figures = {name for name in files_in(report) if name.startswith("figures/")}
        assert f"figures/{own.slug}-q0.svg" in figures
        assert any(f"figures/{info.slug}-q0.svg" in figures for info in under) is drawn
        for info in run.layers:
            page = Page(report / "layers" / f"{info.slug}.html")
            for attrs in page.all("a"):
                if "download" in attrs:
                    assert (report / "layers" / attrs["href"]).resolve().is_file()


def test_names_of_rows_are_told_and_escaped(tmp_path: Path) -> None:
    names = [NASTY, "", "x" * 5000, *(f"feature {i}" for i in range(9))]
    run = save_with_nearest(fake_basis_run(names=names), tmp_path / "run")
    report = build_pages(run).parent
    info = run.layers[1]
    _, views = read_script(report / "data" / f"{info.slug}.js")
    assert [unit["name"] for unit in views[0]] == names
    _, plain = read_script(report / "data" / f"{run.layers[0].slug}.js")
    assert not any("name" in unit for unit in plain[0])
    page = Page(report / "bases" / f"{info.slug}.html")
    (found,) = basis_findings(run, info.name)
    for one in found.new:
        assert names[one.direction.unit] in page.text
    for path in report.rglob("*.html"):
        assert "<b>" not in path.read_text(encoding="utf-8")


def test_a_basis_called_something_dangerous(tmp_path: Path) -> None:
    run = save_with_nearest(fake_basis_run(bases=(NASTY,)), tmp_path / "run")
    report = build_pages(run).parent
    for name in ("bases.html", f"bases/{run.layers[1].slug}.html"):
        assert NASTY in Page(report / name).text
        assert "<b>" not in (report / name).read_text(encoding="utf-8")


def test_a_run_of_an_earlier_version_says_that_nearest_units_are_not_known(tmp_path: Path) -> None:
    run = fake_basis_run().save(tmp_path / "run")
    report = build_pages(run).parent
    _, record = read_script(report / "bases" / f"{run.layers[1].slug}.js")
    assert record["nearest"] is record["cosine"] is None
    page = Page(report / "bases" / f"{run.layers[1].slug}.html")
    assert "is not known: the run was made by a version that did not store it" in page.text


@pytest.mark.parametrize("units", [64, 128, 1000])
def test_half_of_all_random_directions_are_nearer(units: int) -> None:
    rows = np.random.default_rng(1).normal(size=(4000, units))
    cosines = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).max(axis=1)
    assert abs(np.median(cosines) - chance_cosine(units)) < 0.01
