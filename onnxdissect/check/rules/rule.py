"""What a rule of the check is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from onnxdissect.check.comparing.comparison import Comparison
from onnxdissect.check.rules.config import Config
from onnxdissect.check.verdict import Finding, Level

__all__ = ["Rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that is asked of a candidate.

    Attributes
    ----------
    name : str
        As in settings and verdicts.
    level : str
        ``error`` or ``warning``, unless the settings state another.
    asks : str
        What must be so, in one sentence.
    remedy : str
        What to look at if it is not.
    settings : tuple of str
        The settings it goes by, as they are written in TOML, with NAME for a layer's; each is a field of
        `Config`.
    find : callable or None
        Gives a finding for each layer or concept that the rule is about: passed, failed or untested.
        None where something else finds them.
    fixed : bool
        Whether no other level can be stated.
    """

    name: str
    level: Level
    asks: str
    remedy: str
    settings: tuple[str, ...] = ()
    find: Callable[[Comparison], Iterator[Finding]] | None = None
    fixed: bool = False

    def finding_level(self, config: Config) -> Level:
        """Give the level of the rule's findings.

        Parameters
        ----------
        config : Config
            Settings, which may state a level.

        Returns
        -------
        str
            ``error`` or ``warning``.
        """
        return "warning" if config.levels.get(self.name, self.level) == "warning" else "error"
