"""The served device as a real PCI device of QEMU, driven over qtest without a guest."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import modern_qemu
from tests.lab.leash import leashed

from .served import control, log, served, until

pytestmark = pytest.mark.needs("modern-qemu")

RAM = 64 << 20
BAR = 0xE000_0000
SLOT = 4
RING = 0x10_0000


class Qtest:
    """The text protocol, and configuration space through ports 0xcf8 and 0xcfc."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        # For reading alone: a text file for both drops what it has read ahead whenever it writes, interrupts among it.
        self.lines = sock.makefile("r")
        self.irqs: list[str] = []

    def ask(self, line: str) -> str:
        self.socket.sendall(f"{line}\n".encode())
        while True:
            answer = self.lines.readline()
            assert answer, "QEMU is gone"
            if answer.startswith("IRQ"):
                self.irqs.append(answer.strip())
                continue
            assert answer.startswith("OK"), answer
            return answer[2:].strip()

    def config(self, slot: int, offset: int, value: int | None = None) -> int:
        self.ask(f"outl 0xcf8 {0x8000_0000 | slot << 11 | offset & 0xFC:#x}")
        if value is None:
            return int(self.ask("inl 0xcfc"), 16)
        self.ask(f"outl 0xcfc {value:#x}")
        return value

    def read(self, offset: int, width: int) -> int:
        return int(self.ask(f"read{'_bwxl'[width]} {BAR + offset:#x}"), 16)

    def write(self, offset: int, width: int, value: int) -> None:
        self.ask(f"write{'_bwxl'[width]} {BAR + offset:#x} {value:#x}")


@contextlib.contextmanager
def qemu(folder: Path) -> Iterator[tuple[Qtest, subprocess.Popen[bytes], Path]]:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "q"))
    listener.listen()
    listener.settimeout(20)
    ram = folder / "ram"
    command: list[str | Path] = [modern_qemu() or "", "-accel", "qtest", "-qtest", f"unix:{folder}/q"]
    command += ["-qtest-log", "/dev/null", "-display", "none", "-nodefaults", "-m", str(RAM >> 20)]
    command += ["-object", f"memory-backend-file,id=m,size={RAM},mem-path={ram},share=on", "-machine"]
    command += ["pc,memory-backend=m", "-device"]
    command.append(f'{{"driver":"vfio-user-pci","addr":"{SLOT:02x}.0","socket":{{"path":"{folder}/s","type":"unix"}}}}')
    process = leashed(command, stdout=subprocess.DEVNULL, stderr=(folder / "qerr").open("wb"))
    try:
        connection, _ = listener.accept()
        connection.settimeout(20)
        yield Qtest(connection), process, ram
    finally:
        process.kill()
        process.wait()
        listener.close()


def bring_up(qtest: Qtest, memory: Path, *bits: int) -> None:
    """Place the BAR, enable, negotiate, and set up queue 0 with 16 entries."""
    qtest.config(SLOT, 0x20, BAR)
    qtest.config(SLOT, 0x24, 0)
    qtest.config(SLOT, 0x04, 0x0006)
    for value in (0, 1, 3):
        qtest.write(0x14, 1, value)
    mask = 1 << 32 | sum(1 << bit for bit in bits)
    for half in (0, 1):
        qtest.write(0x08, 4, half)
        qtest.write(0x0C, 4, mask >> 32 * half & 0xFFFFFFFF)
    qtest.write(0x14, 1, 0x0B)
    assert qtest.read(0x14, 1) == 0x0B
    qtest.write(0x16, 2, 0)
    qtest.write(0x18, 2, 16)
    for register, offset in ((0x20, 0), (0x28, 0x1000), (0x30, 0x2000)):
        qtest.write(register, 4, RING + offset)
        qtest.write(register + 4, 4, 0)
    put(memory, RING, bytes(0x3000))
    qtest.write(0x1C, 2, 1)
    qtest.write(0x14, 1, 0x0F)


