"""What the published schemas of JUnit XML and SARIF ask for, as far as a check's files use them.

Written from the standards' text. Where a package that ships a schema is installed, a test uses that as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

Element = ElementTree.Element

# Attributes by element: those that must be there, with the form of their values.
TOKEN, TEXT, NUMBER, DECIMAL = r"\S(.*\S)?", r"[\s\S]*", r"\d+", r"\d+(\.\d+)?"
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
ATTRIBUTES = {
    "testsuites": {},
    "testsuite": {
        "name": TOKEN,
        "package": TOKEN,
        "id": NUMBER,
        "timestamp": MOMENT,
        "hostname": TOKEN,
        "tests": NUMBER,
        "failures": NUMBER,
        "errors": NUMBER,
        "skipped": NUMBER,
        "time": DECIMAL,
    },
    "properties": {},
    "property": {"name": TOKEN, "value": TEXT},
    "testcase": {"name": TOKEN, "classname": TOKEN, "time": DECIMAL},
    "skipped": {"message": TEXT},
    "failure": {"message": TEXT, "type": TEXT},
    "system-out": {},
    "system-err": {},
}
# The order of children, as a pattern over their names.
CHILDREN = {
    "testsuites": r"(testsuite )*",
    "testsuite": r"properties (testcase )*system-out system-err ",
    "properties": r"(property )*",
    "testcase": r"((skipped|error|failure) )?",
}


def junit_faults(text: str) -> list[str]:
    """Hold a file against the schema of JUnit's Ant task, which is stricter than that of Jenkins."""
    root = ElementTree.fromstring(text.encode("utf-8"))
    faults = [] if root.tag == "testsuites" else [f"the root is {root.tag}"]
    for element in root.iter():
        faults += list(_element_faults(element))
    for number, suite in enumerate(root):
        faults += list(_suite_faults(suite, number))
    return faults


def _element_faults(element: Element) -> Iterator[str]:
    if element.tag not in ATTRIBUTES:
        yield f"there is no element {element.tag}"
        return
    forms = ATTRIBUTES[element.tag]
    if set(element.attrib) != set(forms):
        yield f"{element.tag} has {sorted(element.attrib)}, not {sorted(forms)}"
    for name, value in element.attrib.items():
        if not re.fullmatch(forms.get(name, ""), value):
            yield f"{element.tag}/@{name} is {value!r}"
    children = "".join(f"{child.tag} " for child in element)
    if not re.fullmatch(CHILDREN.get(element.tag, ""), children):
        yield f"{element.tag} holds {children}"


def _suite_faults(suite: Element, number: int) -> Iterator[str]:
    if suite.get("id") != str(number):
        yield "suites are numbered from 0"
    cases = suite.findall("testcase")
    for what, found in (
        ("tests", len(cases)),
        ("failures", len(suite.findall("testcase/failure"))),
        ("errors", len(suite.findall("testcase/error"))),
        ("skipped", len(suite.findall("testcase/skipped"))),
    ):
        if suite.get(what) != str(found):
            yield f"{what} says {suite.get(what)}, there are {found}"
    names = [(case.get("classname"), case.get("name")) for case in cases]
    if len(set(names)) != len(names):
        yield "two cases have one name"


def sarif_faults(log: dict[str, Any]) -> list[str]:
    """Hold a log against SARIF 2.1.0 and against what GitHub's code scanning asks for beyond it."""
    return list(_log_faults(log))


def _log_faults(log: dict[str, Any]) -> Iterator[str]:
    if not {"version", "runs"} <= set(log) <= {"$schema", "version", "runs"} or log["version"] != "2.1.0":
        yield "no log of version 2.1.0"
    for run in log["runs"]:
        if not {"tool", "results"} <= set(run) <= {"tool", "results", "automationDetails", "invocations"}:
            yield f"a run has {sorted(run)}"
        rules = run["tool"]["driver"]["rules"]
        if not run["tool"]["driver"]["name"]:
            yield "a tool without a name"
        if len({rule["id"] for rule in rules}) != len(rules):
            yield "two rules have one id"
        for rule in rules:
            yield from _rule_faults(rule)
        for result in run["results"]:
            yield from _result_faults(result, rules)
        prints = [tuple(result["partialFingerprints"].values()) for result in run["results"]]
        if len(run["results"]) > 25_000 or len(rules) > 25_000:
            yield "more than code scanning takes"
        places = [(result["ruleId"], str(result["locations"])) for result in run["results"]]
        if len(set(prints)) != len(set(places)):
            yield "fingerprints do not tell results apart"


def _rule_faults(rule: dict[str, Any]) -> Iterator[str]:
    for text in ("shortDescription", "fullDescription", "help"):
        if not 0 < len(rule[text]["text"]) <= 1024:
            yield f"{rule['id']} has no {text} of a length that is shown"
    if rule["defaultConfiguration"]["level"] not in ("none", "note", "warning", "error"):
        yield f"{rule['id']} has no level"


def _result_faults(result: dict[str, Any], rules: list[dict[str, Any]]) -> Iterator[str]:
    if rules[result["ruleIndex"]]["id"] != result["ruleId"]:
        yield "ruleIndex and ruleId are of two rules"
    if result["level"] not in ("none", "note", "warning", "error"):
        yield f"a level is {result['level']}"
    if result["level"] != "none" and result.get("kind", "fail") != "fail":
        yield "a level other than none is of what failed"
    if not result["message"]["text"]:
        yield "a message without a text"
    if not result["partialFingerprints"]["primaryLocationLineHash"]:
        yield "no fingerprint"
    if len(result["locations"]) != 1:
        yield "not one location"
    place = result["locations"][0]["physicalLocation"]
    uri = place["artifactLocation"]["uri"]
    if not re.fullmatch(r"([A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-F]{2})+", uri):
        yield f"no URI: {uri}"
    inside = "uriBaseId" in place["artifactLocation"]
    if bool(urlsplit(uri).scheme) == inside or (inside and uri.startswith("/")):
        yield f"neither absolute nor from the root: {uri}"
    if place["region"]["startLine"] < 1:
        yield "lines count from 1"
