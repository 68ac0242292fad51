"""What all tests rely on."""

from __future__ import annotations

import signal

# Shells start what runs in the background without Ctrl-C, and its processes inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
