"""The kernel's side of a taken function: interrupts, memory, drivers, and what happens when everything dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.vm.guest.host import Host
from uvirtio.bus.uio import Sysfs, bind, describe, discover, open_uio, pending, resolve, restore, uses
from uvirtio.device import Device
from uvirtio.errors import CannotRun, InUse
from uvirtio.spec.features import Features
from uvirtio.spec.pci import Command, Header
from uvirtio_drivers import workload_of
from uvirtio_drivers.rng import Rng

pytestmark = pytest.mark.timeout(120)

SYSFS = Sysfs()
_POOL = Path("/proc/sys/vm/nr_hugepages")


def _command(address: str) -> int:
    return SYSFS.peek(address, Header.COMMAND, 2)


def _pages() -> int:
    return int(_POOL.read_text())


@pytest.fixture
def rng(devices: dict[str, str]) -> str:
    """QEMU's own entropy device, with the kernel's driver on it."""
    address = devices["qemu-rng"]
    assert SYSFS.driver(address) == "virtio-pci"
    return address


def test_every_form_of_a_name_leads_to_the_function(rng: str) -> None:
    (child,) = describe(SYSFS, rng).virtio
    assert {resolve(name) for name in (rng, rng.removeprefix("0000:"), child.name)} == {rng}
    (function,) = [found for found in discover() if found.address == rng]
    assert (function.identity.type_name, function.driver, function.identity.interrupt_pin) == ("rng", "virtio-pci", 1)
    assert function.irq > 0


def test_a_look_gives_everything_back_and_never_turns_bus_mastering_on(rng: str) -> None:
    before = (_command(rng), _pages())
    with open_uio(rng) as function:
        assert SYSFS.driver(rng) == "uio_pci_generic"
        assert function.config.u32[0] == 0x1044_1AF4
        function.dma.allocate(64)
        assert not _command(rng) & Command.BUS_MASTER
    assert (_command(rng), _pages()) == before
    assert SYSFS.driver(rng) == "virtio-pci"
    assert pending() == []


def test_interrupts_arrive_through_uio_and_are_counted(rng: str) -> None:
    with Device(open_uio(rng)) as device:
        line = device.function.line
        assert line.description == "INTx through /dev/uio0"
        device.initialise(Features(), (0,))
        workload = workload_of(Rng(device))
        assert line.count() == 0
        for expected in (1, 2, 3):
            line.enable()
            workload.submit(1)
            workload.kick()
            assert line.wait(10)
            assert device.notifications.collect() & 1
            workload.reap()
            assert line.count() == expected
        assert not line.wait(0.05)
    assert SYSFS.driver(rng) == "virtio-pci"


def test_a_piece_larger_than_a_huge_page_is_contiguous_and_given_back(rng: str) -> None:
    before = _pages()
    with open_uio(rng) as function:
        piece = function.dma.allocate((6 << 20) - 4096)
        assert piece.address % 4096 == 0
        piece.memory[5 << 20] = 0x5A
        function.verify()
        assert _pages() >= before + 3
        del piece
    assert _pages() == before


@pytest.mark.boot("large")
def test_memory_above_four_gibibytes_has_its_whole_address(rng: str) -> None:
    with Device(open_uio(rng)) as device:
        memory = device.function.dma.allocate(4096)
        assert memory.address > 1 << 32
        device.initialise(Features(), (0,))
        assert len(set(Rng(device).read(64))) > 8


def test_more_memory_than_there_is_is_refused_and_given_back(rng: str) -> None:
    before = _pages()
    with open_uio(rng) as function, pytest.raises(CannotRun, match="more than half of the"):
        function.dma.allocate(64 << 30)
    assert _pages() == before


def test_a_function_without_a_driver_is_left_without_one(rng: str) -> None:
    Path(f"/sys/bus/pci/devices/{rng}/driver/unbind").write_text(rng)
    try:
        with open_uio(rng):
            assert SYSFS.driver(rng) == "uio_pci_generic"
        assert SYSFS.driver(rng) is None
        assert SYSFS.override(rng) == ""
    finally:
        Path("/sys/bus/pci/drivers_probe").write_text(rng)


def test_a_function_bound_on_purpose_stays_on_uio_until_it_is_restored(rng: str) -> None:
    assert bind(rng).before == "virtio-pci"
    with open_uio(rng):
        pass
    assert SYSFS.driver(rng) == "uio_pci_generic"
    assert restore(rng).driver == "virtio-pci"
    assert pending() == []


def test_the_port_that_this_test_talks_to_its_host_through_is_in_use(host: Host) -> None:
    assert host.echo("there") == "there"
    port = os.path.basename(os.path.realpath("/dev/virtio-ports/uvirtio.host"))
    address = resolve(port)
    held = os.open(f"/dev/{port}", os.O_RDWR)
    try:
        assert any(f"/dev/{port} is open in process {os.getpid()}" in use for use in uses(SYSFS, address))
        with pytest.raises(InUse, match="--force"):
            open_uio(address)
    finally:
        os.close(held)
    assert host.echo("still there") == "still there"


def test_the_share_that_the_root_stands_on_is_in_use() -> None:
    shares = [function.address for function in discover() if function.identity.type_name == "9p"]
    assert shares
    assert any("on /" in use for address in shares for use in uses(SYSFS, address))


_WORK = """
    import sys, time
    from uvirtio.bus.uio import open_uio
    from uvirtio.device import Device
    from uvirtio.spec.features import Features
    from uvirtio_drivers.rng import Rng
    from uvirtio_tools.supervisor import supervise

    address, bdf = sys.argv[1:]

    def work():
        with Device(open_uio(address), timeout=3) as device:
            device.initialise(Features(), (0,))
            rng = Rng(device)
            rng.read(64)
            print("running", flush=True)
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                rng.read(64)
        return 0

    sys.exit(supervise(bdf, work))
