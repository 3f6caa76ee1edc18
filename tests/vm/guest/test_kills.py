"""Who drives a device is killed at random moments, in every way: what was changed is undone, by itself or by ``restore --all``.

``UVIRTIO_KILLS`` says how often (20), ``UVIRTIO_SEED`` which moments and ways. Each run is the command itself, in processes
that are forked from here: a guest takes seconds to import it all.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from tests.vm.guest.test_uio_bus import SYSFS, _pages
from uvirtio.bus.uio import pending
from uvirtio.bus.uio.lock import RUN
from uvirtio_tools.cli import main

KILLS = int(os.environ.get("UVIRTIO_KILLS", "20"))
SEED = int(os.environ.get("UVIRTIO_SEED", "1"))
#: The latest moment after a start, in seconds: a run has then gone through its cycles for a while.
_LATEST = 3.0
_END = 120.0
_PCI = Path("/sys/bus/pci")
_MSIX = 0x11
_PR_SET_CHILD_SUBREAPER = 36

pytestmark = [pytest.mark.boot("msix"), pytest.mark.timeout(120 + 15 * KILLS)]


@dataclass(frozen=True, slots=True)
class State:
    """What a run changes: of each function, and of the machine."""

    functions: tuple[tuple[str | None, str, int, int | None], ...]
    pages: int
    journals: tuple[str, ...]

    @classmethod
    def now(cls, addresses: tuple[str, ...]) -> State:
        return cls(
            tuple((SYSFS.driver(each), SYSFS.override(each), *_registers(each)) for each in addresses),
            _pages(),
            tuple(pending()),
        )


def _registers(address: str) -> tuple[int, int | None]:
    """The command register (bus mastering is in it), and message control of MSI-X."""
    config = (_PCI / "devices" / address / "config").read_bytes()
    at = config[0x34]
    while at and config[at] != _MSIX:
        at = config[at + 1]
    return int.from_bytes(config[4:6], "little"), int.from_bytes(config[at + 2 : at + 4], "little") if at else None


class Run:
    """``uvirtio WORDS``, with its worker, in a process of its own; its messages go into a file."""

    def __init__(self, said: Path, *words: str) -> None:
        self._gone, held = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _be(said, words)
        os.close(held)  # the run's processes alone hold it: its end is theirs

    @property
    def worker(self) -> int | None:
        """The process that drives, where it is there yet."""
        try:
            return int(Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()[0])
        except (OSError, IndexError):
            return None

    def kill(self, number: int, whom: str) -> None:
        """Send a signal to the worker, its supervisor, or both."""
        worker = self.worker
        if whom != "supervisor" and worker is not None:
            os.kill(worker, number)
        if whom != "worker" or worker is None:
            os.kill(self.pid, number)

    def end(self) -> int:
        """Wait until all of it has ended; the status."""
        ready, _, _ = select.select([self._gone], [], [], _END)
        if not ready:
            for each in (self.worker, self.pid):
                if each is not None:
                    os.kill(each, signal.SIGKILL)
        os.close(self._gone)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)
        assert ready, f"it did not end within {_END} s"
        return status


def _be(said: Path, words: tuple[str, ...]) -> NoReturn:
    status = 99
    try:
        os.setsid()
        for handle in (0, 1):
            os.dup2(os.open(os.devnull, os.O_RDWR), handle)
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        sys.stdout, sys.stderr = (os.fdopen(handle, "w", closefd=False) for handle in (1, 2))
        status = main(list(words))
    finally:
        os._exit(status)


@pytest.fixture(autouse=True)
def orphans() -> Iterator[None]:
    """A worker whose supervisor has died is a child of this process: virtme-ng's init ends with who ends by signal 40."""
    control = ctypes.CDLL(None).prctl
    control(_PR_SET_CHILD_SUBREAPER, 1)
    yield
    control(_PR_SET_CHILD_SUBREAPER, 0)


@pytest.fixture
def small_run() -> Iterator[Path]:
    """``/run/uvirtio`` as a small file system of its own; the file that fills it up."""
    RUN.mkdir(mode=0o700, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", RUN], check=True)
    yield RUN / "filler"
    subprocess.run(["umount", RUN], check=True)


def _fill(filler: Path) -> None:
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def _without_driver(address: str) -> None:
    (_PCI / "devices" / address / "driver/unbind").write_text(address)


def test_kills_at_random_moments_leave_nothing_changed(
    devices: dict[str, str], small_run: Path, tmp_path: Path
) -> None:
    # One with the kernel's driver and messages of MSI-X, one with INTx, one without a driver.
    bound, bare = (devices["rng-quiet"], devices["qemu-rng"]), devices["blk-quiet"]
    addresses = (*bound, bare)
    _without_driver(bare)
    assert main(["suspend", "emulated:rng"]) == 0  # what a run imports is there from now on
    choose, said_in = random.Random(SEED), tmp_path / "said"
    seen: collections.Counter[str] = collections.Counter()
    try:
        before = State.now(addresses)
        for number in range(KILLS):
            address = choose.choice(addresses)
            interrupts = "auto" if address != devices["qemu-rng"] else choose.choice(("intx", "msix"))
            whom = choose.choice(("worker", "supervisor", "both"))
            signal_ = choose.choice(("KILL", "INT", "TERM", "HUP", "40"))
            full, moment = choose.random() < 0.25, choose.uniform(0, _LATEST)
            filled = choose.uniform(0, moment) if full else moment
            run = Run(said_in, "suspend", address, "--cycles", "100000", "--interrupts", interrupts)
            time.sleep(filled)
            if full:
                _fill(small_run)
            time.sleep(moment - filled)
            taken = SYSFS.driver(address) == "uio_pci_generic"
            run.kill(int(signal_) if signal_.isdigit() else signal.Signals[f"SIG{signal_}"], whom)
            status = run.end()
            way = f"{number}: {signal_} to {whom} after {moment:.2f} s, {address}{', /run full' if full else ''}"
            said = said_in.read_text()
            assert "Traceback" not in said, f"{way}: {said}"
            seen["taken"] += taken
            seen["left to restore"] += bool(pending())
            if pending():
                assert Run(said_in, "restore", "--all").end() == 0, f"{way}: {said_in.read_text()}"
            small_run.unlink(missing_ok=True)
            assert State.now(addresses) == before, f"{way}, status {status}: {said}"
    finally:
        (_PCI / "drivers_probe").write_text(bare)
    print(f"{KILLS} kills, seed {SEED}: {dict(seen)}")
    # Otherwise it was no time to kill anybody: neither before, nor in the midst.
    assert seen["taken"] > 0
