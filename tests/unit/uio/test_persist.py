"""Binding at boot: a udev rule for one slot and one device, removed again on request."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.lab import udevadm
from tests.unit.uio.fake import RNG, FakeMachine
from uvirtio.bus.uio import Sysfs
from uvirtio.bus.uio.discovery import describe
from uvirtio.bus.uio.persist import forget, persist, persistent, rule
from uvirtio.errors import CannotRun


def test_the_rule_is_written_listed_and_removed_without_a_trace(machine: FakeMachine) -> None:
    path = persist(machine, describe(machine, RNG))
    assert path == machine.root / f"etc/udev/rules.d/61-uvirtio-bind-{RNG}.rules"
    assert persistent(machine) == [RNG]
    assert forget(machine, RNG)
    assert persistent(machine) == []
    assert list(path.parent.iterdir()) == []
    assert not forget(machine, RNG)


def test_the_rule_names_the_slot_and_the_device_and_leaves_one_alone_that_is_bound(machine: FakeMachine) -> None:
    text = rule(describe(machine, RNG))
    (line,) = [line for line in text.splitlines() if not line.startswith("#")]
    for words in (f'KERNEL=="{RNG}"', 'ATTR{vendor}=="0x1af4"', 'ATTR{device}=="0x1044"', 'DRIVER!="uio_pci_generic"'):
        assert words in line
    assert "new_id" not in text
    assert f"uvirtio restore {RNG}" in text


def test_a_dry_run_shows_the_rule_and_writes_nothing(machine: FakeMachine) -> None:
    said: list[str] = []
    dry = Sysfs(machine.root, dry_run=True, tell=said.append)
    persist(dry, describe(machine, RNG))
    assert "61-uvirtio-bind-" in said[0]
    assert persistent(machine) == []


def test_a_folder_that_cannot_be_written_is_told(machine: FakeMachine) -> None:
    (machine.root / "etc").mkdir()
    (machine.root / "etc/udev").write_text("a file in the way")
    with pytest.raises(CannotRun, match="61-uvirtio-bind-"):
        persist(machine, describe(machine, RNG))


@pytest.mark.needs("udevadm")
def test_udev_accepts_the_rule_and_those_for_the_devices(machine: FakeMachine) -> None:
    shipped = Path(__file__).parents[3] / "udev/60-uvirtio.rules"
    tool = udevadm()
    assert tool is not None
    for path in (shipped, persist(machine, describe(machine, RNG))):
        done = subprocess.run([tool, "verify", path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.needs("udevadm")
def test_a_damaged_rule_is_not_accepted(tmp_path: Path) -> None:
    tool = udevadm()
    assert tool is not None
    damaged = tmp_path / "60-damaged.rules"
    damaged.write_text('ACTION=="add", NO_SUCH_KEY=="x"\n')
    assert subprocess.run([tool, "verify", damaged], capture_output=True, check=False).returncode != 0
