"""The block device (virtio 1.4, 5.2), on memory or on an image file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from ..errors import CannotRun, LocatorError
from ..spec.devices import Field
from ..spec.devices import blk as bits
from ..spec.formats.blk import HEADER, ID_LENGTH, SECTOR, SEGMENT, STATUS_SIZE, RequestStatus, RequestType
from ..spec.ids import DeviceType
from .memory import DriverFault
from .model import DeviceModel
from .parameters import flag, number, size
from .queue import DeviceQueue
from .ring import LONGEST, Chain
from .storage import FileStorage, MemoryStorage, Storage

__all__ = ["Blk"]

_DEFAULT_SIZE = 16 << 20
_SEG_MAX = 126
_LARGEST_BLOCK = 1 << 16
#: Bytes that one request reads, writes or clears: what takes longer is for several. They move in pieces.
_LONGEST = 1 << 26
_PIECE = LONGEST
_MAX_SEGMENTS = 16
_MAX_SECTORS = _LONGEST // _MAX_SEGMENTS // SECTOR
#: What a host grows a disk by when nothing else is said (sectors), or a whole block.
_GROWTH = 8


class _Failed(Exception):
    """A request that ends with a status other than OK."""

    def __init__(self, status: RequestStatus) -> None:
        super().__init__(status.name)
        self.status = status


class Blk(DeviceModel):
    """``queue_count`` request queues over one storage. ``serial`` is what GET_ID answers."""

    TYPE = DeviceType.BLK
    CLASS = 0x010000
    STATE: tuple[str, ...] = ("config", "storage")
    PARAMETERS: ClassVar[Mapping[str, str]] = {
        "size": "bytes of the disk in memory, like 16M (default)",
        "image": "a raw image file instead; an empty one is written to",
        "readonly": "on: the disk cannot be written",
        "serial": "what the device calls itself, at most 20 bytes",
        "queues": "request queues (default 1)",
        "block": "bytes of a logical block (default 512); requests for less are answered with IOERR",
    }

    def __init__(
        self,
        storage: Storage,
        *,
        readonly: bool = False,
        serial: str = "uvirtio-emulated",
        queues: int = 1,
        block: int = SECTOR,
    ):
        super().__init__()
        self.queue_count = queues
        self.features = (bits.SEG_MAX, bits.BLK_SIZE, bits.FLUSH, bits.TOPOLOGY, bits.CONFIG_WCE)
        self.features += (bits.RO,) if readonly else (bits.DISCARD, bits.WRITE_ZEROES)
        if queues > 1:
            self.features += (bits.MQ,)
        self.storage = storage
        self._readonly = readonly
        self._block = block
        self._serial = serial.encode()
        self.put("capacity", storage.size // SECTOR)
        self.put("seg_max", _SEG_MAX)
        self.put("blk_size", block)
        self.put("topology.min_io_size", 1)
        self.put("topology.opt_io_size", 8)
        self.put("writeback", 1)
        self.put("num_queues", queues)
        if not readonly:
            for kind in ("discard", "write_zeroes"):
                self.put(f"max_{kind}_sectors", _MAX_SECTORS)
                self.put(f"max_{kind}_seg", _MAX_SEGMENTS)
            self.put("discard_sector_alignment", 1)
            self.put("write_zeroes_may_unmap", 1)

    @classmethod
    def check(cls, parameters: Mapping[str, str]) -> None:
        """See :class:`DeviceModel`."""
        if size(parameters, "size", _DEFAULT_SIZE) % SECTOR:
            raise LocatorError(f"size={parameters['size']} is no multiple of {SECTOR}")
        if "image" in parameters and "size" in parameters:
            raise LocatorError("size and image exclude each other: the image has its size")
        if len(parameters.get("serial", "").encode()) > ID_LENGTH:
            raise LocatorError(f"serial={parameters['serial']} is longer than {ID_LENGTH} bytes")
        flag(parameters, "readonly", False)
        number(parameters, "queues", 1, 1, 64)
        block = number(parameters, "block", SECTOR, SECTOR, _LARGEST_BLOCK)
        if block & (block - 1) or size(parameters, "size", _DEFAULT_SIZE) % block:
            raise LocatorError(f"block={block} is no power of 2, or the size is no multiple of it")

    @classmethod
    def make(cls, parameters: Mapping[str, str]) -> Blk:
        """See :class:`DeviceModel`."""
        readonly = flag(parameters, "readonly", False)
        storage: Storage
        if "image" in parameters:
            storage = FileStorage(parameters["image"], writable=not readonly, sector=SECTOR)
        else:
            storage = MemoryStorage(size(parameters, "size", _DEFAULT_SIZE))
        serial = parameters.get("serial", "uvirtio-emulated")
        queues, block = (
            number(parameters, "queues", 1, 1, 64),
            number(parameters, "block", SECTOR, SECTOR, _LARGEST_BLOCK),
        )
        return cls(storage, readonly=readonly, serial=serial, queues=queues, block=block)

    # Requests (5.2.6)

    def request(self, queue: DeviceQueue, chain: Chain) -> int:
        """See :class:`DeviceModel`."""
        room = chain.writable_size - STATUS_SIZE
        if room < 0 or chain.readable_size < HEADER.size:
            raise DriverFault("a block request without a whole header, or without a place for its status (5.2.6)")
        kind, _, sector = HEADER.unpack(chain.read(0, HEADER.size))
        written = 0
        try:
            written = self._carry_out(kind, sector, chain, room)
            status = RequestStatus.OK
        except _Failed as failure:
            status = failure.status
        except OSError as error:
            self.device.log.event("storage failed", str(error))
            status = RequestStatus.IOERR
        chain.write(bytes((status,)), room)
        # Bytes in between that a failed read leaves unwritten make the length stop where the data does (2.7.8.2).
        return room + STATUS_SIZE if written == room else written

    def _carry_out(self, kind: int, sector: int, chain: Chain, room: int) -> int:
        """Do it, and return how many of the ``room`` bytes for data were written."""
        outgoing = chain.readable_size - HEADER.size
        if kind == RequestType.IN:
            self._range(sector, room)
            for at, length in _pieces(room):
                chain.write(self.storage.read(sector * SECTOR + at, length), at)
            return room
        if kind == RequestType.GET_ID:
            return chain.write(self._serial.ljust(ID_LENGTH, b"\0")[:room])
        if kind == RequestType.FLUSH and self.device.negotiated(bits.FLUSH):
            self.storage.flush()
        elif kind == RequestType.OUT:
            self._writable()
            self._range(sector, outgoing)
            for at, length in _pieces(outgoing):
                self.storage.write(sector * SECTOR + at, chain.read(HEADER.size + at, length))
        elif kind in (RequestType.DISCARD, RequestType.WRITE_ZEROES):
            self._clear(kind, chain.read(HEADER.size, min(outgoing, LONGEST)))
        else:
            raise _Failed(RequestStatus.UNSUPP)
        if kind != RequestType.FLUSH and not self.get("writeback"):
            self.storage.flush()
        return 0

    def _clear(self, kind: int, data: bytes) -> None:
        """Discard and write zeroes: here both leave zeros behind."""
        self._writable()
        if not self.device.negotiated(bits.DISCARD if kind == RequestType.DISCARD else bits.WRITE_ZEROES):
            raise _Failed(RequestStatus.UNSUPP)
        if not data or len(data) % SEGMENT.size or len(data) // SEGMENT.size > _MAX_SEGMENTS:
            raise _Failed(RequestStatus.IOERR)
        for sector, count, flags in SEGMENT.iter_unpack(data):
            if count > _MAX_SECTORS:
                raise _Failed(RequestStatus.IOERR)
            self._range(sector, count * SECTOR)
            # Discard knows no flags, write zeroes only the lowest (5.2.6.2).
            if flags & ~(0 if kind == RequestType.DISCARD else 1):
                raise _Failed(RequestStatus.UNSUPP)
            for at, length in _pieces(count * SECTOR):
                self.storage.write(sector * SECTOR + at, bytes(length))

    def _range(self, sector: int, length: int) -> None:
        if length % SECTOR or sector + length // SECTOR > self.get("capacity"):
            self.device.log.fault(
                "queue", "request", f"{length} bytes at sector {sector} are not on the disk (5.2.6.1)"
            )
            raise _Failed(RequestStatus.IOERR)
        if length > _LONGEST:
            self.device.log.event("request too long", f"{length} bytes; {_LONGEST} at most")
            raise _Failed(RequestStatus.IOERR)
        if length % self._block or sector * SECTOR % self._block:
            # Sectors stay lawful units of the protocol (5.2.5), but a medium with larger blocks need not take them.
            raise _Failed(RequestStatus.IOERR)

    def _writable(self) -> None:
        if self._readonly:
            raise _Failed(RequestStatus.IOERR)

    # Life and configuration

    def live(self) -> None:
        """See :class:`DeviceModel`: without FLUSH there must be no cache to flush (5.2.5.2)."""
        if not self.device.negotiated(bits.FLUSH):
            self.put("writeback", 0)

    def reset(self) -> None:
        """See :class:`DeviceModel`."""
        self.put("writeback", 1)

    def config_written(self, field: Field) -> None:
        """See :class:`DeviceModel`: a cache that is switched off is written out first."""
        self.put("writeback", self.get("writeback") & 1)
        if not self.get("writeback"):
            self.storage.flush()

    def change(self) -> Mapping[str, int]:
        """See :class:`DeviceModel`: the disk grows."""
        return {"capacity": self.get("capacity") + max(_GROWTH, self._block // SECTOR)}

    def disturb(self) -> Mapping[str, int]:
        """See :class:`DeviceModel`."""
        return {"topology.opt_io_size": (self.get("topology.opt_io_size") + 8) & 0xFFFF}

    def changed(self, names: frozenset[str]) -> None:
        """See :class:`DeviceModel`."""
        if "capacity" in names:
            self.storage.resize(self.get("capacity") * SECTOR)

    def triggers(self) -> Mapping[str, Callable[..., object]]:
        """See :class:`DeviceModel`."""

        def resize(sectors: object = None) -> None:
            if sectors is not None and (not isinstance(sectors, int) or not 0 < sectors < 1 << 40):
                raise CannotRun(f"resize: {sectors!r} is no number of sectors")
            self.device.change_config(self.change() if sectors is None else {"capacity": int(sectors)})

        return {"resize": resize}

    def close(self) -> None:
        """See :class:`DeviceModel`."""
        self.storage.close()


def _pieces(length: int) -> Iterator[tuple[int, int]]:
    """A length as pieces: where each begins, and its length."""
    return ((at, min(_PIECE, length - at)) for at in range(0, length, _PIECE))
