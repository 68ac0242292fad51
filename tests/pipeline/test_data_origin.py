"""Name, licence and origin of the data travel into the manifest and the page, and make no other run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.datasets import random_broden, write_broden
from support.report_pages import build_pages
from support.small_runs import Convolution, network

import onnxdissect
from onnxdissect.data import About, ArrayDataset, Part, open_dataset, write_about
from onnxdissect.errors import RunFormatError

ABOUT = About("Shores & <co>", licence="CC BY 4.0", made="import masks", from_=(Part("Lanes", "CC0"),))


def dissect(place: Path, data: Any, out: str, **more: Any) -> onnxdissect.Dissection:
    options: dict[str, Any] = {
        "preset": "raw",
        "layers": ["last"],
        "quantiles": [0.1],
        "bootstrap": 0,
        "null": 0,
    } | more
    return onnxdissect.dissect(place / "net.onnx", data, out=place / out, **options)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("origin")
    network(place / "net.onnx", [Convolution(4, (3, 3), (1, 1), (1, 1, 1, 1))], False, seed=3)
    write_broden(place / "shore", random_broden(3, pictures=6, size=(12, 12)))
    return place


def test_a_run_keeps_it_and_another_wording_is_the_same_run(place: Path) -> None:
    write_about(place / "shore", ABOUT)
    run = dissect(place, place / "shore", "run")
    assert run.manifest["data"]["about"] == ABOUT.to_json()
    assert run.manifest["data"]["fingerprint"] == open_dataset(place / "shore").fingerprint
    page = build_pages(run).read_text(encoding="utf-8")
    for said in ("Shores &amp; &lt;co&gt;", "licence: CC BY 4.0", "from Lanes (licence: CC0)"):
        assert said in page, said
    assert f"fingerprint {run.manifest['data']['fingerprint'][:12]}" in page
    write_about(place / "shore", About("Shores", licence="CC BY-SA 4.0"))
    notes: list[str] = []
    again = dissect(place, place / "shore", "run", notify=notes.append)
    assert "already holds this run" in notes[-1]
    assert again.manifest["data"]["about"]["licence"] == "CC BY 4.0"


def test_data_sets_that_do_not_tell_leave_it_out(place: Path) -> None:
    whole = open_dataset(place / "shore")
    arrays = ArrayDataset(
        [whole.read_image(i) for i in range(len(whole))],
        whole.vocabulary,
        image_labels={whole.vocabulary.categories[0]: [whole.vocabulary.concepts[0].number] * len(whole)},
    )
    run = dissect(place, arrays, "silent")
    assert "about" not in run.manifest["data"]
    assert "Data from" not in build_pages(run).read_text(encoding="utf-8")

    class Told(ArrayDataset):
        about = ABOUT

    told = Told(
        [whole.read_image(i) for i in range(len(whole))], whole.vocabulary, image_labels={"color": [0] * 6}
    )
    assert dissect(place, told, "told").manifest["data"]["about"]["name"] == ABOUT.name


def test_a_manifest_with_a_malformed_origin_is_refused(place: Path) -> None:
    write_about(place / "shore", ABOUT)
    dissect(place, place / "shore", "bad")
    path = place / "bad" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["data"]["about"]["licence"] = "\x1b[2J"
    path.write_text(json.dumps(manifest))
    with pytest.raises(RunFormatError, match=r"data\.about\.licence holds"):
        onnxdissect.load(place / "bad")
