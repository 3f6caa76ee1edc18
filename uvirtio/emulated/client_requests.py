"""What the requests of a vfio-user client have to be like, and the answer to one that is not: an error number."""

from __future__ import annotations

import errno
import struct

from ..errors import DeviceMisbehaved
from ..vfio_user import wire
from ..vfio_user.channel import Message
from ..vfio_user.wire import IrqSet

__all__ = ["Refused", "check_irqs", "fields"]

_DATA = IrqSet.DATA_NONE | IrqSet.DATA_BOOL | IrqSet.DATA_EVENTFD
_ACTION = IrqSet.MASK | IrqSet.UNMASK | IrqSet.TRIGGER


class Refused(Exception):
    """A command that is answered with an error number; the session goes on."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(why)
        self.number = number


def fields(layout: struct.Struct, message: Message, what: str) -> tuple[int, ...]:
    """The fields of a request. Raises :class:`Refused` when it is too short, or leaves no room for the answer (``argsz``)."""
    try:
        found = wire.unpack(layout, message.payload, what)
    except DeviceMisbehaved as error:
        raise Refused(errno.EINVAL, str(error)) from error
    if layout is not wire.ACCESS and found[0] < layout.size:
        raise Refused(errno.EINVAL, f"{what} with argsz {found[0]} instead of {layout.size}")
    return found


def check_irqs(request: wire.SetIrqs, available: int, message: Message) -> None:
    """Whether SET_IRQS asks for one thing, of interrupts that there are. Raises :class:`Refused`."""
    data, action = IrqSet(request.flags) & _DATA, IrqSet(request.flags) & _ACTION
    what = f"SET_IRQS with flags {request.flags:#x} for {request.total} of type {request.kind} from {request.start}"
    bools = len(message.payload) - wire.SET_IRQS.size
    wrong = {
        "one kind of data and one action are needed": len(data) != 1
        or len(action) != 1
        or bool(request.flags & ~int(_DATA | _ACTION)),
        f"there are {available}": request.start + request.total > available,
        "without interrupts it can only switch all off": not request.total
        and (request.start != 0 or (data, action) != (IrqSet.DATA_NONE, IrqSet.TRIGGER)),
        f"{bools} bytes of data came along": data == IrqSet.DATA_BOOL and bools != request.total,
        f"{len(message.fds)} descriptors came along": bool(message.fds)
        and (data != IrqSet.DATA_EVENTFD or len(message.fds) != request.total),
    }
    for why, broken in wrong.items():
        if broken:
            raise Refused(errno.EINVAL, f"{what}: {why}")
