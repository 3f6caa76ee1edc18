"""What goes wrong around QEMU: named errors in bounded time, and nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.qemu.conftest import ROOT, Served, children
from uvirtio.bus.control import ControlTriggers
from uvirtio.bus.opening import open_function
from uvirtio.bus.qemu import QemuFunction
from uvirtio.device import Device
from uvirtio.errors import CannotRun, DeviceError, LocatorError, NoSuchDevice, QemuDied, UvirtioError
from uvirtio_drivers.rng import Rng

pytestmark = pytest.mark.needs("qemu")


def running(device: Device) -> QemuFunction:
    """Initialise an entropy device; its function."""
    device.initialise(Rng.FEATURES, Rng.queues(device))
    function = device.function
    assert isinstance(function, QemuFunction)
    return function


def gone(pid: int) -> bool:
    """Whether a process is no more, or only a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while not gone(pid):
        assert time.monotonic() < deadline, f"process {pid} lives on"
        time.sleep(0.01)


# -- before it runs --------------------------------------------------------------------------------------------


def test_a_qemu_that_is_not_there_is_named_with_what_to_do(nothing_left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoSuchDevice, match=r"qemu=/nowhere/qemu is not an executable.*UVIRTIO_QEMU"):
        open_function("qemu:rng?qemu=/nowhere/qemu")
    monkeypatch.setenv("UVIRTIO_QEMU", "no-such-qemu")
    with pytest.raises(NoSuchDevice, match="UVIRTIO_QEMU=no-such-qemu is not an executable"):
        open_function("qemu:rng")
    monkeypatch.delenv("UVIRTIO_QEMU")
    monkeypatch.setenv("PATH", str(nothing_left))
    with pytest.raises(NoSuchDevice, match=r"^qemu-system-x86_64 is not an executable; install QEMU"):
        open_function("qemu:rng")


def _script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("#!/bin/sh\necho 'this is no QEMU' >&2; exit 3\n", "this is no QEMU"),
        ("#!/bin/sh\nexit 0\n", r"\(nothing\)"),
        ("#!/nowhere/interpreter\n", "does not start"),
    ],
)
def test_a_program_that_is_no_qemu_is_shown_with_its_own_words(
    nothing_left: Path, tmp_path: Path, text: str, said: str
) -> None:
    binary = _script(tmp_path / "qemu", text)
    with pytest.raises(CannotRun, match=said):
        open_function(f"qemu:rng?qemu={binary}")


@pytest.mark.parametrize(
    ("locator", "error", "said"),
    [
        ("qemu:no-such-device", CannotRun, "'no-such-device' is not a valid device model name"),
        ("qemu:rng?nonsense=1", LocatorError, "Property 'virtio-rng-pci.nonsense' not found"),
        ("qemu:rng?disable-modern=on&disable-legacy=on", CannotRun, "does not start this device"),
        ("qemu:-device virtio-rng-pci,addr=99.9", CannotRun, "does not start this device"),
        ("qemu:blk?image=/nowhere/image", CannotRun, "Could not open '/nowhere/image'"),
        ("qemu:rng?args=-object nonsense,id=x", CannotRun, "nonsense"),
        ("qemu:net?peer=/nowhere/socket", NoSuchDevice, "nobody listens at peer=/nowhere/socket"),
        ("qemu:console?peer=/nowhere/socket", NoSuchDevice, "nobody listens at peer=/nowhere/socket"),
    ],
)
def test_a_device_that_qemu_refuses_comes_with_qemus_own_words(
    locator: str, error: type[UvirtioError], said: str, qemu: str
) -> None:
    with pytest.raises(error, match=said):
        open_function(locator)


