"""Brackets that SARIF would take for links are escaped, of any text in linear time."""

from __future__ import annotations

import json
import re
import time

from hypothesis import given
from hypothesis import strategies as st

from onnxdissect.check.outputs.sarif import sarif
from onnxdissect.check.verdict import Finding, Verdict


def written(text: str) -> str:
    verdict = Verdict("net.onnx", "baseline.json", (Finding("labels", "error", "failed", "relu", text),))
    message: str = json.loads(sarif(verdict))["runs"][0]["results"][0]["message"]["text"]
    return message


@given(st.text("[]()a\\", max_size=30))
def test_brackets_of_links_are_escaped(text: str) -> None:
    plain = written("a")
    assert written(f"a{text}") == plain + re.sub(r"\[(?=[^\]]*\]\()", r"\\[", text)


def test_a_hundred_thousand_brackets() -> None:
    began = time.process_time()
    assert written("[" * 100_000).endswith("[[")
    assert time.process_time() - began < 5
