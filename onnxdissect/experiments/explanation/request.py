"""What is asked for when predictions are explained, and what of it contradicts itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from numpy.typing import ArrayLike

from onnxdissect.data import Dataset
from onnxdissect.errors import ParameterError, nearest
from onnxdissect.experiments.class_scores.target import TOP
from onnxdissect.experiments.explanation.records import ABLATED_TO, ATTRIBUTIONS, OVER
from onnxdissect.model.scores.reduction_words import read_reduction

__all__ = ["ExplanationRequest"]

_MOST_PERMUTATIONS = 100_000


@dataclass(frozen=True, slots=True)
class ExplanationRequest:
    """How predictions are explained; `onnxdissect.explain` says what each of it means.

    Attributes
    ----------
    target : str or int
        The class to explain.
    layer : str or None
        A layer of the run.
    top : int
        Units to tell of.
    classes : str, Path or sequence of str, or None
        Names of the classes.
    attribution : str
        One of `ATTRIBUTIONS`.
    ablate : str
        One of `ABLATED_TO`.
    reference : str, Path or Dataset, or None
        The images of means, or those that a classifier is fitted to.
    over : str
        One of `OVER`.
    players : int or None
        Units that take part in *shapley*.
    permutations : int or None
        Orders that it draws.
    seed : int
        Of all that is drawn.
    output : str or None
        The network's output with the scores.
    reduce : str or None
        How scores of many places are made one.
    provider : str
        Where the network runs.
    bind : mapping of str to array_like or str, or None
        Values of inputs beside the image.
    custom_ops : sequence of str or Path
        Libraries of operators that onnxruntime lacks.
    """

    target: str | int = TOP
    layer: str | None = None
    top: int = 6
    classes: str | Path | Sequence[str] | None = None
    attribution: str = "auto"
    ablate: str = "zero"
    reference: str | Path | Dataset | None = None
    over: str = "units"
    players: int | None = None
    permutations: int | None = None
    seed: int = 0
    output: str | None = None
    reduce: str | None = None
    provider: str = "auto"
    bind: Mapping[str, ArrayLike | str] | None = field(default=None, compare=False)
    custom_ops: Sequence[str | Path] = ()

    def check(self) -> None:
        """Refuse what is not to be had, or contradicts itself.

        Raises
        ------
        ParameterError
            With what could have been asked for.
        """
        for said, asked, known in (
            ("attribution", self.attribution, ATTRIBUTIONS),
            ("value to ablate units to", self.ablate, ABLATED_TO),
            ("kind of players", self.over, OVER),
        ):
            if asked not in known:
                raise ParameterError(
                    f"there is no {said} {asked!r}", candidates=nearest(asked, known) or known
                )
        if self.top < 1:
            raise ParameterError(f"the number of units to tell of cannot be {self.top}", hint="--top 6")
        self._check_removal()
        self._check_sampling()
        if self.reduce is not None:
            read_reduction(self.reduce)
        given = (("--output", self.output), ("--reduce", self.reduce), ("--classes", self.classes))
        which = next((option for option, asked in given if asked is not None), None)
        if self.attribution == "fitted" and which is not None:
            raise ParameterError(
                f"fitted explains the scores of its own classifier, and {which} is about the network's",
                hint=f"leave out {which}; its classes are those of the labelled images",
            )

    def _check_removal(self) -> None:
        if self.ablate != "zero" and self.attribution in ("linear", "fitted"):
            raise ParameterError(
                f"{self.attribution} removes no units, and cannot set them to {self.ablate!r}",
                candidates=("ablation", "shapley"),
                hint=f"--attribution ablation --ablate {self.ablate}",
            )
        if self.reference is not None and self.ablate == "zero" and self.attribution != "fitted":
            raise ParameterError(
                "reference images are for means and for fitting, and units that are set to zero need none",
                hint="--ablate mean, --ablate other-classes or --attribution fitted",
            )

    def _check_sampling(self) -> None:
        asked = [
            name
            for name, given in (
                ("--over", self.over != "units"),
                ("--players", self.players is not None),
                ("--permutations", self.permutations is not None),
            )
            if given
        ]
        if asked and self.attribution != "shapley":
            raise ParameterError(
                f"{asked[0]} is about shapley, and {self.attribution} was asked for",
                hint="--attribution shapley",
            )
        if self.over == "concepts" and self.players is not None:
            raise ParameterError(
                "the players are all concepts of the layer's detectors, and --players chooses among units",
                hint="--over units, or no --players",
            )
        if self.players is not None and self.players < 1:
            raise ParameterError(f"{self.players} units cannot take part", hint="--players 32")
        if self.permutations is not None and not 1 <= self.permutations <= _MOST_PERMUTATIONS:
            raise ParameterError(
                f"{self.permutations:,} orders were asked for, where 1 to {_MOST_PERMUTATIONS:,} are drawn",
                hint="--permutations 64",
            )
        if self.seed < 0:
            raise ParameterError(f"a seed is 0 or more, not {self.seed}", hint="--seed 0")
