"""In the guest: sends each report to the host as it comes, and says where the devices are.

On the host these tests are only collected, and nothing here is used.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.lab import IN_GUEST
from tests.vm.guest.host import Host

_PCI = Path("/sys/bus/pci")


class Reporter:
    """Writes every report as a JSON line into the folder that the host reads."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        self._config = config
        self._path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        row = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, default=str) + "\n")


def pytest_configure(config: pytest.Config) -> None:
    shared = os.environ.get(IN_GUEST)
    if shared:
        config.pluginmanager.register(Reporter(config, Path(shared, "reports.jsonl")), "guest-reporter")


@pytest.fixture(scope="session")
def boot() -> dict[str, object]:
    """What the host wrote about this guest: ``boot``, ``accelerator``, ``devices``."""
    facts: dict[str, object] = json.loads(Path(os.environ[IN_GUEST], "boot.json").read_text(encoding="utf-8"))
    return facts


@pytest.fixture(scope="session")
def devices(boot: dict[str, dict[str, dict[str, object]]]) -> dict[str, str]:
    """The PCI address of each device, by its name in `tests/vm/boots.py`."""
    found = {}
    for name, row in boot["devices"].items():
        slot = str(row["slot"])
        if row["behind_port"]:
            below = (_PCI / "devices" / slot).glob("[0-9a-f]*:[0-9a-f]*:[0-9a-f]*.[0-7]")
            slot = next((path.name for path in below), slot)
        found[name] = slot
        if not row["msix"]:
            _without_msix(slot)
    return found


def _without_msix(address: str) -> None:
    """Has the kernel's driver take the device anew, with MSI and MSI-X forbidden."""
    function = _PCI / "devices" / address
    function.joinpath("msi_bus").write_text("0")
    function.joinpath("driver/unbind").write_text(address)
    _PCI.joinpath("drivers_probe").write_text(address)


@pytest.fixture(scope="session")
def host() -> Host:
    """The way to ask the host to do something."""
    return Host()
