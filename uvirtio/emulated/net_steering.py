"""Automatic receive steering (virtio 1.4, 5.1.6.5.6): frames of a flow go to the pair that the driver last sent it on."""

from __future__ import annotations

from collections.abc import Callable, Hashable

__all__ = ["Steering", "flow"]

#: Flows that are remembered; beyond that the one that was sent on longest ago is forgotten.
_FLOWS = 4096

_MACS = 12
_IPV4, _IPV6, _VLAN = b"\x08\x00", b"\x86\xdd", b"\x81\x00"
_IPV4_HEADER, _IPV6_HEADER = 20, 40
#: Protocols with two ports of 16 bits in front: TCP, UDP, SCTP.
_PORTS = frozenset({6, 17, 132})


class Steering:
    """Chooses the receive queue, by pair, counted from 0, of which the first so many are in use."""

    #: The flows are learned anew.
    STATE = ("_used", "_turn")

    def __init__(self) -> None:
        self._used = 1
        self._flows: dict[Hashable, int] = {}
        self._turn = 0

    def use(self, pairs: int) -> None:
        """Only these many pairs are used from now on; what was sent on others is forgotten."""
        self._used = pairs
        self._flows = {key: pair for key, pair in self._flows.items() if pair < pairs}

    def learn(self, frame: bytes, pair: int) -> None:
        """The driver sent this frame on a pair."""
        key = flow(frame)
        self._flows.pop(key, None)
        if pair < self._used:
            self._flows[key] = pair
            if len(self._flows) > _FLOWS:
                del self._flows[next(iter(self._flows))]

    def choose(self, frame: bytes, able: Callable[[int], bool]) -> int | None:
        """The pair for a frame that came in: its flow's, or for an unknown flow the next one.

        Where that is not ``able`` to take it, since its queue is being reset, another; None where none is.
        """
        pair = self._flows.get(flow(frame))
        if pair is None:
            pair = self._turn = (self._turn + 1) % self._used
        others = ((pair + step) % self._used for step in range(self._used))
        return next((other for other in others if able(other)), None)


def flow(frame: bytes) -> Hashable:
    """What frames of one flow have in common, in both directions: the two ends, by address and port, and the protocol."""
    at = _MACS
    while frame[at : at + 2] == _VLAN:
        at += 4
    kind, at = frame[at : at + 2], at + 2
    if kind == _IPV4 and len(frame) >= at + _IPV4_HEADER:
        protocol, ends = frame[at + 9], (frame[at + 12 : at + 16], frame[at + 16 : at + 20])
        # Only the first fragment of a packet has the ports: none of them is told by these.
        whole = not int.from_bytes(frame[at + 6 : at + 8], "big") & 0x3FFF
        at += 4 * (frame[at] & 0xF)
    elif kind == _IPV6 and len(frame) >= at + _IPV6_HEADER:
        protocol, ends, whole = frame[at + 6], (frame[at + 8 : at + 24], frame[at + 24 : at + 40]), True
        at += _IPV6_HEADER
    else:
        return kind, frozenset((frame[:6], frame[6:_MACS]))
    if whole and protocol in _PORTS:
        ends = ends[0] + frame[at : at + 2], ends[1] + frame[at + 2 : at + 4]
    return kind, protocol, frozenset(ends)
