"""The masks and photographs of a report, and what it says where there are none."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import features
from support.fake_counts import FakeRun, fake_run
from support.report_pages import Page, build_pages, files_in, layer_page, unit_file, with_images

from onnxdissect.data.decoding.pixels import read_image
from onnxdissect.errors import RunFormatError
from onnxdissect.report.data import photos as photographs
from onnxdissect.report.data.rle import mask_of_text, text_of_mask
from onnxdissect.report.pages.scripts import read_script
from onnxdissect.results import load


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (40, 31)])
@pytest.mark.parametrize("share", [0, 0.03, 0.5, 1])
def test_masks_survive_as_text(size: tuple[int, int], share: float) -> None:
    mask = np.random.default_rng(0).random(size) < share
    np.testing.assert_array_equal(mask_of_text(text_of_mask(mask), size), mask)


def test_text_of_a_mask() -> None:
    mask = np.array([[0, 0, 1], [1, 0, 1]], bool)
    assert text_of_mask(mask) == "2 2 1 1"
    assert text_of_mask(~mask) == "0 2 2 1"
    assert text_of_mask(np.zeros((3, 3), bool)) == ""


@pytest.mark.parametrize("text", ["7", "1 6", "a", "-1 2", "1.5"])
def test_text_that_is_no_mask(text: str) -> None:
    with pytest.raises(RunFormatError):
        mask_of_text(text, (2, 3))


def test_masks_written_are_the_masks_counted(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    report = build_pages(dissection).parent
    for info in dissection.layers:
        for unit in range(info.units):
            top_maps = unit_file(report, info.slug, unit)
            for q, quantile in enumerate(dissection.quantiles):
                for rank, image in enumerate(top_maps["images"]):
                    counted = dissection.top_mask(info.name, unit, rank, quantile)
                    written = mask_of_text(top_maps["views"][q]["masks"][rank], tuple(image["grid"]))
                    np.testing.assert_array_equal(written, counted)


@pytest.mark.parametrize("top", [1, 3, 5, 7])
def test_as_many_pictures_as_were_kept(top: int, tmp_path: Path) -> None:
    run = with_images(fake_run(top=top, units=(4,)), tmp_path / "broden")
    report = build_pages(run.save(tmp_path / "run")).parent
    top_maps = unit_file(report, run.layers[0].slug, 0)
    assert len(top_maps["images"]) == len(top_maps["views"][0]["masks"]) == top


def test_photographs_keep_to_the_budget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = fake_run(images=20, units=(12,))
    rng = np.random.default_rng(0)
    for image in run.images:
        path = tmp_path / "broden/images" / image.name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), rng.integers(0, 256, (200, 300, 3), np.uint8))
    data = {**run.manifest["data"], "folder": str(tmp_path / "broden")}
    run = replace(run, manifest={**run.manifest, "data": data})

    def size(folder: str) -> int:
        report = build_pages(run.save(tmp_path / folder)).parent
        return sum(path.stat().st_size for path in (report / "photos").iterdir())

    assert size("large") > 150_000
    monkeypatch.setattr(photographs, "_BUDGET", 150_000)
    assert 75_000 < size("small") < 165_000


def _noisy_gradient(rng: np.random.Generator) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[0:160, 0:200]
    plain = np.stack((rows, columns, rows + columns), axis=2) % 256
    return np.clip(plain + rng.normal(0, 6, plain.shape), 0, 255).astype(np.uint8)


def _decoded(encoded: bytes) -> NDArray[np.uint8]:
    pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return np.ascontiguousarray(pixels[..., ::-1])


def test_quickly_written_photographs_look_the_same() -> None:
    picture = _noisy_gradient(np.random.default_rng(0))
    quick = photographs._quick_encoder()
    assert quick is not None
    written = quick(picture), photographs.encode_photo(picture)
    errors = [np.mean((_decoded(file).astype(float) - picture) ** 2) for file in written]
    assert abs(10 * np.log10(errors[0] / errors[1])) < 0.5
    assert len(written[0]) < 1.4 * len(written[1])


def test_a_short_budget_is_not_spent_on_quick_writing() -> None:
    pictures = [_noisy_gradient(np.random.default_rng(seed)) for seed in range(3)]
    quick = photographs._quick_encoder()
    assert quick is not None
    assert photographs._fitting(pictures, 3, quick) == (256, quick)
    sizes = [np.mean([len(encode(p)) for p in pictures]) for encode in (photographs.encode_photo, quick)]
    between = int(photographs._BUDGET / np.mean(sizes))
    assert sizes[0] < sizes[1]
    assert photographs._fitting(pictures, between, quick) == (256, photographs.encode_photo)
    assert photographs._fitting(pictures, 10**9, quick) == (64, photographs.encode_photo)


def test_without_webp_in_pillow_opencv_writes_photographs(
    run: FakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "check", lambda name: name != "webp")
    assert photographs._quick_encoder() is None
    report = build_pages(run.save(tmp_path / "run")).parent
    image = next((report / "photos").iterdir())
    path = tmp_path / "broden/images" / run.images[int(image.stem)].name
    pixels = read_image(path, path.name)
    assert image.read_bytes() == photographs.encode_photo(photographs.shrink(pixels, 256))


def test_without_top_images(tmp_path: Path) -> None:
    run = with_images(fake_run(top=0), tmp_path / "broden")
    report = build_pages(run.save(tmp_path / "run")).parent
    assert "The run kept no top images, so there are no pictures." in Page(report / "index.html").text
    assert not (report / "photos").exists()
    assert unit_file(report, run.layers[0].slug, 0)["images"] == []


def without_pictures(path: Path) -> bool:
    (record,) = read_script(path.parent / "data/run.js")
    return not record["pictures"] and not (path.parent / "photos").exists()


def test_without_the_image_folder(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    run = fake_run(folder=str(gone))
    path = build_pages(run.save(tmp_path / "run"))
    for page in (Page(path), layer_page(path.parent, run.layers[0])):
        assert f"There are no pictures: the images are no longer in {gone}." in page.text
    assert without_pictures(path)
    assert len(list(path.parent.glob("units/*/*.js"))) == 20


def test_run_that_does_not_name_its_folder(tmp_path: Path) -> None:
    run = fake_run()
    del run.manifest["data"]["folder"]
    page = Page(build_pages(run.save(tmp_path / "run")))
    assert "The run does not say where its images are" in page.text


def test_some_images_missing(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    info = dissection.layers[0]
    lost, damaged = (int(i) for i in dissection.counts(info.name).top_images[0, :2])
    images = tmp_path / "broden/images"
    (images / run.images[lost].name).unlink()
    whole = (images / run.images[damaged].name).read_bytes()
    (images / run.images[damaged].name).write_bytes(whole[: len(whole) // 2])
    path = build_pages(dissection)
    assert "2 of 12 images could not be read and are left grey. The first: made/" in Page(path).text
    shown = unit_file(path.parent, info.slug, 0)["images"]
    assert [image["photo"] for image in shown[:2]] == [None, None]
    assert shown[2]["photo"] == [160, 140]


def test_no_image_can_be_read(run: FakeRun, tmp_path: Path) -> None:
    for image in run.images:
        (tmp_path / "broden/images" / image.name).write_bytes(b"gone")
    path = build_pages(run.save(tmp_path / "run"))
    page = Page(path)
    assert "There are no pictures: no image could be read. The first: made/0000.jpg" in page.text
    assert without_pictures(path)


def test_pictures_outlive_the_data_set(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    report = build_pages(dissection).parent
    first = {name: (report / name).read_bytes() for name in files_in(report)}
    shutil.rmtree(tmp_path / "broden")
    again = build_pages(load(dissection.path)).parent
    assert {name: (again / name).read_bytes() for name in files_in(again)} == first


def test_pictures_of_another_data_set_are_not_used(run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    build_pages(dissection)
    shutil.rmtree(tmp_path / "broden")
    dissection.manifest["data"]["fingerprint"] = "2" * 64
    assert without_pictures(build_pages(dissection))


@pytest.mark.parametrize("damage", ["{", "[]", '{"format_version": 99}', '{"format_version": 1}'])
def test_damaged_earlier_report_is_not_used(damage: str, run: FakeRun, tmp_path: Path) -> None:
    dissection = run.save(tmp_path / "run")
    report = build_pages(dissection).parent
    first = {name: (report / name).read_bytes() for name in files_in(report)}
    (report / "data.json").write_text(damage)
    again = build_pages(dissection).parent
    assert {name: (again / name).read_bytes() for name in files_in(again)} == first
