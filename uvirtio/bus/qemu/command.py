"""From a locator to the QEMU command line of one device, with what stands behind the device.

``qemu:TYPE`` names one of :data:`TYPES`; ``qemu:NAME`` any device that QEMU knows by that name; ``qemu:-device ...``
gives QEMU's own options. What is not a parameter of ours becomes a property of the device.
"""

from __future__ import annotations

import json
import os
import re
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from ...access.sealed import sealed_file
from ...errors import CannotRun, LocatorError, NoSuchDevice
from ..child import memory_file
from ..locator import GRAMMAR, Locator
from .machine import FIRMWARE, LOW_MEMORY, MEMORY
from .words import MachineOptions, split

__all__ = [
    "BLOCK_NODE", "CHARDEV_ID", "COMMON", "DEVICE_ID", "NETDEV_ID", "VFIO_USER", "Recipe", "add_device", "make_recipe",
]  # fmt: skip

#: Our short names, and QEMU's devices behind them.
TYPES = {
    "balloon": "virtio-balloon-pci",
    "blk": "virtio-blk-pci",
    "console": "virtio-serial-pci",
    "input": "virtio-keyboard-pci",
    "net": "virtio-net-pci",
    "rng": "virtio-rng-pci",
}
#: Parameters that are ours on every ``qemu:`` locator: the binary, more options for it, the machine, the device, the transport.
COMMON = ("qemu", "args", "machine", "device", "legacy")

DEVICE_ID, NETDEV_ID, BLOCK_NODE, CHARDEV_ID = "uvirtio-device", "uvirtio-net", "uvirtio-blk", "uvirtio-chr"

VFIO_USER = "vfio-user-pci"
_DEVICE_NAME = re.compile(r"[a-zA-Z][\w.+-]*")
_SIZE = re.compile(r"(\d+)([kKmMgG]?)")
_MACHINES = ("pc", "q35")
#: Size of the image that a block device gets when none is given, in bytes.
_IMAGE_SIZE = 64 << 20


@dataclass(slots=True)
class Recipe:
    """What to start, and what this process holds of it.

    ``descriptors`` are handed to QEMU and closed here afterwards; ``memory`` (guest RAM) and ``peer`` (the other end
    of a network or console device, None where somebody else is that end) stay.
    """

    arguments: list[str] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    memory: int = -1
    memory_size: int = MEMORY
    peer: socket.socket | None = None
    #: QEMU's name of the device, empty for options given raw.
    driver: str = ""
    #: The image was made for this run: it may be resized.
    own_image: bool = False
    #: Everything of the device is in QEMU, so that the machine can go on in another one.
    movable: bool = True
    #: The devices that the locator names, by QEMU's driver and properties, those behind them after them.
    devices: list[dict[str, object]] = field(default_factory=list)
    #: A workload may overwrite the image: it was made for this run, or is a file (and no disk of the host) that was named.
    disposable: bool = False
    #: Control socket of the vfio-user server behind the device.
    control: str | None = None

    def close(self) -> None:
        """Close what this process holds; idempotent."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors.clear()
        if self.memory >= 0:
            os.close(self.memory)
            self.memory = -1
        if self.peer is not None:
            self.peer.close()

    def hand_over(self, connection: socket.socket) -> int:
        """The number under which QEMU has a socket of ours; it is no longer ours then."""
        number = connection.detach()
        self.descriptors.append(number)
        return number

    def give(self, descriptor: int) -> str:
        """A path under which QEMU opens a descriptor of ours."""
        self.descriptors.append(descriptor)
        return f"/proc/self/fd/{descriptor}"


def make_recipe(locator: Locator, device: Callable[[Recipe, Locator], None] | None = None) -> Recipe:
    """The recipe for a locator; ``device`` adds what the locator names, where it is none of QEMU's. Raises :class:`LocatorError`."""
    recipe = Recipe()
    try:
        machine = MachineOptions()
        try:
            more = machine.take(split(locator.parameters.get("args", "")))
            raw = machine.take(split(locator.target)) if device is None and locator.target.startswith("-") else []
        except LocatorError as error:
            raise LocatorError(f"{locator}: {error}") from error
        _machine(recipe, locator, machine)
        # What the device is attached to has to be there before it; everything else may name the device.
        before, behind = (more, []) if "bus" in locator.parameters else ([], more)
        recipe.arguments += before
        if device is not None:
            device(recipe, locator)
        elif raw:
            locator.check_parameters(*COMMON)
            recipe.arguments += raw
        else:
            _device(recipe, locator)
        recipe.arguments += behind
    except BaseException:
        recipe.close()
        raise
    return recipe


