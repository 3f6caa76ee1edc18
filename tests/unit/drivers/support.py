"""A device whose answers a test decides, on real rings: what the drivers' requests look like, and what they do with answers.

It is no device model: it records the bytes of every request as the device sees them, and answers by a function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from uvirtio.bus.emulated import EmulatedBus, open_emulated
from uvirtio.bus.locator import parse
from uvirtio.device import Device
from uvirtio.emulated.model import DeviceModel, Field
from uvirtio.emulated.queue import DeviceQueue
from uvirtio.emulated.ring import Chain
from uvirtio.emulated.types import TYPES
from uvirtio.spec.devices import device_spec
from uvirtio.spec.features import Features
from uvirtio.spec.ids import DeviceType
from uvirtio_drivers.workload import Driver

__all__ = ["Answer", "Seen", "Stand", "running", "stand_in"]


class Seen:
    """One request as the device saw it: queue, readable bytes, the sizes of both kinds of descriptors."""

    def __init__(self, queue: int, chain: Chain) -> None:
        self.queue = queue
        self.chain = chain
        self.readable = chain.read()
        self.readable_sizes = [length for _, length in chain.readable]
        self.writable_sizes = [length for _, length in chain.writable]

    def write(self, data: bytes, offset: int = 0) -> int:
        """Put bytes into the writable part."""
        return self.chain.write(data, offset)


#: What a test answers to a request: the used length.
Answer = Callable[[Seen], int]


class Stand(DeviceModel):
    """Stands in for a device of any type. ``seen`` has the requests in the order in which they were carried out."""

    answer: Answer

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Seen] = []

    def request(self, queue: DeviceQueue, chain: Chain) -> int:
        seen = Seen(queue.index, chain)
        self.seen.append(seen)
        return type(self).answer(seen)

    def give(self, queue: int, *parts: bytes, lengths: tuple[int, ...] = ()) -> None:
        """Put data into waiting buffers of a receive queue, one part each; ``lengths``: used lengths to claim instead."""
        target = self.device.queues[queue]
        for number, part in enumerate(parts):
            chain = target.take()
            assert chain is not None, f"queue {queue} has no buffer waiting"
            chain.write(part)
            target.finish(chain, lengths[number] if lengths else len(part))

    def change(self, **fields: int) -> None:
        """Change configuration fields and notify."""
        self.device.change_config(fields)


def stand_in(
    device_type: DeviceType,
    answer: Answer,
    *,
    queues: int = 1,
    waiting: frozenset[int] = frozenset(),
    features: tuple[int, ...] = (),
    config: Mapping[str, int] | None = None,
) -> type[Stand]:
    """A class for :data:`uvirtio.emulated.types.TYPES`; ``config`` sets fields by the specification's names."""
    spec = device_spec(device_type)
    names = tuple(
        Field(field.name, field.offset, field.size, min(field.width, 4), writable=field.writable)
        for field in spec.fields
    )

    class Type(Stand):
        TYPE = device_type
        FEATURE_NAMES: ClassVar[Mapping[str, int]] = {}

        def __init__(self) -> None:
            self.features = Features.of(*features).mask
            self.fields = names
            self.queues = tuple(f"queue{number}" for number in range(queues))
            self.waiting = waiting
            super().__init__()
            for name, value in (config or {}).items():
                self.put(name, value)

    Type.answer = staticmethod(answer)
    return Type


@contextmanager
def running(
    locator: str | type[Stand],
    driver_class: type[Driver],
    *,
    parameters: str = "",
    timeout: float = 10.0,
    **attributes: Any,
) -> Iterator[tuple[Any, Device, EmulatedBus]]:
    """A driver started on an emulated device: (driver, device, bus). ``attributes`` are set on the bus first."""
    if not isinstance(locator, str):
        TYPES["stand-in"], locator = locator, "emulated:stand-in" + parameters
    bus = open_emulated(parse(locator))
    for name, value in attributes.items():
        setattr(bus, name, value)
    with Device(bus, timeout=timeout) as device:
        device.begin()
        device.negotiate(driver_class.FEATURES | Features.of(43), dependencies=driver_class.DEPENDENCIES)
        for index, limit in driver_class.queues(device).items():
            device.set_up_queue(index, limit)
        device.driver_ok()
        driver = driver_class(device)
        driver.start()
        yield driver, device, bus
    TYPES.pop("stand-in", None)
