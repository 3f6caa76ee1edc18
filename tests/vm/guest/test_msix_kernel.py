"""The kernel's driver on served devices whose vectors are masked, unmasked and moved meanwhile: no message is lost or doubled.

QEMU keeps the table of a vfio-user device and holds back what is masked, so that the device's server goes on sending: its
log says what it has sent, ``/proc/interrupts`` what has arrived.
"""

from __future__ import annotations

import itertools
import json
import mmap
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.vm.guest.waiting import within
from uvirtio.spec.pci import CapabilityId, MsixControl

pytestmark = [pytest.mark.boot("msix"), pytest.mark.timeout(300)]

_DEVICES = Path("/sys/bus/pci/devices")
_HW_RANDOM = Path("/sys/class/misc/hw_random")
_ROUNDS = 100
_PAGE = 4096


def _virtio(address: str) -> str:
    return next((_DEVICES / address).glob("virtio*")).name


def _arrived(address: str) -> dict[str, list[int]]:
    """What /proc/interrupts says of a function's vectors: the number of the interrupt -> how many, by CPU."""
    found = {}
    for line in Path("/proc/interrupts").read_text().splitlines():
        number, _, rest = line.strip().partition(":")
        words = rest.split()
        if words and words[-1].startswith(f"{_virtio(address)}-"):
            found[number] = [int(word) for word in itertools.takewhile(str.isdigit, words)]
    return found


class _Counts:
    """Messages that the server says it has sent, and interrupts that have arrived, since this was made."""

    def __init__(self, address: str, log: str) -> None:
        self._address, self._log = address, Path(log)
        self._read, self._messages = self._log.stat().st_size, 0
        self._before = self._all()

    def _all(self) -> int:
        return sum(map(sum, _arrived(self._address).values()))

    @property
    def arrived(self) -> int:
        """Interrupts."""
        return self._all() - self._before

    @property
    def sent(self) -> int:
        """Messages."""
        with self._log.open("rb") as file:
            file.seek(self._read)
            lines = file.read()
        whole = lines[: lines.rfind(b"\n") + 1]
        self._read += len(whole)
        self._messages += sum(json.loads(line).get("event") == "message" for line in whole.splitlines())
        return self._messages


class _FunctionMask:
    """The function mask of MSI-X, which the kernel itself leaves alone after it has set a device up."""

    def __init__(self, address: str) -> None:
        self._config = os.open(_DEVICES / address / "config", os.O_RDWR)
        space = os.pread(self._config, 256, 0)
        at = space[0x34]
        while space[at] != CapabilityId.MSIX:
            at = space[at + 1]
        self._at = at + MsixControl.OFFSET

    def put(self, masked: bool) -> None:
        """All vectors masked, or each as its entry says."""
        control = int.from_bytes(os.pread(self._config, 2, self._at), "little")
        assert control & MsixControl.ENABLE
        control = control | MsixControl.FUNCTION_MASK if masked else control & ~MsixControl.FUNCTION_MASK
        os.pwrite(self._config, control.to_bytes(2, "little"), self._at)

    def close(self) -> None:
        """Unmasked in the end."""
        self.put(False)
        os.close(self._config)


@contextmanager
def _meanwhile(job: Callable[[], None]) -> Iterator[threading.Thread]:
    """Something that waits for the device, in a thread of its own."""
    thread = threading.Thread(target=job, daemon=True)
    thread.start()
    yield thread
    thread.join(60)
    assert not thread.is_alive(), "a request does not come back: its message is lost"


def _choose(address: str, counts: _Counts) -> None:
    """Have the kernel take its random bytes from this function."""
    for source in (_HW_RANDOM / "rng_available").read_text().split():
        if source.startswith("virtio_rng"):
            (_HW_RANDOM / "rng_current").write_text(source)
            before = counts.arrived
            for _ in range(4):
                _draw()
            if counts.arrived > before:
                return
    pytest.fail(f"the kernel does not use {address}")


def _draw() -> None:
    with open("/dev/hwrng", "rb", buffering=0) as file:
        assert file.read(64)


