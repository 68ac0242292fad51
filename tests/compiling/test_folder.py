"""Compiled kernels are kept from one process to the next, and shared, also where little can be written."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import onnxdissect
from onnxdissect.compiling.folder import MOST, UNUSED_DAYS, sweep

PROBE = """
import json, resource, sys
import onnxdissect
if len(sys.argv) > 1:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
from onnxdissect.compiling.folder import cache_facts
from onnxdissect.compiling.files import not_kept
from onnxdissect.core.kernels.compiler import compiler_facts
compiled = compiler_facts().compiled
facts = cache_facts()
print(json.dumps({
    "package": onnxdissect.__file__, "compiled": compiled, "cache": str(facts.folder.path),
    "shared": facts.folder.shared, "passed_over": facts.folder.passed_over, "not_kept": not_kept(),
}))
"""
NOBODY = 65534
DAY = 24 * 60 * 60.0

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="folders are made read-only the POSIX way")


def copy_package(site: Path) -> None:
    package = Path(onnxdissect.__file__).parent
    shutil.copytree(package, site / "onnxdissect", ignore=shutil.ignore_patterns("__pycache__"))


def probe(
    site: Path, environment: dict[str, str], *arguments: str, user: int | None = None
) -> dict[str, Any]:
    """Call a kernel in a process of its own, and say what happened."""
    less = []
    if user is not None and os.getuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root may write everything, and there is no setpriv to stop being root")
        less = [setpriv, f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    done = subprocess.run(
        [*less, sys.executable, "-c", PROBE, *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(site)} | environment,
        cwd=site, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert Path(found["package"]).is_relative_to(site)
    return found


@dataclass(frozen=True)
class Kept:
    """A package, and the cache in which a process has found nothing and kept what it compiled."""

    site: Path
    cache: Path
    found: dict[str, Any]

    def copied(self, to: Path) -> dict[str, str]:
        """Copy the cache, for a process that is to find it there."""
        shutil.copytree(self.cache, to / "cache", symlinks=True)
        return in_cache(to)


def in_cache(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Compiled once for all tests that begin with kernels that are there; none of them changes it."""
    folder = tmp_path_factory.mktemp("kept")
    copy_package(folder / "site")
    found = probe(folder / "site", in_cache(folder))
    assert (found["compiled"], found["shared"], found["not_kept"]) == (True, True, "")
    return Kept(folder / "site", folder / "cache", found)


