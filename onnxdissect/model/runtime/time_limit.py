"""A limit of time for running a network, and a way to stop it: a ``Loop`` in a file may never end.

onnxruntime looks between two operators, those of a loop's body included, whether it is to stop. So the
network runs in a thread of its own while the caller waits for it: the wait ends with the limit, and with
Ctrl-C, which Python otherwise sees only once onnxruntime has returned.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from onnxdissect.errors import ModelTimeoutError, ParameterError

__all__ = ["PROBE_LIMIT", "PROBE_SECONDS", "call_limited", "check_seconds"]

PROBE_LIMIT = "onnxdissect/seconds"
"""Key of a graph's `meta`: seconds that running it once may take, where it is only looked at."""

PROBE_SECONDS = 300.0
"""The limit where none is asked for."""

_GRACE = 10.0
"""Seconds for the operator at work to end, once the network was told to stop."""

Result = TypeVar("Result")


def check_seconds(seconds: float) -> float:
    """Check a limit that somebody asked for.

    Parameters
    ----------
    seconds : float
        Infinity for none.

    Returns
    -------
    float
        The same.

    Raises
    ------
    ParameterError
        If it is not positive.
    """
    if math.isnan(seconds) or seconds <= 0:
        raise ParameterError(
            f"a time limit is a number of seconds above 0, not {seconds:g}",
            hint=f"--probe-timeout {PROBE_SECONDS:g}, or inf for none",
        )
    return seconds


def call_limited(compute: Callable[[], Result], stop: Callable[[], None], seconds: float) -> Result:
    """Run something that can be told to stop, for so long at the most.

    Parameters
    ----------
    compute : callable
        What is run, in another thread.
    stop : callable
        Tells it to stop; called when the time is over, or the wait was interrupted.
    seconds : float
        Infinity for no limit; it can still be interrupted then.

    Returns
    -------
    object
        What `compute` gives.

    Raises
    ------
    ModelTimeoutError
        If it takes longer. A single operator that goes on for longer still is left behind in its thread.
    Exception
        What `compute` raises.
    """
    ended = threading.Event()
    outcome: dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["result"] = compute()
        except BaseException as error:  # it is raised again where it was asked for
            outcome["error"] = error
        finally:
            ended.set()

    threading.Thread(target=run, name="onnxdissect-network", daemon=True).start()
    try:
        in_time = ended.wait(None if math.isinf(seconds) else min(seconds, threading.TIMEOUT_MAX))
    except BaseException:
        stop()
        ended.wait(_GRACE)
        raise
    if not in_time:
        stop()
        ended.wait(_GRACE)
        raise ModelTimeoutError(
            f"the network had not ended after {seconds:g} s",
            hint="a Loop of it may never end; --probe-timeout SECONDS gives a slow network more time",
        )
    if "error" in outcome:
        raise outcome["error"]
    result: Result = outcome["result"]
    return result
