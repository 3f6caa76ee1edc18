"""Network traffic whose numbers and checksums prove that no buffer and, with an echoing peer, no frame was lost or doubled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from struct import Struct
from typing import ClassVar, Self
from zlib import crc32

from uvirtio.errors import DeviceTimeout, RequestFailed, WorkloadFailed
from uvirtio.spec.devices.net import CTRL_RX
from uvirtio.spec.features import Features
from uvirtio.spec.formats.net import ETHERNET_HEADER, MAC_LENGTH

from .net import Net
from .net_pair import Pair
from .workload import discard

__all__ = ["NetWorkload"]

#: EtherType for experiments on a local network (IEEE 802): no protocol of anybody's.
_ETHERTYPE = b"\x88\xb5"
#: Behind the Ethernet header: a magic, which run, frame number, length of the frame; random bytes and a CRC-32 follow.
_HEAD = Struct("<8sIQI")
_MAGIC = b"uvirtnet"
_CHECK = 4
_SHORTEST = 60
#: Frames in flight at once, over all pairs.
DEPTH = 64


class NetWorkload:
    """Frames to the device's own address, each numbered; sizes from 60 bytes to the longest; over all pairs in use, in turn.

    Other frames that come in are counted and left alone.
    """

    OPTIONS: ClassVar[frozenset[str]] = frozenset({"peer", "pairs"})

    def __init__(self, net: Net, *, echoed: bool, seed: int = 1) -> None:
        self._net = net
        self._random = Random(seed)
        self._run = Random().getrandbits(32)
        #: Whether every frame has to come back.
        self.echoed = echoed
        self._number = 0
        #: Numbers of the buffers that each pair's transmit queue has.
        self._flying: list[set[int]] = [set() for _ in net.pairs]
        self._turn = 0
        self._waited: set[int] = set()
        self._seen: set[int] = set()
        self.submitted = 0
        self.completed = 0
        self.returned = 0
        self.foreign = 0
        #: Frames that did not come back while the configuration, and so maybe the link, was seen to change.
        self.lost_lawfully = 0
        self._notified = net.device.notifications.config
        self._left: Callable[[], None] | None = None

    @classmethod
    def of(cls, driver: Net, *, peer: str | None = None, pairs: int | None = None) -> Self:
        """Over all pairs in use. ``peer``: ``echo`` where every frame comes back; None: what the bus knows.

        ``pairs``: see :meth:`Net.use_pairs`, which says what that raises. Raises :class:`DeviceTimeout` where frames of
        an earlier call do not come back.
        """
        driver.take_back()
        if pairs is not None:
            driver.use_pairs(pairs)
        return cls(driver, echoed=peer == "echo" if peer else driver.device.function.surroundings.echoes)

    @classmethod
    def harmless(cls, driver: Net) -> Self:
        """The same: frames are sent, and nothing is asked for."""
        return cls.of(driver)

    @property
    def outstanding(self) -> int:
        """Transmit buffers that the device has; receive buffers are owed nothing."""
        return sum(map(len, self._flying))

    @property
    def room(self) -> int:
        """Idle transmit buffers that fit into the queues of the pairs in use; as many as one pair has, over all of them."""
        free = sum(pair.sending.room for pair in self._net.pairs[: self._net.used])
        return max(0, min(free, DEPTH - self.outstanding))

    def submit(self, count: int | None = None) -> int:
        """Make frames available for transmission, over the pairs in turn; one index store for each."""
        count = self.room if count is None else min(count, self.room)
        pairs = self._net.pairs[: self._net.used]
        touched = set()
        for _ in range(count):
            number = self._next(pairs)
            self._number += 1
            self._flying[number].add(self._net.enqueue(self._frame(self._number), number))
            touched.add(number)
            if self.echoed:
                self._waited.add(self._number)
        for number in touched:
            pairs[number].sending.publish(notify=False)
        self.submitted += count
        return count

    def _next(self, pairs: Sequence[Pair]) -> int:
        """The next pair with room; there is one."""
        turns = ((self._turn + step) % len(pairs) for step in range(1, len(pairs) + 1))
        self._turn = next(turn for turn in turns if pairs[turn].sending.room)
        return self._turn

    def kick(self) -> None:
        """Notify the transmit queues, if the device wants it."""
        for pair in self._net.pairs[: self._net.used]:
            pair.sending.publish()

    def reap(self) -> int:
        """Take back transmit buffers, and look at what was received. Raises :class:`WorkloadFailed`, :class:`DeviceMisbehaved`."""
        if not self.echoed:
            discard(self._net.device)
        done = 0
        for pair, flying in zip(self._net.pairs, self._flying, strict=True):
            done += len(pair.sending.returned_of(flying))
        self.completed += done
        for frame in self._net.received():
            self._look_at(frame)
        return done

    def leave(self) -> int:
        """See :class:`~uvirtio_drivers.workload.Workload`: the control queue is told what goes without saying."""
        accepted = self._net.device.negotiated.accepted if self._net.device.negotiated else Features()
        if self._left is None and CTRL_RX in accepted:
            self._left = self._net.begin_all_multicast(False, notify=False)
        return int(self._left is not None)

    def visit(self) -> int:
        """See :class:`~uvirtio_drivers.workload.Workload`."""
        if not self.leave():
            return 0
        self._net.kick_control()
        finish, self._left = self._left, None
        assert finish is not None, "something was left"
        with suppress(RequestFailed):  # an answer as well, and not this one's business
            finish()
        return 1

    def verify(self) -> None:
        """Every buffer is back; with an echoing peer, wait until every frame is, too, unless the link went down meanwhile."""
        if self.outstanding:
            raise WorkloadFailed(
                f"{self.submitted} frames were submitted and {self.completed} buffers came back; {self.outstanding} are missing"
            )
        if not self.echoed:
            return

        def returned() -> bool:
            self.reap()
            return not self._waited

        try:
            self._net.device.wait_for(returned, doing="waiting for frames from the echoing peer")
        except DeviceTimeout as error:
            if self._net.device.notifications.config != self._notified or not self._net.link_up:
                # The link was down, or may have been: frames are lost lawfully then.
                self.lost_lawfully += len(self._waited)
                self._waited.clear()
                self._notified = self._net.device.notifications.config
                return
            few = ", ".join(map(str, sorted(self._waited)[:8]))
            raise WorkloadFailed(
                f"{len(self._waited)} of {self._number} frames did not come back from the echoing peer within {error.seconds:.3g} s: "
                f"numbers {few}{' ...' if len(self._waited) > 8 else ''}; {self.foreign} other frames were received"
            ) from error

    def close(self) -> None:
        """Give the driver's buffers back, once the device has been reset."""
        self._net.close()

    def proves(self) -> str:
        """One sentence."""
        over = f" over {self._net.used} queue pairs" if self._net.used > 1 else ""
        if self._net.refused:
            over += f"; more queue pairs were not used: {self._net.refused}"
        if self.echoed:
            return (
                "every transmit buffer came back exactly once, and every frame returned from the echoing peer exactly once and "
                "undamaged" + over
            )
        return (
            "every transmit buffer came back exactly once; no peer that echoes is known here, so whether frames arrive, and "
            "reception, were not tested" + over
        )

    def _frame(self, number: int) -> bytes:
        # To ourselves: a peer may swap the addresses or leave them, and the device's filter lets it in either way.
        mac = self._net.mac
        size = self._random.choice((_SHORTEST, self._net.longest, self._random.randint(_SHORTEST, self._net.longest)))
        head = _HEAD.pack(_MAGIC, self._run, number, size)
        body = head + Random(number).randbytes(size - ETHERNET_HEADER - len(head) - _CHECK)
        return mac + mac + _ETHERTYPE + body + crc32(body).to_bytes(_CHECK, "little")

    def _look_at(self, frame: bytes) -> None:
        body = frame[ETHERNET_HEADER:]
        if frame[2 * MAC_LENGTH : ETHERNET_HEADER] != _ETHERTYPE or len(body) < _HEAD.size + _CHECK:
            self.foreign += 1
            return
        magic, run, number, size = _HEAD.unpack_from(body)
        if magic != _MAGIC or run != self._run:
            self.foreign += 1
            return
        # A frame below 60 bytes cannot be ours, but a longer one may have been padded.
        body = body[: size - ETHERNET_HEADER]
        intact = crc32(body[:-_CHECK]) == int.from_bytes(body[-_CHECK:], "little")
        if not intact or len(body) != size - ETHERNET_HEADER or not 0 < number <= self._number:
            raise WorkloadFailed(
                f"a received frame of {len(frame)} bytes carries number {number} and length {size}, but its checksum does not "
                "fit: it was damaged"
            )
        if number in self._waited:
            self._waited.discard(number)
        elif self.echoed or number in self._seen:
            raise WorkloadFailed(f"frame {number} was received twice")
        if not self.echoed:
            self._seen.add(number)
        self.returned += 1
