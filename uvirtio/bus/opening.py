"""Opening the PCI function that a locator names, by the bus that it is on."""

from __future__ import annotations

from . import Function
from .locator import Locator, parse

__all__ = ["open_function"]


def open_function(text: str | Locator, *, force: bool = False) -> Function:
    """Open the PCI function that a locator names. Raises :class:`LocatorError` or :class:`CannotRun`.

    ``force`` takes a real device although something uses it.
    """
    locator = parse(text) if isinstance(text, str) else text
    # Each bus is imported only when it is used: some bring pyudev, periphery or a QEMU with them.
    if locator.bus == "emulated":
        from .emulated import open_emulated

        return open_emulated(locator)
    if locator.bus == "qemu":
        from .qemu import open_qemu

        return open_qemu(locator)
    if locator.bus == "vhost-user":
        from .qemu.vhost import open_vhost_user

        return open_vhost_user(locator)
    if locator.bus == "vfio-user":
        from .vfio_user import open_vfio_user

        return open_vfio_user(locator)
    if locator.bus == "vfio":
        from .vfio import open_vfio

        return open_vfio(locator, force=force)
    from .uio import open_uio

    return open_uio(locator, force=force)
