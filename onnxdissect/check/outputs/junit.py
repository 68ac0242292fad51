"""A verdict as JUnit XML, as test reporters read it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from xml.etree import ElementTree

from onnxdissect.check.verdict import Finding, Verdict
from onnxdissect.storage.characters import printable

__all__ = ["junit"]

_SUITE = "onnxdissect"


def junit(verdict: Verdict, when: datetime | None = None) -> str:
    """Write JUnit XML: a case for each rule and place.

    Warnings pass, and say why they are warnings in the suite's output; warnings that were not tested are
    skipped. There is no one schema of this format: the file is valid by the strictest, which
    JUnit's Ant task has, and by Jenkins'.

    Parameters
    ----------
    verdict : Verdict
    when : datetime, optional
        Of the check; by default now.

    Returns
    -------
    str
    """
    untested = [f for f in verdict.warnings if f.status == "untested"]
    # Without a zone and without fractions, as the schema has it.
    moment = (when or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        {
            "name": "onnxdissect check",
            "package": _SUITE,
            "id": "0",
            "timestamp": moment,
            "hostname": "localhost",
            "tests": str(len(verdict.findings)),
            "failures": str(len(verdict.errors)),
            "errors": "0",
            "skipped": str(len(untested)),
            "time": "0",
        },
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("model", verdict.model), ("baseline", verdict.baseline)):
        ElementTree.SubElement(properties, "property", {"name": name, "value": _attribute(value)})
    for finding, name in zip(verdict.findings, _names(verdict.findings), strict=True):
        case = ElementTree.SubElement(
            suite, "testcase", {"classname": f"{_SUITE}.{finding.rule}", "name": name, "time": "0"}
        )
        if finding in untested:
            ElementTree.SubElement(case, "skipped", {"message": _attribute(finding.message)})
        elif finding in verdict.errors:
            failure = ElementTree.SubElement(
                case, "failure", {"message": _attribute(finding.message), "type": finding.rule}
            )
            failure.text = printable("\n".join(finding.evidence))
    shown = [verdict.headline, *(f"{f.outcome}: {f.rule}: {f.text}" for f in verdict.warnings)]
    ElementTree.SubElement(suite, "system-out").text = printable("\n".join([*shown, *verdict.statements]))
    ElementTree.SubElement(suite, "system-err")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def _names(findings: tuple[Finding, ...]) -> list[str]:
    """Name cases by their places; a reporter tells them apart by name, so equal ones are numbered."""
    seen: Counter[tuple[str, str]] = Counter()
    names = []
    for finding in findings:
        name = _attribute(finding.place)
        seen[finding.rule, name] += 1
        number = seen[finding.rule, name]
        names.append(name if number == 1 else f"{name} ({number})")
    return names


def _attribute(text: str) -> str:
    # Attributes are tokens: readers make one space of any run of them.
    return " ".join(printable(text).split()) or "-"
