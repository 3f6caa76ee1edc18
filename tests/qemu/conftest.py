"""QEMU without a guest: which one, and that nothing of it is left behind."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.lab import distro_qemu, modern_qemu
from tests.lab.leash import leashed

ROOT = Path(__file__).resolve().parents[2]


def children() -> set[int]:
    """Processes below this one, of any depth, that are not zombies waiting for us."""
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit():
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    parents[int(entry)] = int(fields[1])
    mine, size = {os.getpid()}, 0
    while len(mine) != size:
        size = len(mine)
        mine |= {pid for pid, parent in parents.items() if parent in mine}
    return mine - {os.getpid()}


def _descriptors() -> int:
    gc.collect()  # an error that was caught keeps the frames, and so the memory, that it came through
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def nothing_left(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """After the test: no process, no descriptor, no temporary file, no shared memory more than before it."""
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    shared = set(os.listdir("/dev/shm"))
    processes, descriptors = children(), _descriptors()
    yield temporary
    assert children() <= processes, "a process was left behind"
    assert _descriptors() <= descriptors, "a descriptor was left open"
    assert list(temporary.iterdir()) == []
    assert not [name for name in set(os.listdir("/dev/shm")) - shared if "uvirtio" in name or "qemu" in name]


@pytest.fixture(
    params=[
        pytest.param("distribution", marks=pytest.mark.needs("qemu")),
        pytest.param("recent", marks=pytest.mark.needs("modern-qemu")),
    ]
)
def qemu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, nothing_left: Path) -> str:
    """The distribution's QEMU and a recent one, in turn, as the one that ``qemu:`` takes."""
    chosen = (distro_qemu() or modern_qemu()) if request.param == "distribution" else modern_qemu()
    assert chosen is not None
    monkeypatch.setenv("UVIRTIO_QEMU", str(chosen))
    return str(chosen)


@pytest.fixture
def recent_qemu(monkeypatch: pytest.MonkeyPatch, nothing_left: Path) -> str:
    """A QEMU with vfio-user-pci; tests that use it are marked ``needs("modern-qemu")``."""
    chosen = modern_qemu()
    assert chosen is not None
    monkeypatch.setenv("UVIRTIO_QEMU", str(chosen))
    return str(chosen)


@pytest.fixture
def any_qemu(monkeypatch: pytest.MonkeyPatch, nothing_left: Path) -> str:
    """Whichever QEMU is there, for what does not depend on its version; tests are marked ``needs("qemu")``."""
    chosen = distro_qemu() or modern_qemu()
    assert chosen is not None
    monkeypatch.setenv("UVIRTIO_QEMU", str(chosen))
    return str(chosen)


class Served(Protocol):
    """Starts ``uvirtio serve`` and gives its socket and control socket."""

    def __call__(self, kind: str, *options: str) -> tuple[Path, Path]: ...


@pytest.fixture
def serve(nothing_left: Path, tmp_path: Path) -> Iterator[Served]:
    """``uvirtio serve TYPE`` as a process of its own, listening; ended afterwards, its sockets gone."""
    running: list[tuple[subprocess.Popen[bytes], Path, Path]] = []

    def start(kind: str, *options: str) -> tuple[Path, Path]:
        socket, control = tmp_path / f"s{len(running)}", tmp_path / f"c{len(running)}"
        words: list[str | Path] = [
            sys.executable,
            "-m",
            "uvirtio",
            "serve",
            kind,
            "--socket",
            str(socket),
            "--control",
            str(control),
            *options,
        ]
        process = leashed(words, cwd=ROOT, stderr=subprocess.PIPE)
        running.append((process, socket, control))
        deadline = time.monotonic() + 30
        while not (socket.exists() and control.exists()):
            if process.poll() is not None or time.monotonic() > deadline:
                assert process.stderr is not None
                raise AssertionError(f"uvirtio serve did not start: {process.stderr.read().decode()}")
            time.sleep(0.01)
        return socket, control

    yield start
    for process, socket, control in running:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
        assert not socket.exists(), said.decode()
        assert not control.exists(), said.decode()
        assert b"Traceback" not in said, said.decode()
