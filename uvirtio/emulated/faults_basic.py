"""Faults of B statements: status, features, reset and the configuration of any device (2.1 to 2.5, 3.1, 4.1.4.3, 6.2)."""

from __future__ import annotations

from typing import Any

from ..spec.features import Feature
from ..spec.status import Status
from .behaviour import Behaviour
from .common import CommonConfig
from .device import VirtioDevice
from .queue import DeviceQueue

__all__ = ["FAULTS"]

#: What a device scribbles where it has nothing to write to any more.
_LATE = b"\x5a"
#: VIRTIO_NET_F_CTRL_VQ (5.1.3).
_CTRL_VQ = 17


class B1(VirtioDevice):
    """A network device that offers what is asked for through the control queue, and not that queue."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.offered &= ~(1 << _CTRL_VQ)


class B2(VirtioDevice):
    """Insists on indirect descriptors."""

    def features_acceptable(self) -> bool:
        """See :class:`VirtioDevice`."""
        return super().features_acceptable() and self.negotiated(Feature.INDIRECT_DESC)


class B3(VirtioDevice):
    """Takes whatever is accepted."""

    def features_acceptable(self) -> bool:
        """See :class:`VirtioDevice`."""
        return True


class B4(VirtioDevice):
    """Accepts a set of features twice, and no more, unless it has worked with it."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._times: dict[int, int] = {}

    def features_acceptable(self) -> bool:
        """See :class:`VirtioDevice`."""
        times = self._times[self.accepted] = self._times.get(self.accepted, 0) + 1
        if times > 2:
            self._times.clear()
        return super().features_acceptable() and times <= 2

    def start(self) -> None:
        """See :class:`VirtioDevice`."""
        if any(queue.enabled for queue in self.queues):
            self._times.clear()
        super().start()


class B5(Behaviour):
    """Takes no notice of the first reset that comes while requests are in process."""

    ignored = False

    def reset_written(self) -> None:
        """See :class:`Behaviour`."""
        if self.device.in_process and not self.ignored:
            self.ignored = True
        else:
            super().reset_written()


class B6(VirtioDevice):
    """Writes to a buffer that was in process at the reset some time after it."""

    def reset(self) -> None:
        """See :class:`VirtioDevice`."""
        late = [place for queue in self.queues for request in queue.in_process for place in request.chain.writable]
        super().reset()
        if late:
            address = late[0][0]
            self.clock.call_at(self.clock.now() + 0.02, lambda: self.memory.write(address, _LATE))


class B6Used(VirtioDevice):
    """Uses the buffers that were in process at the reset some time after it, without a word to the driver."""

    def reset(self) -> None:
        """See :class:`VirtioDevice`."""
        late = [(queue.ring, request.chain) for queue in self.queues for request in queue.in_process]
        super().reset()

        def use() -> None:
            for ring, chain in late:
                if ring is not None:
                    ring.push(chain, 0, ())

        self.clock.call_at(self.clock.now() + 0.02, use)


class B7(VirtioDevice):
    """Shows its configuration once the features are known, and all-ones before."""

    def read_config(self, offset: int, width: int) -> int:
        """See :class:`VirtioDevice`."""
        value = super().read_config(offset, width)
        return value if self.status & Status.FEATURES_OK else (1 << 8 * width) - 1


class B8(CommonConfig):
    """Looks at the lowest bit of the selector only."""

    def _value(self, name: str) -> int:
        select = self._device.device_feature_select
        if name == "device_feature" and select > 1:
            return self._device.offered >> 32 * (select & 1) & 0xFFFF_FFFF
        return super()._value(name)


class B9(CommonConfig):
    """driver_feature cannot be read."""

    def _value(self, name: str) -> int:
        return 0 if name == "driver_feature" else super()._value(name)


class B10(CommonConfig):
    """queue_enable of a queue that has been enabled goes on reading 1 until the driver comes again."""

    def _queue_value(self, queue: DeviceQueue, name: str) -> int:
        value = super()._queue_value(queue, name)
        if name == "queue_enable" and not self._device.status:
            return 1
        return value


class B11(CommonConfig):
    """Counts its queues round."""

    def _queue(self) -> DeviceQueue | None:
        return self._device.queues[self._device.queue_select % len(self._device.queues)]


class B12(CommonConfig):
    """Has queues of 100 entries."""

    def _queue_value(self, queue: DeviceQueue, name: str) -> int:
        return 100 if name == "queue_size" else super()._queue_value(queue, name)


class B13(VirtioDevice):
    """Does not offer VERSION_1."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.offered &= ~(1 << Feature.VERSION_1)


class B14(VirtioDevice):
    """Gives the upper half of the capacity only to those who have just read the lower one."""

    _lower = False

    def read_config(self, offset: int, width: int) -> int:
        """See :class:`VirtioDevice`."""
        value = super().read_config(offset, width)
        if offset == 4 and not self._lower:
            value = 0xFFFF
        self._lower = offset == 0
        return value


#: Name -> what it changes.
FAULTS: dict[str, tuple[type, ...]] = {
    fault.__name__: (fault,) for fault in (B1, B2, B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13, B14)
} | {"B6-used": (B6Used,)}
