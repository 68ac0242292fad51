"""Hostile models through the command line, each in a process with little memory and little time.

    cd tests; python -m support.hostile_model_runs {layers,run} START STOP

An outcome is "result", "refused", or what went wrong: a bug (exit code 70), a hang, a crash (a signal).
"""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from support.hostile_models import hostile_model

__all__ = ["COMMANDS", "SECONDS", "model_outcome"]

COMMANDS = ("layers", "run")
SECONDS = 60.0
"""Of a processor, and three times as many by the clock, which others share."""

_MEMORY = 6 * 2**30
_OPTIONS = {
    "layers": (),
    "run": (
        *("--limit", "2", "--layer", "last", "--null", "0", "--bootstrap", "0", "--no-report"),
        *("--provider", "cpu", "--workers", "1"),
    ),
}


def model_outcome(seed: int, command: str = "layers") -> str:
    """Give a changed model to a command.

    Parameters
    ----------
    seed : int
        Which one; see `support.hostile_models`.
    command : str
        One of `COMMANDS`.

    Returns
    -------
    str
        "result" or "refused"; else a line that says what was changed and what was printed.
    """
    # here, not in the children: each of them would load it anew
    import onnxdissect.cli.commands
    import onnxdissect.cli.main
    import onnxdissect.model
    import onnxdissect.pipeline.dissect  # noqa: F401

    with tempfile.TemporaryDirectory(prefix="onnxdissect-fuzz-") as name:
        folder = Path(name)
        changed, path = hostile_model(random.Random(seed), folder)
        arguments = [command, str(path), "--probe-timeout", "5", *_OPTIONS[command]]
        if command == "run":
            arguments += ["--out", str(folder / "run")]
        said = folder / "said"
        child = os.fork()
        if child == 0:
            _run(arguments, said)
        code = _wait(child)
        if code == 0:
            return "result"
        if code == 2:
            return "refused"
        text = said.read_text(errors="replace")
        at = max(text.find("bug:"), 0)
        what = {70: "bug", -signal.SIGKILL: "hang"}.get(code, "crash" if code < 0 else "exit")
        return f"{what} {code}: {changed}: {' '.join(text[at:].split())[:300]}"


def _run(arguments: Sequence[str], said: Path) -> None:
    """Be the command line, and end."""
    code = 99
    try:
        out = os.open(said, os.O_WRONLY | os.O_CREAT)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (int(SECONDS), int(SECONDS)))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        from onnxdissect.cli.main import main

        sys.argv = ["onnxdissect", *arguments]
        main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0
    except BaseException as error:
        print("stray", repr(error))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(child: int) -> int:
    """Wait for a process: its exit code, or a signal's number below 0."""
    began = time.monotonic()
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return -signal.SIGKILL if code == -signal.SIGXCPU else code
        if time.monotonic() - began > 3 * SECONDS:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.02)


def main(command: str, start: int, stop: int) -> int:
    counts = {"result": 0, "refused": 0}
    wrong = 0
    for seed in range(start, stop):
        outcome = model_outcome(seed, command)
        if outcome in counts:
            counts[outcome] += 1
        else:
            wrong += 1
            print(f"{command} {seed}: {outcome}", flush=True)
    print(f"{command}: {counts['result']} results, {counts['refused']} refused, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
