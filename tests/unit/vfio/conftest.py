"""A machine with an IOMMU, its kernel, and what opens its entropy device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.uio.test_function import Memory
from tests.unit.vfio.boxed import VfioMachine
from tests.unit.vfio.fake import FakeKernel
from uvirtio.bus.locator import Locator
from uvirtio.bus.uio.hugepages import HugePageArena
from uvirtio.bus.vfio import open_vfio
from uvirtio.bus.vfio.function import VfioFunction

Opener = Callable[..., VfioFunction]


@pytest.fixture
def machine(tmp_path: Path) -> VfioMachine:
    return VfioMachine(tmp_path / "machine")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def kernel(machine: VfioMachine) -> FakeKernel:
    return FakeKernel(machine)


@pytest.fixture
def opener(machine: VfioMachine, kernel: FakeKernel, run: Path) -> Opener:
    def opened(text: Locator | str = "5.0", *, force: bool = False) -> VfioFunction:
        return open_vfio(text, force=force, sysfs=kernel.machine, run=run, kernel=kernel)

    return opened


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    """Huge pages that are small ones, with made-up places in physical memory."""
    found = Memory(list(range(100, 400)))
    monkeypatch.setattr(HugePageArena, "page", 4096)
    monkeypatch.setattr(HugePageArena, "flags", 0)
    monkeypatch.setattr(HugePageArena, "_physical", lambda arena, address: found.physical(arena, address))
    return found
