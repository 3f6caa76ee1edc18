"""What a device forgets when it is restored, or does twice: each breaks one thing that a driver rests on."""

from __future__ import annotations

from typing import Any, cast

from ..spec import packed, split
from ..spec.features import Feature
from ..spec.registers import NO_VECTOR
from .behaviour import Behaviour, Phase
from .blk import Blk
from .common import CommonConfig
from .device import VirtioDevice
from .interrupts import Interrupts
from .queue import DeviceQueue
from .restoring import Restorer, State
from .ring import Chain
from .ring_packed import PackedRing
from .ring_split import SplitRing

__all__ = ["FAULTS"]


class U1(Restorer):
    """Forgets the requests that were in process: a request that was pending at a snapshot is never served."""

    def in_process(self, queue: DeviceQueue, requests: list[State]) -> None:
        """See :class:`Restorer`."""


class U2(Restorer):
    """Forgets its available index: it goes on where the driver stands, and passes over what was available."""

    def ring(self, queue: DeviceQueue, state: State) -> None:
        """See :class:`Restorer`."""
        super().ring(queue, state)
        while not queue.waits and queue.ring is not None and queue.ring.pop() is not None:
            pass


class U3(Restorer):
    """Does what was in process once more, and gives it back twice."""

    def in_process(self, queue: DeviceQueue, requests: list[State]) -> None:
        """See :class:`Restorer`."""
        super().in_process(queue, [*requests, *requests])


class U3Replay(Restorer):
    """Begins the available ring anew, and carries out old requests."""

    def ring(self, queue: DeviceQueue, state: State) -> None:
        """See :class:`Restorer`."""
        super().ring(queue, {**state, "next_available": 0} if "next_available" in state else state)
        queue.later()


class U4(Restorer):
    """Begins the used ring anew: its index is 0 again."""

    def ring(self, queue: DeviceQueue, state: State) -> None:
        """See :class:`Restorer`."""
        super().ring(queue, {**state, "next_used": 0, "_told": 0})


class U5(Restorer):
    """Forgets the wrap counter of what is available."""

    def ring(self, queue: DeviceQueue, state: State) -> None:
        """See :class:`Restorer`."""
        place = dict(state["_next"]["part"])
        place["wrap"] ^= 1
        super().ring(queue, {**state, "_next": {"part": place}})


class U5Used(Restorer):
    """Forgets the wrap counter of what is used."""

    def ring(self, queue: DeviceQueue, state: State) -> None:
        """See :class:`Restorer`."""
        place = dict(state["_used"]["part"])
        place["wrap"] ^= 1
        super().ring(queue, {**state, "_used": {"part": place}})


class U5Reset(Restorer):
    """Begins a packed ring anew, at its first place."""

    def ring(self, queue: DeviceQueue, state: State) -> None:
        """See :class:`Restorer`: a ring that was never used is what it has."""


class U6Split(SplitRing):
    """Can ask for a notification of what is long past."""

    def ask_late(self) -> None:
        """A stale available event: every notification is suppressed."""
        place = self._device + split.USED_RING + split.USED_ELEMENT_SIZE * self._size
        self._memory.store16(place, (self.next_available - 1) & 0xFFFF)


class U6Packed(PackedRing):
    """Can ask for a notification of what is past."""

    def ask_late(self) -> None:
        """The place before the one where it stands."""
        before, wrap = self._next.position - 1, self._next.wrap
        if before < 0:
            before, wrap = self._size - 1, wrap ^ 1
        self._memory.store16(self._device, before | (packed.EVENT_WRAP if wrap else 0))


class U6(Restorer):
    """Restores a stale event index, so that every notification is suppressed."""

    def ring(self, queue: DeviceQueue, state: State) -> None:
        """See :class:`Restorer`."""
        super().ring(queue, state)
        if not queue.waits:
            cast(Any, queue.ring).ask_late()


class U7Device(VirtioDevice):
    """Takes up what it has laid aside when it is notified."""

    aside: list[tuple[DeviceQueue, Chain]]

    def kicked(self, index: int) -> None:
        """See :class:`VirtioDevice`."""
        waiting, self.aside = getattr(self, "aside", []), []
        for queue, chain in waiting:
            queue.resume(chain, self.latency, ready=False)
        super().kicked(index)


