"""All benchmarks after one another, each in its own process.

    python benchmarks/table.py [DATA] [--model MODEL] [--layer SEL]... [--quick] [preprocessing options]

Without a model: a heavy network and a mobile one, the architectures of ResNet-18 and MobileNetV2, each with
one layer and with the ends of four stages. Without a data set: the drawn one. Options that are not named
here are passed on to all.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import networks

from onnxdissect.tiny import ensure_tiny

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("data", type=Path, nargs="?")
parser.add_argument("--model", type=Path)
parser.add_argument("--layer", action="append", help="of --model; the last one by default")
parser.add_argument("--quick", action="store_true", help="few images, a single round")

_HERE = Path(__file__).resolve().parent
_STAGES = {
    "resnet18": ["layer1.1.relu", "layer2.1.relu", "layer3.1.relu", "layer4.1.relu"],
    "mobilenet_v2": ["block2.sum", "block5.sum", "block12.sum", "last.relu6"],
}


def rows(model: Path, stages: list[str], quick: bool) -> Iterator[tuple[str, list[str]]]:
    """The title of each row, and the script that prints it with its options."""
    effort = ["--limit", "16", "--rounds", "1"] if quick else ["--rounds", "5"]
    limit = effort[:2] if quick else []
    # as many images as Broden has take the heavy network most of an hour, nearly all of it inside onnxruntime
    heavy = model.stem == "resnet18"
    sizes = ["16", "32"] if quick else ["700", "7000", "63305"][: 2 if heavy else 3]
    images = ["--images", "64"] if quick else []
    one, several = (
        [option for layer in layers for option in ("--layer", layer)] for layers in (stages[-1:], stages)
    )
    name = model.stem
    if quick or not heavy:
        yield f"{name}: as many images as Broden has", ["broden_sized.py", *several, *images]
    yield f"{name}: outside the network", ["host.py", *several, *(images or ["--images", "8000"])]
    yield f"{name}: start-up", ["startup.py", *one, *effort[-2:]]
    yield f"{name}: run against the bare loop, one layer", ["speed.py", *effort, *one]
    if len(stages) > 1:
        yield f"{name}: run against the bare loop, {len(stages)} layers", ["speed.py", *effort, *several]
    yield f"{name}: kernels against the older tools", ["kernels.py", *effort, *one]
    yield f"{name}: thresholds from samples", ["sketch.py", *limit, *one]
    yield f"{name}: memory and growth", ["growth.py", *several, "--images", *sizes]


def main() -> int:
    given, passed_on = parser.parse_known_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        data = given.data or ensure_tiny()
        if given.model:
            chosen = [(given.model, given.layer or ["last"])]
        else:
            built = [build(Path(folder)) for build in (networks.resnet18, networks.mobilenet_v2)]
            chosen = [(model, _STAGES[model.stem]) for model in built]
            passed_on += ["--preset", "imagenet"]
        print("== the first minute", flush=True)
        first = [sys.executable, str(_HERE / "first_minute.py")]
        options = ["--rounds", "1", "--limit", "16"] if given.quick else []
        failed |= subprocess.run([*first, *options], check=False).returncode != 0
        for model, stages in chosen:
            for title, (script, *options) in rows(model, stages, given.quick):
                print(f"== {title}", flush=True)
                command = [sys.executable, str(_HERE / script), str(model), str(data)]
                failed |= subprocess.run([*command, *options, *passed_on], check=False).returncode != 0
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
