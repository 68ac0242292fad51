"""The command `check` as continuous integration calls it: exit codes, files, and what is printed where."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from support.checking import MODEL, Said, call, check, environment, make_baseline, make_run, weights
from support.report_formats import junit_faults, sarif_faults

from onnxdissect.check.rules.config import Config
from onnxdissect.check.rules.config_file import read_config
from onnxdissect.check.rules.rules import RULES

OUTPUTS = ("--junit", "c.xml", "--sarif", "c.sarif", "--markdown", "c.md", "--html", "c.html")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command")
    make_baseline(make_run(folder, 24))
    weights(folder / "zeroed.onnx", "zeroed")
    (folder / "broken.onnx").write_bytes(MODEL.read_bytes()[:3000])
    (folder / "good.onnx").symlink_to(MODEL)
    return folder


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(("model", "code"), [("good", 0), ("zeroed", 1), ("broken", 1)])
def test_every_output_says_the_same(model: str, code: int, home: Path, tmp_path: Path) -> None:
    words = (home / f"{model}.onnx", "--baseline", home / "baseline.json")
    said = call(*words, *OUTPUTS, "--json", cwd=tmp_path)
    assert said.code == code, said.err
    verdict = json.loads(said.out)
    assert verdict["passed"] == (code == 0)
    assert files(tmp_path) == {"c.xml", "c.sarif", "c.md", "c.html"}
    xml, sarif, markdown, page = (
        (tmp_path / f"c.{e}").read_text("utf-8") for e in ("xml", "sarif", "md", "html")
    )
    assert junit_faults(xml) == []
    assert sarif_faults(json.loads(sarif)) == []
    failed = [f for f in verdict["findings"] if f["status"] != "passed" and f["level"] == "error"]
    assert f'failures="{len(failed)}"' in xml
    assert [r["level"] for r in json.loads(sarif)["runs"][0]["results"]].count("error") == len(failed)
    assert f"check {'failed' if code else 'passed'}" in markdown.splitlines()[0]
    assert verdict["headline"].partition(" (")[0].capitalize() in page
    shown = call(*words, cwd=tmp_path).out
    for finding in failed:
        for text in (" ".join(shown.split()), page.replace("&#39;", "'").replace("&#34;", '"')):
            assert finding["message"][:60] in text
    assert failed or not code
    assert all(finding["evidence"] for finding in failed if finding["rule"] != "runnable")


def test_as_a_process(home: Path, tmp_path: Path) -> None:
    said = check(home / "zeroed.onnx", "--baseline", home / "baseline.json", "--junit", "c.xml", cwd=tmp_path)
    assert said.code == 1
    assert files(tmp_path) == {"c.xml"}
    lines = said.out.splitlines()
    assert re.match(r"outcome +rule +reason$", lines[0])
    assert lines[-1].startswith("check failed: ")
    assert max(map(len, lines[:-1])) <= 140
    assert all(line == line.rstrip() for line in lines)
    assert "\x1b" not in said.out + said.err
    assert "::" not in said.out + said.err
    assert "rules: the defaults" in said.err
    assert re.search(
        r"^error +labels +relu6: 0 of \d+ stable detectors \(none is reliable\) keep their label, 80% must$",
        said.out,
        re.M,
    )
    assert re.search(r"^ +- unit \d+: [\w -]+ 0\.\d+ became nothing$", said.out, re.M)


def terminal(*words: object, columns: int, cwd: Path, **variables: str) -> str:
    """What a terminal of so many columns is sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    command = [sys.executable, "-m", "onnxdissect", "check", *map(str, words)]
    variables = {"TERM": "xterm-256color"} | variables
    inherited = {k: v for k, v in environment().items() if k not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    with subprocess.Popen(
        command, cwd=cwd, env=inherited | variables, stdout=theirs, stderr=subprocess.DEVNULL
    ) as process:
        os.close(theirs)
        received = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            received += part
    os.close(ours)
    assert process.returncode == 1
    return received.decode().replace("\r\n", "\n")


def test_in_a_terminal(home: Path) -> None:
    words = ("zeroed.onnx", "--baseline", "baseline.json")
    text = terminal(*words, columns=80, cwd=home)
    assert "\x1b[1;31merror" in text
    plain = terminal(*words, columns=80, cwd=home, NO_COLOR="1")
    assert not re.search(r"\x1b\[[\d;]*3\d", plain), "colours in spite of NO_COLOR"
    for sent in (text, plain):
        lines = re.sub(r"\x1b\[[\d;]*m", "", sent).splitlines()
        assert max(len(line.rstrip()) for line in lines[:-1]) <= 80
        assert lines[-1].startswith("check failed: ")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--junit", "folder"), "folder is a folder"),
        (("--sarif", "file/c.sarif"), "cannot make the folder file"),
        (("--junit", "c.out", "--sarif", "./c.out"), "--sarif c.out would overwrite --junit"),
        (("--markdown", "m.onnx"), "would overwrite MODEL"),
        (("--html", "b.json"), "would overwrite the baseline"),
        (("--config", "rules.toml", "--html", "rules.toml"), "would overwrite --config"),
    ],
)
def test_outputs_that_cannot_be_written(
    words: tuple[str, ...], reason: str, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("", encoding="utf-8")
    (tmp_path / "rules.toml").write_text("", encoding="utf-8")
    (tmp_path / "m.onnx").write_bytes(MODEL.read_bytes())
    (tmp_path / "b.json").write_bytes((home / "baseline.json").read_bytes())
    before = files(tmp_path)
    said = call("m.onnx", "--baseline", "b.json", "--markdown", "good.md", *words, cwd=tmp_path)
    assert said.code == 2
    assert said.out == ""
    assert reason in said.err
    assert files(tmp_path) == before, "no half of the outputs"
    assert (tmp_path / "m.onnx").read_bytes() == MODEL.read_bytes()


def test_folders_of_outputs_are_made_and_no_file_tells_of_no_check(home: Path, tmp_path: Path) -> None:
    words = ("--baseline", home / "baseline.json", "--junit", "new/deep/c.xml")
    assert call(MODEL, *words, cwd=tmp_path).code == 0
    assert (tmp_path / "new" / "deep" / "c.xml").is_file()
    said = call(MODEL, *words[:2], "--data", "nowhere", "--junit", "other.xml", cwd=tmp_path)
    assert said.code == 2
    assert files(tmp_path) == {"new"}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "a check takes --baseline or --against"),
        (("good.onnx",), "a check takes --baseline or --against"),
        (("--baseline", "run"), "check takes the model to be checked"),
        (("good.onnx", "--baseline", "run", "--against", "good.onnx"), "not both"),
        (("good.onnx", "--baseline", "zeroed.onnx"), "hint: --against zeroed.onnx"),
        (("good.onnx", "--against", "run"), "hint: --baseline run"),
        (("good.onnx", "--baseline", "run", "--limit", "5"), "hint: --against MODEL"),
        (("good.onnx", "--baseline", "run", "--layer", "relu6"), "hint: --against MODEL"),
        (("good.onnx", "--baseline", "run", "--preset", "row"), "unknown preset 'row'"),
        (
            ("good.onnx", "zeroed.onnx", "--baseline", "run", "--junit", "x"),
            "of one model at a time, not of 2",
        ),
        (("good.onnx", "zeroed.onnx", "--baseline", "run", "--json"), "of one model at a time, not of 2"),
        (("--baseline", "run", "--init", "--write-baseline", "b"), "are two commands"),
        (("good.onnx", "--baseline", "run", "--init"), "--init checks no model, and takes no good.onnx"),
        (("--baseline", "run", "--write-baseline", "b", "--junit", "x"), "takes no --junit"),
        (("--against", "good.onnx", "--write-baseline", "b"), "takes its figures from --baseline"),
        (("--against", "good.onnx", "--init"), "takes its figures from --baseline"),
        (("--baseline", "run", "--write-baseline", "run"), "cannot write run"),
        (("--baseline", "run", "--write-baseline", "good.onnx/b"), "cannot write good.onnx/b"),
    ],
)
def test_requests_that_will_not_do(words: tuple[str, ...], reason: str, home: Path) -> None:
    before = files(home)
    said = call(*words, cwd=home)
    assert said.code == 2
    assert said.out == ""
    assert reason in said.err
    assert files(home) == before


