"""What can be done to a device from QEMU's side: configuration changes, traffic, removal."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import CannotRun
from .. import Triggers
from .command import BLOCK_NODE, DEVICE_ID, NETDEV_ID, VFIO_USER, Recipe
from .machine import Slot
from .process import QemuProcess

__all__ = ["QemuTriggers"]

#: The i440fx machine's ACPI hot-plug register "eject" (QEMU docs/specs/acpi_pci_hotplug): a bit for each device number.
_EJECT = 0xAE08
_REMOVAL = 5.0

#: To everybody, from a locally administered address, EtherType "local experimental".
_FRAME = b"\xff" * 6 + bytes.fromhex("525400000001") + b"\x88\xb5" + b"uvirtio".ljust(46, b".")
_MIB = 1 << 20


class QemuTriggers:
    """See :class:`~uvirtio.bus.Triggers`. What is available depends on the device and on who holds its other end.

    ``change_config`` (net: the link goes down or up; blk: an image of ours grows or shrinks by 1 MiB; balloon: another
    target), ``set_link`` (``up``), ``resize`` (``size``, bytes), ``send_traffic`` (``data``, ``count``: frames or
    bytes from the peer; key presses), ``unplug``; and those of a vfio-user server's control socket.
    """

    def __init__(self, process: QemuProcess, recipe: Recipe, slot: Slot, server: Triggers | None = None) -> None:
        self._process = process
        self._qmp = process.qmp
        self._recipe = recipe
        self._slot = slot
        self._server = server
        self._odd = False
        self._verbs: dict[str, Callable[[dict[str, object]], None]] = {}
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
            self._verbs["unplug"] = self._unplug

    def available(self) -> frozenset[str]:
        """Names that :meth:`fire` knows here."""
        return frozenset(self._verbs) | (self._server.available() if self._server else frozenset())

    def fire(self, name: str, **arguments: object) -> None:
        """Do it. Raises :class:`CannotRun` for what is not available, or with QEMU's own words."""
        verb = self._verbs.get(name)
        if verb is not None:
            verb(arguments)
        elif self._server is not None and name in self._server.available():
            self._server.fire(name, **arguments)
        else:
            known = ", ".join(sorted(self.available())) or "nothing"
            raise CannotRun(f"QEMU cannot be asked for {name!r} with this device; it can for {known}")

    def _set_link(self, arguments: dict[str, object]) -> None:
        self._qmp.execute("set_link", {"name": NETDEV_ID, "up": bool(arguments.get("up", True))})

    def _toggle_link(self, _arguments: dict[str, object]) -> None:
        self._odd = not self._odd
        self._set_link({"up": not self._odd})

    def _image_size(self) -> int:
        nodes = self._qmp.execute("query-named-block-nodes", {"flat": True})
        return next(int(node["image"]["virtual-size"]) for node in nodes if node["node-name"] == BLOCK_NODE)

    def _resize(self, arguments: dict[str, object]) -> None:
        size = arguments.get("size")
        if not isinstance(size, int):
            raise CannotRun("resize needs size=BYTES")
        self._qmp.execute("block_resize", {"node-name": BLOCK_NODE, "size": size})

    def _toggle_size(self, _arguments: dict[str, object]) -> None:
        self._odd = not self._odd
        self._resize({"size": self._size + self._odd * _MIB})

    def _toggle_balloon(self, _arguments: dict[str, object]) -> None:
        now = int(self._qmp.execute("query-balloon")["actual"])
        self._odd = not self._odd
        self._qmp.execute("balloon", {"value": now - (8 if self._odd else 4) * _MIB})

    def _press_keys(self, arguments: dict[str, object]) -> None:
        for _ in range(_count(arguments)):
            self._qmp.execute("send-key", {"keys": [{"type": "qcode", "data": "a"}], "hold-time": 1})

    def _send_frames(self, arguments: dict[str, object]) -> None:
        assert self._recipe.peer is not None
        for _ in range(_count(arguments)):
            self._recipe.peer.send(_data(arguments, _FRAME))

    def _send_bytes(self, arguments: dict[str, object]) -> None:
        assert self._recipe.peer is not None
        for _ in range(_count(arguments)):
            self._recipe.peer.sendall(_data(arguments, b"uvirtio\n"))

    def _unplug(self, _arguments: dict[str, object]) -> None:
        """Ask for removal, and answer as the guest's ACPI would."""
        self._qmp.execute("device_del", {"id": DEVICE_ID})
        self._process.qtest.write_port(_EJECT, 4, 1 << self._slot.device)
        try:
            self._qmp.event("DEVICE_DELETED", _REMOVAL, device=DEVICE_ID)
        except TimeoutError as error:
            raise CannotRun(f"QEMU has not removed the device within {_REMOVAL:g} s") from error
        self._slot.empty = True


def _count(arguments: dict[str, object]) -> int:
    count = arguments.get("count", 1)
    return count if isinstance(count, int) else 1


def _data(arguments: dict[str, object], default: bytes) -> bytes:
    data = arguments.get("data", default)
    return data if isinstance(data, bytes) else str(data).encode()
