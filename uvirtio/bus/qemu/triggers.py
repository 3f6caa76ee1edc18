"""What can be done to a device from QEMU's side: configuration changes, traffic, removal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature

from ...errors import CannotRun
from .. import Triggers
from ..away import time_away
from .command import BLOCK_NODE, DEVICE_ID, NETDEV_ID, VFIO_USER, Recipe
from .machine import Slot, route_interrupts
from .moving import migrate, pause, snapshot
from .process import QemuProcess
from .topology import slots

__all__ = ["QemuTriggers"]

#: The i440fx machine's ACPI hot-plug register "eject" (QEMU docs/specs/acpi_pci_hotplug): a bit for each device number.
_EJECT = 0xAE08
_REMOVAL = 5.0
#: Seconds that QEMU may take to accept what is sent to the device, and most of anything at once.
_PATIENCE = 5.0
_MOST = 4096

#: To everybody, from a locally administered address, EtherType "local experimental".
_FRAME = b"\xff" * 6 + bytes.fromhex("525400000001") + b"\x88\xb5" + b"uvirtio".ljust(46, b".")
_MIB = 1 << 20
#: What configuration space reads where there is no function.
_NOBODY = 0xFFFF_FFFF


class QemuTriggers:
    """See :class:`~uvirtio.bus.Triggers`. What is available depends on the device and on who holds its other end.

    ``change_config`` (net: the link goes down or up; blk: an image of ours grows or shrinks by 1 MiB; balloon: another
    target), ``set_link`` (``up``), ``resize`` (``size``, bytes), ``send_traffic`` (net: ``count`` frames of ``size`` bytes,
    or of ``data``; console: ``data``, ``count`` times; input: ``count`` key strokes), ``unplug``, ``replug`` (another like it comes instead); and those of a vfio-user server's control socket.
    Of the whole machine: ``reset``, ``pause``, ``snapshot`` (to a file, and restored in a new QEMU), ``migrate`` (to a new QEMU, through a socket),
    each with ``seconds`` that it is away.
    """

    def __init__(self, process: QemuProcess, recipe: Recipe, slot: Slot, server: Triggers | None = None) -> None:
        self._process = process
        self._recipe = recipe
        self._slot = slot
        self._server = server
        self._odd = False
        self._verbs: dict[str, Callable[..., None]] = {
            "pause": partial(_for_a_while, pause, process),
        }
        # Whoever is at the other end of a device's socket is no part of the machine, and stays where it is.
        if recipe.driver != VFIO_USER and recipe.movable:
            self._verbs |= {
                "snapshot": partial(_for_a_while, snapshot, process),
                "migrate": partial(_for_a_while, migrate, process),
            }
        kind = recipe.driver.removesuffix("-non-transitional").removesuffix("-transitional")
        if kind == "virtio-net-pci":
            self._verbs |= {"set_link": self._set_link, "change_config": self._toggle_link}
        elif kind == "virtio-blk-pci":
            self._verbs["resize"] = self._resize
            if recipe.own_image:
                self._size = self._image_size()
                self._verbs["change_config"] = self._toggle_size
        elif kind == "virtio-balloon-pci":
            self._verbs["change_config"] = self._toggle_balloon
        elif kind == "virtio-keyboard-pci":
            self._verbs["send_traffic"] = self._press_keys
        if recipe.peer is not None:
            self._verbs["send_traffic"] = self._send_frames if kind == "virtio-net-pci" else self._send_bytes
        # A vfio-user-pci device cannot be taken out: QEMU 11.1 fails an assertion over it.
        if recipe.driver and recipe.driver != VFIO_USER:
            self._verbs |= {"unplug": self._unplug, "replug": self._replug}
        if recipe.driver != VFIO_USER:
            self._verbs["reset"] = self._reset

    def available(self) -> frozenset[str]:
        """Names that :meth:`fire` knows here."""
        return frozenset(self._verbs) | (self._server.available() if self._server else frozenset())

    def fire(self, name: str, **arguments: object) -> None:
        """Do it. Raises :class:`CannotRun` for what is not available or has other arguments, or with QEMU's own words."""
        verb = self._verbs.get(name)
        if verb is not None:
            try:
                signature(verb).bind(**arguments)
            except TypeError as error:
                raise CannotRun(f"{name}: {error}; it is {name}{signature(verb)}") from error
            verb(**arguments)
        elif self._server is not None and name in self._server.available():
            self._server.fire(name, **arguments)
        else:
            known = ", ".join(sorted(self.available())) or "nothing"
            raise CannotRun(f"QEMU cannot be asked for {name!r} with this device; it can for {known}")

    def _set_link(self, up: object = True) -> None:
        if not isinstance(up, bool):
            raise CannotRun(f"set_link: up={up!r} is neither true nor false")
        self._process.qmp.execute("set_link", {"name": NETDEV_ID, "up": up})

    def _toggle_link(self) -> None:
        self._odd = not self._odd
        self._set_link(not self._odd)

    def _image_size(self) -> int:
        nodes = self._process.qmp.execute("query-named-block-nodes", {"flat": True})
        return next(int(node["image"]["virtual-size"]) for node in nodes if node["node-name"] == BLOCK_NODE)

    def _resize(self, size: object) -> None:
        if not isinstance(size, int):
            raise CannotRun(f"resize: size={size!r} is no number of bytes")
        self._process.qmp.execute("block_resize", {"node-name": BLOCK_NODE, "size": size})

    def _toggle_size(self) -> None:
        self._odd = not self._odd
        self._resize(self._size + self._odd * _MIB)

    def _toggle_balloon(self) -> None:
        now = int(self._process.qmp.execute("query-balloon")["actual"])
        self._odd = not self._odd
        self._process.qmp.execute("balloon", {"value": now - (8 if self._odd else 4) * _MIB})

    def _press_keys(self, count: object = 1) -> None:
        for _ in range(_number("count", count)):
            self._process.qmp.execute("send-key", {"keys": [{"type": "qcode", "data": "a"}], "hold-time": 1})

    def _send_frames(self, count: object = 1, size: object = len(_FRAME), data: object = None) -> None:
        frame = _FRAME.ljust(_number("size", size), b".")[: _number("size", size)] if data is None else _bytes(data)
        self._send(frame, _number("count", count))

    def _send_bytes(self, data: object = "uvirtio\n", count: object = 1) -> None:
        self._send(_bytes(data), _number("count", count))

    def _send(self, data: bytes, count: int) -> None:
        assert self._recipe.peer is not None
        self._recipe.peer.settimeout(_PATIENCE)
        try:
            for _ in range(count):
                self._recipe.peer.sendall(data)
        except OSError as error:
            raise CannotRun(f"QEMU does not take what is sent from the device's other end: {error}") from error

    def _unplug(self) -> None:
        """Ask for removal, and answer as the guest's ACPI would."""
        self._process.qmp.execute("device_del", {"id": DEVICE_ID})
        self._process.qtest.write_port(_EJECT, 4, 1 << self._slot.device)
        try:
            self._process.qmp.event("DEVICE_DELETED", _REMOVAL, device=DEVICE_ID)
        except TimeoutError as error:
            raise CannotRun(f"QEMU has not removed the device within {_REMOVAL:g} s") from error
        self._slot.empty = True

    def _replug(self) -> None:
        """Take the device out, and put one like it in its place, which nobody has set up."""
        self._unplug()
        if self._slot.config.u32[0] != _NOBODY:
            raise CannotRun("the device was removed, and its configuration space still answers")
        for device in self._recipe.devices:
            self._process.qmp.execute("device_add", device)
        self._slot.empty = False
        self._slot.set_up()

    def _reset(self) -> None:
        """Reset the whole machine, and set it up as its firmware would."""
        self._process.qmp.execute("system_reset")
        try:
            self._process.qmp.event("RESET", _REMOVAL)
        except TimeoutError as error:
            raise CannotRun(f"QEMU has not reset the machine within {_REMOVAL:g} s") from error
        route_interrupts(self._process.qtest, slots(self._process.qtest))
        self._slot.set_up()


def _for_a_while(move: Callable[[QemuProcess, float], None], process: QemuProcess, seconds: object = 0.0) -> None:
    move(process, time_away(seconds))


def _number(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _MOST:
        raise CannotRun(f"{name}={value!r} is no number from 1 to {_MOST}")
    return value


def _bytes(data: object) -> bytes:
    return data if isinstance(data, bytes) else str(data).encode()
