"""The rule `parity`: two models compared directly compute the same numbers."""

from __future__ import annotations

from collections.abc import Sequence

from onnxdissect.check.baseline.snapshot import Snapshot
from onnxdissect.check.rules.config import Config
from onnxdissect.check.rules.rule import Rule
from onnxdissect.check.verdict import Finding, LayerDrift, Status

__all__ = ["PARITY", "parity_findings"]


def parity_findings(baseline: Snapshot, drift: Sequence[LayerDrift], config: Config) -> tuple[Finding, ...]:
    """Apply the rule on parity.

    Parameters
    ----------
    baseline : Snapshot
        Of the model compared against.
    drift : sequence of LayerDrift
        Of the layers that could be compared.
    config : Config

    Returns
    -------
    tuple of Finding
        One per layer of the baseline.
    """
    level = PARITY.finding_level(config)
    measured = {layer.layer: layer for layer in drift}
    found = []
    for name in (layer.name for layer in baseline.layers):
        layer = measured.get(name)
        if layer is None:
            reason = "not tested: the candidate has no layer of as many units and the same grid"
            found.append(Finding(PARITY.name, level, "untested", name, reason))
            continue
        message = (
            f"activations differ by {layer.relative_rms:.2%} (RMS, of {layer.images} images), "
            f"{config.parity:.2%} may be"
        )
        evidence = (
            f"cosine {layer.cosine:.6f}, largest difference {layer.largest:.4g} of {layer.highest:.4g}",
            f"worst unit {layer.worst_unit}: {layer.worst_rms:.2%}",
        )
        status: Status = "passed" if layer.relative_rms <= config.parity else "failed"
        found.append(Finding(PARITY.name, level, status, name, message, evidence))
    return tuple(found)


# Found of the two models, which other rules do not have: the check itself calls `parity_findings`.
PARITY = Rule(
    "parity",
    level="warning",
    asks="The two models compute the same numbers, layer by layer.",
    remedy="The first layer that differs is where to look; differences grow from there.",
    settings=("parity", "parity-images"),
)