def test_several_models(home: Path) -> None:
    said = call("good.onnx", "zeroed.onnx", "good.onnx", "--baseline", "baseline.json", cwd=home)
    assert said.code == 1
    assert re.findall(r"^check (\w+): .* \((\w+)\.onnx against", said.out, re.M) == [
        ("passed", "good"),
        ("failed", "zeroed"),
        ("passed", "good"),
    ]


def test_baselines_are_replaced(home: Path, tmp_path: Path) -> None:
    words = ("--baseline", home / "run", "--write-baseline", "b.json")
    assert re.search(r"^wrote b\.json: [\d,]+ bytes$", call(*words, cwd=tmp_path).err, re.M)
    first = (tmp_path / "b.json").read_bytes()
    (tmp_path / "b.json").write_text("of another time", encoding="utf-8")
    said = call(*words, cwd=tmp_path)
    assert said.code == 0
    assert "replaced b.json" in said.err
    assert (tmp_path / "b.json").read_bytes() == first
    assert files(tmp_path) == {"b.json"}


def test_first_rules_are_all_there_and_hold(home: Path, tmp_path: Path) -> None:
    words = ("--baseline", home / "baseline.json")
    assert call(*words, "--init", cwd=tmp_path).code == 0
    path = tmp_path / "onnxdissect.toml"
    text = path.read_text(encoding="utf-8")
    for field in fields(Config):
        assert re.search(rf"^#?\[?{field.name.replace('_', '-')}\b", text, re.M), field.name
    levels = tomllib.loads(text)["levels"]
    assert list(levels.items()) == [(rule.name, rule.level) for rule in RULES if not rule.fixed]
    # What is commented out shows the defaults.
    shown = re.sub(r"^#(?=[\w\[])", "", text, flags=re.M)
    path.write_text(shown, encoding="utf-8")
    assert read_config(path).resamples == Config().resamples
    assert read_config(path).layers["relu6"].detectors > 0
    assert call(MODEL, *words, cwd=tmp_path).code == 0
    path.write_text(text, encoding="utf-8")
    said = call(MODEL, *words, cwd=tmp_path)
    assert said.code == 0, said.out
    assert "rules: onnxdissect.toml" in said.err
    assert call(home / "zeroed.onnx", *words, cwd=tmp_path).code == 1


