"""Damaged input by the thousand: a clear error or a result, never a crash, a hang, or a stray exception.

    cd tests; python -m support.fuzz {onnx,csv,png,jpg} START STOP

Each seed damages one file in one way. Run as a process of its own, so that a crash of the interpreter is
seen from outside; the seed at work is the last line printed.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

import cv2
import numpy as np

from onnxdissect.data import open_dataset
from onnxdissect.errors import OnnxDissectError
from onnxdissect.model import load_network, open_session
from support import models
from support.small_runs import broden

KINDS = ("onnx", "csv", "png", "jpg")
SLOW = 20.0


def damaged(content: bytes, dice: random.Random) -> bytes:
    """Flip, overwrite, delete, insert, repeat, or cut off bytes, once or a few times."""
    data = bytearray(content)
    for _ in range(dice.choice([1, 1, 2, 4, 16])):
        if not data:
            break
        at = dice.randrange(len(data))
        match dice.choice(["set", "set", "flip", "delete", "insert", "repeat", "cut"]):
            case "set":
                data[at] = dice.randrange(256)
            case "flip":
                data[at] ^= 1 << dice.randrange(8)
            case "delete":
                del data[at : at + dice.randrange(1, 20)]
            case "insert":
                data[at:at] = dice.randbytes(dice.randrange(1, 8))
            case "repeat":
                data[at : at + 8] = data[: dice.randrange(1, 16)]
            case "cut":
                del data[at:]
    return bytes(data)


def run_model(content: bytes, folder: Path) -> None:
    path = folder / "model.onnx"
    path.write_bytes(content)
    found = load_network(path)
    session = open_session(found, found.select(["all"])[:3], provider="cpu")
    image, (height, width) = found.input, found.size
    shape = (image.channels, height, width) if image.layout == "NCHW" else (height, width, image.channels)
    session(np.zeros((2, *shape), image.dtype))


def read_data(folder: Path) -> None:
    dataset = open_dataset(folder)
    assert dataset.fingerprint
    for i in range(len(dataset)):
        dataset.read_image(i)
        dataset.read_annotation(i)


def with_jpegs(folder: Path) -> None:
    """Turn the pictures, not the label maps, into JPEG files."""
    for path in (folder / "images").glob("?.png"):
        picture = cv2.imread(str(path))
        assert picture is not None
        cv2.imwrite(str(path.with_suffix(".jpg")), cv2.resize(picture, (48, 48)))
        index = folder / "index.csv"
        index.write_text(index.read_text().replace(f"\n{path.name},", f"\n{path.stem}.jpg,", 1))


def main(kind: str, start: int, stop: int) -> int:
    makers = (models.plain, models.residual, models.channels_last, models.quantised, models.squeeze_excite)
    networks = [make().SerializeToString() for make in makers]
    results = errors = stray = 0
    with tempfile.TemporaryDirectory() as name:
        folder, source = Path(name), Path(name) / "source"
        broden(source, 5, seed=3)
        if kind == "jpg":
            with_jpegs(source)
        # What is not damaged must do, or everything below would be refused for the wrong reason.
        read_data(source)
        for network in networks:
            run_model(network, folder)
        for seed in range(start, stop):
            dice = random.Random(seed)
            began = time.process_time()
            print(seed, end="\r", flush=True)
            try:
                if kind == "onnx":
                    run_model(damaged(dice.choice(networks), dice), folder)
                else:
                    copy = folder / "copy"
                    shutil.rmtree(copy, ignore_errors=True)
                    shutil.copytree(source, copy)
                    victim = dice.choice(sorted(copy.rglob(f"*.{kind}")))
                    victim.write_bytes(damaged(victim.read_bytes(), dice))
                    read_data(copy)
                results += 1
            except OnnxDissectError:
                errors += 1
            except Exception:
                stray += 1
                print(f"{kind} {seed}: not an error of ours")
                traceback.print_exc(file=sys.stdout)
            if time.process_time() - began > SLOW:
                stray += 1
                print(f"{kind} {seed}: took {time.process_time() - began:.0f} s")
    print(f"{kind}: {results} results, {errors} clear errors, {stray} neither")
    return 1 if stray else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
