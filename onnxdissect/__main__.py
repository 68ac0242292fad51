"""The program ``onnxdissect``, also as ``python -m onnxdissect``.

Nothing is imported before Ctrl-C is known, but what Python itself has loaded by then.
"""

import sys

__all__ = ["main"]

_INTERRUPTED = 130


def main() -> None:
    """Run the command line and leave with its exit code, as `onnxdissect.cli.main.main`."""
    try:
        try:
            from onnxdissect.cli.main import main as run_command_line
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            sys.exit(_INTERRUPTED)
        run_command_line()
    finally:
        # `python -m` ends by the signal instead of with our code if the last text that Python ran as code was
        # interrupted, as that of a data class may be; this one was not.
        exec("")


if __name__ == "__main__":
    main()
