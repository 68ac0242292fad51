"""Verdicts as different as they come."""

from __future__ import annotations

from onnxdissect.check.verdict import ChangedUnit, Finding, LayerDrift, Verdict

RUNS = Finding("runnable", "error", "passed", "", "valid, and runs on provider cpu")
NASTY = 'a<b>&"c"]]> %0A | `d` *e* [f](http://g) {0} \\ @team #12 ::error::x ##[command]y'

VERDICTS = {
    "passed": Verdict(
        "models/net.onnx", "baseline.json", (RUNS, Finding("layers", "error", "passed", "r", "4"))
    ),
    "nothing looked at": Verdict("net.onnx", "baseline.json", ()),
    "failed": Verdict(
        "my models/a.onnx",
        "b",
        (
            Finding("runnable", "error", "passed", "", "runs"),
            Finding("labels", "error", "failed", "relu<6>", "1 | 2 & 3", ("unit 1", "50 %\x01")),
            Finding("required", "error", "failed", "", "'wheel' has no detector", ("closest: x",), "wheel"),
            Finding("required", "error", "passed", "", "'person' has 2 detectors", (), "person"),
            Finding("drift", "warning", "failed", "relu6", "moved"),
            Finding("iou-loss", "error", "untested", "relu6", "no counts"),
            Finding("dead", "warning", "untested", "relu6", "no top images"),
        ),
        (
            ChangedUnit("relu6", 3, "wheel", "", 0.2, 0.0, 0.0, 1e-9),
            ChangedUnit("relu6", 4, "a|b", "<i>", 0.1, 0.05, 0.06, None),
        ),
        statements=("layer relu6 is taken to be other_relu6: the last",),
    ),
    "broken": Verdict(
        "broken.onnx", "baseline.json", (Finding("runnable", "error", "failed", "", "no model", ("x",)),)
    ),
    "warnings only": Verdict(
        "net.onnx",
        "baseline.json",
        (RUNS, Finding("drift", "warning", "failed", "relu6", "moved", ("unit 1",))),
    ),
    "every character": Verdict(
        "".join(map(chr, range(1, 256))) + "\udc80\udcff\ufffe\U0001f600 net.onnx",
        "b\x00\x1b[31m\r\n",
        (
            Finding("labels", "error", "failed", NASTY, NASTY, (NASTY, "", "\x1b[31mred\x1b[0m\r\n::x")),
            Finding("drift", "warning", "failed", "Straße 層 \u202e", "\x85\u2028\ud83d", ("```", "\t")),
            Finding("forbidden", "error", "failed", "", NASTY, (), NASTY),
            Finding("dead", "warning", "untested", "\x00", "\x00"),
        ),
        (ChangedUnit(NASTY, 1, NASTY, NASTY, 0.5, float("nan"), float("inf"), 0.0),),
        statements=(NASTY, "\n\n", "::set-output name=a::b"),
    ),
    "very long": Verdict(
        "x" * 3000 + ".onnx",
        "b",
        tuple(
            Finding("labels", "error", "failed", f"layer{i}" * 20, "reason " * 400, ("evidence " * 300,) * 8)
            for i in range(120)
        ),
        tuple(ChangedUnit(f"layer{i}", i, "a", "b", 0.2, 0.1, 0.1, None) for i in range(1000)),
    ),
    "same place twice": Verdict(
        "net.onnx",
        "b",
        (Finding("unique", "error", "failed", "r", "1"), Finding("unique", "error", "failed", "r", "2")),
    ),
    "two models": Verdict(
        "int8.onnx",
        "fp32.onnx",
        (RUNS, Finding("parity", "warning", "failed", "relu6", "differ by 8%", ("cosine 0.99",))),
        drift=(LayerDrift("relu6", 64, float("inf"), 0.99, 1.0, 5.0, 3, float("nan")),),
    ),
}