class U7(Restorer):
    """Goes on with what was in process, and with what is available, at the next notification only."""

    def in_process(self, queue: DeviceQueue, requests: list[State]) -> None:
        """See :class:`Restorer`."""
        device = cast(U7Device, self.device)
        device.aside = getattr(device, "aside", [])
        device.aside += [(queue, self.decode(each["chain"], None)) for each in requests]


class U8Interrupts(Interrupts):
    """Can fall silent."""

    silent = False

    def queue(self, index: int, vector: int) -> None:
        """See :class:`Interrupts`."""
        if not self.silent:
            super().queue(index, vector)


class U8(Restorer):
    """Notifies no more."""

    def interrupts(self, state: State) -> None:
        """See :class:`Restorer`."""
        super().interrupts(state)
        cast(U8Interrupts, self.function.interrupts).silent = True


class U8Pending(Restorer):
    """Forgets ISR: an interrupt that was pending is lost."""

    def interrupts(self, state: State) -> None:
        """See :class:`Restorer`."""


class U9(Restorer):
    """Forgets the vector of its first queue."""

    def queue(self, queue: DeviceQueue, state: State) -> None:
        """See :class:`Restorer`."""
        super().queue(queue, state)
        if queue.index == 0:
            queue.vector = NO_VECTOR


class U9Config(Restorer):
    """Forgets the vector of the configuration."""

    def registers(self, state: State) -> None:
        """See :class:`Restorer`."""
        super().registers(state)
        self.device.config_vector = NO_VECTOR


class U10(Restorer):
    """Forgets a feature that was accepted."""

    def behaviour(self, behaviour: Behaviour, state: State) -> None:
        """See :class:`Restorer`."""
        super().behaviour(behaviour, state)
        self.device.accepted &= ~(1 << Feature.RING_RESET)


class U11(Restorer):
    """Has another configuration, and does not say so."""

    def model(self, state: State) -> None:
        """See :class:`Restorer`."""
        super().model(state)
        for name, value in (self.device.model.disturb() or {}).items():
            self.device.model.put(name, value)


class U12(Restorer):
    """Fails when it is restored: it needs a reset."""

    def behaviour(self, behaviour: Behaviour, state: State) -> None:
        """See :class:`Restorer`."""
        super().behaviour(behaviour, state)
        behaviour.fail("it could not be restored")


class U12Reset(Restorer):
    """Is a device after a reset, whatever it was."""

    def behaviour(self, behaviour: Behaviour, state: State) -> None:
        """See :class:`Restorer`."""
        self.device.reset()


class U13Registers(CommonConfig):
    """Can read another address of its driver areas; the rings go on as they were."""

    shifted = False

    def _value(self, name: str) -> int:
        """See :class:`CommonConfig`."""
        return super()._value(name) + (64 if self.shifted and name == "queue_driver_lo" else 0)


class U13(Restorer):
    """Reads other addresses of its queues."""

    def registers(self, state: State) -> None:
        """See :class:`Restorer`."""
        super().registers(state)
        cast(U13Registers, self.function.common).shifted = True


class U14(Restorer):
    """Forgets who it is: the subsystem's ids are 0."""

    def space(self, state: State) -> None:
        """See :class:`Restorer`."""
        super().space(state)
        self.function.pci.forget_subsystem()


class U15(Blk):
    """Comes back with an empty disk."""

    STATE = ("config",)


class U16(Restorer):
    """Writes to a buffer that waits, although it is suspended."""

    def behaviour(self, behaviour: Behaviour, state: State) -> None:
        """See :class:`Restorer`."""
        super().behaviour(behaviour, state)
        for queue in self.device.queues:
            if behaviour.phase is Phase.SUSPENDED and queue.ring is not None and queue.ring.available():
                chain = queue.ring.pop()
                queue.ring.rewind()
                if chain is not None:
                    chain.write(b"\x3c")


FAULTS: dict[str, tuple[type, ...]] = {
    "U1": (U1,), "U2": (U2,), "U3": (U3,), "U3-replay": (U3Replay,), "U4": (U4,), "U5": (U5,), "U5-used": (U5Used,),
    "U5-reset": (U5Reset,), "U6": (U6, U6Split, U6Packed), "U7": (U7, U7Device), "U8": (U8, U8Interrupts),
    "U8-pending": (U8Pending,), "U9": (U9,), "U9-config": (U9Config,), "U10": (U10,), "U11": (U11,), "U12": (U12,),
    "U12-reset": (U12Reset,), "U13": (U13, U13Registers), "U14": (U14,), "U15": (U15,), "U16": (U16,),
}  # fmt: skip
