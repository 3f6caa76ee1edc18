"""What both formats of virtqueues have in common (virtio 1.4, 2.7 and 2.8)."""

from __future__ import annotations

__all__ = ["MAX_SIZE"]

#: The largest queue (entries).
MAX_SIZE = 32768
