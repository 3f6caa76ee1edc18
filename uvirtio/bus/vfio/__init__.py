"""The ``vfio:`` bus: PCI functions of this machine through vfio-pci, behind an IOMMU.

``vfio:0000:00:05.0`` takes the function for vfio-pci, with the same journal, lock and refusals as ``uio:``. Bus addresses
are the driver's to choose, interrupts come as eventfds, INTx or MSI-X. Parameters: ``legacy=on``, the legacy interface of a
transitional device; ``interface=auto|group|iommufd``, the way into VFIO.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import LocatorError
from ..locator import Locator

if TYPE_CHECKING:
    from ..uio.sysfs import Sysfs
    from .function import VfioFunction
    from .kernel import Kernel

__all__ = ["open_vfio"]


def open_vfio(
    locator: Locator | str,
    *,
    force: bool = False,
    sysfs: Sysfs | None = None,
    run: Path | None = None,
    kernel: Kernel | None = None,
) -> VfioFunction:
    """Open the function that a locator of this bus names, taking it from its driver for as long as it is open.

    A function that is on vfio-pci already is left there. Raises :class:`~uvirtio.errors.CannotRun` in its many forms (not
    root, no such device, busy, in use, no IOMMU, a group that is shared), and :class:`~uvirtio.errors.LocatorError`.
    """
    from ..uio.discovery import resolve
    from ..uio.lock import RUN
    from ..uio.sysfs import Sysfs
    from .entering import INTERFACES
    from .function import VfioFunction

    if isinstance(locator, str):
        locator = Locator("vfio", locator)
    locator.check_parameters("legacy", "interface")
    legacy, interface = locator.flag("legacy"), locator.parameters.get("interface", "auto")
    if locator.bus != "vfio":
        raise LocatorError(f"{locator} is not a device of the vfio: bus")
    if interface not in INTERFACES:
        raise LocatorError(f"{locator}: interface={interface} is none of {', '.join(INTERFACES)}")
    sysfs = sysfs or Sysfs()
    return VfioFunction(
        resolve(locator.target, sysfs),
        force=force,
        legacy=legacy,
        interface=interface,
        sysfs=sysfs,
        run=run or RUN,
        kernel=kernel,
    )
