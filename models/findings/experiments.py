"""What the base networks are asked beyond one dissection: other thresholds, other bases, single predictions.

`python models/findings/experiments.py` asks all of them that are there; `train.py` does so at its end. It
needs no torch. What was asked before, of the same file and in the same way, is passed over.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from measurements.predictions import LAST, PREDICTIONS, STRONGEST, predictions
from measurements.sweeps import ALPHAS, QUANTILES, ROTATED, ROTATIONS, SWEPT, rotations, thresholds
from measurements.tables import CARD, RESAMPLES, card_there
from numpy.typing import NDArray
from training.recipes import SEEDS, Training, recipe_of, shipped

from onnxdissect.errors import OnnxDissectError
from onnxdissect.storage.archive_reader import read_archive
from onnxdissect.storage.archive_writer import write_archive
from onnxdissect.storage.schema import ArraySpec, Schema
from onnxdissect.tiny import cache_folder

__all__ = [
    "EXPERIMENTS",
    "HERE",
    "Asked",
    "Experiment",
    "asked_networks",
    "due_experiments",
    "hashes_of",
    "positive",
    "read_experiment",
    "refuse_trial",
    "run_experiments",
]

HERE = Path(__file__).resolve().parent
GONE = "train it again:"
"""In the line of a network that cannot be asked."""

VERSION = 1
"""Raised whenever the same network no longer gives the same tables; what is there is then asked anew."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """What networks are asked.

    Attributes
    ----------
    ask : callable
        Given a network's file, the work folder and how many images are asked of, None for all.
    schema : Schema
        Of what it gives.
    settings : mapping of str
        What else decides what comes out.
    untrained : bool
        Whether untrained networks are asked too.
    """

    ask: Callable[[Path, Path, int | None], Mapping[str, NDArray[Any]]]
    schema: Schema
    settings: Mapping[str, object]
    untrained: bool = False

    @property
    def stored(self) -> Schema:
        """What its file holds: the hashes of network and recipe come first."""
        one = ArraySpec("str", "F")
        return Schema({"network": one, "recipe": one, **self.schema.arrays}, version=VERSION)

    def recipe(self, limit: int | None) -> str:
        """Hash all that decides what comes out, but the network.

        Parameters
        ----------
        limit : int or None
            How many images are asked of; None for all.

        Returns
        -------
        str
        """
        text = json.dumps(
            [VERSION, limit, LAST, RESAMPLES, list(self.schema.arrays), self.settings], sort_keys=True
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]


EXPERIMENTS: Mapping[str, Experiment] = {
    "thresholds": Experiment(thresholds, SWEPT, {"quantiles": QUANTILES}),
    "rotations": Experiment(rotations, ROTATED, {"alphas": ALPHAS, "rotations": ROTATIONS}, untrained=True),
    "predictions": Experiment(predictions, PREDICTIONS, {"strongest": STRONGEST}),
}
"""By the name of their file."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A network and what it is asked.

    Attributes
    ----------
    experiment : str
        A key of `EXPERIMENTS`.
    training : Training
        Whose network it is.
    network : str
        Its name.
    """

    experiment: str
    training: Training
    network: str

    def card(self, out: Path) -> Path:
        """Tell where the card of the network is, given the folder of ``tables/``."""
        return out / "tables" / self.network / CARD

    def target(self, out: Path) -> Path:
        """Tell where the answer goes."""
        return self.card(out).with_name(f"{self.experiment}.npz")

    def file(self, out: Path, work: Path) -> Path:
        """Tell where the network's file is, given the folders of those shipped and of those that are not."""
        return (out if shipped(self.training, self.network) else work) / "networks" / f"{self.network}.onnx"

    def hash(self, out: Path) -> str:
        """Give the hash of the file that was dissected; that of no file where its card is damaged."""
        return str(card_there(self.card(out)).get("sha256"))

    def there(self, out: Path, work: Path) -> bool:
        """Tell whether the network's file is there as it was dissected."""
        file = self.file(out, work)
        return file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == self.hash(out)


def asked_networks() -> Iterator[Asked]:
    """Name every experiment and the networks that it asks."""
    for seed in SEEDS:
        training = Training(recipe_of("base"), seed)
        for name, experiment in EXPERIMENTS.items():
            yield Asked(name, training, training.name())
            if experiment.untrained:
                yield Asked(name, training, training.name(0))


