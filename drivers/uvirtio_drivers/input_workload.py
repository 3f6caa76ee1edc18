"""Input traffic: status events, and what the device says about itself."""

from __future__ import annotations

from typing import ClassVar, Self

from uvirtio.errors import WorkloadFailed
from uvirtio.spec.formats.input import EVENT, EventType, Select

from .input import Input

__all__ = ["InputWorkload"]

#: What is asked at the start and again: name, serial, ids, properties, and the codes of each event type.
_QUERIES = (
    (Select.ID_NAME, 0),
    (Select.ID_SERIAL, 0),
    (Select.ID_DEVIDS, 0),
    (Select.PROP_BITS, 0),
    *((Select.EV_BITS, event_type) for event_type in EventType),
)


class InputWorkload:
    """Status events that switch LEDs on and off, or empty ones where the device has no LED; events that come in are counted."""

    OPTIONS: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, device: Input) -> None:
        self._input = device
        self._said = self._ask()
        self._leds = sorted(device.event_bits(EventType.LED))
        #: Events of the device that came in meanwhile.
        self.events = 0
        self._flying: set[int] = set()
        self.submitted = 0
        self.completed = 0

    @classmethod
    def of(cls, driver: Input) -> Self:
        """Status events, and queries whose answers have to stay the same."""
        return cls(driver)

    @classmethod
    def harmless(cls, driver: Input) -> Self:
        """The same: what the device is, its configuration says at any time."""
        return cls.of(driver)

    def _ask(self) -> dict[tuple[int, int], bytes]:
        return {query: self._input.query(*query) for query in _QUERIES}

    @property
    def outstanding(self) -> int:
        """Status buffers that the device has; event buffers are owed nothing."""
        return len(self._flying)

    @property
    def room(self) -> int:
        """Idle status buffers that fit into the queue."""
        return self._input.sending.room

    def submit(self, count: int | None = None) -> int:
        """Make status events available; one index store for all of them."""
        count = self.room if count is None else min(count, self.room)
        for number in range(self.submitted, self.submitted + count):
            if self._leds:
                turn, led = divmod(number, len(self._leds))
                event = EVENT.pack(EventType.LED, self._leds[led], turn % 2)
            else:
                event = EVENT.pack(EventType.SYN, 0, 0)
            self._flying.add(self._input.sending.put(event))
        if count:
            self._input.sending.publish(notify=False)
        self.submitted += count
        return count

    def kick(self) -> None:
        """Notify the status queue, if the device wants it."""
        self._input.sending.publish()

    def reap(self) -> int:
        """Take back status buffers, and take the events that came."""
        done = len(self._input.sending.returned_of(self._flying))
        self.completed += done
        self.events += len(self._input.events())
        return done

    def leave(self) -> int:
        """See :class:`~uvirtio_drivers.workload.Workload`: there is no other queue that the device owes an answer on."""
        return 0

    def visit(self) -> int:
        """See :meth:`leave`."""
        return 0

    def verify(self) -> None:
        """Nothing is missing, and the device says about itself what it said at the start."""
        if self.outstanding:
            raise WorkloadFailed(
                f"{self.submitted} status events were submitted and {self.completed} came back; {self.outstanding} are missing"
            )
        for (select, subsel), answer in self._ask().items():
            before = self._said[select, subsel]
            if answer != before:
                raise WorkloadFailed(
                    f"the answer to query {Select(select).name}/{subsel:#x} was {before.hex() or 'empty'} and is "
                    f"{answer.hex() or 'empty'} now"
                )

    def proves(self) -> str:
        """One sentence."""
        return (
            "every status buffer came back exactly once, and the device's answers about itself stayed the same; "
            "whether status takes effect cannot be seen from here"
        )

    def close(self) -> None:
        """Give the driver's buffers back, once the device has been reset."""
        self._input.close()
