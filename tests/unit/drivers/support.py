"""A device whose answers a test decides, on real rings: what the drivers' requests look like, and what they do with answers.

It is no device model: it records the bytes of every request as the device sees them, and answers by a function.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from uvirtio.bus.emulated import EmulatedBus, open_emulated
from uvirtio.bus.locator import parse
from uvirtio.device import Device
from uvirtio.emulated.model import DeviceModel
from uvirtio.emulated.queue import DeviceQueue
from uvirtio.emulated.ring import Chain
from uvirtio.emulated.types import MODELS
from uvirtio.spec.dialects import V1_4
from uvirtio.spec.features import Features
from uvirtio.spec.ids import DeviceType
from uvirtio_drivers.workload import Driver, Workload, drain
from uvirtio_tools.driving.bring_up import BringUp
from uvirtio_tools.driving.options import RunOptions
from uvirtio_tools.judging.history import History
from uvirtio_tools.judging.stage import Stage
from uvirtio_tools.judging.suspend_run import Cycle
from uvirtio_tools.scenarios.cycling import Cycles

__all__ = ["Answer", "Seen", "Stand", "drive", "running", "stand_in", "suspends_of"]


class Seen:
    """One request as the device saw it: the stand-in it came to, queue, readable bytes, the sizes of both kinds of descriptors."""

    def __init__(self, stand: Stand, queue: int, chain: Chain) -> None:
        self.stand = stand
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
        self.waiting_data: dict[int, deque[tuple[bytes, int]]] = {}

    def request(self, queue: DeviceQueue, chain: Chain) -> int:
        seen = Seen(self, queue.index, chain)
        self.seen.append(seen)
        return type(self).answer(seen)

    def offer(self, queue: int, data: bytes, length: int | None = None) -> None:
        """Data for a buffer of a receive queue, now or when there is one; ``length``: the used length to claim instead."""
        self.waiting_data.setdefault(queue, deque()).append((data, len(data) if length is None else length))
        self.serve(self.device.queues[queue])

    def serve(self, queue: DeviceQueue) -> None:
        waiting = self.waiting_data.get(queue.index)
        while waiting and (chain := queue.take()) is not None:
            data, length = waiting.popleft()
            chain.write(data)
            queue.finish(chain, length)

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
    """A class for :data:`uvirtio.emulated.types.MODELS`; ``config`` sets fields by the specification's names."""

    class Type(Stand):
        TYPE = device_type

        def __init__(self) -> None:
            self.features = features
            self.queue_count = queues
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
    recorded: bool = False,
    **known: Any,
) -> Iterator[tuple[Any, Device, EmulatedBus]]:
    """A driver started on an emulated device: (driver, device, bus). ``known``: what its bus knows besides."""
    if not isinstance(locator, str):
        MODELS["stand-in"], locator = locator, "emulated:stand-in" + parameters
    bus = open_emulated(parse(locator))
    bus.surroundings = replace(bus.surroundings, **known)
    with Device(bus, timeout=timeout, recorder=History(bus.clock) if recorded else None) as device:
        device.begin()
        device.negotiate(driver_class.FEATURES | Features.of(43), dependencies=driver_class.DEPENDENCIES)
        for index, limit in driver_class.queues(device).items():
            device.set_up_queue(index, limit)
        device.driver_ok()
        driver = driver_class(device)
        driver.start()
        yield driver, device, bus
    MODELS.pop("stand-in", None)


def drive(device: Device, workload: Workload, rounds: int = 4) -> None:
    """Requests to the last one, so many times."""
    for _ in range(rounds):
        workload.submit()
        workload.kick()
        drain(device, workload)
        workload.verify()


def suspends_of(driver: Any, device: Device, workload: Workload, count: int, *, hold: float = 0.02) -> Iterator[Cycle]:
    """Suspend a device that runs, again and again, as ``uvirtio suspend`` does; each is made as it is asked for.

    The device has to be one that is ``recorded``.
    """
    bring_up = BringUp(device, RunOptions())
    bring_up.driver, bring_up.workload = driver, workload
    bring_up.dialect = V1_4
    cycles = Cycles(Stage.of(bring_up))
    cycles.prove()
    for number in range(1, count + 1):
        yield cycles.run(number, hold)
    cycles.close()
