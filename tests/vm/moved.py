"""A guest that can be moved: an image's kernel and initramfs in a QEMU of ours, whose memory is shared by its successors.

The guest runs one command of uvirtio, and its console is a file that each QEMU goes on writing to.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.lab.leash import leashed
from tests.vm.qmp import Qmp
from uvirtio_tools.image.frames import Reader, Result

__all__ = ["MovedGuest"]

_MEMORY = 512
_BOOT, _MOVE = 240.0, 60.0
_SHARED = [{"capability": "x-ignore-shared", "state": True}]


class MovedGuest:
    """A running guest; close it in the end. ``devices`` are words of QEMU's command line."""

    def __init__(self, qemu: Path, image: Path, folder: Path, run: str, devices: Sequence[str]) -> None:
        self._folder = folder
        self.console = folder / "console"
        self.console.touch()
        memory = f"memory-backend-file,id=ram,size={_MEMORY}M,share=on,mem-path={folder / 'memory'}"
        self._command: list[str | Path] = [
            qemu, "-machine", "q35,memory-backend=ram", "-accel", "tcg", "-object", memory, "-m", f"{_MEMORY}M", "-nodefaults",
            "-display", "none", "-no-reboot", "-chardev", f"file,id=console,path={self.console},append=on", "-serial",
            "chardev:console", "-kernel", image / "bzImage", "-initrd", image / "initramfs",
            "-append", f'console=ttyS0 quiet panic=-1 uvirtio.run="{run}" uvirtio.end=poweroff', *devices,
        ]  # fmt: skip
        self._number = 0
        self._process, self._qmp = self._start()

    def _start(self, *more: str) -> tuple[subprocess.Popen[bytes], Qmp]:
        self._number += 1
        socket = self._folder / f"qmp-{self._number}"
        words = [*self._command, "-qmp", f"unix:{socket},server=on,wait=off", *more]
        with (self._folder / f"qemu-{self._number}").open("wb") as said:
            process = leashed(words, stdout=said, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 20
        while not socket.exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.02)
        return process, Qmp(socket)

    # -- what happens to it --------------------------------------------------------------------------------------

    def pause(self, seconds: float) -> None:
        """Stop it, and let it go on."""
        self._qmp.command("stop")
        time.sleep(seconds)
        self._qmp.command("cont")

    def snapshot(self, seconds: float) -> None:
        """Save it to a file, end its QEMU, and restore it in a new one after a while."""
        path = self._folder / "state"
        self._leave(f"file:{path}")
        self._end()
        time.sleep(seconds)
        self._arrive(lambda qmp: qmp.command("migrate-incoming", uri=f"file:{path}"))

    def migrate(self, seconds: float) -> None:
        """Migrate it to a new QEMU through a socket; before that it stands still for a while."""
        uri, before = f"unix:{self._folder / 'socket'}", self._process
        self._qmp.command("stop")
        time.sleep(seconds)

        def come(qmp: Qmp) -> None:
            qmp.command("migrate-incoming", uri=uri)
            self._leave(uri)

        self._arrive(come)
        before.kill()
        before.wait()
        self._qmp.command("cont")

    def sleep(self) -> None:
        """Wake it from S3 once it is asleep."""
        self._until(lambda: self._qmp.command("query-status")["status"] == "suspended", _MOVE)
        self._qmp.command("system_wakeup")

    def command(self, name: str, **arguments: Any) -> Any:
        """Any command of the monitor."""
        return self._qmp.command(name, **arguments)

    def _leave(self, uri: str) -> None:
        self._qmp.command("migrate-set-capabilities", capabilities=_SHARED)
        self._qmp.command("migrate", uri=uri)
        self._until(lambda: self._qmp.command("query-migrate").get("status") in ("completed", "failed"), _MOVE)
        assert self._qmp.command("query-migrate")["status"] == "completed"

    def _arrive(self, come: Callable[[Qmp], object]) -> None:
        process, qmp = self._start("-incoming", "defer")
        qmp.command("migrate-set-capabilities", capabilities=_SHARED)
        come(qmp)
        self._until(lambda: qmp.command("query-status")["status"] in ("running", "paused"), _MOVE)
        self._qmp.close()
        self._process, self._qmp = process, qmp

    # -- what it says --------------------------------------------------------------------------------------------

    def said(self) -> str:
        """Its console so far."""
        return self.console.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, words: str, seconds: float = _BOOT, times: int = 1) -> None:
        """Until its console has said this so often."""
        self._until(lambda: self.said().count(words) >= times or self._process.poll() is not None, seconds, words)
        assert self.said().count(words) >= times, self.said()[-3000:]

    def result(self) -> dict[str, Any]:
        """The document that its command has written."""
        self.wait_for("[uvirtio] over")
        for said in Reader().feed(self.console.read_bytes()):
            if isinstance(said, Result) and said.name == "result.json":
                document: dict[str, Any] = json.loads(said.data)
                return document
        raise AssertionError(f"no result: {self.said()[-3000:]}")

    def _until(self, done: Callable[[], bool], seconds: float, what: str = "that") -> None:
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"{what} did not come within {seconds:g} s: {self.said()[-3000:]}"
            time.sleep(0.05)

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it."""
        self._qmp.close()
        self._end()
