"""Baselines whose checksum is right and whose content is not."""

from __future__ import annotations

import base64
import json
import lzma
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.fake_counts import save_fake_run
from support.hostile_runs import places

from onnxdissect.check.baseline.file import _checksum, open_baseline, write_baseline
from onnxdissect.check.baseline.packing import pack, unpack
from onnxdissect.check.baseline.snapshot import snapshot_of
from onnxdissect.check.comparing.comparison import make_comparison
from onnxdissect.check.rules.config import Config
from onnxdissect.check.rules.rules import apply_rules
from onnxdissect.errors import OnnxDissectError, RunFormatError
from onnxdissect.results import load


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("baseline")
    write_baseline(folder / "baseline.json", snapshot_of(save_fake_run(folder / "run")))
    read: dict[str, Any] = json.loads((folder / "baseline.json").read_text())
    return read


def forged(baseline: dict[str, Any], path: Path, **changes: Any) -> Path:
    body = {
        key: value for key, value in baseline.items() if key not in ("format_version", "sha256")
    } | changes
    path.write_text(json.dumps({"format_version": 1, "sha256": _checksum(body), **body}))
    return path


def test_an_honest_one_is_read(baseline: dict[str, Any], tmp_path: Path) -> None:
    assert len(open_baseline(forged(baseline, tmp_path / "b.json")).layers) == 2


@pytest.mark.parametrize(
    ("array", "value", "said"),
    [
        ("0/label", 10**6, r"layers\[0\]\.label holds values outside -1 to"),
        ("0/twin", -1, r"layers\[0\]\.twin holds values outside 0 to 8"),
        ("1/top_images", 12, r"layers\[1\]\.top_images holds values outside 0 to 12"),
        ("0/iou", 1.5, r"layers\[0\]\.iou holds values outside 0 to 1"),
        ("1/threshold", float("nan"), r"layers\[1\]\.threshold holds values that are not finite"),
        ("0/stability", 1.5, r"layers\[0\]\.stability holds values outside 0 to 1"),
        ("0/low", -1e308, r"layers\[0\]\.low holds values outside 0 to 1"),
        ("1/high", float("inf"), r"layers\[1\]\.high holds values outside 0 to 1"),
        ("0/highest", float("-inf"), r"layers\[0\] holds activations that are not finite"),
        ("category_of", 99, "names categories that it does not have"),
    ],
)
def test_arrays_that_number_what_is_not_there(
    baseline: dict[str, Any], tmp_path: Path, array: str, value: float, said: str
) -> None:
    arrays = {name: held.copy() for name, held in unpack(baseline["arrays"]).items()}
    arrays[array].flat[0] = value
    with pytest.raises(RunFormatError, match=said):
        open_baseline(forged(baseline, tmp_path / "b.json", arrays=pack(arrays)))


def test_what_is_unpacked_is_bounded_by_what_is_claimed(baseline: dict[str, Any], tmp_path: Path) -> None:
    index = baseline["arrays"]["index"]
    bomb = base64.b64encode(lzma.compress(bytes(2**26))).decode()
    with pytest.raises(RunFormatError, match=r"its arrays claim [0-9,]+ bytes, and there are others"):
        open_baseline(forged(baseline, tmp_path / "b.json", arrays={"index": index, "bytes": bomb}))
    claims = {"index": [["category_of", "int64", [2**39]]], "bytes": bomb}
    with pytest.raises(RunFormatError, match="at most 2,147,483,648 are unpacked"):
        open_baseline(forged(baseline, tmp_path / "b.json", arrays=claims))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"iou_threshold": "0.04"}, "iou_threshold is '0.04', not a number"),
        ({"layers": [{}]}, r"layers\[0\]\.name is missing"),
        ({"categories": "x"}, "categories is 'x', not a list"),
        ({"arrays": {}}, r"arrays\.index is missing"),
        ({"data": {"name": "x"}}, r"data\.images is missing"),
        ({"drawn_from": -1}, "drawn_from is -1"),
    ],
)
def test_fields(baseline: dict[str, Any], tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RunFormatError, match=said):
        open_baseline(forged(baseline, tmp_path / "b.json", **changes))


@pytest.mark.parametrize("section", ["preprocessing", "data.fingerprint", "parameters.top"])
def test_a_run_that_lacks_what_a_check_goes_by(tmp_path: Path, section: str) -> None:
    run = save_fake_run(tmp_path / "run").path
    manifest = json.loads((run / "manifest.json").read_text())
    *above, name = section.split(".")
    del (manifest[above[0]] if above else manifest)[name]
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert load(run).units()
    with pytest.raises(RunFormatError, match=f"{section} is missing, and a check goes by it"):
        open_baseline(run)


def test_every_field_with_every_value_is_refused_or_compared(
    baseline: dict[str, Any], tmp_path: Path
) -> None:
    """A baseline that says anything anywhere is refused by an error of ours, or gives findings."""
    sound = open_baseline(forged(baseline, tmp_path / "sound.json"))
    outcomes: Counter[str] = Counter()
    for seed in range(150):
        dice = random.Random(seed)
        body = json.loads(json.dumps(baseline))
        arrays = body.pop("arrays")
        where = dice.choice(list(places(body)))
        holder: Any = body
        for name in where[:-1]:
            holder = holder[name]
        value: Any = dice.choice(
            ["drop", None, True, -1, 0, 1, 10**12, 2**63, 0.5, 1e308, "", "x" * 9999, [], {}]
        )
        if value == "drop":
            del holder[where[-1]]
        else:
            holder[where[-1]] = value
        content = {**body, "arrays": arrays}
        try:
            read = open_baseline(forged(content, tmp_path / "b.json"))
            apply_rules(make_comparison(read, sound, Config()))
            outcomes["read"] += 1
        except OnnxDissectError as error:
            assert len(str(error)) < 8_000
            outcomes[type(error).__name__] += 1
    assert outcomes["RunFormatError"] > 10 and outcomes["read"] > 5


def test_every_array_with_every_value_is_refused_or_compared(
    baseline: dict[str, Any], tmp_path: Path
) -> None:
    sound = open_baseline(forged(baseline, tmp_path / "sound.json"))
    arrays = unpack(baseline["arrays"])
    outcomes: Counter[str] = Counter()
    for name, array in arrays.items():
        values = [0, 1, -1, 255, 2**31 - 1, -(2**63), 1e308, -1e308, np.nan, np.inf, -np.inf, 5e-324]
        for value in values:
            with np.errstate(all="ignore"):
                changed = array.copy()
                changed.flat[array.size // 2 :] = np.array([value]).astype(array.dtype)
            try:
                packed = pack(arrays | {name: changed})
                read = open_baseline(forged(baseline, tmp_path / "b.json", arrays=packed))
                apply_rules(make_comparison(read, sound, Config()))
                outcomes["read"] += 1
            except OnnxDissectError as error:
                outcomes[type(error).__name__] += 1
    assert outcomes["RunFormatError"] > 50 and outcomes["read"] > 50
