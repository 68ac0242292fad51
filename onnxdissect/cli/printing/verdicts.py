"""A check's verdict in the terminal and in a workflow's log."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from onnxdissect.check.outputs.github import escape_commands, github
from onnxdissect.check.outputs.location import path_within
from onnxdissect.check.outputs.markdown import markdown
from onnxdissect.cli.printing.console import output, print_json, print_problem
from onnxdissect.storage.characters import printable
from onnxdissect.storage.files import utf8

if TYPE_CHECKING:
    from onnxdissect.check.verdict import Finding, Verdict
    from onnxdissect.errors import OnnxDissectError

__all__ = ["annotate_error", "repository", "show_verdict"]

_STYLES = {"error": "bold red", "warning": "yellow", "passed": "green"}


def repository() -> Path:
    """Give the folder that paths in annotations are relative to."""
    return Path(os.environ.get("GITHUB_WORKSPACE") or ".")


def show_verdict(verdict: Verdict, *, as_json: bool) -> None:
    """Print a verdict; in a GitHub workflow also as annotations and step summary."""
    in_workflow = bool(os.environ.get("GITHUB_ACTIONS"))
    if as_json:
        print_json(verdict.to_json())
    else:
        console = output()
        with console.capture() as printed:
            console.print(_table(verdict))
            style = _STYLES["passed" if verdict.passed else "error"]
            console.print(Text(printable(verdict.headline), style=style), soft_wrap=True)
        text = printed.get()
        if not sys.stdout.isatty():
            text = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
        print(escape_commands(text) if in_workflow else text, end="", flush=True)
    if in_workflow:
        # The runner reads commands from both streams; with --json, stdout is for the JSON alone.
        stream = sys.stderr if as_json else sys.stdout
        for line in github(verdict, path_within(Path(verdict.model), repository())):
            print(line, file=stream, flush=True)
    _write_step_summary(verdict)


def annotate_error(error: OnnxDissectError) -> None:
    """Show on GitHub why a check could not be made."""
    if os.environ.get("GITHUB_ACTIONS"):
        text = printable(str(error)).replace("%", "%25").replace("\n", "%0A")
        print(f"::error title=onnxdissect check::{text}", file=sys.stderr, flush=True)


def _table(verdict: Verdict) -> Table:
    """List findings, those that failed last, where a log ends; those that passed without evidence."""
    table = Table(box=None, pad_edge=False)
    for column in ("outcome", "rule", "reason"):
        table.add_column(column, overflow="fold")
    for finding in (*verdict.passed_findings, *verdict.warnings, *verdict.errors):
        passed = finding.status == "passed"
        style = _STYLES["passed" if passed else finding.level]
        text = _reason(finding) if passed else "\n- ".join([_reason(finding), *finding.evidence])
        table.add_row(Text(finding.outcome, style=style), finding.rule, Text(printable(text)))
    return table


def _reason(finding: Finding) -> str:
    return f"{finding.layer}: {finding.message}" if finding.layer else finding.message


def _write_step_summary(verdict: Verdict) -> None:
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if not summary:
        return
    try:
        with Path(summary).open("ab") as file:
            file.write(utf8(markdown(verdict) + "\n"))
    except OSError as error:
        # The runner named the file, not the user: the verdict stands without it.
        print_problem("warning", f"the step summary {summary} cannot be written: {error.strerror or error}")
