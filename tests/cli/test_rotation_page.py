"""``onnxdissect report`` of a run of rotations builds both pages again."""

from __future__ import annotations

import shutil
from pathlib import Path

from support.commands import called
from support.report_pages import Page, with_images
from support.rotated_runs import rotated_run

from onnxdissect.experiments.rotation import write_rotation
from onnxdissect.experiments.rotation.measure import measure_rotations


def test_report_builds_the_page_of_rotations_again(tmp_path: Path) -> None:
    run = with_images(rotated_run(), tmp_path / "broden").save(tmp_path / "run")
    write_rotation(measure_rotations(run))
    said = called(tmp_path, "report", run.path)
    assert said.returncode == 0, said.stderr
    pages = [run.path / "report" / "index.html", run.path / "rotation" / "index.html"]
    assert said.stdout.splitlines() == [str(page) for page in pages]
    assert Page(pages[1]).all("a", href="../report/index.html")

    # without its result, or with one that is damaged, the report of the run is built all the same
    before = pages[1].read_bytes()
    document = run.path / "rotation" / "rotation.json"
    document.write_bytes(document.read_bytes()[:-40])
    shutil.rmtree(run.path / "report")
    said = called(tmp_path, "report", run.path)
    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines() == [str(pages[0])]
    assert "the page of rotations stays as it is" in said.stderr
    assert "Traceback" not in said.stderr
    assert pages[1].read_bytes() == before
    document.unlink()
    said = called(tmp_path, "report", run.path)
    assert (said.returncode, said.stdout.splitlines()) == (0, [str(pages[0])])
