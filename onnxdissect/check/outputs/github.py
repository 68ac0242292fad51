"""A verdict as annotations in the log of a GitHub workflow."""

from __future__ import annotations

from onnxdissect.check.verdict import Verdict
from onnxdissect.storage.characters import printable

__all__ = ["escape_commands", "github"]


def github(verdict: Verdict, file: str = "") -> list[str]:
    """Give GitHub workflow commands, one for each rule and place that was not met or not tested.

    Parameters
    ----------
    verdict : Verdict
    file : str
        Path of the file that they are shown at, from the repository's root; empty for none.

    Returns
    -------
    list of str
        Each to be printed as a line of its own.
    """
    lines = []
    for f in (*verdict.errors, *verdict.warnings):
        properties = {"file": file} if file else {}
        properties["title"] = f"onnxdissect {f.rule}: {f.place}"
        told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
        lines.append(f"::{f.level} {told}::{_data(f.text)}")
    return lines


def escape_commands(text: str) -> str:
    """Change text so that GitHub does not take any line of it for a workflow command.

    Parameters
    ----------
    text : str
        Any number of lines.

    Returns
    -------
    str
        With a zero-width space inside what would have been a command.
    """
    gap = "\N{ZERO WIDTH SPACE}"
    lines = [
        line.replace("::", f":{gap}:", 1) if line.lstrip().startswith("::") else line
        for line in text.replace("##[", f"##{gap}[").split("\n")
    ]
    return "\n".join(lines)


def _data(text: str) -> str:
    for bad, good in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(bad, good)
    return printable(text)


def _property(text: str) -> str:
    for bad, good in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        text = text.replace(bad, good)
    return printable(text)
