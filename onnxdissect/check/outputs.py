"""A verdict in the formats that continuous integration reads."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

from onnxdissect.check.verdict import Finding, Verdict

__all__ = ["github", "junit", "markdown", "sarif"]


def junit(verdict: Verdict) -> str:
    """Write JUnit XML: a case per finding; warnings pass, with their reason as output.

    Parameters
    ----------
    verdict : Verdict

    Returns
    -------
    str
    """
    untested = [f for f in verdict.warnings if f.status == "untested"]
    totals = {
        "tests": str(len(verdict.findings)),
        "failures": str(len(verdict.errors)),
        "errors": "0",
        "skipped": str(len(untested)),
    }
    suite = ElementTree.Element("testsuite", {"name": "onnxdissect check", "time": "0"} | totals)
    for finding in verdict.findings:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            {"classname": f"onnxdissect.{finding.rule}", "name": _name(finding), "time": "0"},
        )
        if finding in untested:
            ElementTree.SubElement(case, "skipped", {"message": _clean(finding.message)})
        elif finding in verdict.errors:
            failure = ElementTree.SubElement(
                case, "failure", {"message": _clean(finding.message), "type": finding.rule}
            )
            failure.text = _clean("\n".join(finding.evidence))
        elif finding.status == "failed":
            ElementTree.SubElement(case, "system-out").text = _clean(finding.text)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def sarif(verdict: Verdict) -> str:
    """Write SARIF 2.1.0: a result per failure, located at the model file.

    Parameters
    ----------
    verdict : Verdict

    Returns
    -------
    str
    """
    rules = list(dict.fromkeys(finding.rule for finding in verdict.findings))
    results = [_result(verdict, finding, rules) for finding in (*verdict.errors, *verdict.warnings)]
    driver = {"name": "onnxdissect", "rules": [{"id": rule} for rule in rules]}
    log = {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _result(verdict: Verdict, finding: Finding, rules: list[str]) -> dict[str, Any]:
    uri = verdict.model.replace("\\", "/").replace("%", "%25").replace(" ", "%20")
    return {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": finding.level,
        "message": {"text": finding.text},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}}}],
    }


def markdown(verdict: Verdict) -> str:
    """Write Markdown for a pull-request comment or a step summary.

    Parameters
    ----------
    verdict : Verdict

    Returns
    -------
    str
    """
    lines = [f"## {_cell(verdict.headline)}", ""]
    shown = (*verdict.errors, *verdict.warnings)
    if shown:
        lines += ["| level | rule | layer | reason | evidence |", "|---|---|---|---|---|"]
        for f in shown:
            evidence = "<br>".join(_cell(line) for line in f.evidence)
            lines.append(f"| {f.outcome} | {f.rule} | {_cell(f.layer)} | {_cell(f.message)} | {evidence} |")
    lines += ["", *(f"- {_cell(statement)}" for statement in verdict.statements)]
    return "\n".join(lines).rstrip() + "\n"


def github(verdict: Verdict) -> list[str]:
    """Give GitHub workflow commands, one per failure.

    Parameters
    ----------
    verdict : Verdict

    Returns
    -------
    list of str
        To be printed on stdout.
    """
    lines = []
    for f in (*verdict.errors, *verdict.warnings):
        text = f.text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        lines.append(f"::{f.level} title=onnxdissect {f.rule}::{text}")
    return lines


def _name(finding: Finding) -> str:
    # A test reporter tells cases apart by name; rules on single concepts have no layer.
    return _clean(finding.layer or finding.message)


def _cell(text: str) -> str:
    for bad, good in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("\n", " ")):
        text = text.replace(bad, good)
    return text


def _clean(text: str) -> str:
    # XML 1.0 has no way to write other control characters.
    return "".join(c for c in text if c in "\t\n" or c >= " ")