@pytest.fixture
def world() -> Iterator[Path]:
    """A package nobody can write, and a folder for temporary files; not below pytest's private folder."""
    folder = Path(tempfile.mkdtemp(prefix="onnxdissect-test-"))
    folder.chmod(0o755)
    copy_package(folder / "site")
    for path in [folder / "site", *(folder / "site").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for name in ("temporary", "home"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    yield folder
    for path in (folder / "site", *(p for p in (folder / "site").rglob("*") if p.is_dir())):
        path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize(("home", "kept_in"), [("home", "home"), ("site/no/home", "temporary")])
def test_kernels_are_kept_beside_a_read_only_package(world: Path, home: str, kept_in: str) -> None:
    environment = {"HOME": str(world / home), "TMPDIR": str(world / "temporary")}
    first = probe(world / "site", environment, user=NOBODY)
    assert Path(first["cache"]).is_relative_to(world / kept_in)
    assert bool(first["passed_over"]) == (kept_in == "temporary")
    assert first["compiled"]
    again = probe(world / "site", environment, user=NOBODY)
    assert again["cache"] == first["cache"]
    assert not again["compiled"]


def test_where_no_folder_can_be_written_kernels_are_compiled_in_memory(world: Path) -> None:
    no = str(world / "site" / "no")
    found = probe(
        world / "site",
        {"HOME": no, "TMPDIR": no, "XDG_CACHE_HOME": no, "NUMBA_CACHE_DIR": no},
        user=NOBODY,
    )
    assert found["compiled"]
    assert found["cache"] == "None"
    assert no in found["not_kept"]


def test_two_environments_share_what_one_has_compiled(kept: Kept, tmp_path: Path) -> None:
    copy_package(tmp_path)
    os.utime(tmp_path / "onnxdissect/core/kernels/activations/encode.py", (0, 0))
    found = probe(tmp_path, in_cache(kept.cache.parent))
    assert not found["compiled"]
    assert found["cache"] == kept.found["cache"]


@pytest.mark.parametrize("changed", ["activations/encode.py", "activations/keep.py"])
def test_another_source_is_compiled_anew(kept: Kept, tmp_path: Path, changed: str) -> None:
    """Also where the kernel itself is the same, and only what it calls has changed."""
    copy_package(tmp_path)
    cache = kept.copied(tmp_path)
    with (tmp_path / "onnxdissect/core/kernels" / changed).open("a") as file:
        file.write("# changed\n")
    found = probe(tmp_path, cache)
    assert found["compiled"]
    assert Path(found["cache"]).name != Path(kept.found["cache"]).name


@pytest.mark.parametrize(
    "setting", [{"NUMBA_OPT": "0"}, {"NUMBA_BOUNDSCHECK": "1"}, {"NUMBA_DEBUGINFO": "1"}]
)
def test_what_numba_is_told_otherwise_is_compiled_anew(
    kept: Kept, tmp_path: Path, setting: dict[str, str]
) -> None:
    """Who looks for a fault is given no kernels without checks, and nobody else those with them."""
    told = probe(kept.site, kept.copied(tmp_path) | setting)
    assert told["compiled"]
    # Folders of other names: what either keeps is nothing to the other.
    assert Path(told["cache"]).name != Path(kept.found["cache"]).name
    # Without optimising numba makes nothing that can be kept.
    assert bool(told["not_kept"]) == (not list(Path(told["cache"]).glob("*.kernel")))


def test_a_folder_that_the_user_names_is_used(kept: Kept, tmp_path: Path) -> None:
    named = {"HOME": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "named")}
    found = probe(kept.site, named)
    assert Path(found["cache"]).is_relative_to(tmp_path / "named")
    assert not found["shared"]
    assert not probe(kept.site, named)["compiled"]


@pytest.mark.parametrize("damage", ["cut", "empty", "turned", "folder"])
def test_a_damaged_file_is_compiled_anew(kept: Kept, tmp_path: Path, damage: str) -> None:
    cache = kept.copied(tmp_path)
    (file,) = (tmp_path / "cache").rglob("*.kernel")
    content = file.read_bytes()
    if damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        half = len(content) // 2
        turned = content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]
        file.write_bytes({"cut": content[:half], "empty": b"", "turned": turned}[damage])
    found = probe(kept.site, cache)
    assert found["compiled"]
    assert Path(found["cache"]) == file.parent
    assert bool(found["not_kept"]) == (damage == "folder")
    if damage != "folder":
        assert not probe(kept.site, cache)["compiled"]


def test_a_disk_that_is_full_is_done_without(kept: Kept, tmp_path: Path) -> None:
    """A file may have 20 kB here, and a kernel has more."""
    cache = in_cache(tmp_path)
    found = probe(kept.site, cache, "20000")
    assert found["compiled"]
    assert "too large" in found["not_kept"]
    assert not list(Path(found["cache"]).iterdir())
    assert probe(kept.site, cache)["compiled"]
    assert not probe(kept.site, cache)["compiled"]


@pytest.mark.parametrize("place", [".", "kernels", "cache"])
def test_a_folder_that_others_could_have_filled_is_not_read(kept: Kept, tmp_path: Path, place: str) -> None:
    cache = kept.copied(tmp_path) | {"TMPDIR": str(tmp_path / "temporary")}
    (tmp_path / "temporary").mkdir()
    usual = tmp_path / Path(kept.found["cache"]).relative_to(kept.cache.parent)
    open_to_all = {".": usual, "kernels": usual.parent, "cache": usual.parent.parent}[place]
    open_to_all.chmod(0o777)
    found = probe(kept.site, cache)
    # Whoever may write to the folder above can move this one away, but not make another of this owner.
    assert found["compiled"] == (place != "cache")
    if place != "cache":
        assert Path(found["cache"]).is_relative_to(tmp_path / "temporary")
        assert stat.S_IMODE(Path(found["cache"]).stat().st_mode) == 0o700


def folder_name(number: int) -> str:
    return f"kernels-0.1.{number}-{number:024x}"


def make_folder(parent: Path, number: int, used: float) -> Path:
    """A folder of kernels that was used for the last time then, with a file whose writer was killed."""
    folder = parent / folder_name(number)
    folder.mkdir()
    kernel = f"activations.encode.add-{number:024x}.kernel"
    (folder / kernel).touch()
    (folder / f"{kernel}.0123abcd.partial").touch()
    os.utime(folder, (used, used))
    return folder


