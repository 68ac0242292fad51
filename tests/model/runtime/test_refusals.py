"""What onnxruntime says of names of any length is read in no time."""

from __future__ import annotations

import time

import pytest

from onnxdissect.model.runtime.inference import _refusal


@pytest.mark.parametrize(
    "said", ["x" * 500_000, '", a, "' * 100_000, 'Node, ("' * 100_000, "a.cc:1 " * 100_000]
)
def test_a_long_refusal_is_cut(said: str) -> None:
    began = time.process_time()
    assert len(_refusal(RuntimeError(said)).message) < 1000
    assert (
        len(_refusal(RuntimeError(f"Fatal error: {said}:{said}(1) is not a registered function/op")).message)
        < 9000
    )
    assert time.process_time() - began < 5
