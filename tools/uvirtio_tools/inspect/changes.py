"""What differs between two descriptions, said in the words of ``show``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .model import Description
from .render import identity_rows

__all__ = ["Change", "compare", "pairs"]

_ABSENT = "not there"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: what, and how it reads on either side."""

    what: str
    before: str
    after: str

    def to_json(self) -> dict[str, str]:
        """As JSON."""
        return {"what": self.what, "before": self.before, "after": self.after}


def pairs(before: list[Description], after: list[Description]) -> list[tuple[Description | None, Description | None]]:
    """Devices that belong together: by locator, or the only ones of two files."""
    if len(before) == len(after) == 1:
        return [(before[0], after[0])]
    names = dict.fromkeys([device.locator for device in (*before, *after)])
    left = {device.locator: device for device in before}
    right = {device.locator: device for device in after}
    return [(left.get(name), right.get(name)) for name in names]


def compare(before: Description | None, after: Description | None) -> list[Change]:
    """All differences, in the order of ``show``; None is a device that is not there."""
    left = dict(_facts(before)) if before else {}
    right = dict(_facts(after)) if after else {}
    if before is None or after is None:
        return [Change("device", before.name if before else _ABSENT, after.name if after else _ABSENT)]
    names = dict.fromkeys([*left, *right])
    return [
        Change(name, left.get(name, _ABSENT), right.get(name, _ABSENT))
        for name in names
        if left.get(name) != right.get(name)
    ]


def _facts(device: Description) -> Iterator[tuple[str, str]]:
    yield from identity_rows(device)
    for row in device.features:
        state = {True: "yes", False: "no", None: "unknown"}
        yield f"feature {row.bit} {row.name}", f"offered {state[row.offered]}, accepted {state[row.accepted]}"
    for queue in device.queues:
        where = f"queue {queue.index}"
        yield f"{where} name", queue.name or "unknown"
        yield f"{where} num", str(queue.num)
        yield f"{where} enabled", "yes" if queue.enabled else "no"
        yield f"{where} vector", "none" if queue.vector is None else str(queue.vector)
        yield f"{where} notify_off", str(queue.notify_off)
        for name, address in (("desc", queue.desc), ("avail", queue.avail), ("used", queue.used)):
            yield f"{where} {name}", f"{address:#x}"
        if queue.ring:
            yield f"{where} avail idx", str(queue.ring.driver_index)
            yield f"{where} used idx", str(queue.ring.device_index)
            yield f"{where} in flight", str(queue.ring.in_flight)
    yield "number of queues", str(device.num_queues)
    for field in device.config:
        yield f"configuration {field.name}", field.text
    for entry in device.capabilities:
        yield f"capability at {entry.at:#x}", f"{entry.structure or entry.name} {entry.raw}"
    for bar in device.bars:
        size = "?" if bar.size is None else f"{bar.size:#x}"
        yield f"BAR {bar.number}", f"{bar.kind} at {bar.address:#x}, {size} bytes"
    for problem in device.problems:
        yield f"problem: {problem}", "yes"