def _machine(recipe: Recipe, locator: Locator, said: MachineOptions) -> None:
    """A machine of which the driver shares the memory; ``said``: what QEMU's own options ask of it."""
    machine = said.machine or locator.parameters.get("machine", "pc")
    if re.split("[-,]", machine)[0] not in _MACHINES:
        raise LocatorError(f"{locator}: machine={machine} is not possible; choose {' or '.join(_MACHINES)}")
    size = recipe.memory_size = said.memory or MEMORY
    if size < 2 * LOW_MEMORY or size % (1 << 20):
        raise LocatorError(f"{locator}: -m {size >> 20}M is not possible; at least {2 * LOW_MEMORY >> 20}M is needed")
    recipe.memory = sealed_file("uvirtio-guest-memory", size)
    memory = f"memory-backend-file,id=uvirtio-ram,size={size},share=on,mem-path={recipe.give(os.dup(recipe.memory))}"
    # The halted vCPU of TCG keeps the machine "running"; a QEMU without TCG has qtest in its place.
    accelerators = said.accelerators + [each for each in ("tcg", "qtest") if each not in said.accelerators]
    recipe.arguments += [
        "-no-user-config", "-nodefaults", "-display", "none",
        "-machine", f"{machine},max-ram-below-4g={LOW_MEMORY},memory-backend=uvirtio-ram",
        *(word for name in accelerators for word in ("-accel", name)),
        "-m", f"{size >> 20}M",
        "-object", memory,
        "-bios", recipe.give(memory_file("uvirtio-firmware", FIRMWARE)),
    ]  # fmt: skip


def _device(recipe: Recipe, locator: Locator) -> None:
    recipe.driver = TYPES.get(locator.target, locator.target)
    if not _DEVICE_NAME.fullmatch(recipe.driver):
        raise LocatorError(
            f"{locator}: {locator.target!r} is neither a type ({', '.join(TYPES)}), nor the name of a QEMU device, "
            f"nor QEMU's own options (-device ...)\n{GRAMMAR}"
        )
    own, build = _BACKENDS.get(recipe.driver, ((), _no_backend))
    properties = {name: value for name, value in locator.parameters.items() if name not in (*COMMON, *own)}
    build(recipe, locator, properties)


def add_device(recipe: Recipe, driver: str, properties: dict[str, str]) -> None:
    """A device with these properties."""
    words = [driver, *(f"{name}={value.replace(',', ',,')}" for name, value in properties.items())]
    recipe.arguments += ["-device", ",".join(words)]
    recipe.devices.append({"driver": driver} | {name: _typed(value) for name, value in properties.items()})


def _no_backend(recipe: Recipe, locator: Locator, properties: dict[str, str]) -> None:
    add_device(recipe, recipe.driver, {"id": DEVICE_ID} | properties)


def _blk(recipe: Recipe, locator: Locator, properties: dict[str, str]) -> None:
    """``image=PATH`` (else one in memory of ``size=`` bytes, K, M or G), ``format=raw``."""
    image = locator.parameters.get("image")
    if image is None:
        size = _bytes(locator, locator.parameters.get("size", str(_IMAGE_SIZE)))
        path = recipe.give(memory_file("uvirtio-image", size=size))
        recipe.own_image = recipe.disposable = True
    elif "size" in locator.parameters:
        raise LocatorError(f"{locator}: the size of image={image} is what it is; leave size= out")
    else:
        path = os.path.abspath(os.path.expanduser(image))
        recipe.disposable = os.path.isfile(path)
        if os.path.exists(path) and not recipe.disposable and not stat.S_ISBLK(os.stat(path).st_mode):
            raise CannotRun(f"{locator}: the image {image} is neither a file nor a disk; name one")
    node = {
        "driver": locator.parameters.get("format", "raw"), "node-name": BLOCK_NODE, "discard": "unmap",
        "file": {"driver": "file", "filename": path, "discard": "unmap"},
    }  # fmt: skip
    recipe.arguments += ["-blockdev", json.dumps(node)]
    add_device(recipe, recipe.driver, {"id": DEVICE_ID, "drive": BLOCK_NODE} | properties)


