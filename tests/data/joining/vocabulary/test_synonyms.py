"""Tables of synonyms: the user's says what is one and what is not, and is told what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import called
from support.named_labels import Draw

from onnxdissect.data import JoinOptions, JoinReport, join_datasets
from onnxdissect.errors import DataFormatError


def joined(tmp_path: Path, *folders: Path, table: str = "") -> JoinReport:
    options = JoinOptions()
    if table:
        (tmp_path / "table.csv").write_text(f"synonym,name\n{table}", encoding="utf-8")
        options = JoinOptions(synonyms=tmp_path / "table.csv")
    return join_datasets(folders, tmp_path / "out", options)


def origins(report: JoinReport) -> dict[str, list[str]]:
    return {c.name: [f"{origin.source}/{origin.name}" for origin in c.origins] for c in report.concepts}


def test_true_synonyms_are_one(tmp_path: Path, draw: Draw) -> None:
    one = draw("voc", {"object": ["aeroplane", "diningtable", "sofa", "person"], "color": ["gray"]})
    other = draw("coco", {"object": ["airplane", "dining table", "couch", "pedestrian"], "color": ["grey-c"]})
    assert origins(joined(tmp_path, one, other)) == {
        "airplane": ["voc/aeroplane", "coco/airplane"],
        "dining table": ["voc/diningtable", "coco/dining table"],
        "sofa": ["voc/sofa", "coco/couch"],
        "person": ["voc/person"],
        "pedestrian": ["coco/pedestrian"],
        "grey-c": ["voc/gray", "coco/grey-c"],
    }


def test_a_name_that_nobody_spells_is_that_of_the_table(tmp_path: Path, draw: Draw) -> None:
    report = joined(
        tmp_path, draw("a", {"object": ["tv"]}), draw("b", {"object": ["Telly"]}), table="telly,TV set\n"
    )
    assert origins(report) == {"television": ["a/tv"], "TV set": ["b/Telly"]}


def test_what_a_data_set_tells_apart_stays_apart(tmp_path: Path, draw: Draw) -> None:
    report = joined(
        tmp_path,
        draw("a", {"object": ["pavement"]}),
        draw("b", {"object": ["pavement", "sidewalk"]}),
        draw("c", {"object": ["sidewalk"]}),
    )
    assert origins(report) == {
        "pavement": ["a/pavement", "b/pavement"],
        "sidewalk": ["b/sidewalk", "c/sidewalk"],
    }
    [apart] = report.kept_apart
    assert (apart.synonym, apart.name, apart.source) == ("pavement", "sidewalk", "b")


def test_the_table_of_the_user_comes_first(tmp_path: Path, draw: Draw) -> None:
    report = joined(
        tmp_path,
        draw("a", {"object": ["pavement", "sidewalk", "couch", "lorry", "ocean"]}),
        draw("b", {"object": ["sofa", "truck", "Sea", "deep sea"], "scene": ["ocean-s"]}),
        table="Pavement,sidewalk\ncouch,couch\nocean,deep sea\ndeep-sea,sea\nyeti,bear\nocean-s,coast-s\n",
    )
    assert origins(report) == {
        "sidewalk": ["a/pavement", "a/sidewalk"],
        "couch": ["a/couch"],
        "sofa": ["b/sofa"],
        "truck": ["a/lorry", "b/truck"],
        "Sea": ["a/ocean", "b/Sea", "b/deep sea"],
        "coast-s": ["b/ocean-s"],
    }
    assert report.kept_apart == ()
    assert report.unknown_synonyms == ("yeti",)


def test_other_names_are_kept_as_synonyms(tmp_path: Path, draw: Draw) -> None:
    one, other = draw("a", {"object": ["sofa"]}), draw("b", {"object": ["couch"]})
    table = (other / "label.csv").read_text()
    assert table.splitlines()[1].endswith(",")
    (other / "label.csv").write_text(table.rstrip() + "lounge;settee; sofa\n")
    joined(tmp_path, one, other)
    assert (tmp_path / "out" / "label.csv").read_text().splitlines()[1].endswith(",couch;lounge;settee")


WRONG: dict[str, tuple[str, str]] = {
    "empty": ("", "is empty: not even a header line"),
    "no header": ("couch,sofa\n", "lacks the columns synonym, name"),
    "one column": ("synonym\ncouch\n", "lacks the column name"),
    "an empty cell": ("synonym,name\ncouch,\n", "line 2: '' cannot be a name"),
    "a control character": ("synonym,name\ncouch,so\x1bfa\n", r"line 2: 'so\x1bfa' cannot be a name"),
    "too wide": ("synonym,name\ncouch,sofa,lounge\n", "line 2: the row has 3 cells"),
    "no UTF-8": ("synonym,name\ncouch,caf\udce9\n", "not UTF-8"),
    "a double": (
        "synonym,name\ncouch,sofa\nCouch,bed\n",
        "line 3: 'Couch' is listed twice, in line 2 for 'sofa'",
    ),
    "a circle of two": ("synonym,name\na,b\nb,A\n", "line 3: the names lead in a circle: a -> b -> a"),
    "a circle behind": ("synonym,name\nx,a\na,b\nb,c\nc,a\n", "in a circle: a -> b -> c -> a"),
}


@pytest.mark.parametrize("case", WRONG)
def test_tables_that_are_none(tmp_path: Path, draw: Draw, case: str) -> None:
    content, said = WRONG[case]
    draw("a", {"object": ["sofa"]})
    (tmp_path / "table.csv").write_bytes(content.encode("utf-8", "surrogateescape"))
    done = called(tmp_path, "data", "join", "a", "--out", "out", "--synonyms", "table.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "table.csv" in done.stderr
    assert said in done.stderr
    assert "hint:" in done.stderr
    assert not (tmp_path / "out").exists()


def test_there_is_no_table(tmp_path: Path, draw: Draw) -> None:
    with pytest.raises(DataFormatError, match=r"there is no file .*missing\.csv"):
        join_datasets(
            [draw("a", {"object": ["sofa"]})],
            tmp_path / "out",
            JoinOptions(synonyms=tmp_path / "missing.csv"),
        )
