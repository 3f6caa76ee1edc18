"""The input device (virtio 1.4, 5.8): a small keyboard with a query window in its configuration."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import ClassVar

from ..errors import CannotRun
from ..spec.devices import Field
from ..spec.formats.input import ANSWER_LENGTH, DEVICE_IDS, EVENT, EventType, Select
from ..spec.ids import DeviceType
from .backlog import Backlog
from .memory import DriverFault
from .model import DeviceModel
from .queue import DeviceQueue
from .ring import Chain

__all__ = ["Input"]

_EVENTS, _STATUS = 0, 1
_NAME = b"uvirtio emulated keyboard"
_SERIAL = b"uvirtio-0"
_BUS_VIRTUAL = 6
#: Codes of the Linux input layer: the keys 1 to 0, Q to P, enter; Num Lock, Caps Lock and Scroll Lock lights.
_KEYS = (*range(2, 12), *range(16, 26), 28)
_LIGHTS = (0, 1, 2)
_KEY_A = 30
#: Bytes of memory for events that wait, and lights that are remembered.
_BACKLOG = 8 << 20
_LIGHTS_KEPT = 256


class Input(DeviceModel):
    """An event queue whose buffers wait for keys, and a status queue for the lights."""

    TYPE = DeviceType.INPUT
    STATE = ("config", "backlog")
    CLASS = 0x090000
    PARAMETERS: ClassVar[Mapping[str, str]] = {}
    queue_count = 2
    waiting = frozenset({_EVENTS})

    def __init__(self) -> None:
        super().__init__()
        self.backlog = Backlog(_BACKLOG)
        #: The newest lights that the driver switched.
        self.status: deque[tuple[int, int, int]] = deque(maxlen=_LIGHTS_KEPT)
        self._answers = {
            (Select.ID_NAME, 0): _NAME,
            (Select.ID_SERIAL, 0): _SERIAL,
            (Select.ID_DEVIDS, 0): DEVICE_IDS.pack(_BUS_VIRTUAL, 0x1AF4, 1, 1),
            (Select.EV_BITS, EventType.KEY): _bitmap((*_KEYS, _KEY_A)),
            (Select.EV_BITS, EventType.LED): _bitmap(_LIGHTS),
        }

    def config_written(self, field: Field) -> None:
        """See :class:`DeviceModel`: ``select`` and ``subsel`` ask, ``size`` and ``u`` answer (5.8.4)."""
        answer = self._answers.get((Select(self.get("select")), self.get("subsel")), b"") if self._known() else b""
        self.put("size", len(answer))
        self.put("u", int.from_bytes(answer.ljust(ANSWER_LENGTH, b"\0"), "little"))

    def _known(self) -> bool:
        return self.get("select") in set(Select)

    def serve(self, queue: DeviceQueue) -> None:
        """See :class:`DeviceModel`: an event a buffer."""
        while self.backlog and (chain := queue.take()) is not None:
            if chain.writable_size < EVENT.size:
                raise DriverFault(f"an event buffer of {chain.writable_size} bytes; an event has {EVENT.size} (5.8.6)")
            queue.finish(chain, chain.write(self.backlog.popleft()))

    def request(self, queue: DeviceQueue, chain: Chain) -> int:
        """See :class:`DeviceModel`: lights that the driver switches."""
        data = chain.read()
        if len(data) < EVENT.size:
            raise DriverFault(f"a status buffer of {len(data)} bytes; an event has {EVENT.size} (5.8.6)")
        self.status.append(EVENT.unpack_from(data))
        return 0

    def reset(self) -> None:
        """See :class:`DeviceModel`."""
        self.backlog.clear()
        self.status.clear()
        self.config[:] = bytes(len(self.config))

    def triggers(self) -> Mapping[str, Callable[..., object]]:
        """See :class:`DeviceModel`."""

        def send_traffic(count: object = 1, code: object = _KEY_A) -> None:
            if not isinstance(count, int) or not 0 < count <= 4096 or not isinstance(code, int) or not 0 <= code < 768:
                raise CannotRun(f"send_traffic: {count!r} strokes of key {code!r}; up to 4096, of a key below 768")
            if self.backlog.crowded:
                raise CannotRun(f"send_traffic: {len(self.backlog)} events wait already for the driver to take them")
            for _ in range(count):
                for pressed in (1, 0):
                    self.backlog.append(EVENT.pack(EventType.KEY, code, pressed))
                    self.backlog.append(EVENT.pack(EventType.SYN, 0, 0))
            with self.device.guarded():
                self.serve(self.device.queues[_EVENTS])

        return {"send_traffic": send_traffic}


def _bitmap(codes: tuple[int, ...]) -> bytes:
    mask = sum(1 << code for code in codes)
    return mask.to_bytes(-(-mask.bit_length() // 8), "little")
