"""A QEMU process that serves one opened function: how it is found, started, watched and ended.

Nothing of it lies in the file system: memory, firmware and its error output are memory files, its sockets are
pairs, all handed over as file descriptors. So there is nothing to clean up, however either side ends.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Sequence

from ...errors import CannotRun, DeviceDied, DeviceHangs, LocatorError, NoSuchDevice, QemuDied, UvirtioError
from ...programs import find
from ..child import Child
from ..qmp import Qmp
from .qtest import Qtest

__all__ = ["BINARY", "ENVIRONMENT", "QemuProcess", "find_qemu"]

BINARY = "qemu-system-x86_64"
ENVIRONMENT = "UVIRTIO_QEMU"

#: Longest time from the start to the first answer, and for a voluntary end, in seconds.
_START, _END = 30.0, 5.0

#: States of a process that somebody has stopped (proc(5)), and how long is looked at whether one is busy (s).
_STOPPED, _SAMPLE = frozenset("Tt"), 0.1

#: Noise that is no reason for anything: consequences of how it is started here.
_NOISE = ("max-ram-below-4g", "max_ram_below_4g", "invalid accelerator qtest")

_NO_PROPERTY = re.compile(r"Property '[^']*' not found")


def find_qemu(wanted: str | None) -> str:
    """The path of the QEMU to use: ``wanted``, else ``$UVIRTIO_QEMU``, else from PATH. Raises :class:`NoSuchDevice`."""
    asked = wanted or os.environ.get(ENVIRONMENT) or BINARY
    found = find(os.path.expanduser(asked))
    if found is None:
        source = "qemu=" if wanted else f"{ENVIRONMENT}=" if os.environ.get(ENVIRONMENT) else ""
        raise NoSuchDevice(
            f"{source}{asked} is not an executable; install QEMU (Debian: qemu-system-x86) or name yours with "
            f"qemu=PATH or the environment variable {ENVIRONMENT}"
        )
    return found


class QemuProcess:
    """A running QEMU with a qtest and a QMP connection. It ends with :meth:`close`, and with this process in any case.

    ``descriptors`` are open in QEMU under the same numbers. Raises :class:`CannotRun` with QEMU's own words when it
    does not start.
    """

    def __init__(self, binary: str, arguments: Sequence[str], descriptors: Sequence[int], timeout: float) -> None:
        self.binary = binary
        self.arguments = list(arguments)
        self._descriptors = list(descriptors)
        self._timeout = timeout
        self._child: Child | None = None
        self._sockets: list[socket.socket] = []
        try:
            self._launch(descriptors, timeout)
        except BaseException:
            self.close()
            raise

    def _launch(self, descriptors: Sequence[int], timeout: float) -> None:
        qtest, its_qtest = self._pair()
        qmp, its_qmp = self._pair()
        command = [
            self.binary, *self.arguments,
            # QEMU 7.2 looks for a character device of this very name.
            "-chardev", f"socket,id=qtest,fd={its_qtest.fileno()}",
            "-qtest", "chardev:qtest", "-qtest-log", "/dev/null",
            "-chardev", f"socket,id=uvirtio-qmp,fd={its_qmp.fileno()}",
            "-qmp", "chardev:uvirtio-qmp",
        ]  # fmt: skip
        self._child = Child(command, [*descriptors, its_qtest.fileno(), its_qmp.fileno()])
        its_qtest.close()
        its_qmp.close()
        self.qtest = Qtest(qtest, self.obituary, timeout, self.silence)
        try:
            self.qmp = Qmp(qmp, _START)
        except QemuDied:
            if self._child.wait(1.0) is None:
                raise CannotRun(f"{self.binary} started, but has not answered within {_START:g} s") from None
            raise self._refusal() from None

    def successor(self) -> QemuProcess:
        """Another QEMU by the same command, which waits for a machine to come in. Raises as opening one does."""
        return QemuProcess(self.binary, [*self.arguments, "-incoming", "defer"], self._descriptors, self._timeout)

    def become(self, successor: QemuProcess) -> None:
        """The machine runs there now: end this QEMU, and be the other one from now on, which is nobody's any more."""
        if self._child is not None:
            self._child.kill()
            self._child.close()
        for connection in self._sockets:
            connection.close()
        self._child, successor._child = successor._child, None
        self._sockets, successor._sockets = successor._sockets, []
        self.qtest.become(successor.qtest)
        self.qmp = successor.qmp

    def _pair(self) -> tuple[socket.socket, socket.socket]:
        ours, its = socket.socketpair()
        self._sockets += [ours, its]
        return ours, its

    # -- its end -----------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """QEMU's process id."""
        assert self._child is not None
        return self._child.pid

    def last_words(self) -> str:
        """What QEMU has written to its standard error, without what its start here makes it say."""
        text = self._child.words() if self._child is not None else ""
        return "\n".join(line for line in text.splitlines() if line.strip() and not any(n in line for n in _NOISE))

    def _refusal(self) -> UvirtioError:
        words = self.last_words()
        text = f"{self.binary} does not start this device; it says:\n{words or '(nothing)'}"
        if "vfio-user-pci" in words and "not a valid device model" in words:
            done = subprocess.run(
                [self.binary, "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=_START
            )
            first = done.stdout.partition("\n")[0] or "this QEMU"
            text += f"\n{first} is too old: vfio-user-pci came with QEMU 10.1; name a newer one with qemu=PATH"
        # A property that the device does not have is the locator's mistake.
        return LocatorError(text) if _NO_PROPERTY.search(words) else CannotRun(text)

    def obituary(self) -> QemuDied | DeviceDied:
        """The error for a QEMU that is no longer there: how it ended, and its last words.

        A QEMU that aborts, crashes or exits with an error did so over the device; one that is told to end was not judged.
        """
        status = self._child.wait(1.0) if self._child is not None else None
        how = "closed its qtest socket" if status is None else Child.how(status)
        words = self.last_words()
        said = f"; it said:\n{words}" if words else ", without a word"
        if status is not None and Child.by_itself(status):
            return DeviceDied(f"QEMU died over the device: {self.binary} {how}{said}")
        return QemuDied(f"QEMU died: {self.binary} {how}{said}\nThis is no verdict on the device")

    def silence(self, words: str) -> DeviceHangs | QemuDied:
        """The error for a QEMU that does not answer an access, ``words`` for that: it hangs, or somebody has stopped it."""
        state, before = self._state()
        if state in _STOPPED:
            return QemuDied(f"{words}: it is stopped, from outside\nThis is no verdict on the device")
        time.sleep(_SAMPLE)
        busy = self._state()[1] - before >= _SAMPLE / 2
        return DeviceHangs(
            f"{words}: its model of the device hangs, {'busy with itself' if busy else 'waiting for something'}"
        )

    def _state(self) -> tuple[str, float]:
        """The letter of QEMU's state, and its processor time (s). Empty and 0 for one that is not there any more."""
        try:
            with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            return "", 0.0
        return fields[0], (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End QEMU: ask it (so that image files are complete), then kill it. Idempotent, raises nothing."""
        if self._child is not None and self._child.wait(0.0) is None:
            # One that hangs does not end by being asked.
            hangs = (qtest := getattr(self, "qtest", None)) is not None and qtest.silent
            with contextlib.suppress(UvirtioError, OSError, AttributeError):
                if not hangs:
                    self.qmp.execute("quit", timeout=_END)
            if hangs or self._child.wait(_END) is None:
                self._child.kill()
        for connection in self._sockets:
            connection.close()
        self._sockets.clear()
        if self._child is not None:
            self._child.close()
