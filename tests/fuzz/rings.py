"""Rings from both sides: a driver that our devices meet, and a device that our driver meets."""

from __future__ import annotations

import contextlib

from tests.emulated.raw import Raw
from tests.emulated.test_hostile import rough_start, scribble
from tests.unit.queue.model import Memory
from tests.unit.queue.rig import FORMATS, queue_of
from uvirtio.emulated.types import MODELLED
from uvirtio.errors import UvirtioError

from .choices import Choices

__all__ = ["device_of", "driver_of"]

_FAULTS = ("depth=4", "fault=V4,V10,V11,V13", "profile=crosvm", "profile=qemu-store&instant=on")


def device_of(data: bytes) -> None:
    """A driver that writes anything anywhere. The device may need a reset, and works again after it."""
    choose = Choices(data)
    raw = Raw(f"emulated:{choose.choice(sorted(MODELLED))}?{choose.choice(_FAULTS)}")
    piece = raw.bus.dma.allocate(0x5000, 4096)
    rough_start(raw, choose, piece.address)
    for _ in range(400):
        if not choose.left:
            break
        scribble(raw, choose, piece.memory, piece.address)
        if raw.status() & 0x44 != 0x04 and choose.random() < 0.3:
            rough_start(raw, choose, piece.address)
    raw.bus.config.write(4, 2, 6)
    raw.set_status(0)
    raw.set_status(0)
    assert raw.status() == 0
    raw.bring_up()


def driver_of(data: bytes) -> None:
    """A device that writes anything into its rings. No buffer comes back twice, or longer than it is."""
    choose = Choices(data)
    memory = Memory()
    features = {name: bool(choose.randrange(2)) for name in ("event_idx", "indirect", "in_order")}
    queue = queue_of(choose.choice(FORMATS), choose.choice([2, 4, 8, 16]), memory, **features)
    queue.notifier = lambda _following: None
    addresses = (queue.descriptor_address, queue.driver_address, queue.device_address)
    room: dict[int, int] = {}
    for _ in range(400):
        if not choose.left:
            return
        deed = choose.randrange(8)
        with contextlib.suppress(UvirtioError):
            if deed < 2:
                sizes = [1 + choose.randrange(64) for _ in range(1 + choose.randrange(3))]
                token = queue.add((), [memory.allocate(size) for size in sizes])
                assert token not in room, "a buffer that is out already"
                room[token] = sum(sizes)
                queue.publish()
            elif deed < 4:
                for token, length in queue.completed():
                    assert length <= room.pop(token), "longer than it is"
            elif deed == 4:
                queue.kick() if hasattr(queue, "kick") else queue.publish()
            else:
                base, width = choose.choice(addresses), choose.choice([2, 4, 8])
                at = base + choose.randrange(0, 64) * 2 // width * width
                value = choose.choice([0, 1, 2, 3, 0xFFFF, choose.getrandbits(8 * width)]) & (1 << 8 * width) - 1
                memory.store(at, width, value)
