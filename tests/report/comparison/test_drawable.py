"""Names that no font and no file of a figure can write are drawn as escapes."""

from __future__ import annotations

import html
import re
from pathlib import Path
from xml.etree import ElementTree

from support.comparisons import comparison, made_sides

from onnxdissect.report.figures.comparison import draw_comparison
from onnxdissect.report.figures.comparison.drawable import with_drawable_names


def test_names_of_any_bytes_are_drawn(tmp_path: Path) -> None:
    sides, concepts = made_sides(networks=2, depths=2)
    halves = "\udcff\udcfe"
    for i, side in enumerate(sides):
        group = side.given["group"].replace("network", f"n{halves[i // 2]}\x1b")
        side.given |= {"group": group, "model": group, "name": f"{group} {side.given['alias']}\u202e"}
    concepts[0] = ("cat\x00", concepts[0][1])
    result = comparison(sides, concepts)
    written = draw_comparison(result, tmp_path / "figures")
    assert len(written) == 9
    shown = set()
    for path in written:
        if path.suffix == ".svg":
            ElementTree.parse(path)
            shown |= set(re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text("utf-8")))
    told = " ".join(map(html.unescape, shown))
    assert r"n\udcff\x1b 0" in told and r"n\udcfe\x1b 1" in told
    drawn = with_drawable_names(result)
    assert len({layer.name for layer in drawn.layers}) == len(sides)
    assert [pair.unique for pair in drawn.pairs] == [pair.unique for pair in result.pairs]


def test_names_that_can_be_drawn_stay_as_they_are() -> None:
    result = comparison(*made_sides(networks=2))
    assert with_drawable_names(result) is result
