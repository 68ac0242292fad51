"""Progress that says as well when a phase begins."""

from __future__ import annotations

from onnxdissect.cli.printing.progress import Announced


class Recorded:
    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []

    def start(self, phase: str, total: int) -> None:
        self.told.append((phase, total))

    def advance(self, images: int) -> None:
        self.told.append(("advance", images))

    def finish(self) -> None:
        self.told.append(("finish", None))


def test_a_phase_is_announced_and_all_phases_are_handed_on() -> None:
    progress = Recorded()
    announced = Announced(progress, "tally", lambda: progress.told.append(("announced", None)))
    for phase in ("pass", "tally"):
        announced.start(phase, 3)
        announced.advance(2)
        announced.finish()
    handed_on = [("advance", 2), ("finish", None)]
    assert progress.told == [("pass", 3), *handed_on, ("announced", None), ("tally", 3), *handed_on]
