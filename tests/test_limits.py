"""The limits that the pages state to users are those that the code compares with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from onnxdissect.check.comparing.comparison import MOST_SCORED
from onnxdissect.data import limits
from onnxdissect.data.vocabulary import HIGHEST_NUMBER
from onnxdissect.model.preprocessing.image_input import MOST_INPUT_NUMBERS
from onnxdissect.model.reading import file_bytes, function_calls, repair, stored_sizes
from onnxdissect.model.runtime.time_limit import PROBE_SECONDS
from onnxdissect.results.formats.manifest import LARGEST_MANIFEST
from onnxdissect.results.formats.manifest_schema import MOST_RESAMPLES

DOCS = Path(__file__).parents[1] / "docs"
GIB, MIB = 2**30, 2**20

# The beginning of a row, and what it states, in the order in which it does.
DATA = {
    "an image, or all label maps of an image together": (
        f"{limits.MOST_PIXELS:,} pixels",
        f"{limits.MOST_SIDE:,} a side",
        f"files of {limits.MOST_FILE_BYTES // GIB} GiB",
    ),
    "label maps of an image": (f"{limits.MOST_MAPS:,}",),
    "an image's path in `index.csv`": (f"{limits.LONGEST_PATH:,} characters",),
    "a table": (
        f"{limits.MOST_TABLE_BYTES // MIB} MiB",
        f"{limits.MOST_COLUMNS:,} columns",
        f"{limits.MOST_ROWS:,} rows",
    ),
    "categories; labels": (
        f"{limits.MOST_CATEGORIES:,}",
        f"names of {limits.LONGEST_CATEGORY} bytes",
        f"{HIGHEST_NUMBER:,}",
    ),
    "an archive that is": (
        f"{limits.MOST_ARCHIVE_BYTES // GIB} GiB",
        f"{limits.MOST_MEMBERS:,} files",
        f"{limits.MOST_DIRECTORY_BYTES // MIB} MiB",
        f"{limits.MOST_UNPACKED_BYTES // GIB} GiB",
        f"{limits.MOST_EXPANDED} times its size",
    ),
    "frequencies and coverages in tables": (f"10^{len(str(limits.MOST_COUNTED)) - 1}",),
    "a file of annotations that is [imported](import.md)": (
        f"{limits.MOST_ANNOTATION_BYTES // GIB} GiB",
        f"outlines of {limits.MOST_OUTLINE:,} steps",
    ),
    "a file of MATLAB that is imported": (
        f"{limits.MOST_TABLE_BYTES // MIB} MiB",
        f"unpacked has {limits.MOST_INFLATED_BYTES // GIB} GiB",
    ),
}
MODELS = {
    "the file itself": (f"{(file_bytes.MOST_BYTES + 1) // GIB} GiB",),
    "nodes, those of graphs": (f"{function_calls.MOST_NODES:,}",),
    "calls of functions, those": (f"{function_calls.MOST_NODES:,}",),
    "graphs inside one another": (f"{function_calls.MOST_GRAPHS_DEEP}",),
    "functions that call each other": (f"{function_calls.MOST_FUNCTIONS_DEEP} deep",),
    "a stored tensor": (f"sparse ones {repair._MOST_BYTES // GIB} GiB",),
    "axes of a stored tensor": (f"{stored_sizes.MOST_AXES}",),
    "numbers of a batch": (f"2^{MOST_INPUT_NUMBERS.bit_length() - 1}",),
    "time of a call": (f"{PROBE_SECONDS:g} s",),
}


@pytest.mark.parametrize(
    ("page", "row", "stated"),
    [
        *(("data.md", row, stated) for row, stated in DATA.items()),
        *(("models.md", row, stated) for row, stated in MODELS.items()),
    ],
)
def test_a_limit_is_the_one_of_the_page(page: str, row: str, stated: tuple[str, ...]) -> None:
    rows = re.findall(rf"^\| {re.escape(row)}[^|]*\|([^|]*)\|", (DOCS / page).read_text(), re.MULTILINE)
    assert len(rows) >= 1
    at = 0
    for number in stated:
        at = rows[0].find(number, at)
        assert at >= 0, f"{number} in {rows[0]}"


def test_every_limit_of_data_is_stated() -> None:
    values = {getattr(limits, name) for name in limits.__all__}
    text = (DOCS / "data.md").read_text().partition("### Limits and links")[2]
    for value in values:
        spelled = (f"{value:,}", f"{value // GIB} GiB", f"{value // MIB} MiB", f"10^{len(str(value)) - 1}")
        assert any(re.search(rf"(?<![0-9,]){re.escape(way)}(?!,?[0-9])", text) for way in spelled), value


def test_limits_of_runs_and_checks_are_stated() -> None:
    formats, check = ((DOCS / page).read_text() for page in ("formats.md", "check.md"))
    assert f"{LARGEST_MANIFEST // MIB} MiB of manifest" in formats
    assert MOST_RESAMPLES == 10**6 and "a million resamples or shuffles" in formats
    assert f"More than {MOST_SCORED // GIB} GiB of that is refused" in check