@pytest.mark.parametrize(
    ("locator", "said"),
    [
        ("qemu:rng?machine=virt", "machine=virt is not possible"),
        ("qemu:two words", "neither a type"),
        ("qemu:rng?args='", "cannot be split"),
        ("qemu:-device 'x", "cannot be split"),
        ("qemu:-device virtio-rng-pci?size=1M", "unknown parameter 'size'"),
        ("qemu:blk?size=1000", "positive multiple of 512"),
        ("qemu:blk?size=much", "positive multiple of 512"),
        ("qemu:blk?image=/x&size=1M", "leave size= out"),
        ("qemu:vfio-user-pci", "socket=PATH of the vfio-user server is missing"),
        ("qemu:rng?legacy=perhaps", "neither on nor off"),
    ],
)
def test_a_locator_that_makes_no_sense_starts_nothing(
    locator: str, said: str, any_qemu: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uvirtio.bus.qemu.QemuProcess", pytest.fail)
    with pytest.raises(LocatorError, match=said):
        open_function(locator)


def test_options_without_a_virtio_device_are_named_with_what_is_there(any_qemu: str) -> None:
    with pytest.raises(NoSuchDevice, match=r"no virtio function in it, only .*8086:1237"):
        open_function("qemu:-device e1000")


def test_vfio_user_needs_a_recent_qemu_and_a_server(qemu: str, tmp_path: Path) -> None:
    version = subprocess.run([qemu, "--version"], capture_output=True, text=True, check=True).stdout.split()[3]
    recent = tuple(map(int, version.split(".")[:2])) >= (10, 1)
    said = "Failed to connect" if recent else rf"{version}.* is too old: vfio-user-pci came with QEMU 10\.1"
    with pytest.raises(CannotRun, match=said):
        open_function(f"qemu:vfio-user-pci?socket={tmp_path}/s")


@pytest.mark.needs("modern-qemu")
def test_a_control_socket_that_is_not_there_is_named(recent_qemu: str, serve: Served) -> None:
    server, _ = serve("rng")
    with pytest.raises(CannotRun, match="no control socket at /nowhere"):
        open_function(f"qemu:vfio-user-pci?socket={server}&control=/nowhere")


# -- while it runs ---------------------------------------------------------------------------------------------


def test_a_qemu_that_is_killed_is_named_as_dead_and_no_verdict_on_the_device(qemu: str) -> None:
    with Device(open_function("qemu:rng")) as device:
        function = running(device)
        os.kill(function.process.pid, signal.SIGKILL)
        with pytest.raises(QemuDied, match=r"was ended by SIGKILL(?s:.*)no verdict on the device"):
            Rng(device).read(16)


def test_a_qemu_that_ends_by_itself_is_named_with_its_status_and_last_words(any_qemu: str) -> None:
    with Device(open_function("qemu:rng")) as device:
        function = running(device)
        os.kill(function.process.pid, signal.SIGTERM)
        with pytest.raises(QemuDied, match="ended with status 0, without a word"):
            _read_on(device)


def _read_on(device: Device) -> None:
    for _ in range(1000):
        Rng(device).read(16)


@pytest.mark.needs("modern-qemu")
def test_suspend_on_a_qemu_that_dies_cannot_run_and_is_no_failed_device(recent_qemu: str, serve: Served) -> None:
    server, control = serve("rng")
    locator = f"qemu:vfio-user-pci?socket={server}"
    command = [sys.executable, "-m", "uvirtio", "suspend", locator, "--json", "--cycles", "1000000", "--hold", "0"]
    known = children()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        _wait_for_traffic(str(control))
        victims = [pid for pid in children() - known if b"vfio-user-pci" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(max(victims), signal.SIGKILL)  # the youngest of them: the other is the command itself
        said = run.communicate(timeout=60)
    assert run.returncode == 3, said
    assert "QEMU died" in said[1]
    assert "no verdict on the device" in said[1]
    assert "FAIL" not in said[0]


def _wait_for_traffic(control: str) -> None:
    """Wait until the served device runs."""
    deadline = time.monotonic() + 30
    triggers = ControlTriggers(control)
    while triggers.ask("state")["phase"] != "running":
        assert time.monotonic() < deadline, "the device was never started"
        time.sleep(0.01)
    triggers.close()


def test_a_qemu_that_is_stopped_is_given_up_after_the_timeout(any_qemu: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uvirtio.bus.qemu._ACCESS", 0.3)
    monkeypatch.setattr("uvirtio.bus.qemu.process._END", 0.3)
    with Device(open_function("qemu:rng")) as device:
        function = running(device)
        pid = function.process.pid
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(QemuDied, match=r"has not answered the access .* within 0\.3 s: it is stopped"):
            device.status.read()
    wait_until_gone(pid)


def test_an_access_that_was_interrupted_does_not_disturb_the_next(
    any_qemu: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    with Device(open_function("qemu:rng")) as device:
        running(device)
        expected = device.status.read()
        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            for _ in range(20):
                signal.setitimer(signal.ITIMER_REAL, 0.003)
                with pytest.raises(KeyboardInterrupt):
                    _look_on(device, expected)
                assert device.status.read() == expected
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert Rng(device).read(16)


def _look_on(device: Device, expected: int) -> None:
    for _ in range(1_000_000):
        assert device.status.read() == expected


# -- the end of this side --------------------------------------------------------------------------------------

_HOLDER = """
import sys, time
from uvirtio.bus.opening import open_function
function = open_function("qemu:rng")
print(function.process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_qemu_never_outlives_the_process_that_started_it(any_qemu: str, end: signal.Signals) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert holder.stdout is not None
    with holder:
        pid = int(holder.stdout.readline())
        assert not gone(pid)
        holder.send_signal(end)
        holder.wait(20)
    wait_until_gone(pid)


_THREAD = """
import threading
from uvirtio.bus.opening import open_function
opened = []
thread = threading.Thread(target=lambda: opened.append(open_function("qemu:rng")))
thread.start(); thread.join()
for _ in range(200):
    assert opened[0].config.u16[0] == 0x1AF4
opened[0].close()
print("it answered")
"""


def test_qemu_lives_on_when_the_thread_that_opened_it_ends(any_qemu: str) -> None:
    done = subprocess.run([sys.executable, "-c", _THREAD], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "it answered\n", done.stderr


def test_ctrl_c_reaches_the_command_which_resets_the_device_and_ends_qemu(any_qemu: str) -> None:
    command = [sys.executable, "-c", _HOLDER]
    holder = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert holder.stdout is not None
    with holder:
        pid = int(holder.stdout.readline())
        # A terminal sends Ctrl-C to the whole group: QEMU must not be in it, or the device dies under its driver.
        assert os.getpgid(pid) != os.getpgid(holder.pid)
        os.killpg(holder.pid, signal.SIGINT)
        holder.wait(20)
    wait_until_gone(pid)


# -- vfio-user servers -----------------------------------------------------------------------------------------


@pytest.mark.needs("modern-qemu")
def test_a_server_that_dies_under_qemu_ends_in_a_named_error(recent_qemu: str, tmp_path: Path) -> None:
    path = tmp_path / "s"
    command = [sys.executable, "-m", "uvirtio", "serve", "rng", "--socket", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 20
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        with Device(open_function(f"qemu:vfio-user-pci?socket={path}"), timeout=2.0) as device:
            running(device)
            server.kill()
            server.wait()
            with pytest.raises((DeviceError, QemuDied)):
                _read_on(device)


@pytest.mark.needs("modern-qemu")
def test_a_socket_that_is_no_vfio_user_server_comes_with_qemus_own_words(recent_qemu: str, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        pid = os.fork()
        if pid == 0:
            connection, _ = listener.accept()
            connection.sendall(b"220 mail.example ESMTP ready\r\n" * 4)
            connection.close()
            os._exit(0)
        with pytest.raises(CannotRun, match="does not start this device"):
            open_function(f"qemu:vfio-user-pci?socket={path}")
        os.waitpid(pid, 0)