def test_first_rules_replace_and_hide_nothing(home: Path, tmp_path: Path) -> None:
    words = ("--baseline", home / "baseline.json", "--init")
    path = tmp_path / "onnxdissect.toml"
    path.write_text("drift = 0.2\n", encoding="utf-8")
    said = call(*words, cwd=tmp_path)
    assert said.code == 2
    assert "onnxdissect.toml exists already" in said.err
    assert path.read_text(encoding="utf-8") == "drift = 0.2\n"
    assert call(*words, "--config", "other.toml", cwd=tmp_path).code == 0
    assert "minimum-detectors" in (tmp_path / "other.toml").read_text(encoding="utf-8")
    path.unlink()
    (tmp_path / "pyproject.toml").write_text("[tool.onnxdissect.check]\ndrift = 0.2\n", encoding="utf-8")
    said = call(*words, cwd=tmp_path)
    assert said.code == 2
    assert "pyproject.toml has rules already" in said.err
    assert not path.exists()
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n", encoding="utf-8")
    assert call(*words, cwd=tmp_path).code == 0


def workflow(*words: object, home: Path, tmp_path: Path, summary: str = "summary.md") -> Said:
    return call(
        *words,
        cwd=home,
        GITHUB_ACTIONS="true",
        GITHUB_STEP_SUMMARY=str(tmp_path / summary),
        GITHUB_WORKSPACE=str(home.parent),
    )


def test_in_a_workflow(home: Path, tmp_path: Path) -> None:
    words = ("zeroed.onnx", "--baseline", "baseline.json")
    (tmp_path / "summary.md").write_text("before\n", encoding="utf-8")
    said = workflow(*words, home=home, tmp_path=tmp_path)
    assert said.code == 1
    commands = [line for line in said.out.splitlines() if line.startswith("::")]
    assert commands
    assert all(
        line.startswith(
            (
                f"::error file={home.name}/zeroed.onnx,title=onnxdissect ",
                f"::warning file={home.name}/zeroed.onnx,title=onnxdissect ",
            )
        )
        for line in commands
    )
    assert "::" not in said.err
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert summary.startswith("before\n### onnxdissect check failed")
    said = workflow(*words, "--json", home=home, tmp_path=tmp_path)
    assert said.code == 1
    assert json.loads(said.out)["passed"] is False
    assert [line for line in said.err.splitlines() if line.startswith("::")] == commands
    assert (tmp_path / "summary.md").read_text(encoding="utf-8").count("### ") == 2
    said = workflow("good.onnx", *words[1:], home=home, tmp_path=tmp_path)
    assert said.code == 0
    assert "::" not in said.out


def test_a_workflow_without_a_summary(home: Path, tmp_path: Path) -> None:
    for model, code in (("good.onnx", 0), ("zeroed.onnx", 1)):
        words = (model, "--baseline", "baseline.json")
        said = workflow(*words, home=home, tmp_path=tmp_path, summary="absent/summary.md")
        assert said.code == code
        assert "cannot be written: No such file or directory" in said.err


def test_a_workflow_is_told_why_there_was_no_check(home: Path, tmp_path: Path) -> None:
    said = workflow("good.onnx", "--baseline", "absent.json", home=home, tmp_path=tmp_path)
    assert said.code == 2
    assert re.search(
        r"^::error title=onnxdissect check::there is no run directory .* absent\.json%0Ahint: ",
        said.err,
        re.M,
    )
    assert not (tmp_path / "summary.md").exists()


def test_two_models_take_what_a_run_takes(home: Path, tmp_path: Path) -> None:
    words = (home / "zeroed.onnx", "--against", MODEL, "--layer", "relu3", "--layer", "relu6", "--limit", 12)
    said = call(*words, "--preset", "raw", "--json", *OUTPUTS, cwd=tmp_path)
    assert said.code == 1
    verdict = json.loads(said.out)
    assert [layer["layer"] for layer in verdict["drift"]] == ["relu3", "relu6"]
    assert {layer["images"] for layer in verdict["drift"]} == {12}
    assert verdict["drift"][0]["relative_rms"] == 0
    assert said.err.count("x = pixel") == 2
    assert junit_faults((tmp_path / "c.xml").read_text("utf-8")) == []
    assert sarif_faults(json.loads((tmp_path / "c.sarif").read_text("utf-8"))) == []
