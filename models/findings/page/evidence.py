"""What the tables say: counts of detectors in the images themselves and in every resample of them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from experiments import EXPERIMENTS, asked_networks, hashes_of, read_experiment
from measurements.tables import CARD, SCHEMA
from numpy.typing import NDArray
from training.recipes import SEEDS, Training, recipe_of, trainings

from onnxdissect.storage.archive_reader import read_archive
from page.table_checks import CATEGORIES, MissingNetworksError, check_tables, read_card, read_rows

__all__ = ["CATEGORIES", "Counted", "Evidence", "MissingNetworksError", "UnitLabel"]


@dataclass(frozen=True, slots=True)
class Counted:
    """A number in the images, and the same in every resample of them; all networks have the same resamples.

    Attributes
    ----------
    value : float
    resampled : ndarray of float64, shape (B,)
    """

    value: float
    resampled: NDArray[np.float64]

    def __add__(self, other: Counted) -> Counted:
        return Counted(self.value + other.value, self.resampled + other.resampled)

    def __sub__(self, other: Counted) -> Counted:
        return Counted(self.value - other.value, self.resampled - other.resampled)

    def __mul__(self, factor: float) -> Counted:
        return Counted(self.value * factor, self.resampled * factor)

    def __truediv__(self, other: Counted) -> Counted:
        """Give a share; of nothing it is 0."""
        resampled = np.zeros(len(self.resampled))
        np.divide(self.resampled, other.resampled, out=resampled, where=other.resampled > 0)
        return Counted(self.value / other.value if other.value > 0 else 0.0, resampled)


@dataclass(frozen=True, slots=True)
class UnitLabel:
    """What a unit detects, as `units.csv` has it.

    Attributes
    ----------
    label, category : str
    detector : bool
    """

    label: str
    category: str
    detector: bool


class Evidence:
    """The tables of all networks.

    Parameters
    ----------
    tables : Path
        The folder ``tables``.

    Attributes
    ----------
    cards : mapping of str to dict
        ``network.json`` of every network.
    """

    def __init__(self, tables: Path) -> None:
        self._tables = tables
        self.cards: Mapping[str, dict[str, Any]] = {
            path.parent.name: read_card(path) for path in sorted(tables.glob(f"*/{CARD}"))
        }

    def check(self) -> None:
        """Look whether everything is there.

        Raises
        ------
        MissingNetworksError
            If tables of a network, or answers of it, are missing; it names them all. If tables are cut off,
            or of another recipe or of other images than the rest.
        """
        missing = []
        for training in trainings():
            names = [name for name, _ in training.networks() if name not in self.cards]
            if names:
                whole = len(names) == len(list(training.networks()))
                missing += [training.name()] if whole else names
        if missing:
            raise MissingNetworksError(
                f"there are no tables of {', '.join(missing)} in {self._tables}; "
                "python models/findings/train.py makes them"
            )
        check_tables(self._tables, self.cards)
        unasked = [asked for asked in asked_networks() if not self._asked(asked.network, asked.experiment)]
        if unasked:
            names = [f"{asked.experiment} of {asked.network}" for asked in unasked]
            raise MissingNetworksError(
                f"there are no {', '.join(names)} in {self._tables}, or of other files or asked otherwise; "
                "python models/findings/experiments.py asks"
            )
        for asked in asked_networks():
            self._check_lengths(asked.network, asked.experiment)

    def _asked(self, network: str, experiment: str) -> bool:
        """Tell whether an answer is there, of the file that was dissected and of all images."""
        expected = [self.cards[network]["sha256"], EXPERIMENTS[experiment].recipe(None)]
        return hashes_of(self._tables, network, experiment) == expected

    def _check_lengths(self, network: str, experiment: str) -> None:
        """Look whether an answer is of as many images, or resamples, as the network was dissected on."""
        card, answer = self.cards[network], self.experiment(network, experiment)
        if experiment == "predictions":
            found, expected = len(answer["shown"]), card["images"]
        else:
            found, expected = answer["unique"].shape[1], 1 + card["resamples"]
        if found != expected:
            raise MissingNetworksError(
                f"{self._tables / network / experiment}.npz is of {found} images or resamples, where "
                f"{expected} were to be asked; delete it, and python models/findings/experiments.py asks anew"
            )

    def networks(self, variant: str, iteration: int | None = None) -> list[str]:
        """Name the networks of a variant, one of each seed.

        Parameters
        ----------
        variant : str
        iteration : int, optional
            Of a checkpoint; by default the finished network.

        Returns
        -------
        list of str
        """
        return [Training(recipe_of(variant), seed).name(iteration) for seed in SEEDS]

    def layers(self, network: str) -> list[str]:
        """Name the layers of a network, in the order of the graph."""
        return [str(name) for name in self._archive(network)["layers"]]

    def count(self, network: str, rows: Iterable[str], layer: str | None = None) -> Counted:
        """Count detectors of a layer.

        Parameters
        ----------
        network : str
        rows : iterable of str
            ``detectors``, ``unique``, or categories, of which unique detectors are counted; several add up.
        layer : str, optional
            By default the last.

        Returns
        -------
        Counted
        """
        archive = self._archive(network)
        layers, names = [str(n) for n in archive["layers"]], [str(n) for n in archive["rows"]]
        place = len(layers) - 1 if layer is None else layers.index(layer)
        summary = self._summaries(network)[place]
        value, resampled = 0, np.zeros(archive["counts"].shape[2])
        for row in rows:
            column = {"detectors": "detectors", "unique": "unique_detectors"}.get(row, f"unique_{row}")
            value += int(summary[column])
            resampled += archive["counts"][place, names.index(row)]
        return Counted(value, resampled)

    def size(self, network: str, layer: str | None = None) -> int:
        """How many units a layer has, by default the last."""
        place = -1 if layer is None else self.layers(network).index(layer)
        return int(self._summaries(network)[place]["units"])

    def units(self, network: str) -> list[UnitLabel]:
        """Give the labels of the last layer's units."""
        last = self.layers(network)[-1]
        rows = [row for row in read_rows(self._tables / network / "units.csv") if row["layer"] == last]
        return [UnitLabel(row["label"], row["category"], row["detector"] == "true") for row in rows]

    def last_iou(self, network: str) -> NDArray[np.float64]:
        """Give the IoUs of the last layer's units, shape (units, concepts)."""
        return np.asarray(self._archive(network)["last_iou"], np.float64)

    def concepts(self) -> Sequence[Mapping[str, str]]:
        """Give the rows of ``concepts.csv``."""
        return read_rows(self._tables / "concepts.csv")

    def experiment(self, network: str, name: str) -> dict[str, NDArray[Any]]:
        """Give what `experiments` found."""
        return read_experiment(self._tables, network, name)

    @functools.cache  # noqa: B019  # one object reads each file once
    def _archive(self, network: str) -> Mapping[str, NDArray[Any]]:
        return read_archive(self._tables / network / "resampled.npz", SCHEMA)

    @functools.cache  # noqa: B019
    def _summaries(self, network: str) -> list[dict[str, str]]:
        return read_rows(self._tables / network / "layers.csv")
