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


def test_two_environments_share_what_one_has_compiled(tmp_path: Path) -> None:
    for site in ("one", "two"):
        copy_package(tmp_path / site)
    cache = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    first = probe(tmp_path / "one", cache)
    assert (first["compiled"], first["shared"], first["not_kept"]) == (True, True, "")
    os.utime(tmp_path / "two/onnxdissect/core/kernels/activations/encode.py", (0, 0))
    assert not probe(tmp_path / "two", cache)["compiled"]


@pytest.mark.parametrize("changed", ["activations/encode.py", "activations/keep.py"])
def test_another_source_is_compiled_anew(tmp_path: Path, changed: str) -> None:
    """Also where the kernel itself is the same, and only what it calls has changed."""
    copy_package(tmp_path)
    cache = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    first = probe(tmp_path, cache)
    with (tmp_path / "onnxdissect/core/kernels" / changed).open("a") as file:
        file.write("# changed\n")
    second = probe(tmp_path, cache)
    assert first["compiled"] and second["compiled"]
    assert first["cache"] != second["cache"]


def test_a_folder_that_the_user_names_is_used(tmp_path: Path) -> None:
    copy_package(tmp_path)
    named = {"HOME": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "named")}
    found = probe(tmp_path, named)
    assert Path(found["cache"]).is_relative_to(tmp_path / "named")
    assert not found["shared"]
    assert not probe(tmp_path, named)["compiled"]


@pytest.mark.parametrize("damage", ["cut", "empty", "turned", "folder"])
def test_a_damaged_file_is_compiled_anew(tmp_path: Path, damage: str) -> None:
    copy_package(tmp_path)
    cache = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    (file,) = Path(probe(tmp_path, cache)["cache"]).glob("*.kernel")
    content = file.read_bytes()
    if damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        half = len(content) // 2
        turned = content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]
        file.write_bytes({"cut": content[:half], "empty": b"", "turned": turned}[damage])
    found = probe(tmp_path, cache)
    assert found["compiled"]
    assert bool(found["not_kept"]) == (damage == "folder")
    if damage != "folder":
        assert not probe(tmp_path, cache)["compiled"]


def test_a_disk_that_is_full_is_done_without(tmp_path: Path) -> None:
    """A file may have 20 kB here, and a kernel has more."""
    copy_package(tmp_path)
    cache = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    found = probe(tmp_path, cache, "20000")
    assert found["compiled"]
    assert "too large" in found["not_kept"]
    assert not list(Path(found["cache"]).iterdir())
    assert probe(tmp_path, cache)["compiled"]
    assert not probe(tmp_path, cache)["compiled"]


@pytest.mark.parametrize("place", [".", "kernels", "cache"])
def test_a_folder_that_others_could_have_filled_is_not_read(tmp_path: Path, place: str) -> None:
    copy_package(tmp_path)
    cache = {
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path / "temporary"),
    }
    (tmp_path / "temporary").mkdir()
    usual = Path(probe(tmp_path, cache)["cache"])
    open_to_all = {".": usual, "kernels": usual.parent, "cache": usual.parent.parent}[place]
    open_to_all.chmod(0o777)
    found = probe(tmp_path, cache)
    # Whoever may write to the folder above can move this one away, but not make another of this owner.
    assert found["compiled"] == (place != "cache")
    if place != "cache":
        assert Path(found["cache"]).is_relative_to(tmp_path / "temporary")
        assert stat.S_IMODE(Path(found["cache"]).stat().st_mode) == 0o700


def test_folders_that_nobody_used_for_long_are_swept(tmp_path: Path) -> None:
    now = 1e9
    for days in range(MOST + 3):
        folder = tmp_path / f"kernels-{days:02}"
        folder.mkdir()
        (folder / "a.kernel").touch()
        os.utime(folder, (now, now - days * DAY - 1))
    old = tmp_path / "kernels-old"
    old.mkdir()
    os.utime(old, (now, now - (UNUSED_DAYS + 1) * DAY))
    other = tmp_path / "other"
    other.mkdir()
    os.utime(other, (0, 0))
    removed = {path.name for path in sweep(tmp_path, "kernels-10", now)}
    # One is in use, and with it `MOST` are left.
    assert removed == {f"kernels-{days:02}" for days in (MOST - 1, MOST, MOST + 1)} | {"kernels-old"}
    assert {path.name for path in tmp_path.iterdir()} == {
        "other", "kernels-10", *(f"kernels-{days:02}" for days in range(MOST - 1))
    }  # fmt: skip


def test_folders_in_use_are_left_however_many_there_are(tmp_path: Path) -> None:
    now = 1e9
    for i in range(3 * MOST):
        folder = tmp_path / f"kernels-{i:02}"
        folder.mkdir()
        os.utime(folder, (now, now - i))
    assert sweep(tmp_path, "kernels-00", now) == []


def test_old_folders_are_swept_when_a_new_one_is_made(tmp_path: Path) -> None:
    copy_package(tmp_path)
    old = tmp_path / "cache/onnxdissect/kernels/kernels-0.0.1-old"
    old.mkdir(parents=True)
    old.parent.chmod(0o700)
    os.utime(old, (0, 0))
    probe(tmp_path, {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert not old.exists()


def test_processes_that_begin_together_do_not_disturb_each_other(tmp_path: Path) -> None:
    copy_package(tmp_path)
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }  # fmt: skip
    running = [
        subprocess.Popen([sys.executable, "-c", PROBE], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    caches = {json.loads(process.communicate(timeout=300)[0])["cache"] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    (cache,) = caches
    assert [path.suffix for path in Path(cache).iterdir()] == [".kernel"]
    assert not probe(tmp_path, {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")})["compiled"]
