"""Puts a state that was saved into a fresh device. What is kept, and in which words, is in :mod:`uvirtio.emulated.saved`."""

from __future__ import annotations

import base64
import random
import zlib
from collections import deque
from typing import Any, Protocol

from .behaviour import Behaviour, Phase
from .common import CommonConfig
from .device import VirtioDevice
from .interrupts import Interrupts
from .messages import MsixTable
from .pci import ConfigSpace
from .queue import DeviceQueue
from .ring import Chain

__all__ = ["RestoredFunction", "Restorer", "State"]

State = dict[str, Any]


class RestoredFunction(Protocol):
    """The function whose parts get their state back."""

    device: VirtioDevice
    table: MsixTable
    interrupts: Interrupts
    pci: ConfigSpace
    common: CommonConfig


class Restorer:
    """Puts a saved state into a fresh device, part by part; a fault forgets something of one."""

    def __init__(self, function: RestoredFunction) -> None:
        self.function = function
        self.device = function.device
        self._memory = function.device.memory

    def decode(self, value: Any, current: object) -> Any:
        """A value of a document; ``current`` is what stands there now, into which parts and collections go."""
        if isinstance(value, list):
            if isinstance(current, list) and current and hasattr(current[0], "STATE"):
                for part, each in zip(current, value, strict=True):
                    self.part(part, each["part"])
                return current
            items = [self.decode(each, None) for each in value]
            return deque(items) if isinstance(current, deque) else items
        if not isinstance(value, dict):
            return value
        ((kind, content),) = value.items()
        if kind == "part":
            self.part(current, content)
            return current
        if kind == "tuple":
            values = tuple(self.decode(each, None) for each in content)
            if isinstance(current, random.Random):
                current.setstate(values)
                return current
            return values
        return self._plain(kind, content, current)

    def _plain(self, kind: str, content: Any, current: object) -> Any:
        if kind in ("bytes", "packed"):
            data = bytes.fromhex(content) if kind == "bytes" else zlib.decompress(base64.b64decode(content))
            return bytearray(data) if isinstance(current, bytearray) else data
        if kind == "set":
            return {self.decode(each, None) for each in content}
        if kind == "map":
            return {self.decode(key, None): self.decode(each, None) for key, each in content}
        if kind == "chain":
            identifier, readable, writable, count = content
            readable, writable = self.decode(readable, None), self.decode(writable, None)
            return Chain(self._memory, identifier, readable, writable, count=count)
        raise ValueError(f"a value of an unknown kind {kind!r}")

    def part(self, part: Any, state: State) -> None:
        """The attributes that a part names."""
        for name in part.STATE:
            setattr(part, name, self.decode(state[name], getattr(part, name)))

    def everything(self, state: State) -> None:
        """All of it, in the order in which one thing rests on another; then the device goes on."""
        function, device = self.function, self.device
        self.part(function.table, state["table"])
        self.interrupts(state["interrupts"])
        self.space(state["space"])
        self.registers(state["device"])
        self.model(state["model"])
        for queue, each in zip(device.queues, state["queues"], strict=True):
            self.queue(queue, each)
        self.behaviour(device.behaviour, state["behaviour"])
        function.interrupts.on_level(function.interrupts.pending)
        device.log.event("restored", f"{device.in_process} requests in process")

    def space(self, state: State) -> None:
        """Configuration space."""
        self.part(self.function.pci, state)
        self.function.pci.restored()

    def interrupts(self, state: State) -> None:
        """ISR."""
        self.part(self.function.interrupts, state)

    def registers(self, state: State) -> None:
        """What the common configuration shows of the device as a whole."""
        self.part(self.device, state)

    def model(self, state: State) -> None:
        """What the type has."""
        self.part(self.device.model, state)

    def queue(self, queue: DeviceQueue, state: State) -> None:
        """Registers of a queue, its ring, and what is in process."""
        self.part(queue, state)
        if state["ring"] is not None:
            queue.ring = queue.make_ring()
            self.ring(queue, state["ring"])
        queue.kept = self.decode(state["kept"], None)
        self.in_process(queue, state["in_process"])
        if state["again"]:
            queue.later()

    def ring(self, queue: DeviceQueue, state: State) -> None:
        """Where the device stands in the ring."""
        self.part(queue.ring, state)

    def in_process(self, queue: DeviceQueue, requests: list[State]) -> None:
        """The requests that were consumed and not used."""
        for each in requests:
            queue.resume(self.decode(each["chain"], None), each["left"], ready=each["ready"])

    def behaviour(self, behaviour: Behaviour, state: State) -> None:
        """Where it stands between running and suspended."""
        behaviour.restore(Phase(state["phase"]), state["left"])
