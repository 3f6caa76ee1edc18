"""Device-specific configuration: single fields, and consistent pieces of it (virtio 1.4, 2.5)."""

from __future__ import annotations

from collections.abc import Iterator

from .access.clock import Clock
from .access.steady import read_steady
from .deviations import Deviations
from .errors import ConfigurationUnstable, SuspendedError
from .spec.devices import device_spec
from .status import Phase, StatusByte
from .transport import Transport

__all__ = ["Configuration"]


class Configuration:
    """The configuration of a device of one type. ``length``: bytes that there are."""

    def __init__(
        self,
        transport: Transport,
        device_type: int,
        status: StatusByte,
        clock: Clock,
        locator: str,
        deviations: Deviations,
        timeout: float,
    ) -> None:
        self._transport = transport
        self._fields = device_spec(device_type).fields
        self._status = status
        self._clock = clock
        self._locator = locator
        self._deviations = deviations
        #: How long a piece may go on changing until it is called unstable, in seconds.
        self.timeout = timeout

    @property
    def length(self) -> int:
        """Bytes of device-specific configuration."""
        return self._transport.config_length

    def read(self, offset: int, width: int) -> int:
        """A field of 1, 2, 4 or 8 bytes; eight bytes are two reads with a generation check."""
        if width == 8:
            return int.from_bytes(self.piece(offset, 8), "little")
        return self._transport.read_config(offset, width)

    def piece(self, offset: int = 0, length: int | None = None, *, what: str = "the configuration") -> bytes:
        """A consistent piece (2.5.1): read again while the generation moves.

        The legacy interface has no generation: there it is read until it reads the same twice (2.5.4). What is one
        access is consistent by itself. Raises :class:`ConfigurationUnstable`, about ``what``, when it never holds still.
        """
        length = self.length - offset if length is None else length
        transport = self._transport
        accesses = list(self._accesses(offset, length))

        def read() -> bytes:
            return b"".join(transport.read_config(at, width).to_bytes(width, "little") for at, width in accesses)

        if len(accesses) < 2:
            return read()
        generation = None if transport.kind == "legacy" else transport.generation
        data, steady = read_steady(read, generation, self._clock, self.timeout)
        if not steady:
            raise ConfigurationUnstable(
                f"{self._locator}: {what} kept changing for {self.timeout:g} s, so it could not be read as a whole; "
                f"the last reading is {data.hex()}"
            )
        return data

    def _accesses(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        """Accesses (offset, width) that read these bytes, each as wide as the field it falls into (4.1.3.1)."""
        end = offset + length
        while offset < end:
            field = next((field for field in self._fields if field.offset <= offset < field.offset + field.size), None)
            # 64-bit fields are two of 32 bits; between fields, and in a part of one, a byte at a time does no harm.
            width = min(field.width, 4) if field is not None else 1
            if offset % width or offset + width > end:
                width = 1
            yield offset, width
            offset += width

    def write(self, offset: int, width: int, value: int) -> None:
        """Write a field. Raises :class:`SuspendedError` while suspended (D5)."""
        if self._status.phase is Phase.SUSPENDED and not self._deviations.allow("D5"):
            raise SuspendedError(
                "the device is suspended: its configuration must not be written (D5; virtio 1.4, 3.4.1); resume it first"
            )
        self._transport.write_config(offset, width, value)
