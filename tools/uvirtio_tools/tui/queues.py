"""The queues of a device: a row each, and for a queue that a session drives, its descriptors and rings."""

from __future__ import annotations

from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import DataTable, Static

from uvirtio.spec.packed import EVENT_WRAP

from ..inspect.model import Description, QueueRow, Ring
from ..inspect.render import mark
from ..inspect.rings import RingImage, decode_ring
from .defused import cells

__all__ = ["QueuesPanel"]

_COLUMNS = ("queue", "name", "num", "enabled", "vector", "notify", "avail", "used", "in flight")


class QueuesPanel(Vertical):
    """Queues above, the memory of the chosen one below."""

    def __init__(self) -> None:
        super().__init__()
        self._rings: dict[str, Any] = {}
        self._found: Description | None = None

    def compose(self) -> ComposeResult:
        """Table, heading, descriptors and rings side by side."""
        yield DataTable[Text](id="queue-table", cursor_type="row", zebra_stripes=False)
        yield Static("", id="ring-head", markup=False)
        with Horizontal(id="ring"):
            with VerticalScroll():
                yield Static("", id="ring-table", markup=False)
            with VerticalScroll(id="ring-beside"):
                yield Static("", id="ring-entries", markup=False)

    def on_mount(self) -> None:
        """Name the columns."""
        self.query_one("#queue-table", DataTable).add_columns(*_COLUMNS)

    def show(self, found: Description, rings: dict[str, Any]) -> None:
        """Draw these queues; the cursor stays where it is."""
        self._rings, self._found = rings, found
        table = self.query_one("#queue-table", DataTable)
        cursor = table.cursor_row
        table.clear()
        for queue in found.queues:
            table.add_row(*cells(_cells(queue)))
        if found.queues:
            table.move_cursor(row=min(cursor, len(found.queues) - 1))
        self._draw_ring()

    def on_data_table_row_highlighted(self, _event: DataTable.RowHighlighted) -> None:
        """Another queue was chosen."""
        self._draw_ring()

    def _draw_ring(self) -> None:
        head, table = self.query_one("#ring-head", Static), self.query_one("#ring-table", Static)
        entries = self.query_one("#ring-entries", Static)
        found, row = self._found, self.query_one("#queue-table", DataTable).cursor_row
        if found is None or not found.queues or row >= len(found.queues):
            head.update("\n".join(found.notes) if found is not None and found.notes else "there are no queues to show")
            table.update("")
            entries.update("")
            return
        queue = found.queues[row]
        head.update(_headline(queue))
        ring = self._rings.get(str(queue.index))
        if ring is None:
            table.update("")
            entries.update("")
            return
        image = decode_ring(ring["format"], ring["size"], bytes.fromhex(ring["raw"]))
        # A packed ring has nothing beside its descriptors, which can use the room.
        self.query_one("#ring-beside").display = image.format != "packed"
        table.update(_descriptors(image))
        entries.update(_entries(image))


def _cells(queue: QueueRow) -> list[str]:
    ring = queue.ring
    return [
        str(queue.index),
        queue.name or "unknown",
        str(queue.num) if queue.num else "not there",
        mark(queue.enabled),
        "-" if queue.vector is None else str(queue.vector),
        "-" if queue.notify_off is None else str(queue.notify_off),
        *(["-"] * 3 if ring is None else [*_positions(ring), str(ring.in_flight)]),
    ]


def _positions(ring: Ring) -> tuple[str, str]:
    """Indices of a split ring; position and wrap counter of a packed one."""
    if ring.format == "packed":
        first, second = (f"{at & ~EVENT_WRAP} wrap {at >> 15}" for at in (ring.driver_index, ring.device_index))
        return first, second
    return str(ring.driver_index), str(ring.device_index)


def _headline(queue: QueueRow) -> str:
    owed = {True: "requests that are owed an answer", False: "buffers that may wait for ever", None: "unknown use"}
    lines = [f"queue {queue.index} {queue.name or ''}: {owed[queue.owed]}"]
    if queue.enabled:
        lines.append(f"desc {queue.desc:#x}  avail {queue.avail:#x}  used {queue.used:#x}")
    if queue.ring is None:
        lines.append("its memory is not this program's; drive the device (7) to see its rings")
    else:
        words = [queue.ring.format, f"{queue.ring.free} free"]
        words += ["no interrupts wanted"] if queue.ring.interrupts_suppressed else []
        words += ["no notifications wanted"] if queue.ring.notifications_suppressed else []
        words += [f"held: {queue.ring.held}"] if queue.ring.held else []
        lines.append(", ".join(words))
    lines += [f"! {problem}" for problem in queue.problems]
    return "\n".join(lines)


def _descriptors(image: RingImage) -> str:
    lines = [f"{'#':>4} {'address':>14} {'bytes':>6} flags"]
    for slot in image.slots:
        # A descriptor that was never written is all zero.
        if slot.address or slot.length:
            link = "" if slot.link == "-" else f" {slot.link}"
            lines.append(f"{slot.index:>4} {slot.address:>#14x} {slot.length:>6} {slot.flags}{link}")
    return "\n".join(lines if len(lines) > 1 else ["no descriptor is written yet"])


def _entries(image: RingImage) -> str:
    rows = ["available, newest first", *reversed(image.available or ("none",))][:17]
    rows += ["", "used, newest first", *reversed(image.used or ("none",))]
    return "\n".join(rows)