@pytest.fixture
def entropy(devices: dict[str, str], boot: dict[str, Any]) -> tuple[str, _Counts]:
    """A served entropy device that the kernel draws from, one buffer at a time, and its counts."""
    address, log = devices["rng-quiet"], boot["devices"]["rng-quiet"]["log"]
    _choose(address, _Counts(address, log))
    time.sleep(0.5)
    return address, _Counts(address, log)


def test_a_message_waits_while_the_function_is_masked_and_comes_once(entropy: tuple[str, _Counts]) -> None:
    address, counts = entropy
    with closing(_FunctionMask(address)) as mask:
        held = 0
        for _ in range(20):
            assert within(10, lambda: counts.sent == counts.arrived)
            mask.put(True)
            before = counts.arrived
            with _meanwhile(_draw):
                if within(1, lambda: counts.sent > counts.arrived):
                    time.sleep(0.02)
                    assert (counts.arrived, counts.sent) == (before, before + 1)
                    held += 1
                mask.put(False)
    assert held >= 10, "most draws need a buffer of the device"
    assert within(10, lambda: counts.sent == counts.arrived)


def test_vectors_are_masked_and_moved_under_load_and_as_many_interrupts_arrive_as_messages_were_sent(
    entropy: tuple[str, _Counts],
) -> None:
    address, counts = entropy
    before = _arrived(address)

    def draw() -> None:
        for _ in range(_ROUNDS):
            _draw()

    movable = [path for number in before if (path := Path("/proc/irq", number, "smp_affinity")).exists()]
    with closing(_FunctionMask(address)) as mask, _meanwhile(draw) as thread:
        ends = time.monotonic() + 60
        # The kernel masks an entry while it writes another CPU's address into it.
        for cpus in itertools.cycle("12"):
            for path in movable:
                path.write_text(cpus)
            mask.put(True)
            time.sleep(0.002)
            mask.put(False)
            time.sleep(0.002)
            if not thread.is_alive() or time.monotonic() > ends:
                break
    assert within(10, lambda: counts.sent == counts.arrived), (counts.sent, counts.arrived)
    assert counts.sent >= _ROUNDS // 2
    grown = [sum(by_cpu) for by_cpu in zip(*(_more(before, address)), strict=True)]
    assert all(grown), f"the interrupt has moved between both CPUs: {grown}"


def _more(before: dict[str, list[int]], address: str) -> list[list[int]]:
    return [
        [now - then for now, then in zip(counts, before[number], strict=True)]
        for number, counts in _arrived(address).items()
    ]


def test_a_disk_with_many_requests_in_flight_loses_none_while_its_vectors_are_masked(
    devices: dict[str, str], boot: dict[str, Any]
) -> None:
    address = devices["blk-quiet"]
    assert within(10, lambda: bool(list((_DEVICES / address).glob("virtio*/block/*"))))
    disk = next((_DEVICES / address).glob("virtio*/block/*")).name
    contents = random.Random(7).randbytes(1 << 20)
    handle = os.open(f"/dev/{disk}", os.O_RDWR | os.O_DIRECT)
    with closing(mmap.mmap(-1, len(contents))) as whole:
        whole[:] = contents
        assert os.pwrite(handle, whole, 0) == len(contents)
    counts = _Counts(address, boot["devices"]["blk-quiet"]["log"])
    wrong: list[int] = []

    def read(seed: int) -> None:
        chosen = random.Random(seed)
        with closing(mmap.mmap(-1, _PAGE)) as page:
            for _ in range(_ROUNDS):
                at = _PAGE * chosen.randrange(len(contents) // _PAGE)
                if os.preadv(handle, [page], at) != _PAGE or page[:] != contents[at : at + _PAGE]:
                    wrong.append(at)

    threads = [threading.Thread(target=read, args=(seed,), daemon=True) for seed in range(4)]
    with closing(_FunctionMask(address)) as mask:
        for thread in threads:
            thread.start()
        ends = time.monotonic() + 120
        while any(thread.is_alive() for thread in threads) and time.monotonic() < ends:
            mask.put(True)
            time.sleep(0.005)
            mask.put(False)
            time.sleep(0.005)
    assert not any(thread.is_alive() for thread in threads), "a request does not come back: its message is lost"
    os.close(handle)
    assert wrong == []
    # Messages of one vector merge while it is masked, and never become more.
    assert 0 < counts.arrived <= counts.sent
