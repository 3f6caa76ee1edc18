"""Where PCI functions come from. Each bus opens a locator and gives a :class:`Function`."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from ..access.clock import Clock
from ..access.dma import DmaMemory
from ..access.interrupt import InterruptLine
from ..access.view import Region
from ..errors import CannotRun, DeviceGone, DeviceMisbehaved

__all__ = ["Function", "Surroundings", "Triggers", "bar_length"]


class Triggers(Protocol):
    """What the host side can be asked to do to a device, for checks.

    Each raises :class:`~uvirtio.errors.CannotRun` where this bus or this device cannot do it.
    """

    def available(self) -> frozenset[str]:
        """Names of what can be asked for: ``change_config``, ``send_traffic``, ``delay``, ``set_link`` …"""

    def fire(self, name: str, **arguments: object) -> None:
        """Ask for it; returns when the host side has done it (not when the device has told the driver)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a bus knows of a function and its registers do not say.

    Where a wrong answer could do harm there is no default: a bus that forgot it would lift a guard in silence.
    """

    #: The legacy interface of a transitional device is to be driven (locators: ``legacy=on``).
    legacy: bool
    #: An IOMMU translates what the function puts on the bus, so that physical addresses would not arrive.
    translated: bool
    #: Bus addresses are those of an IOMMU alone, so that a device which goes past it would reach memory of others.
    mapped: bool
    #: The kernel has the table of MSI-X: its vectors come as events, and what the driver writes there breaks them.
    kernel_vectors: bool
    #: The storage behind it was made for this run, or named as an image to be used up: workloads may overwrite it.
    disposable: bool
    #: The peer of a network or console device sends everything back, once and in order.
    echoes: bool
    #: This process's end of a network device (datagrams, one frame each) or of a console (a stream); None without one.
    peer: socket.socket | None = None
    #: The times at which the device did something, by its own log and the function's clock; None where it keeps none for us.
    done_at: Callable[[str], Sequence[float]] | None = None
    #: Where registers and rings are two programs' work: whose the registers are, whose the rings; else empty.
    frontend: str = ""
    backend: str = ""
    #: Why whatever has the rings is not there any more, None while it is; None where that cannot be known.
    death: Callable[[], DeviceGone | None] | None = None


class Function(Protocol):
    """One open PCI function. Closing it leaves device and machine as they were found."""

    # Properties, so that a bus may give something more special: a simulated clock, an arena of huge pages.

    @property
    def locator(self) -> str:
        """The locator that opened it, in full form."""

    @property
    def bus(self) -> str:
        """One short word: ``uio``, ``vfio``, ``emulated``, ``qemu``, ``vfio-user``."""

    @property
    def clock(self) -> Clock:
        """The time that this bus lives in."""

    @property
    def config(self) -> Region:
        """Configuration space: 8-, 16- and 32-bit views of 256 or 4096 bytes, aligned accesses only."""

    @property
    def dma(self) -> DmaMemory:
        """Memory that the device reaches."""

    @property
    def line(self) -> InterruptLine:
        """The function's interrupt."""

    @property
    def triggers(self) -> Triggers | None:
        """None where the host side cannot be asked for anything."""

    @property
    def surroundings(self) -> Surroundings:
        """What the bus knows beyond the registers."""

    @property
    def notes(self) -> Sequence[str]:
        """Once it is closed: what could not be left as it was found, in sentences."""

    def bar(self, number: int) -> Region:
        """The registers of a BAR, mapped on first use. Raises DeviceMisbehaved where there is no such BAR."""

    def enable_bus_mastering(self) -> None:
        """Let the device reach memory. The driver asks for it once the device has been reset, and not before: what an
        earlier driver has left behind must not make the device write anywhere.
        """

    def open_vectors(self, count: int, *, events: bool) -> Sequence[InterruptLine]:
        """The driver is about to use the first ``count`` vectors of MSI-X: note what has to be given back.

        With ``events`` those are returned that the bus delivers as such, which may be fewer; none where it delivers none.
        Raises :class:`CannotRun`.
        """

    def close_vectors(self) -> None:
        """The driver has put table and message control back as they were, and uses no vectors any more."""

    def facts(self) -> dict[str, str]:
        """What a report should say about where this device is: hypervisor, kernel, interrupt, memory …"""

    def close(self) -> None:
        """Undo what opening did; idempotent."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def bar_length(function: Function, number: int) -> int | str | None:
    """The size of a BAR in bytes, None where there is none, a sentence where it cannot be reached."""
    try:
        return function.bar(number).length
    except DeviceMisbehaved:
        return None
    except CannotRun as error:
        return str(error)
