"""As many functions as a large machine has, several to a slot: all of them are found, and in order."""

from __future__ import annotations

import pytest

from tests.vm.guest.inspected import shown
from uvirtio.bus.uio import Sysfs, discover, resolve
from uvirtio_tools.cli import main

pytestmark = [pytest.mark.boot("many"), pytest.mark.timeout(120)]


def test_every_function_of_every_slot_is_listed_in_order(
    devices: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(devices) == 64
    rows = {row["locator"]: row for row in shown(capsys, command="list")["devices"]}
    assert list(rows) == sorted(rows) == [function.address for function in discover()]
    for address in devices.values():
        row = rows[address]
        assert (row["type_name"], row["driver"], row["interface"]) == ("rng", "virtio-pci", "modern"), address
        assert not row["problems"]
        assert row["interrupt"]["msix_vectors"] > 0
    names = [name for row in rows.values() for name in row["kernel_names"] if name.startswith("virtio")]
    assert len(names) == len(set(names)) == len(rows)
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.split()[0] for line in lines] == list(rows)
    assert resolve(rows[devices["rng-63"]]["kernel_names"][0], Sysfs()) == devices["rng-63"]
