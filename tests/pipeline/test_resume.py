"""A run that is killed, interrupted or starved goes on from where it was, and ends with the same bytes."""

from __future__ import annotations

import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.small_runs import Convolution, broden, contents, dissect, network

from onnxdissect.errors import ImageFileError, OutputError, RunMismatchError
from onnxdissect.pipeline.run_directory import claim_directory

# Says when some images are done, so that the test can strike at a chosen moment.
CHILD = """
import sys
import onnxdissect

class Progress:
    def start(self, phase, total): print(phase, flush=True)
    def advance(self, images): print(images, flush=True)
    def finish(self): print("finished", flush=True)

world = sys.argv[1]
onnxdissect.dissect(
    world + "/net.onnx", world + "/data", preset="raw", quantiles=[0.1], batch_size=2, workers=1,
    save_every=0, out=world + "/run", progress=Progress(), notify=print,
)
"""
# Lines a whole run of the child prints from "pass" on, at the most.
LINES = 25


@pytest.fixture
def world(tmp_path: Path) -> Path:
    network(tmp_path / "net.onnx", [Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1))], pool=False, seed=1)
    broden(tmp_path / "data", 40, seed=2)
    return tmp_path


def start(world: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(world)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def strike(child: subprocess.Popen[str], lines: int, seconds: float, blow: signal.Signals) -> str:
    """Send a signal some time after so many lines since the pass began; return all that was said."""
    assert child.stdout is not None
    said = []
    for line in child.stdout:
        said.append(line)
        if line == "pass\n" or (lines < LINES and "pass\n" in said):
            lines -= 1
        if lines <= 0:
            break
    time.sleep(seconds)
    child.send_signal(blow)
    rest, complaints = child.communicate()
    return "".join(said) + rest + complaints


def test_killed_at_a_dozen_random_moments(world: Path) -> None:
    whole = contents(dissect(world, batch_size=2, out=world / "whole").path)
    moments = random.Random(0)
    resumed = 0
    for _ in range(12):
        child = start(world)
        said = strike(child, moments.randrange(1, 16), moments.uniform(0, 0.02), signal.SIGKILL)
        resumed += "going on with the interrupted run" in said
        if child.returncode == 0:  # it was too late to kill it
            assert contents(world / "run") == whole
            shutil.rmtree(world / "run")
    finished = dissect(world, batch_size=2)
    assert contents(finished.path) == whole
    assert resumed >= 1


def test_interrupted_between_batches(world: Path) -> None:
    whole = contents(dissect(world, batch_size=2, out=world / "whole").path)
    child = start(world)
    assert "KeyboardInterrupt" in strike(child, 5, 0.0, signal.SIGINT)
    assert child.returncode != 0
    said: list[str] = []
    assert contents(dissect(world, batch_size=2, notify=said.append).path) == whole
    assert any("going on with the interrupted run" in line for line in said)


def test_a_state_is_only_taken_on_by_the_same_run(world: Path) -> None:
    child = start(world)
    strike(child, 7, 0.0, signal.SIGKILL)
    with pytest.raises(RunMismatchError, match=r"parameters\.quantiles"):
        dissect(world, batch_size=2, quantiles=[0.3])
    assert dissect(world, batch_size=2, quantiles=[0.3], fresh=True).quantiles == (0.3,)


def test_a_file_that_vanishes_mid_run_costs_nothing(world: Path) -> None:
    whole = contents(dissect(world, batch_size=2, out=world / "whole").path)
    gone = world / "data" / "images" / "33.png"
    content = gone.read_bytes()

    class Vanishing:
        done = 0

        def start(self, phase: str, total: int) -> None: ...
        def finish(self) -> None: ...

        def advance(self, images: int) -> None:
            self.done += images
            if self.done == 12:
                gone.unlink()

    with pytest.raises(ImageFileError, match=r"33\.png"):
        dissect(world, batch_size=2, progress=Vanishing())
    gone.write_bytes(content)
    said: list[str] = []
    assert contents(dissect(world, batch_size=2, notify=said.append).path) == whole
    # All images before it were done, and those that another worker had begun by then.
    (done,) = [
        int(found[1]) for found in (re.search(r"after (\d+) of 40 images", line) for line in said) if found
    ]
    assert 32 <= done < 40


def test_a_damaged_state_is_not_taken_on(world: Path) -> None:
    child = start(world)
    strike(child, 7, 0.0, signal.SIGKILL)
    state = world / "run" / "work" / "state.npz"
    state.write_bytes(state.read_bytes()[:-50])
    whole = contents(dissect(world, batch_size=2, out=world / "whole").path)
    assert contents(dissect(world, batch_size=2).path) == whole


@pytest.mark.parametrize("place", [0.01, 0.5, 0.99])
def test_a_run_whose_spool_has_been_damaged_starts_over_and_says_so(world: Path, place: float) -> None:
    whole = contents(dissect(world, batch_size=2, out=world / "whole").path)
    strike(start(world), 7, 0.0, signal.SIGKILL)
    damaged = sorted((world / "run" / "work").glob("spool-*.bin"))[0]
    content = bytearray(damaged.read_bytes())
    content[int(place * len(content))] ^= 16
    damaged.write_bytes(content)
    said: list[str] = []
    assert contents(dissect(world, batch_size=2, notify=said.append).path) == whole
    assert any("damaged files): starting over" in line for line in said)


def test_a_full_disk_is_said_and_costs_nothing(world: Path) -> None:
    whole = contents(dissect(world, batch_size=2, out=world / "whole").path)
    limit = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))\n"
    )
    command = [sys.executable, "-c", limit + CHILD, str(world)]
    starved = subprocess.run(command, capture_output=True, text=True, check=False)
    assert OutputError.__name__ in starved.stderr
    assert contents(dissect(world, batch_size=2).path) == whole


def test_starting_over_removes_all_that_a_run_writes_and_nothing_else(world: Path) -> None:
    found = dissect(world, quantiles=[0.1, 0.2], bootstrap=5, null=2, keep_masks=True)
    layer = found.path / "layers" / found.layers[0].slug
    mine = [
        found.path / "notes.txt",
        found.path / "film.partial",
        found.path / "layers" / "notes.txt",
        layer / "notes.txt",
        layer / "netdissect-mine.csv",
    ]
    for path in mine:
        path.write_text("mine")
    (found.path / "layers" / "old").mkdir()
    (found.path / "layers" / "old" / "tally.npz").write_text("of another layer")
    with claim_directory(found.path, {}, fresh=True).work():
        left = {path for path in found.path.rglob("*") if path.is_file()}
    assert left == {*mine, found.path / "manifest.json", found.path / "work" / "lock"}
    again = dissect(world, quantiles=[0.1, 0.2], bootstrap=5, null=2, keep_masks=True)
    assert all(path.read_text() == "mine" for path in mine)
    assert len(again.units()) == len(found.units())
