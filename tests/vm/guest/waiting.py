"""Waiting for what the kernel, the host or the device should bring about."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["within"]


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether it comes to hold within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return condition()
        time.sleep(0.05)
    return True
