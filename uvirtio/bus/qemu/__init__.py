"""The ``qemu:`` bus: a virtio device of the user's own QEMU, without a guest, without root, without KVM.

``qemu:rng?disable-legacy=on`` starts ``qemu-system-x86_64`` with that device in a machine whose only processor is
halted, plays its firmware over qtest, and drives the device in memory shared with QEMU.

- Target: ``rng``, ``blk``, ``net``, ``console``, ``balloon``, ``input``; the name of any QEMU device
  (``qemu:virtio-blk-pci-non-transitional``, ``qemu:vfio-user-pci?socket=PATH``); or QEMU's own options
  (``qemu:-device virtio-rng-pci,disable-legacy=on``, the value may be JSON).
- ``qemu=PATH`` (else the environment variable UVIRTIO_QEMU, else PATH) names the binary, ``args=`` gives it more
  options, ``machine=q35`` another machine than ``pc``, ``legacy=on`` uses a transitional device's legacy interface.
- ``blk``: ``image=PATH``, ``format=``, or ``size=`` of an image in memory. ``net``, ``console``: ``peer=echo`` or
  ``peer=PATH`` of a listening socket. ``vfio-user-pci``: ``control=PATH``, the server's control socket.
- Every other parameter is a property of the device.
"""

from __future__ import annotations

from ..locator import Locator
from .command import make_recipe
from .function import QemuFunction
from .process import QemuProcess, find_qemu

__all__ = ["QemuFunction", "open_qemu"]

#: Longest time that QEMU may take for one register access, in seconds. Longer than vfio-user's own limit of 5.
_ACCESS = 15.0


def open_qemu(locator: Locator) -> QemuFunction:
    """Start QEMU and open its virtio function.

    Raises :class:`~uvirtio.errors.LocatorError`, :class:`~uvirtio.errors.NoSuchDevice` when there is no QEMU or no
    virtio function in it, :class:`~uvirtio.errors.CannotRun` with QEMU's own words when it does not start.
    """
    locator.flag("legacy")
    binary = find_qemu(locator.parameters.get("qemu"))
    recipe = make_recipe(locator)
    try:
        process = QemuProcess(binary, recipe.arguments, recipe.descriptors, _ACCESS)
    except BaseException:
        recipe.close()
        raise
    try:
        return QemuFunction(locator, process, recipe)
    except BaseException:
        process.close()
        recipe.close()
        raise
