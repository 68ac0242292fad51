"""A pytest plugin: ``assert_dissection(model, baseline)`` and the marker ``dissection``.

Nothing of onnxdissect's work is imported before a test asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from onnxdissect.check.gate import ModelOptions
    from onnxdissect.check.verdict import Verdict

__all__ = ["assert_dissection", "dissection_check", "pytest_configure"]


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known.

    Parameters
    ----------
    config : pytest.Config
    """
    config.addinivalue_line("markers", "dissection: holds a model against a dissection baseline")


def assert_dissection(
    model: str | Path,
    baseline: str | Path,
    *,
    config: str | Path | None = None,
    data: str | None = None,
    options: ModelOptions | None = None,
) -> Verdict:
    """Fail the test if the model has lost what the baseline had.

    Parameters
    ----------
    model : str or Path
        An ONNX file.
    baseline : str or Path
        A run directory or a ``baseline.json``.
    config : str or Path, optional
        Rules; by default ``onnxdissect.toml`` or ``pyproject.toml`` of the working directory.
    data : str, optional
        Where the baseline's data lies.
    options : ModelOptions, optional
        How the file is to be read.

    Returns
    -------
    Verdict
        For further assertions.
    """
    __tracebackhide__ = True
    from onnxdissect.check.config import read_config
    from onnxdissect.check.gate import check_model

    rules = read_config(None if config is None else Path(config))
    verdict = check_model(model, baseline, rules, data=data, options=options)
    if not verdict.passed:
        reasons = ["\n    ".join([f"{f.rule} {f.layer}: {f.message}", *f.evidence]) for f in verdict.errors]
        pytest.fail("\n".join([verdict.headline, *reasons]), pytrace=False)
    return verdict


@pytest.fixture(name="assert_dissection")
def dissection_check() -> Callable[..., Verdict]:
    """Give `assert_dissection` to a test.

    Returns
    -------
    callable
    """
    return assert_dissection
