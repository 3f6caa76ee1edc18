"""What both formats of virtqueues have in common (virtio 1.4, 2.7 and 2.8)."""

from __future__ import annotations

__all__ = ["MAX_SIZE", "impossible_size"]

#: The largest queue (entries).
MAX_SIZE = 32768


def impossible_size(size: int) -> str:
    """What is wrong with the size that a queue says it has; empty for one that can be, and for 0, a queue that is not there."""
    return f"size {size:#x}; at most {MAX_SIZE} is possible (virtio 1.4, 2.7)" if size > MAX_SIZE else ""
