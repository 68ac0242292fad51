"""The program ``onnxdissect``: how it begins, and how errors and interrupts leave it.

Whatever takes long to import is imported by `main`, so that Ctrl-C is known from the first moment.
"""

from __future__ import annotations

import gc
import os
import sys

from onnxdissect.errors import OnnxDissectError
from onnxdissect.interrupts import interruptible

__all__ = ["main"]

_WRONG_REQUEST = 2
_BUG = 70
_INTERRUPTED = 130
# New objects after which Python looks for circles of them. Compiling kernels and importing make hundreds of
# thousands, hardly any in a circle: the default of 700 costs a tenth of a short run, 20,000 a hundredth.
_COLLECTED_AFTER = 100_000


def main() -> None:
    """Run the command line and leave with its exit code.

    0: done; 1: a check failed; 2: the request or the input is wrong; 70: a bug; 130: interrupted.
    """
    try:
        with interruptible():
            _run()
    except KeyboardInterrupt:
        # before there was a command, or after its last word
        print("interrupted", file=sys.stderr)
        sys.exit(_INTERRUPTED)


def _run() -> None:
    from onnxdissect.cli.printing.streams import guard_streams

    guard_streams()
    gc.set_threshold(_COLLECTED_AFTER)
    from onnxdissect.cli.commands import app
    from onnxdissect.cli.printing.console import print_problem
    from onnxdissect.model.deferred import defer_symbols
    from onnxdissect.storage.memory import explained_memory

    defer_symbols()
    try:
        try:
            with explained_memory():
                app()
        finally:
            # What is still held back must not fail after the last word on how the command went.
            sys.stdout.flush()
    except OnnxDissectError as error:
        print_problem("error", error.message, error.candidates, error.hint)
        sys.exit(_WRONG_REQUEST)
    except Exception as error:  # anything that is not the user's error is a bug of this package
        if os.environ.get("ONNXDISSECT_TRACEBACK"):
            import traceback

            traceback.print_exc()
        print_problem(
            "bug",
            f"{type(error).__name__}: {error}",
            hint="this is not your fault; ONNXDISSECT_TRACEBACK=1 shows where it happened",
        )
        sys.exit(_BUG)
