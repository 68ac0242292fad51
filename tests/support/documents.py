"""The documents, and what they show."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = sorted(
    [page for folder in (".", "import", "scale") for page in (ROOT / "docs" / folder).glob("*.md")]
)
SETUP = "sh setup.sh"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def commands(page: Path) -> list[str]:
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    return [line for line in lines if not line.startswith(SETUP)]


def root_of_a_reader(folder: Path) -> Path:
    """Make a folder with the shipped networks, as the repository's root looks to a reader."""
    (folder / "models").symlink_to(ROOT / "models")
    return folder
