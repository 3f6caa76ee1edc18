"""What stands behind a device, as far as its bus tells: whether storage may be overwritten, whether a peer echoes."""

from __future__ import annotations

from uvirtio.bus import Function
from uvirtio.bus.locator import parse

__all__ = ["disposable", "echoes"]

#: Buses whose locators say what the peer is, and what it is where they do not.
_PEERS = {"emulated": "echo", "qemu": ""}


def disposable(function: Function) -> bool:
    """Whether the contents behind a function may be overwritten: a bus says so by an attribute ``disposable``.

    It is True only where the storage was made for this run or named as an image to be used up. Everything else is somebody's
    disk.
    """
    return bool(getattr(function, "disposable", False))


def echoes(function: Function) -> bool:
    """Whether what a network or console device sends comes back, every byte and in order: ``peer=echo`` in the locator.

    It is what emulated devices do without being told. A bus can say it by an attribute ``echoes``, too.
    """
    said = getattr(function, "echoes", None)
    if said is not None:
        return bool(said)
    if function.bus not in _PEERS:
        return False
    return parse(function.locator).parameters.get("peer", _PEERS[function.bus]) == "echo"
