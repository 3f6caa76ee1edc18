"""A real machine in somebody else's hands: planted modules, a full /run, signals that nobody expects, damaged journals."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.planted import plant
from tests.unit.device.scripted import PLAIN
from tests.vm.guest.test_inspect_terminal import Terminal
from tests.vm.guest.test_uio_bus import SYSFS, _pages, _start, _worker
from tests.vm.guest.waiting import within
from uvirtio.bus.uio import Restored, bind, pending, restore_all
from uvirtio.bus.uio.lock import RUN
from uvirtio.errors import CannotRun
from uvirtio_tools.benches import devices as device_benches
from uvirtio_tools.inspect.live import LiveDevice
from uvirtio_tools.tui.client import Client, run_command

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def rng(devices: dict[str, str]) -> str:
    """QEMU's own entropy device, with the kernel's driver on it."""
    address = devices["qemu-rng"]
    assert SYSFS.driver(address) == "virtio-pci"
    return address


@pytest.fixture
def run_is_full(rng: str) -> Iterator[object]:
    """Makes ``/run/uvirtio`` a small file system of its own, and gives a way to fill it up."""
    RUN.mkdir(mode=0o700, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k,mode=0700", "tmpfs", RUN], check=True)

    def fill() -> None:
        with open(RUN / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    yield fill
    subprocess.run(["umount", RUN], check=True)


def test_nothing_that_lies_in_the_current_directory_is_run_as_root(
    rng: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, mark = tmp_path / "anybodys", tmp_path / "mark"
    here.mkdir()
    plant(here, mark)
    here.chmod(0o777)
    monkeypatch.chdir(here)
    monkeypatch.setenv("PATH", f".:{os.environ['PATH']}")

    async def drive() -> list[dict[str, object]]:
        client = Client(rng, lambda _trace: None)
        try:
            return [await client.open(), await client.step("start"), await client.step("reset")]
        finally:
            await client.close()

    assert all("state" in answer for answer in asyncio.run(drive()))
    assert asyncio.run(run_command("show", rng, on_line=lambda _line: None)) == 0
    assert SYSFS.driver(rng) == "virtio-pci"
    bind(rng)
    try:
        assert LiveDevice(rng).refresh()
    finally:
        restore_all()
    ours, its = socket.socketpair()
    with ours, its, device_benches._taken(_WithPeer(its)):  # type: ignore[arg-type]  # only its peer is asked for
        # `bench net` has its frames taken by a child: the buffer of the socket would be full long before the last one.
        for _ in range(2000):
            ours.sendall(bytes(1500))
    command = Path(sys.executable).with_name("uvirtio")
    watched = ["watch", rng, "--count", "2", "--interval", "0.1"]
    for words in (watched, ["doctor"], ["list"], ["bench", "net", "emulated:net", "--seconds", "0.05"]):
        done = subprocess.run([command, *words], capture_output=True, text=True, timeout=60)
        assert "Traceback" not in done.stderr
    assert not mark.exists()


class _WithPeer:
    def __init__(self, peer: socket.socket) -> None:
        self.function = self
        self.surroundings = replace(PLAIN, peer=peer)


def test_a_worker_that_a_real_time_signal_ends_is_cleaned_up_after(rng: str) -> None:
    before = _pages()
    supervisor = _start(rng)
    os.kill(_worker(supervisor), signal.SIGRTMIN + 6)
    _, messages = supervisor.communicate(timeout=60)
    assert supervisor.returncode == 1, messages
    assert "SIGRTMIN+6" in messages
    assert (SYSFS.driver(rng), _pages(), pending()) == ("virtio-pci", before, [])


def test_a_device_is_given_back_where_run_is_full(rng: str, run_is_full: object) -> None:
    before = _pages()
    supervisor = _start(rng)
    assert callable(run_is_full)
    run_is_full()
    os.kill(_worker(supervisor), signal.SIGKILL)
    _, messages = supervisor.communicate(timeout=60)
    assert supervisor.returncode == 1, messages
    assert (SYSFS.driver(rng), _pages(), pending()) == ("virtio-pci", before, [])


def test_a_damaged_journal_keeps_no_other_device_from_being_given_back(rng: str, devices: dict[str, str]) -> None:
    other = "0000:00:00.0"
    bind(rng)
    (RUN / f"{other}.json").write_text('{"version": 1}')
    try:
        refused, back = restore_all()
        assert isinstance(refused, CannotRun)
        assert isinstance(back, Restored)
        assert SYSFS.driver(rng) == "virtio-pci"
    finally:
        (RUN / f"{other}.json").unlink()
    assert pending() == []


@pytest.mark.timeout(400)
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_a_terminal_that_goes_while_its_device_is_driven_has_it_given_back(rng: str, tmp_path: Path) -> None:
    before = _pages()
    terminal = Terminal(tmp_path / "tmux", 100, 30, "xterm-256color", f"{sys.executable} -m uvirtio tui {rng}")
    try:
        terminal.until(rng)
        terminal.press("Enter")
        terminal.until("i initialises it")
        terminal.press("i")
        terminal.until(f"Take {rng}")
        terminal.press("y")
        terminal.until("running, dialect")
        assert SYSFS.driver(rng) == "uio_pci_generic"
    finally:
        terminal.close()
    assert within(60, lambda: SYSFS.driver(rng) == "virtio-pci" and not pending())
    assert _pages() == before


_NAMED = """
import os, sys, time
open("/proc/self/comm", "w").write("[/]\x1b]0;own\x07")
handle = os.open(sys.argv[1], os.O_RDWR)
print("open", flush=True)
time.sleep(600)
"""


@pytest.mark.boot("large")
def test_neither_a_hypervisor_nor_a_process_steers_the_terminal_by_its_name(devices: dict[str, str]) -> None:
    def said(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "uvirtio", *words], capture_output=True, text=True, timeout=120,
            env=os.environ | {"COLUMNS": "200"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert all(sign.isprintable() or sign == "\n" for sign in done.stdout + done.stderr)
        return done.stdout

    assert "[/]\x1b]0;own\x07" in Path("/sys/class/dmi/id/sys_vendor").read_text()
    address = devices["rng-1.4"]
    assert "PASS" in said("suspend", address)
    assert "[/]" in said("check", address, "--only", "V4")
    bound = bind(address)
    try:
        named = subprocess.Popen([sys.executable, "-c", _NAMED, f"/dev/{bound.node}"], stdout=subprocess.PIPE)
        try:
            assert named.stdout is not None
            assert named.stdout.readline() == b"open\n"
            assert r"([/]\x1b]0;own" in said("show", address)
            said("list")
        finally:
            named.kill()
            named.communicate()
    finally:
        restore_all()
