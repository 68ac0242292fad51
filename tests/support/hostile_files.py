"""Changes to the tables, archives and files of a run directory, each by its structure."""

from __future__ import annotations

import csv
import io
import os
import random
import shutil
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

TABLES = (
    *("units.csv", "layers.csv", "concepts.csv", "images.csv"),
    *("quantiles.csv", "labels_by_quantile.csv", "generic_labels.csv"),
)
CELLS = (
    *("", " ", "0", "1", "-1", "2", "nan", "inf", "-inf", "1e400", "1e-400", "0.5", "-0.5", "1e308"),
    *("7" * 5000, "-" + "7" * 5000, str(2**31), str(2**63), str(10**30), "true", "false", "True", "none"),
    *(
        "1_0",
        " 1",
        "+1",
        "٣",
        "0x10",
        "../../etc/passwd",
        "/etc/passwd",
        "a\nb",
        'a"b',
        "\x00",
        "x" * 200_000,
    ),
    *("\u202e", "=1+1"),
)


def change_table(run: Path, dice: random.Random) -> str:
    of_layers = sorted(path.relative_to(run).as_posix() for path in run.glob("layers/*/nearest.csv"))
    name = dice.choice([*TABLES, *of_layers])
    path = run / name
    content = path.read_bytes()
    rows = list(csv.reader(io.StringIO(content.decode())))
    row = dice.randrange(len(rows))
    match dice.choice(["cell", "cell", "cell", "cell", "drop", "twice", "swap", "column", "bytes", "many"]):
        case "cell":
            column, cell = dice.randrange(len(rows[row])), dice.choice(CELLS)
            said = f"row {row} column {rows[0][column]} = {cell[:40]!r}"
            rows[row][column] = cell
        case "drop":
            said = f"without row {row}"
            del rows[row]
        case "twice":
            said = f"row {row} twice"
            rows.insert(row, rows[row])
        case "swap":
            other = dice.randrange(len(rows))
            said = f"rows {row} and {other} swapped"
            rows[row], rows[other] = rows[other], rows[row]
        case "column":
            column = dice.randrange(len(rows[0]))
            said = f"without column {rows[0][column]}"
            rows = [[*line[:column], *line[column + 1 :]] for line in rows]
        case "many":
            said = "ten thousand times its rows"
            rows += rows[1:] * (10_000 // max(1, len(rows)))
        case _:
            changed = dice.choice(
                [
                    content[: len(content) // 2],
                    b"\xef\xbb\xbf" + content,
                    content.decode().encode("utf-16"),
                    content.replace(b"\n", b"\r"),
                    content.replace(b"\n", b" "),
                    content + b'"' + b"x" * 300_000,
                    b"\x00" * 1000 + content,
                    b"",
                    b"," * 1_000_000,
                ]
            )
            path.write_bytes(changed)
            return f"{name} of {len(changed)} other bytes"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    return f"{name} {said}"


def change_archive(run: Path, dice: random.Random) -> str:
    path = dice.choice(sorted(run.rglob("*.npz")))
    name = path.relative_to(run).as_posix()
    with zipfile.ZipFile(path) as archive:
        members = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    member = dice.choice(sorted(members))
    match dice.choice(["header", "header", "values", "values", "values", "zip", "claim", "bytes"]):
        case "header":
            members[member], said = _other_header(members[member], dice)
        case "values":
            members[member], said = _other_values(members[member], dice)
        case "zip":
            return f"{name} {member} {_other_zip(path, members, member, dice)}"
        case "claim":
            return f"{name} {member} {_claiming(path, members, member, dice)}"
        case _:
            content = path.read_bytes()
            at = dice.randrange(len(content))
            changed = dice.choice(
                [content[:at], content[at:], content[:at] + b"\xff" + content[at + 1 :], b""]
            )
            path.write_bytes(changed)
            return f"{name} other bytes at {at}"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for other, content in members.items():
            archive.writestr(other, content)
    return f"{name} {member} {said}"


def _other_header(content: bytes, dice: random.Random) -> tuple[bytes, str]:
    array = np.lib.format.read_array(io.BytesIO(content))
    shape: Any = list(array.shape)
    sizes = [0, 1, -1, 10**6, 10**12, 2**63, 10**30, True, "3", None, 1.5]
    if shape and dice.random() < 0.7:
        shape[dice.randrange(len(shape))] = dice.choice(sizes)
    else:
        shape = dice.choice([[], [10**12], [0], [1] * 40, [*shape, 1], shape[::-1], [*shape, 10**12]])
    kinds = ["|O", "<f8", "<i8", "<U5", "|V8", "<M8[s]", ">i4", "<U1000000000", "<c16", "|S0", "nonsense"]
    descr = array.dtype.str if dice.random() < 0.5 else dice.choice(kinds)
    fortran = dice.random() < 0.1
    said = f"{{'descr': {descr!r}, 'fortran_order': {fortran}, 'shape': {tuple(shape)!r}, }}"
    if dice.random() < 0.05:
        said = dice.choice(["(" * 5000, "{}", "1", "x" * 60_000, "{'descr': [('a', '<i8')], 'shape': (1,)}"])
    header = (said + "\n").encode("latin-1")
    version = dice.choice([b"\x01\x00"] * 8 + [b"\x02\x00", b"\x09\x00"])
    length = struct.pack("<H", len(header)) if version != b"\x02\x00" else struct.pack("<I", len(header))
    return b"\x93NUMPY" + version + length + header + array.tobytes(), f"header {said[:120]}"


def _other_values(content: bytes, dice: random.Random) -> tuple[bytes, str]:
    array = np.lib.format.read_array(io.BytesIO(content)).copy()
    floats = [np.nan, np.inf, -np.inf, -1.0, 1e38, 1e-45, 2.0]
    wholes = [-1, 1, 2**31 - 1, -(2**31), 2**40, 2**63 - 1, -(2**63)]
    value: Any = dice.choice(floats if array.dtype.kind == "f" else wholes)
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        value = min(max(value, limits.min), limits.max)
    if not array.size:
        return content, "unchanged"
    match dice.choice(["one", "all", "rolled", "added"]):
        case "one":
            array.flat[dice.randrange(array.size)] = value
        case "all":
            array[...] = value
        case "rolled":
            array, value = np.roll(array, 1), "rolled"
        case _ if array.dtype.kind in "iu":
            with np.errstate(all="ignore"):
                array += array.dtype.type(1)
            value = "+ 1"
    made = io.BytesIO()
    np.save(made, array)
    return made.getvalue(), f"values {value}"


def _other_zip(path: Path, members: dict[str, bytes], member: str, dice: random.Random) -> str:
    how = dice.choice(["missing", "twice", "bzip2", "lzma", "extra", "named", "encrypted"])
    method = {"bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}.get(how, zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path, "w", method) as archive:
        for other, content in members.items():
            if other == member and how == "missing":
                continue
            archive.writestr("../../" + other if other == member and how == "named" else other, content)
            if other == member and how == "twice":
                import warnings

                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    archive.writestr(other, content)
        if how == "extra":
            archive.writestr("more.npy", b"\x00" * 10**6)
    if how == "encrypted":
        marked = bytearray(path.read_bytes())
        marked[marked.rfind(b"PK\x01\x02") + 8] |= 1
        path.write_bytes(marked)
    return how


def _claiming(path: Path, members: dict[str, bytes], member: str, dice: random.Random) -> str:
    """Claim another size in the archive's directory, or hold as many zeros as that."""
    if dice.random() < 0.3:
        array = np.lib.format.read_array(io.BytesIO(members[member]))
        rows = 4_000_000 // max(1, array.dtype.itemsize)
        header = f"{{'descr': {array.dtype.str!r}, 'fortran_order': False, 'shape': ({rows},), }}\n".encode()
        zeros = bytes(rows * array.dtype.itemsize)
        members[member] = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + zeros
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for other, held in members.items():
                archive.writestr(other, held)
        return f"a bomb of {rows} rows"
    content = bytearray(path.read_bytes())
    at = content.rfind(b"PK\x01\x02")
    field, size = dice.choice([(20, 4), (24, 4), (42, 4), (28, 2), (30, 2)])
    value = dice.choice([0, 1, 2**31 - 1, 2**32 - 2, 2**16 - 1]) % 256**size
    content[at + field : at + field + size] = value.to_bytes(size, "little")
    path.write_bytes(content)
    return f"field {field} of the directory = {value}"


HOW = ("pipe", "zero", "random", "outside", "inside", "dangling", "loop", "folder", "gone", "empty")


def change_file(run: Path, dice: random.Random) -> str:
    victims = [path for path in run.rglob("*") if path.suffix in (".csv", ".npz", ".json")]
    folders = [run / "layers", *(run / "layers").iterdir()]
    path = dice.choice(sorted(victims) + sorted(folders))
    outside = run.parent / f"{run.name}-outside"
    name = path.relative_to(run).as_posix()
    how = dice.choice(HOW)
    if path.is_dir():
        shutil.rmtree(outside, ignore_errors=True)
        shutil.move(path, outside)
        if how == "outside":
            path.symlink_to(outside)
        elif how == "loop":
            path.symlink_to(path)
        elif how == "pipe":
            os.mkfifo(path)
        elif how == "inside":
            shutil.move(outside, run / "moved")
            path.symlink_to(run / "moved")
        else:
            path.write_bytes(b"")
        return f"{name} {how}"
    content = path.read_bytes()
    path.unlink()
    match how:
        case "pipe":
            os.mkfifo(path)
        case "zero" | "random":
            path.symlink_to("/dev/zero" if how == "zero" else "/dev/urandom")
        case "outside":
            outside.write_bytes(content) if not outside.is_dir() else None
            path.symlink_to(outside)
        case "inside":
            (path.parent / "moved").write_bytes(content)
            path.symlink_to("moved")
        case "dangling":
            path.symlink_to("nowhere")
        case "loop":
            path.symlink_to(path.name)
        case "folder":
            path.mkdir()
        case "empty":
            path.write_bytes(b"")
    return f"{name} {how}"