def due_experiments(out: Path, limit: int | None = None) -> Iterator[Asked]:
    """Name what is to be asked of networks whose tables are there: nothing yet, another file, or otherwise.

    Parameters
    ----------
    out : Path
        Holds ``networks/`` and ``tables/``.
    limit : int, optional
        Only the first so many images are asked of.

    Yields
    ------
    Asked
    """
    for asked in asked_networks():
        if asked.card(out).exists():
            expected = [asked.hash(out), EXPERIMENTS[asked.experiment].recipe(limit)]
            if hashes_of(out / "tables", asked.network, asked.experiment) != expected:
                yield asked


def hashes_of(tables: Path, network: str, experiment: str) -> list[str]:
    """Tell of which network, and asked in which way, an answer is.

    Parameters
    ----------
    tables : Path
        Holds a folder for each network.
    network, experiment : str

    Returns
    -------
    list of str
        Hashes of the file and of the recipe; none where the answer is missing, damaged, or of an older form.
    """
    names = ("network", "recipe")
    schema = Schema({name: ArraySpec("str", "F") for name in names}, version=VERSION)
    try:
        archive = read_archive(tables / network / f"{experiment}.npz", schema)
    except OnnxDissectError:
        return []
    return [str(archive[name][0]) for name in names]


def read_experiment(tables: Path, network: str, experiment: str) -> dict[str, NDArray[Any]]:
    """Read what an experiment found.

    Parameters
    ----------
    tables : Path
        Holds a folder for each network.
    network, experiment : str

    Returns
    -------
    dict of str to ndarray
        As the experiment gives it; ``network`` and ``recipe``, hashes of the file that was asked and of how.
    """
    return dict(read_archive(tables / network / f"{experiment}.npz", EXPERIMENTS[experiment].stored))


def run_experiments(out: Path, work: Path, limit: int | None = None) -> Iterator[str]:
    """Carry out what was not asked yet of the networks whose tables are there.

    Parameters
    ----------
    out : Path
        Holds ``networks/`` and ``tables/``.
    work : Path
        Holds networks that are not shipped, and gets the runs.
    limit : int, optional
        Only the first so many images are asked of.

    Yields
    ------
    str
        What was done, in a line.
    """
    there = sum(asked.card(out).exists() for asked in asked_networks())
    due = list(due_experiments(out, limit))
    yield f"{there - len(due)} of {there} experiments are there"
    for asked in due:
        if not asked.there(out, work):
            yield (
                f"{asked.experiment} of {asked.network}: {asked.file(out, work)} is not as it was dissected; "
                f"{GONE} python models/findings/train.py --variant base --seed {asked.training.seed}"
            )
            continue
        experiment = EXPERIMENTS[asked.experiment]
        found = experiment.ask(asked.file(out, work), work, limit)
        hashes = {"network": np.array([asked.hash(out)]), "recipe": np.array([experiment.recipe(limit)])}
        write_archive(asked.target(out), experiment.stored, {**hashes, **found})
        yield f"{asked.experiment} of {asked.network}: asked"


def positive(text: str) -> int:
    """Read a whole number of an option.

    Parameters
    ----------
    text : str

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    argparse.ArgumentTypeError
        Otherwise.
    """
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def refuse_trial(parser: argparse.ArgumentParser, out: Path, small: bool) -> None:
    """End in a line where what is only tried out would take the place of what is shipped.

    Parameters
    ----------
    parser : ArgumentParser
    out : Path
        Where networks and tables go.
    small : bool
        Whether less is made than the findings are made of.
    """
    if small and out.resolve() == HERE:
        parser.error(
            f"what is made smaller, to try it out, would replace the networks and tables in {HERE}; "
            "give another folder: --out FOLDER"
        )


def main() -> None:
    """Ask the networks that are there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path, default=cache_folder() / "findings", help="of train.py")
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--limit", type=positive, help="images that are asked of, as given to train.py")
    options = parser.parse_args()
    refuse_trial(parser, options.out, options.limit is not None)
    missing = False
    for line in run_experiments(options.out.absolute(), options.work.absolute(), options.limit):
        print(line, flush=True)
        missing = missing or GONE in line
    sys.exit(missing)


if __name__ == "__main__":
    main()
