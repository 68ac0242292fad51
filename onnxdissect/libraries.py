"""Libraries that may be missing or broken: imported with what to do about it, and without losing a Ctrl-C."""

from __future__ import annotations

from types import ModuleType

from onnxdissect.errors import InstallationError

__all__ = ["import_cv2", "raise_interrupt"]


def import_cv2() -> ModuleType:
    """Import OpenCV, or say how to get it to load.

    Returns
    -------
    module
        ``cv2``.

    Raises
    ------
    InstallationError
        If OpenCV is not installed, or one of its shared libraries is missing. ``opencv-python`` links
        against libGL, which bare servers and containers lack.
    """
    try:
        import cv2
    except ImportError as error:
        raise_interrupt(error)
        said, hint = f"OpenCV is not installed: {error}", "pip install opencv-python"
        if ".so" in str(error):
            said = f"OpenCV is installed but does not load: {error}"
            hint = "either `apt-get install libgl1 libglib2.0-0` (Debian, Ubuntu), "
            hint += "or `pip uninstall opencv-python && pip install opencv-python-headless`"
        raise InstallationError(said, hint=hint) from error
    return cv2


def raise_interrupt(error: BaseException) -> None:
    """Raise a Ctrl-C again that an error came of.

    Compiled modules that are interrupted while they are imported say that they could not be initialised.

    Parameters
    ----------
    error : exception

    Raises
    ------
    KeyboardInterrupt
        If it is among what the error was raised from.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        cause = cause.__cause__ or cause.__context__
