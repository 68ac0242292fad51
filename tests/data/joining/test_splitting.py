"""Splits of a joined data set are those of its images, or drawn by what they hold; groups stay together."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from support.commands import called
from support.named_labels import Draw

from onnxdissect.data import JoinOptions, join_datasets, open_dataset
from onnxdissect.data.joining.splitting import draw_splits


def test_groups_stay_groups_of_their_own_data_set(tmp_path: Path, draw: Draw) -> None:
    folders = [
        draw("a", {"object": ["road"]}),
        draw("b", {"object": ["road"]}),
        draw("c", {"object": ["road"]}),
    ]
    for folder, group in zip(folders, ("film", "film"), strict=False):
        header, *rows = (folder / "index.csv").read_text().splitlines()
        lines = [f"{header},group", *(f"{row},{group}" for row in rows)]
        (folder / "index.csv").write_text("".join(f"{line}\n" for line in lines))
    join_datasets(folders, tmp_path / "out")
    joined = open_dataset(tmp_path / "out")
    assert [entry.group for entry in joined.entries] == ["a/film", "a/film", "b/film", "b/film", "", ""]
    groups = joined.groups()
    assert groups is not None
    assert groups.tolist() == [0, 0, 1, 1, 2, 3]


def test_splits_are_kept_or_drawn_by_content(tmp_path: Path, draw: Draw) -> None:
    folders = [draw("a", {"object": ["road"]}, images=30), draw("b", {"object": ["road"]}, images=30)]
    assert join_datasets(folders, tmp_path / "kept").splits == {"train": 60}
    drawn = {"train": 0.5, "val": 0.5}
    one = join_datasets(folders, tmp_path / "one", JoinOptions(splits=drawn))
    assert set(one.splits) == {"train", "val"}
    assert 15 < one.splits["train"] < 45
    splits = split_by_content(tmp_path / "one")
    # under other names, in another order, and with others: each image goes where it went
    (tmp_path / "a").rename(tmp_path / "renamed")
    again = [tmp_path / "b", tmp_path / "renamed", draw("c", {"object": ["road"]})]
    join_datasets(again, tmp_path / "again", JoinOptions(splits=drawn))
    assert splits.items() <= split_by_content(tmp_path / "again").items()
    done = called(tmp_path, "data", "join", "b", "--out", "typed", "--splits", "train=0.5, val=0.5")
    assert split_by_content(tmp_path / "typed").items() <= splits.items(), done.stderr


def split_by_content(folder: Path) -> dict[bytes, str]:
    dataset = open_dataset(folder)
    return {dataset.image_path(i).read_bytes(): dataset.split(i) for i in range(len(dataset))}


@settings(max_examples=50, deadline=None)
@given(digests=st.lists(st.binary(min_size=32, max_size=32), max_size=20), share=st.floats(0.01, 0.99))
def test_a_group_is_in_one_split(digests: list[bytes], share: float) -> None:
    shares = {"train": share, "val": 1 - share}
    assert len(set(draw_splits(digests, ["film"] * len(digests), shares))) <= 1
    alone = draw_splits(digests, [""] * len(digests), shares)
    assert alone == ["train" if int.from_bytes(d[:8], "big") / 2**64 < share else "val" for d in digests]
    assert draw_splits(digests, [""] * len(digests), {"all": 1.0}) == ["all"] * len(digests)
