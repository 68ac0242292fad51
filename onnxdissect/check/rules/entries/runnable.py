"""The rule `runnable`: the file is a network, and it runs."""

from __future__ import annotations

from onnxdissect.check.rules.rule import Rule

__all__ = ["RUNNABLE"]


# The check itself finds this before there is anything to compare.
RUNNABLE = Rule(
    "runnable",
    level="error",
    asks="The model is a valid ONNX file and runs on the declared provider.",
    remedy="Open the file with onnxdissect layers; export it again if it was cut short, or name its inputs, "
    "layouts, image size and operators with the options of the check.",
    settings=("provider",),
    fixed=True,
)