"""


def _start(address: str) -> subprocess.Popen[str]:
    """A supervised worker that reads entropy all the time; it is running when this returns."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_WORK), address, address],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if line != "running\n":
        process.kill()
        raise AssertionError(f"the worker did not start: {line!r} {process.communicate()[1]}")
    return process


def _worker(supervisor: subprocess.Popen[str]) -> int:
    (pid,) = Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children").read_text().split()
    return int(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_with_everything_given_back(rng: str, number: signal.Signals) -> None:
    before = _pages()
    supervisor = _start(rng)
    supervisor.send_signal(number)
    _, messages = supervisor.communicate(timeout=60)
    assert supervisor.returncode == 130, messages
    assert messages == "uvirtio: interrupted; everything has been given back\n"
    assert (SYSFS.driver(rng), _pages(), pending()) == ("virtio-pci", before, [])


@pytest.mark.parametrize(("number", "said"), [(signal.SIGKILL, "SIGKILL"), (signal.SIGBUS, "SIGBUS")])
def test_a_worker_that_dies_at_work_is_cleaned_up_after(rng: str, number: signal.Signals, said: str) -> None:
    before = _pages()
    supervisor = _start(rng)
    assert _command(rng) & Command.BUS_MASTER
    os.kill(_worker(supervisor), number)
    _, messages = supervisor.communicate(timeout=60)
    assert supervisor.returncode == 1, messages
    assert said in messages
    assert (SYSFS.driver(rng), _pages(), pending()) == ("virtio-pci", before, [])


def test_a_worker_whose_supervisor_dies_gives_everything_back(rng: str) -> None:
    before = _pages()
    supervisor = _start(rng)
    supervisor.kill()
    # End of file on the worker's output is the worker's end.
    supervisor.communicate(timeout=60)
    assert (SYSFS.driver(rng), _pages(), pending()) == ("virtio-pci", before, [])


def test_when_both_die_bus_mastering_is_off_and_restore_does_the_rest(rng: str) -> None:
    before = _pages()
    supervisor = _start(rng)
    worker = _worker(supervisor)
    os.kill(supervisor.pid, signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    supervisor.kill()
    supervisor.communicate(timeout=60)
    assert SYSFS.driver(rng) == "uio_pci_generic"
    assert not _command(rng) & Command.BUS_MASTER
    assert pending() == [rng]
    assert restore(rng).driver == "virtio-pci"
    assert (_pages(), pending()) == (before, [])


@pytest.mark.boot("unplug")
def test_a_device_that_is_unplugged_at_work_is_told_as_removed(devices: dict[str, str], host: Host) -> None:
    address = devices["doomed"]
    before = _pages()
    supervisor = _start(address)
    host.unplug("doomed")
    _, messages = supervisor.communicate(timeout=60)
    assert supervisor.returncode == 1, messages
    assert "removed" in messages
    assert "Traceback" not in messages
    assert (SYSFS.exists(address), _pages(), pending()) == (False, before, [])
