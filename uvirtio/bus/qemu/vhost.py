"""The ``vhost-user:`` bus: a vhost-user backend, judged through a QEMU that is started for it.

``vhost-user:SOCKET?type=net`` connects QEMU's frontend for that type to the backend that listens at the socket. Registers,
status and reset are QEMU's then; the rings, and what stands in the buffers, the backend works on by itself.

- ``type=`` is one of :data:`FRONTENDS`. ``queues=N``: so many (request) queues, or pairs of a network device.
- ``backend=COMMAND`` is started first, and ended with the device; ``{socket}`` in it is the socket's path.
- ``peer=echo`` says that what is behind a network device sends every frame back.
- ``qemu=``, ``args=``, ``machine=`` and ``legacy=`` are those of ``qemu:``; every other parameter is a property of QEMU's device.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from typing import NamedTuple

from ...access.clock import Clock, RealClock
from ...access.wait import YES, poll
from ...errors import CannotRun, DeviceDied, DeviceGone, LocatorError, NoSuchDevice
from ...programs import find
from ..child import Child
from ..locator import GRAMMAR, Locator
from .command import CHARDEV_ID, COMMON, DEVICE_ID, NETDEV_ID, Recipe, add_device, make_recipe
from .function import QemuFunction
from .process import QemuProcess, find_qemu

__all__ = ["FRONTENDS", "open_vhost_user"]

#: Longest time until a backend of ours listens, that it may take to end, and for one register access, in seconds.
_START, _END, _ACCESS = 10.0, 2.0, 15.0
#: Flags of a listening socket in /proc/net/unix.
_ACCEPTS = "00010000"


class Frontend(NamedTuple):
    """QEMU's device for a type: its name, the property that says how many queues, and what it needs beside."""

    device: str
    queues: str = ""
    needs: tuple[tuple[str, str], ...] = ()


#: Our short names, and QEMU's frontends.
FRONTENDS = {
    "blk": Frontend("vhost-user-blk-pci", "num-queues"),
    "fs": Frontend("vhost-user-fs-pci", "num-request-queues", (("tag", "uvirtio"),)),
    "gpio": Frontend("vhost-user-gpio-pci"),
    "gpu": Frontend("vhost-user-gpu-pci"),
    "i2c": Frontend("vhost-user-i2c-pci"),
    "input": Frontend("vhost-user-input-pci"),
    "net": Frontend("virtio-net-pci"),
    "rng": Frontend("vhost-user-rng-pci"),
    "scsi": Frontend("vhost-user-scsi-pci", "num_queues"),
    "snd": Frontend("vhost-user-snd-pci"),
    "vsock": Frontend("vhost-user-vsock-pci"),
}
_OWN = ("type", "queues", "backend", "peer")


class VhostUserFunction(QemuFunction):
    """QEMU's frontend with a backend behind it. Takes over ``backend``, which is None where somebody else started it."""

    bus = "vhost-user"

    def __init__(self, locator: Locator, process: QemuProcess, recipe: Recipe, backend: Child | None) -> None:
        super().__init__(locator, process, recipe)
        self._backend = backend
        self._path = _path(locator)
        self.surroundings = replace(
            self.surroundings, frontend="QEMU", backend=f"the backend at {self._path}", death=self._death
        )

    def _death(self) -> DeviceGone | None:
        """Why the backend is not there any more: it failed by itself, or somebody ended it."""
        status = self._backend.wait(0.0) if self._backend is not None else None
        if status is None or self._backend is None:
            return None
        words = self._backend.words().strip()
        text = f"the backend {Child.how(status)}{f'; it said: {words[-400:]}' if words else ', without a word'}"
        return DeviceDied(text) if Child.by_itself(status) else DeviceGone(text)

    def facts(self) -> dict[str, str]:
        """What QEMU is, and what is behind it."""
        who = "somebody else's" if self._backend is None else f"process {self._backend.pid}, started for this"
        return {**super().facts(), "backend": f"{self._path} ({who})"}

    def close(self) -> None:
        """End QEMU, then the backend that was started for it; idempotent."""
        super().close()
        if self._backend is not None:
            self._backend.end(_END)
            self._backend.close()


def open_vhost_user(locator: Locator) -> VhostUserFunction:
    """Start the backend where one is named, and a QEMU with a frontend for it.

    Raises :class:`~uvirtio.errors.LocatorError`, :class:`~uvirtio.errors.NoSuchDevice` where nothing listens or there is no
    QEMU, :class:`~uvirtio.errors.CannotRun` with their own words where backend or QEMU do not start.
    """
    _frontend(locator)
    locator.flag("legacy")
    binary = find_qemu(locator.parameters.get("qemu"))
    path = _path(locator)
    backend = _start(locator, path) if "backend" in locator.parameters else None
    try:
        if not _listening(path):
            raise NoSuchDevice(
                f"{locator}: nobody listens at {path}; start the backend, or name it with backend=COMMAND"
            )
        return _connected(locator, binary, backend)
    except BaseException as error:
        if backend is None:
            raise
        status = backend.wait(_END if isinstance(error, CannotRun) else 0.0)
        words = backend.words().strip()
        backend.end(_END)
        backend.close()
        if isinstance(error, CannotRun) and status is not None:
            raise CannotRun(f"{error}\nthe backend {Child.how(status)}; it says:\n{words or '(nothing)'}") from error
        raise


