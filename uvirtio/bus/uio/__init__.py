"""PCI functions of this machine, through sysfs and uio_pci_generic: found, taken, driven, given back."""

from .binding import Bound, Restored, bind, pending, restore, restore_all
from .discovery import PciFunction, describe, discover, resolve
from .function import UioFunction, open_uio
from .inuse import uses
from .sysfs import UIO_DRIVER, Sysfs

__all__ = [
    "UIO_DRIVER",
    "Bound",
    "PciFunction",
    "Restored",
    "Sysfs",
    "UioFunction",
    "bind",
    "describe",
    "discover",
    "open_uio",
    "pending",
    "resolve",
    "restore",
    "restore_all",
    "uses",
]
