"""What a host does to a whole machine: pause it, save it to a file and restore it, migrate it to another QEMU.

The guest's memory is shared between all of them and is not copied, so that what stands in it stays as it was, and a move is fast.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from ...errors import CannotRun, UvirtioError
from ..qmp import Qmp
from .machine import watch_interrupts
from .process import QemuProcess

__all__ = ["migrate", "pause", "snapshot"]

#: Longest time for a move (s), and between two looks at it.
_MOVE, _NAP = 60.0, 0.005
#: From this QEMU on it writes a file by itself.
_WRITES_FILES = (8, 2, 0)
_CAPABILITIES = {"capabilities": [{"capability": "x-ignore-shared", "state": True}]}
_OVER = ("completed", "failed", "cancelled")


def pause(process: QemuProcess, seconds: float = 0.0) -> None:
    """Stop the machine, and have it go on after a while (s)."""
    process.qmp.execute("stop")
    try:
        time.sleep(seconds)
    finally:
        process.qmp.execute("cont")


def snapshot(process: QemuProcess, seconds: float = 0.0) -> None:
    """Save the machine to a file, end its QEMU, and restore it in a new one after a while (s).

    Raises :class:`CannotRun` with QEMU's words where it cannot be saved; the machine goes on then.
    """
    with TemporaryDirectory(prefix="uvirtio-") as folder:
        path = Path(folder, "state")
        writes = process.qmp.version >= _WRITES_FILES
        out, back = (f"file:{path}", f"file:{path}") if writes else (f"exec:cat > {path}", f"exec:cat {path}")
        _send(process.qmp, out)
        time.sleep(seconds)
        try:
            _receive(process, lambda successor: successor.qmp.execute("migrate-incoming", {"uri": back}))
        except UvirtioError:
            process.qmp.execute("cont")
            raise


def migrate(process: QemuProcess, seconds: float = 0.0) -> None:
    """Migrate the machine to a new QEMU through a socket, while it runs; ``seconds`` later it is the new one that counts.

    Raises :class:`CannotRun` with QEMU's words where it cannot be migrated; the machine goes on then.
    """
    with TemporaryDirectory(prefix="uvirtio-") as folder:
        uri = f"unix:{Path(folder, 'socket')}"

        def both(successor: QemuProcess) -> None:
            successor.qmp.execute("migrate-incoming", {"uri": uri})
            _send(process.qmp, uri)

        _receive(process, both)
    time.sleep(seconds)


def _send(qmp: Qmp, uri: str) -> None:
    """Have a machine leave. Where it cannot, it runs on."""
    qmp.execute("migrate-set-capabilities", _CAPABILITIES)
    qmp.execute("migrate", {"uri": uri})
    _until(qmp, "query-migrate", lambda answer: answer.get("status") in _OVER, "leave")
    answer = qmp.execute("query-migrate")
    if answer.get("status") != "completed":
        qmp.execute("cont")
        raise CannotRun(f"QEMU could not send the machine away: {answer.get('error-desc', answer.get('status'))}")


def _receive(process: QemuProcess, arrive: Callable[[QemuProcess], object]) -> None:
    """A new QEMU takes the place of the old one once the machine runs there."""
    successor = process.successor()
    try:
        successor.qmp.execute("migrate-set-capabilities", _CAPABILITIES)
        watch_interrupts(successor.qtest)
        arrive(successor)
        _until(successor.qmp, "query-status", lambda answer: bool(answer.get("running")), "arrive")
        process.become(successor)
    finally:
        successor.close()


def _until(qmp: Qmp, command: str, done: Callable[[dict[str, object]], bool], what: str) -> None:
    deadline = time.monotonic() + _MOVE
    while not done(answer := qmp.execute(command)):
        if time.monotonic() > deadline:
            raise CannotRun(f"the machine did not {what} within {_MOVE:g} s: {answer}")
        time.sleep(_NAP)
