"""Hostile data sets: a small sound one of which something is changed by its structure.

    cd tests; python -m support.hostile_data START STOP

Each seed changes sizes, counts, numbers, names, links, tables or image files, one to three of them; then the
folder is opened, every image and label map read, and the commands ``data info`` and ``data check`` typed.
Either it is refused by an error of ours, or it is read.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import os
import random
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import onnxdissect.cli.commands
import onnxdissect.cli.main
from onnxdissect.data import check_dataset, check_folder, clean_index, describe, open_data
from onnxdissect.errors import OnnxDissectError
from support.attempts import outcome_of, tell_all
from support.datasets import random_broden, write_broden
from support.hostile_images import hostile_image

Maker = Callable[[Path], None]
"""Writes a data set into a folder that is not there yet."""

NUMBERS = (
    *("0", "-1", "1", "00", "+5", "1_000", "٣", "²", "५", " 5 ", "5.0", "1e3", "1e400", "inf", "-inf", "nan"),
    *("-0", "0x10", "", " ", "5\0", "5\n", "five", "1e-400", "0" * 5000, "0" * 5000 + "7", "9" * 100_000),
    *(str(2**power + step) for power in (7, 16, 20, 27, 31, 32, 63, 64, 100) for step in (-1, 0, 1)),
    *("11585", "11586", str(10**9), str(10**15), str(10**30), "9" * 4300, "9" * 4301),
    *("9" * 5000, "-" + "9" * 5000),
)
NAMES = (
    *("", " ", ".", "..", "../x", "../../../../etc/passwd", "/etc/passwd", "C:\\x", "C:x", "a\\b", "a/../b"),
    *("./a.png", "a//b.png", "a/", "/", "\\", "a\nb", "a\rb", "a\0b", "\x1b[31mred", "\u202egnp.a", "😀.png"),
    *("a" * 200, "a" * 255, "a" * 256, "a" * 5000, "é" * 130, "景" * 90, "a/" * 3000, "CON", "aux.png"),
    *("a;b", ";" * 1000, "(", ")", "a(5)", ")(", "()" * 30_000, "(" * 60_000, " " * 60_000),
    *("name", "image", "split", "ih", "group", "number", "5", "5.png", "-", "-5", "+5.png", "=cmd()", "@x"),
    *("%s%n", "{0}", "<script>", "'", '"', '""', "e\u0301", "\u00e9", "\ufeffa", "a\u0085b", "\ufffe", "NaN"),
    "x" + " " * 60_000,
)
TABLES = ("index.csv", "label.csv", "category.csv", "c_object.csv", "c_color.csv")
FORMS = ("{new}", "{new}", "{old};{new}", "{old}({new})", "object({new})", "{new}(3)", "{old}{new}")
KINDS = ("fifo", "socket", "folder", "empty", "sparse", "nothing", "link", "link", "link", "closed")
TARGETS = (
    *("/dev/zero", "/dev/urandom", "/dev/null", "/dev/full", "/dev/tty", "/proc/self/mem", "/proc/self/maps"),
    *("/proc/kmsg", "/etc/passwd", "/", ".", "..", "nowhere", "x" * 300, "/dev/fd/0", "/proc/self/fd"),
    *("images", "index.csv"),
)


def hostile_datasets(rng: random.Random) -> Iterator[tuple[str, Maker]]:
    """Data sets without end: what each is called, and how it is written."""
    while True:
        seed = rng.randrange(2**32)
        yield f"data set {seed}", functools.partial(_make, seed)


def _make(seed: int, folder: Path) -> None:
    make(folder, random.Random(seed))


def make(folder: Path, dice: random.Random) -> list[str]:
    """Write a data set and change it; what was changed."""
    source = random_broden(dice.randrange(2**32), pictures=dice.choice([1, 2, 4]), labels=6, categories=3)
    write_broden(folder, source)
    changes = (
        *(change_size, change_cell, change_name, change_special, change_text, change_count, change_image),
        *(change_image, change_special, change_cell),
    )
    told = []
    for change in dice.choices(changes, k=dice.choice([1, 1, 1, 2, 3])):
        # A former change may have taken away what this one would change.
        with contextlib.suppress(OSError, UnicodeError, LookupError, csv.Error, ValueError):
            told.append(change(folder, dice))
    return told


def sound(path: Path) -> Path:
    """The file, if no former change made it hostile to whoever changes it again."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > 1 << 26:
        raise ValueError
    return path


def read_rows(folder: Path, name: str) -> list[list[str]]:
    csv.field_size_limit(1 << 30)
    try:
        with sound(folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))
    finally:
        csv.field_size_limit(1 << 17)