def _connected(locator: Locator, binary: str, backend: Child | None) -> VhostUserFunction:
    recipe = make_recipe(locator, _add)
    try:
        process = QemuProcess(binary, recipe.arguments, recipe.descriptors, _ACCESS)
        try:
            return VhostUserFunction(locator, process, recipe, backend)
        except BaseException:
            process.close()
            raise
    except BaseException:
        recipe.close()
        raise


def _path(locator: Locator) -> str:
    return os.path.abspath(os.path.expanduser(locator.target))


def _frontend(locator: Locator) -> Frontend:
    kind = locator.parameters.get("type", "")
    if kind not in FRONTENDS:
        said = f"type={kind} is not possible" if kind else "type= is missing"
        raise LocatorError(f"{locator}: {said}; choose one of {', '.join(FRONTENDS)}\n{GRAMMAR}")
    queues, peer = locator.parameters.get("queues"), locator.parameters.get("peer", "echo")
    if queues is not None and not (queues.isdecimal() and 0 < int(queues) <= 1024):
        raise LocatorError(f"{locator}: queues={queues} is not possible; a number from 1 on")
    if queues is not None and kind != "net" and not FRONTENDS[kind].queues:
        raise LocatorError(f"{locator}: QEMU's frontend for {kind} has the queues that it has; leave queues= out")
    if peer != "echo" or ("peer" in locator.parameters and kind != "net"):
        raise LocatorError(f"{locator}: peer= is for type=net, and says echo where every frame comes back")
    return FRONTENDS[kind]


def _add(recipe: Recipe, locator: Locator) -> None:
    """QEMU's words for the frontend and its connection."""
    frontend, queues = _frontend(locator), locator.parameters.get("queues")
    recipe.driver = frontend.device
    recipe.movable = False
    path = _path(locator).replace(",", ",,")
    recipe.arguments += ["-chardev", f"socket,id={CHARDEV_ID},path={path}"]
    properties = {"id": DEVICE_ID}
    if locator.parameters["type"] == "net":
        pairs = f",queues={queues}" if queues else ""
        recipe.arguments += ["-netdev", f"vhost-user,id={NETDEV_ID},chardev={CHARDEV_ID}{pairs}"]
        properties["netdev"] = NETDEV_ID
        if queues and int(queues) > 1:
            properties |= {"mq": "on", "vectors": str(2 * int(queues) + 2)}
    else:
        properties["chardev"] = CHARDEV_ID
        if queues:
            properties[frontend.queues] = queues
    properties |= dict(frontend.needs)
    properties |= {name: value for name, value in locator.parameters.items() if name not in (*COMMON, *_OWN)}
    add_device(recipe, frontend.device, properties)


def _start(locator: Locator, path: str) -> Child:
    """The backend, once its socket is there. A socket that an earlier one has left does not count."""
    try:
        words = [word.replace("{socket}", path) for word in shlex.split(locator.parameters["backend"])]
    except ValueError as error:
        raise LocatorError(f"{locator}: backend= is no command: {error}") from error
    program = find(os.path.expanduser(words[0])) if words else None
    if program is None:
        raise NoSuchDevice(f"{locator}: the backend {words[0] if words else ''!r} is not an executable")
    if os.path.exists(path):
        raise CannotRun(f"{locator}: {path} is there already; end whoever has it, or remove it, or leave backend= out")
    child, clock = Child([program, *words[1:]], typed=True), RealClock()
    try:
        if not _listens(child, path, clock):
            status = child.wait(0.0)
            how = f"has not made its socket within {_START:g} s" if status is None else Child.how(status)
            raise CannotRun(f"{locator}: the backend {how}; it says:\n{child.words().strip() or '(nothing)'}")
    except BaseException:
        child.end(_END)
        child.close()
        raise
    return child


def _listens(child: Child, path: str, clock: Clock) -> bool:
    def settled() -> int:
        return int(_listening(path) or child.wait(0.0) is not None)

    poll(settled, YES, clock, _START)
    return _listening(path)


def _listening(path: str) -> bool:
    """Whether somebody listens at a socket. Asked without connecting: many backends serve one connection and end with it."""
    with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as sockets:
        rows = [line.rstrip("\n").split(maxsplit=7) for line in sockets]
    return any(len(row) == 8 and row[7] == path and row[3] == _ACCEPTS for row in rows)
