"""What may be asked for: shares of rotations, and how many."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxdissect.errors import ParameterError
from onnxdissect.experiments.rotation.choices import check_alphas, check_seeds, rotation_bases
from onnxdissect.model.bases.spec import BasisSpec, parse_bases


@given(st.sets(st.floats(0, 1), max_size=8))
def test_both_ends_are_added_and_every_share_is_a_basis_of_its_own(shares: set[float]) -> None:
    asked = sorted({float(f"{share:.12g}") for share in shares})
    alphas = check_alphas(asked)
    assert alphas == tuple(sorted({0.0, 1.0, *asked}))
    assert check_alphas(alphas) == alphas
    specs = parse_bases(rotation_bases(alphas, (0, 1)))
    turned = [one for one in specs if isinstance(one, BasisSpec) and one.kind == "rotation"]
    assert [(one.seed, one.alpha) for one in turned] == [(s, a) for s in (0, 1) for a in alphas[1:]]
    assert [one.name for one in specs[len(turned) :]] == [
        "permutation:seed=0",
        "directions:seed=0",
        "directions:seed=1",
    ]


@pytest.mark.parametrize(
    ("alphas", "said"),
    [
        ([0, 1.01], "alpha is 1.01"),
        ([-0.1, 1], "alpha is -0.1"),
        ([math.nan], "alpha is nan"),
        ([math.inf], "alpha is inf"),
        ([0, 0.5, 0.5, 1], "0.5 is given twice"),
        ([0.3, 0.3 + 1e-15], "0.3 is given twice"),
        ([0.5, 0.25], "0.25 is given after 0.5"),
        ([-0.0, 0.0], "0 is given twice"),
    ],
)
def test_shares_that_are_none(alphas: list[float], said: str) -> None:
    with pytest.raises(ParameterError) as caught:
        check_alphas(alphas)
    assert said in caught.value.message
    assert caught.value.hint is not None and "--alphas 0," in caught.value.hint


@pytest.mark.parametrize("seeds", [0, -1, 10**9, 910, True, 2.0, None])
def test_numbers_of_rotations_that_are_none(seeds: Any) -> None:
    with pytest.raises(ParameterError, match=r"of 11 alphas were asked for, where 1 to 909 are taken"):
        check_seeds(seeds, 11)
    assert check_seeds(909, 11)[-1] == 908
    assert check_seeds(1, 2) == (0,)


def test_more_shares_than_a_run_takes() -> None:
    shares = [i / 20_000 for i in range(10_001)]
    with pytest.raises(ParameterError, match=r"10,001 alphas were asked for, where at most 9,998 are taken"):
        check_alphas(shares)
    assert check_seeds(1, len(check_alphas(shares[1:9_999]))) == (0,)
    with pytest.raises(ParameterError) as caught:
        check_seeds(3, 10_000)
    assert caught.value.hint == "--seeds 1"


@pytest.mark.parametrize(
    ("alphas", "said"),
    [
        ("0.5", "shares of a rotation are a list of numbers, not '0.5'"),
        (0.5, "shares of a rotation are a list of numbers, not 0.5"),
        (None, "shares of a rotation are a list of numbers, not None"),
        (["half"], "alpha is 'half', no number"),
        ([None], "alpha is None, no number"),
    ],
)
def test_shares_of_a_wrong_type(alphas: object, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        check_alphas(alphas)
