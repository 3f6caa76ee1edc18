"""What is told of functions on vfio-pci, of IOMMU groups, and of what a machine can do; and how the bus is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.uio.fake import RNG, FakeMachine
from tests.unit.vfio.boxed import VfioMachine
from tests.unit.vfio.fake import FakeKernel
from uvirtio.bus.uio import bind, open_uio, uses
from uvirtio.bus.uio.discovery import describe
from uvirtio.bus.uio.persist import rule
from uvirtio.bus.uio.sysfs import VFIO_DRIVER
from uvirtio_tools import cli
from uvirtio_tools.inspect.facts import Fact
from uvirtio_tools.inspect.readiness import examine
from uvirtio_tools.inspect.sources import describe_locator

OTHER = "0000:00:06.0"


@pytest.fixture
def taken(machine: VfioMachine, run: Path) -> VfioMachine:
    bind(RNG, sysfs=machine, run=run, driver=VFIO_DRIVER)
    return machine


# -- functions ---------------------------------------------------------------------------------------------------------


def test_a_function_on_vfio_is_looked_at_through_vfio(
    taken: VfioMachine, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uvirtio.bus.vfio.looking.Kernel", lambda: kernel)
    taken.writes.clear()
    device = describe_locator("5.0", sysfs=taken)
    assert (device.source, device.driver, device.iommu_group) == ("registers", VFIO_DRIVER, 9)
    assert (device.offered or 0) >> 33 & 1
    assert (kernel.open_files, taken.writes) == ([], [])
    assert describe_locator(f"vfio:{RNG}", sysfs=taken) == device


def test_one_that_somebody_has_open_is_left_alone(
    taken: VfioMachine, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uvirtio.bus.vfio.looking.Kernel", lambda: kernel)
    kernel.busy.add("vfio/9")
    device = describe_locator("5.0", sysfs=taken)
    assert device.source == "sysfs"
    assert any("is open in another process" in note for note in device.notes)


def test_who_has_it_open_is_told(taken: VfioMachine) -> None:
    for name in ("comm", "fd"):
        (taken.proc / "77").mkdir(exist_ok=True)
        if name == "comm":
            (taken.proc / "77/comm").write_text("qemu\n")
    (taken.proc / "77/fd").mkdir()
    (taken.proc / "77/fd/5").symlink_to(taken.dev / "vfio/9")
    assert uses(taken, RNG) == ["/dev/vfio/9 is open in process 77 (qemu)"]


def test_who_shares_the_group_is_told(machine: VfioMachine) -> None:
    machine.add(OTHER, number=4)
    machine.join(OTHER, 9)
    device = describe_locator("5.0", sysfs=machine)
    assert any(f"group 9 is shared with {OTHER} (virtio-pci)" in note for note in device.notes)


def test_it_can_be_taken_at_every_boot(machine: VfioMachine) -> None:
    text = rule(describe(machine, RNG), VFIO_DRIVER)
    assert "modprobe vfio-pci" in text
    assert 'ATTR{driver_override}="vfio-pci"' in text
    assert "uio_pci_generic" not in text


def test_through_uio_a_function_without_a_pin_names_vfio(tmp_path: Path, run: Path, memory: object) -> None:
    machine = FakeMachine(tmp_path / "other")
    machine.add(pin=0)
    VfioMachine.join(machine, RNG, 9)  # type: ignore[arg-type]
    with open_uio(RNG, sysfs=machine, run=run) as function:
        assert f"the function has no interrupt pin; vfio:{RNG} delivers MSI-X" in function.line.description


# -- doctor ------------------------------------------------------------------------------------------------------------


def facts(machine: VfioMachine, run: Path) -> dict[str, Fact]:
    return {fact.name: fact for fact in examine(machine, run)}


def test_doctor_names_what_to_type_behind_an_iommu(machine: VfioMachine, run: Path) -> None:
    machine.modprobe(VFIO_DRIVER)
    machine.add(OTHER, number=4)
    machine.join(OTHER, 9)
    found = facts(machine, run)
    assert RNG in found["IOMMU"].text
    assert "uvirtio suspend vfio:ADDRESS" in found["IOMMU"].advice
    assert f"together with {RNG} (virtio-pci)" in found["IOMMU group"].text
    assert f"take {RNG} (virtio-pci) from their drivers too" in found["IOMMU group"].advice
    assert (found["VFIO"].state, found["VFIO"].text) == ("ok", "vfio-pci is loaded")


def test_doctor_names_vfio_where_there_is_no_pin(machine: VfioMachine, run: Path) -> None:
    (machine.function(RNG).resolve() / "config").write_bytes(bytes(256))
    assert f"vfio:{RNG}" in facts(machine, run)["interrupt pins"].advice


def test_doctor_says_when_there_is_no_vfio(machine: VfioMachine, run: Path) -> None:
    found = facts(machine, run)["VFIO"]
    assert found.state == "note"
    assert "has no vfio-pci" in found.text


@pytest.mark.parametrize(
    ("mode", "state", "text"),
    [("Y", "note", "taints the kernel"), ("N", "ok", "compiled in, and off"), (None, "note", "unknown")],
)
def test_doctor_knows_the_mode_without_an_iommu(
    machine: VfioMachine, run: Path, mode: str | None, state: str, text: str
) -> None:
    machine.modprobe(VFIO_DRIVER)
    if mode is not None:
        machine.no_iommu(mode)
    found = facts(machine, run)["VFIO without IOMMU"]
    assert found.state == state
    assert text in found.text


def test_doctor_takes_a_module_without_the_parameter_for_one_without_the_mode(machine: VfioMachine, run: Path) -> None:
    machine.modprobe(VFIO_DRIVER)
    (machine.sys / "module/vfio").mkdir(parents=True)
    assert "not compiled in" in facts(machine, run)["VFIO without IOMMU"].text


def test_doctor_reads_how_the_kernel_was_built(
    machine: VfioMachine, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    machine.modprobe(VFIO_DRIVER)
    (machine.root / "boot").mkdir()
    (machine.root / f"boot/config-{os.uname().release}").write_text("CONFIG_VFIO_DEVICE_CDEV=y\n")
    found = facts(machine, run)
    assert "not compiled in (CONFIG_VFIO_NOIOMMU)" in found["VFIO without IOMMU"].text
    assert "character devices of their own" in found["iommufd"].text


# -- the command line --------------------------------------------------------------------------------------------------


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which functions get a supervisor; nothing is run."""
    found: list[str] = []

    def supervise(bdf: str, work: object) -> int:
        found.append(bdf)
        return work() if callable(work) else 0

    monkeypatch.setattr("uvirtio_tools.supervisor.supervise", supervise)
    monkeypatch.setattr("uvirtio.bus.uio.discovery.resolve", lambda text, *_: f"0000:{text}")
    return found


