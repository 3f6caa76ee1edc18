"""A ring in one line: where the driver is, where the device is, and what lies between them. No colour is needed to read it."""

from __future__ import annotations

from rich.text import Text

from uvirtio.spec.packed import EVENT_WRAP

from ..inspect.model import QueueRow, Ring

__all__ = ["LEGEND", "drawn", "slots"]

FREE, FLYING, USED = ".", "#", "="
LEGEND = f"ring: {FLYING} with the device, {USED} used and not taken yet, {FREE} free"
_COLOURS = {FREE: "dim", FLYING: "bold yellow", USED: "bold green"}


def slots(ring: Ring, size: int) -> str:
    """A sign for each slot of the ring."""
    signs = [FREE] * size
    for start, end, sign in ((ring.seen, ring.device_index, USED), (ring.device_index, ring.driver_index, FLYING)):
        for at in _between(ring, start, end, size):
            signs[at] = sign
    return "".join(signs)


def _between(ring: Ring, start: int, end: int, size: int) -> list[int]:
    if ring.format != "packed":
        return [(start + n) % size for n in range(min((end - start) & 0xFFFF, size))]
    first, last = start & ~EVENT_WRAP, end & ~EVENT_WRAP
    # Another wrap counter: the end is a lap further on.
    length = last - first + (size if (start ^ end) & EVENT_WRAP else 0)
    return [(first + n) % size for n in range(max(0, min(length, size)))]


def _scaled(signs: str, width: int) -> str:
    """As many signs as there is room: of the slots that share one, the busiest is shown."""
    if len(signs) <= width:
        return signs
    parts = [signs[n * len(signs) // width : (n + 1) * len(signs) // width] for n in range(width)]
    return "".join(FLYING if FLYING in part else USED if USED in part else FREE for part in parts)


def drawn(queue: QueueRow, width: int) -> Text:
    """A queue as a line of ``width`` columns."""
    name = f"{queue.index} {queue.name or ''}"[:14]
    text = Text(f"{name:<14} ")
    if queue.ring is None:
        state = f"{queue.num} entries, {'enabled' if queue.enabled else 'not enabled'}" if queue.num else "not there"
        return text.append(state, style="dim")
    ring = queue.ring
    told = f" {_place(ring, ring.driver_index)}/{_place(ring, ring.device_index)} {ring.in_flight} in flight{' held' if ring.held else ''}"
    room = max(8, width - len(text) - len(told) - 3)
    text.append("[")
    for sign in _scaled(slots(ring, max(queue.num, 1)), room):
        text.append(sign, style=_COLOURS[sign])
    text.append("]")
    return text.append(told)


def _place(ring: Ring, index: int) -> str:
    if ring.format != "packed":
        return str(index)
    return f"{index & ~EVENT_WRAP}{'w' if index & EVENT_WRAP else ''}"