def put(memory: Path, address: int, data: bytes) -> None:
    with memory.open("r+b") as file:
        file.seek(address)
        file.write(data)


def get(memory: Path, address: int, size: int) -> bytes:
    with memory.open("rb") as file:
        file.seek(address)
        return file.read(size)


def publish(memory: Path, index: int) -> None:
    put(memory, RING + 16 * index, struct.pack("<QIHH", RING + 0x4000 + 64 * index, 64, 2, 0))
    put(memory, RING + 0x1004 + 2 * index, struct.pack("<H", index))
    put(memory, RING + 0x1002, struct.pack("<H", index + 1))


def used(memory: Path) -> int:
    return int.from_bytes(get(memory, RING + 0x2002, 2), "little")


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="uv"))  # short: a socket path has 107 bytes
    yield path
    shutil.rmtree(path)


def test_random_bytes_suspend_and_resume_inside_qemu(folder: Path) -> None:
    with served(folder, "rng", "--latency", "0.01"), qemu(folder) as (qtest, _, ram):
        assert qtest.config(SLOT, 0) == 0x1044_1AF4
        bring_up(qtest, ram, 43)
        notify = 0x3000 + 4 * qtest.read(0x1E, 2)
        publish(ram, 0)
        publish(ram, 1)
        qtest.write(notify, 2, 0)
        qtest.write(0x14, 1, 0x1F)
        assert qtest.read(0x14, 1) == 0x0F
        assert until(lambda: qtest.read(0x14, 1) == 0x1B)
        assert used(ram) == 2
        assert qtest.read(0x1000, 1) == 1
        assert len(set(get(ram, RING + 0x4000, 128))) > 32
        publish(ram, 2)
        assert qtest.read(0x14, 1) == 0x1B
        qtest.write(0x14, 1, 0x1F)
        assert until(lambda: qtest.read(0x14, 1) == 0x0F)
        qtest.write(notify, 2, 0)
        assert until(lambda: used(ram) == 3)
        assert [entry for entry in log(folder) if entry["kind"] == "fault"] == []


def test_intx_rises_and_falls_with_isr_and_there_is_no_storm(folder: Path) -> None:
    with served(folder, "rng", "--latency", "0.0005"), qemu(folder) as (qtest, _, ram):
        qtest.config(1, 0x60, 0x0B0A0B0A)  # PIIX: route PIRQs to IRQ 10 and 11
        qtest.ask("irq_intercept_in ioapic")
        bring_up(qtest, ram)
        notify = 0x3000 + 4 * qtest.read(0x1E, 2)
        for index in range(12):
            publish(ram, index)
            qtest.write(notify, 2, 0)
            assert until(lambda index=index: used(ram) == index + 1)
            assert until(lambda index=index: raised(qtest) == index + 1)
            assert qtest.read(0x1000, 1) == 1
        assert raised(qtest) == 12
        assert qtest.irqs[-1].startswith("IRQ lower")


def raised(qtest: Qtest) -> int:
    qtest.ask("inb 0x80")  # lets what QEMU has to say come in
    return sum("raise" in line for line in qtest.irqs)


def test_qemu_survives_the_end_of_the_server_in_the_middle_of_accesses(folder: Path) -> None:
    with served(folder, "rng") as server, qemu(folder) as (qtest, process, ram):
        bring_up(qtest, ram)
        for _ in range(20):
            qtest.read(0x14, 1)
        server.send_signal(signal.SIGTERM)
        answers = [qtest.read(0x14, 1) for _ in range(2000)]
        assert answers[-1] == 0xFF
        assert process.poll() is None
        assert server.wait(10) == 0


def test_a_server_serves_one_qemu_after_another(folder: Path) -> None:
    with served(folder, "rng"):
        for _ in range(2):
            with qemu(folder) as (qtest, _, ram):
                bring_up(qtest, ram)
                assert control(folder, do="state")["status"] == "0x0f"
            os.unlink(folder / "q")
            assert until(lambda: control(folder, do="state")["status"] == "0x00")