def _bytes(locator: Locator, text: str) -> int:
    match = _SIZE.fullmatch(text)
    size = int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[match[2].lower()] if match else 0
    if size <= 0 or size % 512:
        raise LocatorError(f"{locator}: size={text} is not a positive multiple of 512 bytes (K, M and G may follow)")
    return size


def _net(recipe: Recipe, locator: Locator, properties: dict[str, str]) -> None:
    """``peer=``: absent, this process holds the other end; ``echo``, each frame comes back; else a stream socket's PATH.

    On a stream each frame follows its length, four bytes, big-endian.
    """
    peer = locator.parameters.get("peer")
    if peer is None:
        recipe.peer, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    elif peer == "echo":
        # A datagram socket that is connected to itself gives back what is sent into it.
        theirs = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        theirs.bind("")
        theirs.connect(theirs.getsockname())
    else:
        theirs = _connect(locator, peer)
    recipe.arguments += ["-netdev", f"socket,id={NETDEV_ID},fd={recipe.hand_over(theirs)}"]
    add_device(recipe, recipe.driver, {"id": DEVICE_ID, "netdev": NETDEV_ID} | properties)


def _console(recipe: Recipe, locator: Locator, properties: dict[str, str]) -> None:
    """Port 0, a console. ``peer=``: absent, this process holds the other end; ``echo``; else a listening socket's PATH."""
    peer = locator.parameters.get("peer")
    if peer == "echo":
        # A pipe opened for reading and writing gives back what is written into it.
        reading, writing = os.pipe()
        os.close(writing)
        backend = f"pipe,id={CHARDEV_ID},path={recipe.give(reading)}"
    else:
        if peer is None:
            recipe.peer, theirs = socket.socketpair()
        else:
            theirs = _connect(locator, peer)
        backend = f"socket,id={CHARDEV_ID},fd={recipe.hand_over(theirs)}"
    recipe.arguments += ["-chardev", backend]
    add_device(recipe, recipe.driver, {"id": DEVICE_ID} | properties)
    add_device(recipe, "virtconsole", {"bus": f"{DEVICE_ID}.0", "nr": "0", "chardev": CHARDEV_ID})


def _connect(locator: Locator, path: str) -> socket.socket:
    """Connected here: QEMU would go on without anybody at the other end, and lose what is sent there."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(os.path.expanduser(path))
    except OSError as error:
        connection.close()
        raise NoSuchDevice(f"{locator}: nobody listens at peer={path}: {error.strerror or error}") from error
    return connection


def _vfio_user(recipe: Recipe, locator: Locator, properties: dict[str, str]) -> None:
    """``socket=PATH`` of the server (needed), ``control=PATH`` of its control socket."""
    path = locator.parameters.get("socket")
    if path is None:
        raise LocatorError(f"{locator}: socket=PATH of the vfio-user server is missing")
    recipe.control = locator.parameters.get("control")
    device: dict[str, object] = {
        "driver": VFIO_USER, "id": DEVICE_ID, "socket": {"type": "unix", "path": os.path.abspath(path)},
    }  # fmt: skip
    # Its socket can only be given as JSON, where properties have types.
    recipe.arguments += ["-device", json.dumps(device | {name: _typed(value) for name, value in properties.items()})]


def _typed(text: str) -> object:
    if text in ("on", "true", "yes", "off", "false", "no"):
        return text in ("on", "true", "yes")
    return int(text, 0) if re.fullmatch(r"-?(?:0x[0-9a-fA-F]+|\d+)", text) else text


_Backend = Callable[[Recipe, Locator, dict[str, str]], None]
#: QEMU's device -> the parameters that are its backend's, and who builds it.
_BACKENDS: dict[str, tuple[tuple[str, ...], _Backend]] = {
    "virtio-blk-pci": (("image", "size", "format"), _blk),
    "virtio-net-pci": (("peer",), _net),
    "virtio-serial-pci": (("peer",), _console),
    VFIO_USER: (("socket", "control"), _vfio_user),
}
# Their relatives that are modern or transitional by name have the same backends.
for _base in ("virtio-blk-pci", "virtio-net-pci", "virtio-serial-pci"):
    for _suffix in ("-non-transitional", "-transitional"):
        _BACKENDS[_base + _suffix] = _BACKENDS[_base]
