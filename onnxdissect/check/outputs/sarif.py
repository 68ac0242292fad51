"""A verdict as a SARIF 2.1.0 log, as code scanning reads it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from onnxdissect import __version__
from onnxdissect.check.outputs.location import location_uri
from onnxdissect.check.rules.rules import rule_named
from onnxdissect.check.verdict import Finding, Verdict
from onnxdissect.storage.characters import printable

__all__ = ["sarif"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(verdict: Verdict, root: Path | None = None) -> str:
    """Write SARIF: a result for each rule and place that was not met, or not tested.

    Parameters
    ----------
    verdict : Verdict
    root : Path, optional
        The repository, which the model is located in; by default the working directory.

    Returns
    -------
    str
    """
    rules = list(dict.fromkeys(finding.rule for finding in verdict.findings))
    location = location_uri(Path(verdict.model), root or Path())
    driver = {"name": "onnxdissect", "version": __version__, "rules": [_rule(rule) for rule in rules]}
    run = {
        "tool": {"driver": driver},
        # Logs of several models in one repository must not replace each other.
        "automationDetails": {"id": f"onnxdissect/{location['uri']}/"},
        "invocations": [{"executionSuccessful": True}],
        "results": [
            _result(finding, rules.index(finding.rule), location)
            for finding in (*verdict.errors, *verdict.warnings)
        ],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(name: str) -> dict[str, Any]:
    rule = rule_named(name)
    return {
        "id": name,
        "name": "".join(word.capitalize() for word in name.split("-")),
        "shortDescription": {"text": rule.asks},
        "fullDescription": {"text": rule.asks},
        "help": {"text": rule.remedy, "markdown": rule.remedy},
        "defaultConfiguration": {"level": rule.level},
        "properties": {"tags": ["model", "network-dissection"]},
    }


def _result(finding: Finding, rule: int, location: dict[str, str]) -> dict[str, Any]:
    place: dict[str, Any] = {
        # A model has no lines, but code scanning shows no result without one.
        "physicalLocation": {"artifactLocation": location, "region": {"startLine": 1}},
    }
    if finding.layer:
        name = printable(finding.layer)
        place["logicalLocations"] = [{"name": name, "fullyQualifiedName": name, "kind": "layer"}]
    identity = "\n".join((finding.rule, finding.place)).encode("utf-8", "surrogatepass")
    return {
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "kind": "fail",
        "level": finding.level,
        "message": {"text": _message(finding)},
        "locations": [place],
        # The same finding in the next run is the same alert, whatever its figures are by then.
        "partialFingerprints": {"primaryLocationLineHash": f"{hashlib.sha256(identity).hexdigest()[:16]}:1"},
    }


def _message(finding: Finding) -> str:
    # Braces are placeholders and square brackets may be links in a message.
    text = printable(finding.text).replace("{", "{{").replace("}", "}}")
    # A link is between the last bracket before a "](" and that; in parts, as a pattern takes quadratic time.
    parts = text.split("]")
    for i, after in enumerate(parts[1:]):
        if after.startswith("("):
            parts[i] = parts[i].replace("[", "\\[")
    return "]".join(parts)
