"""Guest-side userspace driver for virtio-PCI devices.

``uvirtio.open(LOCATOR)`` gives a device that is driven, suspended and judged by a word each. Below it the parts are imported by
name (``uvirtio.device``, ``uvirtio.suspend``, ``uvirtio.bus.opening`` …). Importing this is cheap: nothing is brought in
before it is used.
"""

# What type checkers take for true; the module `typing` costs more than all of this.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from uvirtio_tools.facade import OpenDevice
    from uvirtio_tools.facade import open_locator as open

__all__ = ["OpenDevice", "__version__", "open"]

__version__ = "0.1.0"

#: Names that are brought in as they are asked for, and what they are called where they are.
_LAZY = {"OpenDevice": "OpenDevice", "open": "open_locator"}


def __getattr__(name: str) -> "Any":
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("uvirtio_tools.facade"), _LAZY[name])
