"""Names that are one, and names that are not."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxdissect.data.joining.vocabulary.names import Identity, concept_identity, distinct_name, name_key
from onnxdissect.data.joining.vocabulary.own_synonyms import OWN_SYNONYMS


@pytest.mark.parametrize(
    "names",
    [
        ("t-shirt", "T shirt", "t_shirt", " t  -shirt "),
        ("café", "cafe\N{COMBINING ACUTE ACCENT}", "CAFÉ"),
        ("Straße", "STRASSE"),
        ("fire", "\N{LATIN SMALL LIGATURE FI}re"),
        ("living room", "living_room", "living\N{NO-BREAK SPACE}room", "living\N{NON-BREAKING HYPHEN}room"),
        ("-", "-"),
    ],
)
def test_spellings_of_one_name(names: tuple[str, ...]) -> None:
    assert len({name_key(name) for name in names}) == 1


@pytest.mark.parametrize(
    "names", [("car", "cars"), ("cafe", "café"), ("tv/monitor", "tv monitor"), ("-", "--"), ("a1", "a 1")]
)
def test_other_names(names: tuple[str, ...]) -> None:
    assert len({name_key(name) for name in names}) == len(names)


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1, max_size=12).filter(str.strip))
def test_a_key_is_that_of_every_normal_form_and_of_itself(name: str) -> None:
    key = name_key(name)
    assert key
    assert name_key(key) == key
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert name_key(unicodedata.normalize(form, name)) == key


def test_scenes_and_colours_are_apart_from_objects_of_their_name() -> None:
    assert concept_identity("street-s", ["scene"]) == concept_identity("Street", ["Scene"])
    assert concept_identity("street-s", ["scene"]) == Identity("scene", "street")
    assert concept_identity("grey-c", ["color"]) == concept_identity("Grey", ["Colour"])
    assert concept_identity("street", ["object"]) == Identity("", "street")
    # what is both is an object of this name; and only these two categories have endings
    assert concept_identity("street", ["object", "scene"]) == Identity("", "street")
    assert concept_identity("street-s", ["object"]) == Identity("", "street s")
    assert concept_identity("-s", ["scene"]) == Identity("scene", name_key("-s"))


def test_names_are_made_distinct_only_where_they_have_to_be() -> None:
    assert distinct_name("street", "scene", set()) == "street"
    assert distinct_name("street", "scene", {"street"}) == "street-s"
    assert distinct_name("street", "scene", {"street", "street s"}) == "street 2"
    assert distinct_name("street", "", {"street", "street 2"}) == "street 3"


def test_the_shipped_table_says_one_thing_of_each_name() -> None:
    keys = [name_key(synonym) for synonym, _ in OWN_SYNONYMS]
    assert len(set(keys)) == len(keys)
    assert not {name_key(name) for _, name in OWN_SYNONYMS} & set(keys), "a name leads to another"