def write_rows(folder: Path, name: str, rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    (folder / name).write_bytes(text.getvalue().encode("utf-8", "surrogatepass"))


def change_size(folder: Path, dice: random.Random) -> str:
    """One or several extents of index.csv."""
    rows = read_rows(folder, "index.csv")
    row = dice.randrange(1, len(rows))
    columns = dice.sample([2, 3, 4, 5], dice.choice([1, 1, 2, 4]))
    value = dice.choice(NUMBERS)
    for column in columns:
        rows[row][column] = value
    if dice.random() < 0.3:  # without label maps nothing but the claim is left
        rows[row][6:] = ["" for _ in rows[row][6:]]
    write_rows(folder, "index.csv", rows)
    return f"sizes {columns} of row {row} are {value[:30]!r}"


def change_cell(folder: Path, dice: random.Random) -> str:
    """Any cell of any table, header included."""
    name = dice.choice(TABLES)
    rows = read_rows(folder, name)
    row = dice.randrange(len(rows))
    column = dice.randrange(len(rows[row]))
    old, new = rows[row][column], dice.choice(dice.choice([NUMBERS, NAMES]))
    form = dice.choice(FORMS)
    rows[row][column] = form.format(old=old, new=new)
    write_rows(folder, name, rows)
    return f"{name}, row {row}, column {column}: {form} of {new[:30]!r}"


def change_name(folder: Path, dice: random.Random) -> str:
    """A category or an image renamed wherever it stands, also the file where a file can have the name."""
    new = dice.choice(NAMES)
    old = dice.choice(["object", "color", "a/picture0.png", "b/picture1.jpg", "label"])
    if old == "label":
        rows = read_rows(folder, "label.csv")
        old = rows[1][1]
    for name in ("index.csv", "label.csv", "category.csv"):
        rows = [[cell.replace(old, new) for cell in row] for row in read_rows(folder, name)]
        write_rows(folder, name, rows)
    for path in (folder / f"c_{old}.csv", folder / "images" / old):
        with contextlib.suppress(OSError, ValueError):
            target = path.with_name(f"c_{new}.csv" if path.parent == folder else new)
            if target.resolve().is_relative_to(folder.resolve()):
                path.rename(target)
    if dice.random() < 0.2:  # names that differ in their case alone
        rows = read_rows(folder, "index.csv")
        rows.append([rows[1][0].swapcase(), *rows[1][1:]])
        write_rows(folder, "index.csv", rows)
    return f"{old!r} is called {new[:30]!r}"


def change_special(folder: Path, dice: random.Random) -> str:
    """Something else in a file's or a folder's place."""
    victims = [path for path in sorted(folder.rglob("*")) if not path.is_symlink()]
    path = dice.choice([*victims, *(folder / name for name in TABLES)])
    kind = dice.choice(KINDS)
    moved = folder.parent / f"{folder.name}-beside"
    if kind == "closed":
        if not path.is_dir():  # or it could not be removed again
            path.chmod(0)
        return f"{path.name} may not be read"
    if kind == "link" and dice.random() < 0.4:
        moved.mkdir(exist_ok=True)
        target = str(moved / f"{dice.randrange(10**9)}{path.suffix}")
        if dice.random() < 0.5:
            target = str(folder / f"moved{dice.randrange(10**9)}{path.suffix}")
        path.rename(target)
    else:
        target = dice.choice([*TARGETS, path.name, f"../{dice.choice(victims).name}"])
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
    elif kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(dice.choice([1 << 20, (1 << 28) + 1, 1 << 31, 1 << 40]))
    elif kind == "link":
        path.symlink_to(target)
    return f"{path.name} is {kind} ({target[-40:]})"


def change_text(folder: Path, dice: random.Random) -> str:
    """A table that is no table, or a very large one."""
    path = folder / dice.choice(TABLES)
    content = sound(path).read_bytes()
    header, _, rest = content.partition(b"\n")
    # so many images are read several times, which is work and no attack
    most = 300 if path.name == "index.csv" else 20_000
    kinds: dict[str, Callable[[], bytes]] = {
        "utf-16": lambda: content.decode().encode("utf-16"),
        "utf-16 without a mark": lambda: content.decode().encode("utf-16-le"),
        "mixed encodings": lambda: content + "\nStraße,a,b".encode("latin-1"),
        "two marks": lambda: b"\xef\xbb\xbf" * 2 + content,
        "no line end": lambda: content.replace(b"\n", b" "),
        "carriage returns": lambda: content.replace(b"\n", b"\r"),
        "NUL bytes": lambda: content.replace(b",", b",\0"),
        "a row of a million cells": lambda: header + b"\n" + b"," * 1_000_000 + b"\n" + rest,
        "a million columns": lambda: header + b",x" * 1_000_000 + b"\n" + rest,
        "4,000 columns": lambda: b",".join([header, *(b"%d" % i for i in range(4000))]) + b"\n" + rest,
        "a cell of 20 MB": lambda: header + b'\n"' + b"x" * 20_000_000 + b'"\n' + rest,
        "a quote that is never closed": lambda: content + b'"' + b"x\n" * 500_000,
        "quotes": lambda: header + b"\n" + b'"' * dice.choice([3, 100_001, 2_000_000]) + rest,
        "blank rows": lambda: header + b"\n" * 3_000_000 + rest,
        "rows of commas": lambda: header + (b"," * header.count(b",") + b"\n") * 300_000 + b"\n" + rest,
        "rows again and again": lambda: header + b"\n" + rest * dice.choice([100, most]),
        "nothing but a header": lambda: header + b"\n",
        "nothing": lambda: b"",
        "one byte": lambda: bytes([dice.randrange(256)]),
        "noise": lambda: dice.randbytes(10_000),
        "zeros": lambda: bytes(5_000_000),
    }
    kind = dice.choice(sorted(kinds))
    path.write_bytes(kinds[kind]())
    return f"{path.name}: {kind}"


def change_count(folder: Path, dice: random.Random) -> str:
    """More of something than there ever is."""
    kind = dice.choice(["categories", "labels", "maps", "image labels", "images", "groups", "column"])
    count = dice.choice([300, 1025, 5000])
    index, name = read_rows(folder, "index.csv"), "index.csv"
    if kind == "categories":
        name = "category.csv"
        write_rows(
            folder, name, read_rows(folder, name) + [[f"c{i}", "0", "0", "0", "0"] for i in range(count)]
        )
        if count < 4000:
            index = [
                row + ([f"c{i}" for i in range(count)] if not line else [""] * count)
                for line, row in enumerate(index)
            ]
    elif kind == "labels":
        rows = read_rows(folder, "label.csv")
        # so many take ten seconds to read and to check: seldom
        many = dice.choice([70_000, 64_000, *[3_000] * 6])
        rows += [[str(1000 + i), f"l{i}", "object(1)", "1", "1", ""] for i in range(many)]
        write_rows(folder, "label.csv", rows)
    elif kind == "maps":
        own = index[1][6] or "x.png"
        index[1][6] = ";".join(f"{'./' * (i % 300)}{own}" for i in range(count // 4))
        if dice.random() < 0.5:
            index[1][4:6] = [dice.choice(["1", "12", "3000", "11585"])] * 2
    elif kind == "image labels":
        numbers = [row[0] for row in read_rows(folder, "label.csv")[1:]]
        index[1][6] = ";".join(dice.choice(numbers) for _ in range(count * 2))
    elif kind == "images":
        count = min(count, 300)  # each of them is read five times, which is work and no attack
        index += [list(row) for row in index[1:]] * count
    elif kind == "groups":
        index = [[*row, "group" if not line else dice.choice(NAMES)] for line, row in enumerate(index)]
    else:
        index = [[*row, dice.choice(NAMES) if not line else ""] for line, row in enumerate(index)]
    write_rows(folder, "index.csv", index)
    return f"{count} {kind}"


def change_image(folder: Path, dice: random.Random) -> str:
    """A photograph or a label map that is not what it says."""
    path = dice.choice([path for path in sorted((folder / "images").rglob("*")) if path.is_file()])
    content, told = hostile_image(sound(path).read_bytes(), dice)
    path.write_bytes(content)
    return f"{path.name}: {told}"


def read_all(folder: Path, dice: random.Random) -> None:
    """Read a data set as Python and as the commands do."""
    refused = None
    try:
        spec: str | Path = dice.choice([str(folder), f"linked:{folder}"])
        dataset = open_data(spec, groups=dice.choice([None, None, "folder"]))
        describe(dataset)  # type: ignore[arg-type]
        assert dataset.fingerprint
        for i in range(min(len(dataset), 20)):
            dataset.read_image(i)
            dataset.read_annotation(i)
    except OnnxDissectError as error:
        refused = error
    with contextlib.suppress(OnnxDissectError):
        cleaned = clean_index(folder, check_folder(folder))
        if cleaned.path is not None:  # what cannot be read is out of it
            assert check_dataset(open_data(f"cleaned:{folder}")).ok  # type: ignore[arg-type]
    for command in (["data", "info", str(folder)], ["data", "check", str(folder)]):
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.object(sys, "argv", ["onnxdissect", *command]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                onnxdissect.cli.main.main()
                code = 0
            except SystemExit as end:
                code = int(end.code or 0)
        assert code in (0, 1, 2), err.getvalue()
        assert code != 2 or err.getvalue().startswith("error:"), err.getvalue()
    if refused is not None:
        raise refused


class HostileData:
    """Makes and reads the data set of a seed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, seed: int) -> str:
        dice = random.Random(seed)
        place = self.folder / f"{seed}"
        changes = make(place, dice)
        outcome = outcome_of(lambda: read_all(place, dice))
        for path in (place, Path(f"{place}-beside")):
            shutil.rmtree(path, ignore_errors=True)
        return outcome if outcome == "read" else f"{outcome}\n    {'; '.join(changes)}"


def main(start: int, stop: int) -> int:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        return tell_all(HostileData(Path(name)), start, stop)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
