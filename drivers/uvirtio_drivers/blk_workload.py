"""Block traffic whose contents prove that each request was done once, in its place, and kept.

Every write carries its sector, a generation of its own and a checksum, so what is read back later says which write it
came from. Where nothing may be written, places are read again and again and have to stay the same.
"""

from __future__ import annotations

from random import Random
from typing import ClassVar, Self

from uvirtio.errors import CannotRun, UsageError, WorkloadFailed
from uvirtio.spec.devices.blk import FLUSH
from uvirtio.spec.formats.blk import SECTOR, RequestType

from .blk import Blk
from .blk_pattern import explain, fingerprint, make_pattern
from .blk_request import UNTOUCHED, Request
from .signature import find_signature

__all__ = ["BlkWorkload"]

#: Bytes of one place: at least this, at least one logical block.
_PLACE = 4096
#: Every so many requests one is a flush, where the device knows flushes; every so many a read back.
_FLUSH_EVERY, _READ_EVERY = 16, 3


class BlkWorkload:
    """Requests over all queues, no two of them in flight at the same place.

    ``sectors``: where to work; ``writing``: whether these may be written. ``depth`` requests at once, over ``places``
    blocks of at least 4096 bytes (smaller where the device is).
    """

    OPTIONS: ClassVar[frozenset[str]] = frozenset({"scratch"})

    def __init__(
        self,
        blk: Blk,
        sectors: range,
        *,
        writing: bool,
        why: str = "",
        depth: int = 16,
        places: int = 96,
        seed: int = 1,
    ) -> None:
        """Raises :class:`UsageError` or :class:`CannotRun` when not one logical block lies within ``sectors``."""
        self._blk = blk
        self._requests = blk.requests
        self._random = Random(seed)
        self.writing = writing
        self._why = why
        unit = blk.requests.limits.unit
        # The largest power of two times the logical block that fits a request, unless the range is too small for two.
        size = max(_PLACE, unit)
        while size > unit and (
            size > blk.requests.limits.request or (sectors.stop - sectors.start) * SECTOR < 2 * size
        ):
            size //= 2
        self._size = size
        self._places = self._choose(sectors, size // SECTOR, places)
        if not self._places:
            where = f"sectors {sectors.start} to {sectors.stop - 1}" if sectors else "no sectors"
            problem = f"there is not one whole block of {size} bytes in {where}"
            raise UsageError(f"scratch sectors: {problem}") if writing and sectors else CannotRun(problem)
        self._busy: set[int] = set()
        #: place -> (generation, fingerprint) that it has to read as.
        self._expected: dict[int, tuple[int, bytes]] = {}
        self._unchecked: set[int] = set()
        self._flying: dict[Request, tuple[int, int, bytes]] = {}
        dma = blk.device.dma
        self._idle = [Request(dma, size) for _ in range(min(depth, len(self._places)))]
        self._generation = 0
        self.submitted = 0
        self.completed = 0

    @classmethod
    def of(cls, driver: Blk, *, scratch: range | None = None) -> Self:
        """Traffic that writes only where that is allowed: in ``scratch`` (sectors), or anywhere on a disposable device.

        A disposable device that carries a partition table, a file system or the like is only read all the same.
        Raises :class:`PastTheEnd`, :class:`ReadOnly`, :class:`UsageError` for a scratch that cannot be used, and
        :class:`DeviceTimeout` where requests of an earlier call do not come back.
        """
        driver.take_back()
        if scratch is not None:
            if scratch.step != 1 or not scratch:
                raise UsageError("scratch sectors are a range of at least one sector, first to last")
            driver.check_sectors(scratch.start, (scratch.stop - scratch.start) * SECTOR, writing=True)
            return cls(driver, scratch, writing=True)
        why = "the device is somebody's disk: sectors that may be written have to be named (--scratch FIRST-LAST)"
        if driver.read_only:
            why = "the device is read-only"
        elif driver.device.function.surroundings.disposable:
            found = find_signature(driver.read, driver.capacity)
            if not found:
                return cls(driver, range(driver.capacity), writing=True)
            why = f"it carries {found}: sectors that may be written have to be named (--scratch FIRST-LAST)"
        return cls(driver, range(driver.capacity), writing=False, why=why)

    @classmethod
    def harmless(cls, driver: Blk) -> Self:
        """Traffic that only reads, made without a request."""
        return cls(driver, range(driver.capacity), writing=False, why="only reading was asked for")

    def _choose(self, sectors: range, step: int, count: int) -> list[int]:
        """First, last, and random places in between, each aligned to its size; as sector numbers."""
        first, last = -(-sectors.start // step), sectors.stop // step - 1
        if last < first:
            return []
        if last - first < count:
            return [number * step for number in range(first, last + 1)]
        chosen = {first, last}
        while len(chosen) < count:
            chosen.add(self._random.randint(first, last))
        return sorted(number * step for number in chosen)

    # -- the protocol of workloads -----------------------------------------------------------------------------

    @property
    def outstanding(self) -> int:
        """Requests that the device has and has not used."""
        return len(self._flying)

    @property
    def room(self) -> int:
        """Idle requests that fit into the queues."""
        return min(len(self._idle), self._requests.room(self._size))

    def submit(self, count: int | None = None) -> int:
        """Make requests available: writes, reads of what is known, flushes; or only reads."""
        count = self.room if count is None else min(count, self.room)
        made = 0
        while made < count and self._one():
            made += 1
        if made:
            self._requests.publish(notify=False)
        return made

    def kick(self) -> None:
        """Notify the queues that have something outstanding, if the device wants it."""
        self._requests.publish()

    def reap(self) -> int:
        """Take what is used, and check it. Raises :class:`WorkloadFailed`, :class:`RequestFailed`, :class:`DeviceMisbehaved`."""
        self._requests.reap()
        finished = [request for request in self._flying if request.done]
        for request in finished:
            place, generation, mark = self._flying.pop(request)
            self._busy.discard(place)
            self._idle.append(request)
            self.completed += 1
            if request.error is not None:
                raise request.error
            if request.kind == RequestType.IN:
                self._check(place, request.data)
            elif request.kind == RequestType.OUT:
                self._expected[place] = generation, mark
                self._unchecked.add(place)
        return len(finished)

    def leave(self) -> int:
        """See :class:`~uvirtio_drivers.workload.Workload`: there is no other queue that the device owes an answer on."""
        return 0

    def visit(self) -> int:
        """See :meth:`leave`."""
        return 0

    def verify(self) -> None:
        """Nothing is missing; then read back whatever was written or first read since the last time, and compare."""
        if self._flying or self.submitted != self.completed:
            raise WorkloadFailed(
                f"{self.submitted} requests were submitted and {self.completed} came back; {len(self._flying)} are missing"
            )
        todo = sorted(self._unchecked)

        def swept() -> bool:
            self.reap()
            while todo and self.room:
                self._read(todo.pop())
            self._requests.publish()
            return not todo and not self._flying

        self._blk.device.wait_for(swept, doing="reading back what the workload wrote")

    def proves(self) -> str:
        """One sentence."""
        if self.writing:
            return (
                f"every request came back exactly once, and what was written at {len(self._places)} places of {self._size} "
                "bytes read back undamaged, from its latest write"
            )
        return (
            f"every read came back exactly once, and {len(self._places)} places of {self._size} bytes read the same each time; "
            f"nothing was written ({self._why})"
        )

    def close(self) -> None:
        """Give the memory back. Only with nothing outstanding, or once the device has been reset."""
        for request in (*self._idle, *self._flying):
            request.release()
        self._idle.clear()
        self._flying.clear()

    # -- single requests ---------------------------------------------------------------------------------------

    def _one(self) -> bool:
        """Start one request; False when every place is busy."""
        number = self.submitted + 1
        accepted = self._blk.device.negotiated
        if self.writing and number % _FLUSH_EVERY == 0 and accepted and FLUSH in accepted.accepted:
            self._start(self._idle[-1].prepare(RequestType.FLUSH), -1, 0, b"")
            return True
        if self.writing and number % _READ_EVERY:
            free = [place for place in self._places if place not in self._busy]
            if free:
                self._write(self._random.choice(free))
            return bool(free)
        known = self._expected if self.writing else self._places
        free = [place for place in known if place not in self._busy]
        if free:
            self._read(self._random.choice(free))
        elif self.writing and (free := [place for place in self._places if place not in self._busy]):
            self._write(self._random.choice(free))
        return bool(free)

    def _write(self, place: int) -> None:
        self._generation += 1
        data = make_pattern(place, self._generation, self._size)
        self._start(self._idle[-1].prepare(RequestType.OUT, place, data), place, self._generation, fingerprint(data))

    def _read(self, place: int) -> None:
        request = self._idle[-1].prepare(RequestType.IN, place, length=self._size)
        self._start(request, place, 0, b"")

    def _start(self, request: Request, place: int, generation: int, mark: bytes) -> None:
        self._requests.submit(request)
        self._idle.pop()
        if place >= 0:
            self._busy.add(place)
        self._flying[request] = place, generation, mark
        self.submitted += 1

    def _check(self, place: int, data: bytes) -> None:
        found = fingerprint(data)
        if place not in self._expected:
            if data == bytes((UNTOUCHED,)) * len(data):
                raise WorkloadFailed(
                    f"sector {place}: the device said that it had read {len(data)} bytes but wrote none"
                )
            self._expected[place] = 0, found
            self._unchecked.add(place)
            return
        generation, expected = self._expected[place]
        if found != expected:
            raise WorkloadFailed(explain(place, generation, data, self.writing))
        self._unchecked.discard(place)
