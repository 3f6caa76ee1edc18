"""PCI functions of this machine, through sysfs and uio_pci_generic: found, taken, driven, given back.

Each name is imported when it is first asked for: who only looks at devices does without what takes them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_MODULES = {
    "binding": ("Bound", "Restored", "bind", "pending", "restore", "restore_all"),
    "discovery": ("PciFunction", "describe", "discover", "resolve"),
    "function": ("UioFunction", "open_uio"),
    "inuse": ("uses",),
    "sysfs": ("UIO_DRIVER", "Sysfs"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
