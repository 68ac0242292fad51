"""A verdict as test reporters and workflow logs read it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from xml.etree import ElementTree

from onnxdissect.check.outputs.characters import printable
from onnxdissect.check.verdict import Finding, Verdict

__all__ = ["github", "harmless", "junit"]

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


def github(verdict: Verdict, file: str = "") -> list[str]:
    """Give GitHub workflow commands, one for each rule and place that was not met or not tested.

    Parameters
    ----------
    verdict : Verdict
    file : str
        What they are shown at, from the repository's root; empty for nothing.

    Returns
    -------
    list of str
        To be printed at the beginning of lines of their own.
    """
    lines = []
    for f in (*verdict.errors, *verdict.warnings):
        properties = {"file": file} if file else {}
        properties["title"] = f"onnxdissect {f.rule}: {f.place}"
        told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
        lines.append(f"::{f.level} {told}::{_data(f.text)}")
    return lines


def harmless(text: str) -> str:
    """Keep a workflow's log from taking what is printed for a command.

    Parameters
    ----------
    text : str
        Any number of lines.

    Returns
    -------
    str
        With a space of no width inside what would have been a command.
    """
    gap = "\N{ZERO WIDTH SPACE}"
    lines = [
        line.replace("::", f":{gap}:", 1) if line.lstrip().startswith("::") else line
        for line in text.replace("##[", f"##{gap}[").split("\n")
    ]
    return "\n".join(lines)


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


def _data(text: str) -> str:
    for bad, good in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(bad, good)
    return printable(text)


def _property(text: str) -> str:
    for bad, good in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        text = text.replace(bad, good)
    return printable(text)
