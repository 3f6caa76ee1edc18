"""Commands of the control queue of the network device (virtio 1.4, 5.1.6.5)."""

from __future__ import annotations

from typing import Protocol

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
from .log import AccessLog
from .memory import DriverFault
from .ring import Chain

__all__ = ["Station", "command"]


class Station(Protocol):
    """What is commanded: the network device."""

    pairs: int

    def negotiated(self, bit: int) -> bool:
        """Whether the driver has accepted a feature."""

    def set_mac(self, address: bytes) -> None:
        """From now on the driver's station has this address (5.1.6.5.2)."""

    def use(self, pairs: int) -> None:
        """From now on so many pairs are used (5.1.6.5.6)."""


def command(station: Station, log: AccessLog, chain: Chain, longest: int) -> int:
    """Do what the driver asks for in at most so many bytes; the ack. Raises :class:`DriverFault` where it asks for nothing."""
    if not COMMAND.size <= chain.readable_size <= longest or chain.writable_size < 1:
        raise DriverFault("a control command without class and command, or without a place for its ack (5.1.6.5)")
    kind, which = COMMAND.unpack(chain.read(0, COMMAND.size))
    data = chain.read(COMMAND.size)
    log.event("control command", f"class {kind}, command {which}, {len(data)} bytes")
    if kind == CommandClass.RX:
        return ACK_OK if which <= RxCommand.ALLMULTI and len(data) == 1 else ACK_ERR
    if kind == CommandClass.MAC and which == MacCommand.TABLE_SET:
        return ACK_OK
    if kind == CommandClass.MAC and which == MacCommand.ADDR_SET and len(data) == MAC_LENGTH:
        station.set_mac(data)
        return ACK_OK
    if kind == CommandClass.MQ and which == MqCommand.VQ_PAIRS_SET and station.negotiated(bits.MQ):
        return _use(station, data)
    return ACK_ERR


def _use(station: Station, data: bytes) -> int:
    """The driver may not ask for no pair, nor for more than there are."""
    if len(data) != PAIRS_SET.size:
        return ACK_ERR
    (pairs,) = PAIRS_SET.unpack(data)
    if not 1 <= pairs <= station.pairs:
        return ACK_ERR
    station.use(pairs)
    return ACK_OK
