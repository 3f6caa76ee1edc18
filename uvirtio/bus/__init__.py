"""Where PCI functions come from. Each bus opens a locator and gives a :class:`Function`."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from ..access.clock import Clock
from ..access.dma import DmaMemory
from ..access.interrupt import InterruptLine
from ..access.view import Region

__all__ = ["Function", "Triggers"]


class Triggers(Protocol):
    """What the host side can be asked to do to a device, for checks.

    Each raises :class:`~uvirtio.errors.CannotRun` where this bus or this device cannot do it.
    """

    def available(self) -> frozenset[str]:
        """Names of what can be asked for: ``change_config``, ``send_traffic``, ``delay``, ``set_link`` …"""

    def fire(self, name: str, **arguments: object) -> None:
        """Ask for it; returns when the host side has done it (not when the device has told the driver)."""


class Function(Protocol):
    """One open PCI function. Closing it leaves device and machine as they were found.

    A function may also say, by attributes that count as False where they are missing: ``disposable``, that storage behind it
    was made for this run, so that workloads may overwrite it; and ``echoes``, that the peer of a network or console device
    sends everything back, once and in order.
    """

    #: The locator that opened it, in full form.
    locator: str
    #: One short word: ``uio``, ``emulated``, ``qemu``, ``vfio-user``.
    bus: str
    clock: Clock
    #: Configuration space: 8-, 16- and 32-bit views of 256 or 4096 bytes, aligned accesses only.
    config: Region
    dma: DmaMemory
    line: InterruptLine
    #: None where the host side cannot be asked for anything.
    triggers: Triggers | None

    def bar(self, number: int) -> Region:
        """The registers of a BAR, mapped on first use. Raises DeviceMisbehaved where there is no such BAR."""

    def facts(self) -> dict[str, str]:
        """What a report should say about where this device is: hypervisor, kernel, interrupt, memory …"""

    def close(self) -> None:
        """Undo what opening did; idempotent."""

    def __enter__(self) -> Function: ...

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
