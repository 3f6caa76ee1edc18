"""The driver's rings against the emulated device's: two readings of the specification that share no logic."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uvirtio.emulated.memory import MappedMemory
from uvirtio.emulated.ring import Chain, Ring
from uvirtio.emulated.ring_packed import PackedRing
from uvirtio.emulated.ring_split import SplitRing

from .model import Buffer
from .rig import FORMATS, Rig
from .test_reference import SIZES, operations


class EmulatedEnd:
    """An emulated ring, driven as the rig drives its model."""

    #: It moves its event along by itself, as it takes buffers.
    asks_for_the_next = True

    def __init__(self, rig: Rig, queue: Any) -> None:
        memory = MappedMemory()
        rig.memory.allocate(1)
        for base, chunk in rig.memory._windows:
            memory.map(base, chunk)
        self._chains: dict[int, Chain] = {}
        self.ring: Ring = (SplitRing if rig.format == "split" else PackedRing)(
            memory,
            queue.size,
            queue.descriptor_address,
            queue.driver_address,
            queue.device_address,
            event_idx=rig.event_idx,
            indirect=rig.indirect,
        )

    def fetch(self) -> list[Buffer]:
        found = []
        while (chain := self.ring.pop()) is not None:
            self._chains[chain.id] = chain
            found.append(Buffer(chain.id, chain.readable, chain.writable, chain.count))
        return found

    def use(self, buffer: Buffer, length: int) -> None:
        self.use_batch([buffer], length)

    def use_batch(self, buffers: list[Buffer], length: int) -> None:
        *skipped, last = (self._chains.pop(buffer.id) for buffer in buffers)
        self.ring.push(last, length, skipped)

    def interrupt_due(self) -> bool:
        return self.ring.wants_interrupt()


@pytest.mark.parametrize("event_idx", [False, True], ids=["flags", "event index"])
@pytest.mark.parametrize("indirect", [False, True], ids=["direct", "indirect"])
@pytest.mark.parametrize("in_order", [False, True], ids=["any order", "in order"])
@pytest.mark.parametrize("format_", FORMATS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_both_ends_agree_on_every_sequence_of_operations(
    format_: str, in_order: bool, indirect: bool, event_idx: bool, data: st.DataObject
) -> None:
    size = data.draw(st.sampled_from(SIZES[format_]))
    sequence = [operation for operation in data.draw(operations(size)) if operation[0] != "want"]
    rig = Rig(format_, size, event_idx=event_idx, indirect=indirect, in_order=in_order, maker=EmulatedEnd)
    rig.run(sequence)


@pytest.mark.parametrize("event_idx", [False, True], ids=["flags", "event index"])
@pytest.mark.parametrize("format_", FORMATS)
def test_both_ends_agree_over_the_wrap_of_all_indices(format_: str, event_idx: bool) -> None:
    rig = Rig(format_, 4, event_idx=event_idx, maker=EmulatedEnd)
    for _ in range(65536 // 3 + 20):
        for _ in range(3):
            rig.add(0, 1)
        rig.publish()
        for which in (2, 0, 0):
            rig.use(which, 4)
        rig.reap()
    rig.finish()