class _Command:
    """A command that tells which devices it was asked to drive."""

    asked: list[str]

    @staticmethod
    def run(args: object) -> int:
        _Command.asked = getattr(args, "locators", None) or [args.locator]  # type: ignore[attr-defined]
        return 0


@pytest.mark.parametrize(
    ("words", "asked", "guarded"),
    [
        (["suspend", "00:05.0"], ["00:05.0"], ["0000:00:05.0"]),
        (["suspend", "00:05.0", "--via", "vfio"], ["vfio:00:05.0"], ["0000:00:05.0"]),
        (["suspend", "vfio:00:05.0?legacy=on"], ["vfio:00:05.0?legacy=on"], ["0000:00:05.0"]),
        (
            ["check", "00:05.0", "vfio:00:06.0", "emulated:rng"],
            ["00:05.0", "vfio:00:06.0", "emulated:rng"],
            ["0000:00:06.0", "0000:00:05.0"],
        ),
        (["bench", "rng", "00:05.0", "--via", "vfio"], ["vfio:00:05.0"], ["0000:00:05.0"]),
        (["check", "emulated:rng"], ["emulated:rng"], []),
    ],
)
def test_every_device_of_the_machine_that_is_driven_has_a_supervisor(
    words: list[str], asked: list[str], guarded: list[str], supervised: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = cli._module
    monkeypatch.setattr(cli, "_module", lambda name: real(name) if not supervised_by(name) else _with_run(real(name)))
    assert cli.main(words) == 0
    assert (_Command.asked, supervised) == (asked, guarded)


def supervised_by(name: str) -> bool:
    return name in cli.DRIVING


def _with_run(module: object) -> object:
    return type("_Module", (), {"add_arguments": staticmethod(module.add_arguments), "run": staticmethod(_Command.run)})  # type: ignore[attr-defined]


def test_via_is_for_devices_of_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["suspend", "emulated:rng", "--via", "vfio"]) == 2
    assert "not a PCI function of this machine" in capsys.readouterr().err


def test_bind_takes_both_forms(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from uvirtio.bus.uio.binding import Bound

    drivers: list[str] = []

    def bound(bdf: str, *, force: bool, sysfs: object, driver: str) -> Bound:
        drivers.append(driver)
        return Bound(bdf, "vfio/9", "virtio-pci", False, driver)

    monkeypatch.setattr("uvirtio.bus.uio.binding.bind", bound)
    monkeypatch.setattr("uvirtio.bus.uio.discovery.resolve", lambda text, *_: f"0000:{text}")
    assert cli.main(["bind", "--via", "vfio", "00:05.0", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["devices"][0]
    assert (drivers, row["driver"], row["vfio"], row["uio"]) == ([VFIO_DRIVER], VFIO_DRIVER, "vfio/9", None)
