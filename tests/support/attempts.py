"""Hostile inputs tried in forked processes, with a bound on memory and on the time of each.

A process that dies or hangs takes only its own seed with it, so that thousands are tried in a few processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from onnxdissect.errors import OnnxDissectError, OutOfMemoryError

__all__ = ["attempt", "outcome_of", "tell_all"]

MEMORY = 5 * 2**29
"""Bytes beside what a process has when it begins."""
SECONDS = 60
"""Of a processor, and ten times as many by the clock, which others share."""

Tell = Callable[[int, str], None]
"""Told each seed with its outcome: ``read``, ``refused (KIND): MESSAGE`` or something that is wrong."""


def outcome_of(read: Callable[[], object]) -> str:
    """Read something hostile: what came of it, in words."""
    try:
        read()
    except OutOfMemoryError as error:
        return f"OUT OF MEMORY: {error.message}"
    except OnnxDissectError as error:
        told = str(error)
        if len(told) > 8000:
            return f"ENDLESS MESSAGE: of {len(told):,} characters"
        return f"refused ({type(error).__name__}): {error.message}"
    except BaseException:
        return f"BUG: {traceback.format_exc()}"
    return "read"


def attempt(hostile: Callable[[int], str], seeds: Iterable[int], tell: Tell, *, memory: int = MEMORY) -> None:
    """Try seeds in order; `hostile` gives the outcome of one."""
    left = list(seeds)
    while left:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _work(hostile, left, writer, memory)
        os.close(writer)
        done = 0
        with os.fdopen(reader, encoding="utf-8", errors="replace") as outcomes:
            for line in outcomes:
                tell(left[done], json.loads(line))
                done += 1
        _, status = os.waitpid(child, 0)
        if done < len(left):
            signalled = os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)
            late = signalled in (signal.SIGALRM, signal.SIGPROF)
            tell(left[done], f"HUNG: {SECONDS} s" if late else f"DIED: ({signalled})")
            done += 1
        left = left[done:]


def _work(hostile: Callable[[int], str], seeds: list[int], writer: int, memory: int) -> None:
    with contextlib.suppress(BaseException):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        bound = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
        for seed in seeds:
            # either ends the process, whatever it is at
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            signal.alarm(10 * SECONDS)
            os.write(writer, (json.dumps(hostile(seed)) + "\n").encode())
        os._exit(0)
    os._exit(1)


def tell_all(hostile: Callable[[int], str], start: int, stop: int, *, memory: int = MEMORY) -> int:
    """Try a range of seeds, print what is wrong and at last how many came out how; the exit code."""
    kinds: Counter[str] = Counter()

    def tell(seed: int, outcome: str) -> None:
        kind = outcome.partition(":")[0]
        kinds[kind] += 1
        if not kind.startswith(("refused", "read")) or os.environ.get("HOSTILE_ALL"):
            print(f"{seed}: {outcome}", flush=True)

    attempt(hostile, range(start, stop), tell, memory=memory)
    print(", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    sys.stdout.flush()
    return int(any(not kind.startswith(("refused", "read")) for kind in kinds))
