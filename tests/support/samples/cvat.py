"""A task that CVAT exported for images: ``task/annotations.xml`` and ``task/images/``."""

from __future__ import annotations

from pathlib import Path

from support.masked import Array, blocks, photograph, save_photograph

HEIGHT, WIDTH = 24, 32
MASK_AT = (3, 5)  # left and top

POLYGON = [[2.75, 1.25], [20.25, 3.0], [12.0, 21.75]]
BOX = [[8.0, 10.25], [30.75, 22.0]]


def mask_pixels() -> Array:
    return blocks(8, (0, 1), 10, 13)


def rows_of_runs(mask: Array) -> list[int]:
    counts, inside = [0], False
    for one in mask.ravel().tolist():
        if bool(one) != inside:
            counts.append(0)
            inside = not inside
        counts[-1] += 1
    return counts


def points(corners: list[list[float]]) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in corners)


def elements() -> dict[str, list[str]]:
    """By image. The box lies over the polygon, and has the higher z_order."""
    (left, top), mask = MASK_AT, mask_pixels()
    (x, y), (right, bottom) = BOX
    runs = ", ".join(map(str, rows_of_runs(mask)))
    return {
        "frame one.jpg": [
            f'<polygon label="car" source="manual" occluded="0" points="{points(POLYGON)}" z_order="0">'
            "</polygon>",
            f'<box label="person" occluded="0" xtl="{x}" ytl="{y}" xbr="{right}" ybr="{bottom}" z_order="1">'
            f'<attribute name="age">7</attribute></box>',
            '<polyline label="lane" occluded="0" points="1.0,1.0;9.0,9.0" z_order="0"></polyline>',
            '<tag label="night" source="manual"></tag>',
        ],
        "sub/two.jpg": [
            f'<mask label="car" occluded="0" rle="{runs}" left="{left}" top="{top}" '
            f'width="{mask.shape[1]}" height="{mask.shape[0]}" z_order="0"></mask>',
            '<ellipse label="person" occluded="0" cx="24.00" cy="15.00" rx="5.25" ry="5.25" z_order="0">'
            "</ellipse>",
        ],
        "three.jpg": [],
    }


def document(
    images: dict[str, list[str]], labels: tuple[str, ...] = ("person", "car", "lane", "night")
) -> str:
    listed = "".join(
        f"<label><name>{name}</name><color>#ff0000</color><type>any</type></label>" for name in labels
    )
    shown = "".join(
        f'<image id="{i}" name="{name}" width="{WIDTH}" height="{HEIGHT}">{"".join(drawn)}</image>\n'
        for i, (name, drawn) in enumerate(images.items())
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
        f"<meta><task><id>1</id><name>streets</name><labels>{listed}</labels></task></meta>\n{shown}</annotations>\n"
    )


def make(folder: Path) -> None:
    for i, name in enumerate(elements()):
        save_photograph(folder / "task" / "images" / name, photograph(i, HEIGHT, WIDTH))
    (folder / "task" / "annotations.xml").write_text(document(elements()), encoding="utf-8")
