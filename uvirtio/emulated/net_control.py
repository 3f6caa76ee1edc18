"""Commands of the control queue of the network device (virtio 1.4, 5.1.6.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..spec.devices import net as bits
from ..spec.formats.net import (
    ACK_ERR,
    ACK_OK,
    COMMAND,
    MAC_LENGTH,
    PAIRS_SET,
    CommandClass,
    MacCommand,
    MqCommand,
    RxCommand,
)
from .memory import DriverFault
from .ring import Chain

if TYPE_CHECKING:
    from .net import Net

__all__ = ["command"]


def command(net: Net, chain: Chain, longest: int) -> int:
    """Do what the driver asks for in at most so many bytes; the ack. Raises :class:`DriverFault` where it asks for nothing."""
    if not COMMAND.size <= chain.readable_size <= longest or chain.writable_size < 1:
        raise DriverFault("a control command without class and command, or without a place for its ack (5.1.6.5)")
    kind, which = COMMAND.unpack(chain.read(0, COMMAND.size))
    data = chain.read(COMMAND.size)
    net.device.log.event("control command", f"class {kind}, command {which}, {len(data)} bytes")
    if kind == CommandClass.RX:
        return ACK_OK if which <= RxCommand.ALLMULTI and len(data) == 1 else ACK_ERR
    if kind == CommandClass.MAC and which == MacCommand.TABLE_SET:
        return ACK_OK
    if kind == CommandClass.MAC and which == MacCommand.ADDR_SET and len(data) == MAC_LENGTH:
        net.set_mac(data)
        return ACK_OK
    if kind == CommandClass.MQ and which == MqCommand.VQ_PAIRS_SET and net.device.negotiated(bits.MQ):
        return _use(net, data)
    return ACK_ERR


def _use(net: Net, data: bytes) -> int:
    """The driver may not ask for no pair, nor for more than there are."""
    if len(data) != PAIRS_SET.size:
        return ACK_ERR
    (pairs,) = PAIRS_SET.unpack(data)
    if not 1 <= pairs <= net.pairs:
        return ACK_ERR
    net.use(pairs)
    return ACK_OK
