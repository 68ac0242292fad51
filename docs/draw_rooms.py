"""Draw the rooms of the package into `architecture.md`: ``python docs/draw_rooms.py``.

A box per room, in the order of imports of ``tests/test_architecture.py``, and an arrow from each room to
those that its modules import. Arrows that follow from others are left out.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- rooms: drawn by docs/draw_rooms.py -->", "<!-- end of rooms -->"
PACKAGE = ROOT / "onnxdissect"


def rooms() -> list[str]:
    """Folders of the package, and `errors`, in the order of imports that the architecture test holds."""
    source = (ROOT / "tests" / "test_architecture.py").read_text(encoding="utf-8")
    values = [
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "ORDER"
    ]
    order = [name for names in ast.literal_eval(values[0]) for name in names]
    there = {"errors", *(path.parent.name for path in PACKAGE.glob("*/__init__.py"))}
    unknown = sorted(there.difference(order))
    if unknown:
        raise SystemExit(f"ORDER of tests/test_architecture.py has no place for {', '.join(unknown)}")
    return [name for name in order if name in there]


ORDER = rooms()


def imported() -> dict[str, set[str]]:
    """Rooms that each room's modules import."""
    found: dict[str, set[str]] = {room: set() for room in ORDER}
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room not in found:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("onnxdissect."):
                found[room].add(str(node.module).split(".")[1])
        found[room] &= set(ORDER)
        found[room].discard(room)
    return found


def picture() -> str:
    """Rooms and arrows as a Mermaid chart."""
    arrows = imported()
    behind: dict[str, set[str]] = {}
    for room in ORDER:
        behind[room] = arrows[room].union(*(behind.get(other, set()) for other in arrows[room]))
    lines = ["```mermaid", "flowchart RL"]
    for room in ORDER:
        # `errors` is imported everywhere
        direct = arrows[room] - {"errors"}
        implied = set().union(*(behind[other] for other in direct)) if direct else set()
        lines += [f"    {room}[{room}/]" if room != "errors" else "    errors[errors.py]"]
        lines += [f"    {room} --> {other}" for other in ORDER if other in direct - implied]
    return "\n".join([*lines, "```"])


def drawn(page: str) -> str:
    """Put the picture in its place."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{picture()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