def test_folders_that_nobody_used_for_long_are_swept(tmp_path: Path) -> None:
    now = 1e9
    for days in range(MOST + 3):
        make_folder(tmp_path, days, now - days * DAY - 1)
    old = make_folder(tmp_path, 99, now - (UNUSED_DAYS + 1) * DAY)
    removed = {path.name for path in sweep(tmp_path, folder_name(10), now)}
    # One is in use, and with it `MOST` are left.
    assert removed == {folder_name(days) for days in (MOST - 1, MOST, MOST + 1)} | {old.name}
    assert {path.name for path in tmp_path.iterdir()} == {
        folder_name(days) for days in (*range(MOST - 1), 10)
    }


def test_folders_in_use_are_left_however_many_there_are(tmp_path: Path) -> None:
    now = 1e9
    for i in range(3 * MOST):
        make_folder(tmp_path, i, now - i)
    assert sweep(tmp_path, folder_name(0), now) == []
    assert len(list(tmp_path.iterdir())) == 3 * MOST


@pytest.mark.parametrize(
    "name",
    [
        "other",
        "kernels-my-backup",
        "kernels-0.1.0",
        f"kernels-{0:024x}",
        f"kernels-0.1.0-{0:024x}-copy",
        f"kernels-0.1.0-{0:024x}.old",
        f"kernels-0.1.0-{0:023x}g",
        f"my-kernels-0.1.0-{0:024x}",
    ],
)
def test_a_folder_of_another_name_is_not_swept(tmp_path: Path, name: str) -> None:
    (tmp_path / name / "deep").mkdir(parents=True)
    files = [tmp_path / name / "thesis.txt", tmp_path / name / "deep" / f"a-{0:024x}.kernel"]
    for path in [*files, tmp_path / name]:
        path.touch()
        os.utime(path, (0, 0))
    assert sweep(tmp_path, folder_name(0), 1e9) == []
    assert all(path.exists() for path in files)


def test_what_is_no_kernel_is_left_where_it_lies(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, 1, 1000)
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text("mine")
    (folder / f"linked-{0:024x}.kernel").symlink_to(elsewhere)
    kept = [folder / "thesis.txt", folder / "notes.kernel", folder / "download.partial"]
    for path in kept:
        path.write_text("mine")
    os.utime(folder, (1000, 1000))
    assert sweep(tmp_path, folder_name(0), 1e9) == []
    assert sorted(folder.iterdir()) == sorted(kept)
    assert elsewhere.read_text() == "mine"
    # It is as old as before, and goes once it is empty.
    for path in kept:
        path.unlink()
    os.utime(folder, (1000, 1000))
    assert sweep(tmp_path, folder_name(0), 1e9) == [folder]


def test_a_sweep_that_was_killed_is_taken_up_by_the_next(tmp_path: Path) -> None:
    """Nothing is put out of sight first, where no later sweep would find it."""
    make_folder(tmp_path, 1, 1000)
    program = (
        "import os, sys; from pathlib import Path; from onnxdissect.compiling.folder import sweep\n"
        "Path.rmdir = lambda path: os._exit(9)\n"
        "sweep(Path(sys.argv[1]), '', 1e9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert done.returncode == 9
    assert len(list(tmp_path.iterdir())) == 1
    sweep(tmp_path, folder_name(0), 1e9)
    assert not list(tmp_path.iterdir())


def test_old_folders_are_swept_when_a_new_one_is_made(kept: Kept, tmp_path: Path) -> None:
    parent = tmp_path / "cache/onnxdissect/kernels"
    parent.mkdir(parents=True)
    parent.chmod(0o700)
    old = make_folder(parent, 1, 0)
    probe(kept.site, in_cache(tmp_path))
    assert not old.exists()
    (new,) = parent.iterdir()
    # What it is called is what a later sweep looks for.
    os.utime(new, (0, 0))
    assert sweep(parent, folder_name(0), 1e9) == [new]


def test_processes_that_begin_together_do_not_disturb_each_other(kept: Kept, tmp_path: Path) -> None:
    cache = in_cache(tmp_path)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(kept.site)} | cache
    running = [
        subprocess.Popen([sys.executable, "-c", PROBE], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    folders = {json.loads(process.communicate(timeout=300)[0])["cache"] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    (folder,) = folders
    assert [path.suffix for path in Path(folder).iterdir()] == [".kernel"]
    assert not probe(kept.site, cache)["compiled"]
