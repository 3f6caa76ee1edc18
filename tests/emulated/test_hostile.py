"""A driver that writes anything anywhere: the device notes it, may need a reset, and never breaks."""

from __future__ import annotations

import random
import struct

import pytest

from uvirtio.emulated.types import MODELLED

from .raw import NOTIFY, Raw

STRUCTURES = (0x0000, 0x1000, 0x2000, 0x3000)
STATUSES = (0, 1, 3, 0x0B, 0x0F, 0x1B, 0x1F, 0x4F, 0x8F, 0xFF)


def scribble(raw: Raw, choose: random.Random, memory: memoryview, base: int) -> None:
    """One arbitrary deed."""
    width = choose.choice((1, 2, 4))
    deed = choose.choices(range(9), (4, 4, 1, 40, 2, 30, 50, 10, 3))[0]
    if deed == 0:
        offset = choose.choice(STRUCTURES) + choose.randrange(0, 0x60) // width * width
        raw.bar.write(offset, width, choose.choice((0, 1, 2, 0xFFFF, choose.getrandbits(32))) & (1 << 8 * width) - 1)
    elif deed == 1:
        raw.bar.read(choose.choice(STRUCTURES) + choose.randrange(0, 0x100) // width * width, width)
    elif deed == 2:
        raw.set_status(choose.choice(STATUSES))
    elif deed == 3:
        index = choose.randrange(len(raw.function.device.queues))
        raw.bar.write(NOTIFY + 4 * (index + 1), 2, index)
    elif deed == 4:
        raw.bus.config.write(choose.randrange(0x100) // width * width, width, choose.getrandbits(8 * width))
        raw.bus.config.write(4, 2, 6)
    elif deed == 5:
        at = choose.randrange(len(memory) // 16) * 16
        flags = choose.choice((0, 1, 2, 3, 4, 6, 0x80, 0x82, 0x81, 0x8000, 0x8002, choose.getrandbits(16)))
        length = choose.choice((0, 1, 16, 17, 64, 512, choose.getrandbits(32)))
        where = base + choose.randrange(len(memory))
        memory[at : at + 16] = struct.pack("<QIHH", where, length, flags, choose.choice((flags, 0, 1, 2)))
    elif deed == 6:
        # Mostly where an available index may be, so that it moves by little.
        at = choose.choice((2, choose.randrange(len(memory) // 2 - 1) * 2))
        value = choose.choice((0, 1, 2, 3, 4, choose.getrandbits(16)))
        memory[at : at + 2] = value.to_bytes(2, "little")
        queue = choose.choice(raw.function.device.queues)
        if queue.enabled and queue.addresses[1] >= base:
            place = queue.addresses[1] - base + 2
            before = int.from_bytes(memory[place : place + 2], "little")
            memory[place : place + 2] = (before + choose.randrange(4) & 0xFFFF).to_bytes(2, "little")
    elif deed == 7 and raw.bus.triggers.available() >= {"send_traffic"}:
        raw.bus.triggers.fire("send_traffic")
    else:
        raw.clock.sleep(choose.choice((0.0, 1e-4, 0.05)))


def rough_start(raw: Raw, choose: random.Random, base: int) -> None:
    """A bring-up in which most, but not all, is as it should be."""
    for _ in range(2):
        raw.set_status(0)
    offered = raw.offered()
    raw.set_status(3)
    unwanted = sum(1 << bit for bit in (28, 29, 34, 40, 43) if choose.random() < 0.5)
    raw.accept(offered & ~unwanted)
    raw.set_status(0x0B)
    for index in range(len(raw.function.device.queues)):
        raw.r16(0x18, select=index)
        raw.bar.write(0x18, 2, choose.choice((4, 16, 256)))
        for register in (0x20, 0x28, 0x30):
            address = base + choose.randrange(0, 0x4000, 64)
            raw.bar.write(register, 4, address & 0xFFFFFFFF)
            raw.bar.write(register + 4, 4, address >> 32)
        raw.bar.write(0x1C, 2, 1)
    raw.set_status(0x0F)


@pytest.mark.parametrize("type_name", [*sorted(MODELLED), "vsock", "fs"])
@pytest.mark.parametrize(
    "fault", ["depth=4", "fault=V4,V10,V11,V13", "profile=crosvm", "profile=qemu-store&instant=on"]
)
def test_nothing_that_a_driver_does_breaks_the_device(type_name: str, fault: str) -> None:
    consumed = 0
    for seed in range(12):
        choose = random.Random(seed)
        raw = Raw(f"emulated:{type_name}?{fault}")
        piece = raw.bus.dma.allocate(0x5000, 4096)
        rough_start(raw, choose, piece.address)
        for _ in range(300):
            scribble(raw, choose, piece.memory, piece.address)
            if raw.status() & 0x44 != 0x04 and choose.random() < 0.3:
                rough_start(raw, choose, piece.address)
        consumed += len(raw.bus.log.events("request consumed"))
        raw.bus.config.write(4, 2, 6)
        # Whatever happened: after resets (a broken one may take two) it starts again.
        raw.set_status(0)
        raw.set_status(0)
        assert raw.status() == 0
        raw.bring_up()
    # A device that is described only leaves all buffers where they are.
    assert bool(consumed) is (type_name in MODELLED), "the scribbling was too wild to reach the rings"


def test_descriptors_that_add_up_to_more_than_memory_are_refused() -> None:
    raw = Raw("emulated:console?instant=on&ports=1")
    raw.bring_up(queues=2)
    piece = raw.bus.dma.allocate(1 << 20, 16)
    queue = raw.queues[1]
    table = raw.bus.dma.allocate(16 * 16, 16)
    for index in range(16):
        table.memory[16 * index : 16 * index + 16] = struct.pack(
            "<QIHH", piece.address, 1 << 23, 1 * (index < 15), index + 1
        )
    queue.memory.memory[: 16 * 16] = table.memory[: 16 * 16]
    queue.store16(queue.avail + 4, 0)
    queue.store16(queue.avail + 2, 1)
    queue.kick()
    assert raw.status() & 0x40
