"""Sources that contradict each other: `show` and `list` tell of it, and go by the one that counts."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.emulated.tampered import TRANSITIONAL, capability, every_emulated, header, tampered
from tests.unit.uio.fake import RNG, FakeMachine
from uvirtio.bus.emulated import EmulatedBus
from uvirtio.emulated.options import parse_options
from uvirtio.emulated.server import Server
from uvirtio.spec.pci import Header, StructureCap, StructureType
from uvirtio.spec.registers import COMMON
from uvirtio_tools.cli import main
from uvirtio_tools.inspect import sources
from uvirtio_tools.inspect.sources import describe_locator, describe_open


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    machine = FakeMachine(tmp_path / "machine")
    monkeypatch.setattr(sources, "Sysfs", lambda: machine)
    return machine


def disk_with_a_network_id() -> tuple[tuple[int, int, int], ...]:
    return TRANSITIONAL, (Header.DEVICE, 2, 0x1000), (Header.SUBSYSTEM, 2, 2)


@pytest.mark.parametrize("ring", ["", "?features=-RING_PACKED"])
def test_a_disk_with_a_network_cards_pci_device_id_is_shown_as_a_disk(ring: str) -> None:
    with tampered(f"emulated:blk{ring}", header(*disk_with_a_network_id())) as bus:
        device = describe_open(bus)
    assert (device.type_name, device.interface, device.section) == ("blk", "transitional", "5.2")
    assert {field.name: field.value for field in device.config}["capacity"] == 1 << 15
    assert [queue.name for queue in device.queues] == ["requestq1"]
    (problem,) = (each for each in device.problems if "(P" not in each)
    assert "of a transitional device the subsystem id counts (4.1.2.3)" in problem


@pytest.mark.parametrize(
    ("kind", "device", "subsystem"), [("net", 0x1000, 0x1100), ("rng", 0x1005, 0), ("balloon", 0x1002, 0x40)]
)
def test_a_subsystem_id_that_is_no_type_is_told(kind: str, device: int, subsystem: int) -> None:
    tamper = header(TRANSITIONAL, (Header.DEVICE, 2, device), (Header.SUBSYSTEM, 2, subsystem))
    with tampered(f"emulated:{kind}", tamper) as bus:
        described = describe_open(bus)
    assert described.type_name == kind
    assert [f"subsystem id {subsystem:#x} is no device type" in problem for problem in described.problems][:1] == [True]


@pytest.mark.parametrize("kind", ["blk", "net", "console"])
@pytest.mark.parametrize("ring", ["", "?features=-RING_PACKED"])
def test_a_device_is_driven_as_the_type_that_is_shown(
    kind: str, ring: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number = {"blk": 2, "net": 1, "console": 3}[kind]
    every_emulated(monkeypatch, header(TRANSITIONAL, (Header.DEVICE, 2, 0x1005), (Header.SUBSYSTEM, 2, number)))
    assert main(["suspend", f"emulated:{kind}{ring}", "--hold", "0"]) == 0
    assert f"virtio {kind} (1af4:1005)" in capsys.readouterr().out
    assert main(["show", f"emulated:{kind}{ring}"]) == 0
    assert "0x1005 is a rng device's" in " ".join(capsys.readouterr().out.split())


def test_behind_a_socket_the_same_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every_emulated(monkeypatch, header(*disk_with_a_network_id()))
    server = Server(parse_options("blk", {}), str(tmp_path / "s"), once=True)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    device = describe_locator(f"vfio-user:{tmp_path}/s")
    thread.join(5)
    assert (device.type_name, device.interface) == ("blk", "transitional")
    assert "of a transitional device the subsystem id counts" in device.problems[0]


def test_on_this_machine_show_and_list_tell_it_and_the_kernels_driver_is_not_disturbed(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    at = machine.add(device=0x1000)
    for name, text in (("subsystem_device", "0x0002"), ("revision", "0x00")):
        (at / name).write_text(text + "\n")
    config = bytearray((at / "config").read_bytes())
    config[Header.SUBSYSTEM : Header.SUBSYSTEM + 2] = bytes([2, 0])
    config[Header.REVISION] = 0
    (at / "config").write_bytes(config)
    assert main(["list"]) == 0
    said = capsys.readouterr()
    assert "blk" in said.out
    assert "of a transitional device the subsystem id counts (4.1.2.3)" in said.err
    assert describe_locator(RNG).problems[0] in said.err
    assert machine.writes == []


@pytest.mark.parametrize("ids", [bytes(4), bytes([0x86, 0x80, 0, 1])])
def test_a_function_whose_ids_changed_since_the_kernel_found_it_is_shown_as_what_it_was_found_as(
    machine: FakeMachine, ids: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    at = machine.add(device=0x1042)
    config = bytearray((at / "config").read_bytes())
    config[Header.VENDOR : Header.VENDOR + 4] = ids
    (at / "config").write_bytes(config)
    device = describe_locator(RNG)
    assert (device.type_name, device.vendor, device.device) == ("blk", 0x1AF4, 0x1042)
    read = int.from_bytes(ids[:2], "little")
    assert (
        f"the vendor id reads {read:#06x} in configuration space; the kernel found the function by 0x1af4"
        in (device.problems[0])
    )
    assert main(["list"]) == 0
    assert "blk" in capsys.readouterr().out


def test_a_bar_that_lost_its_address_behind_the_kernels_back_is_told(machine: FakeMachine) -> None:
    at = machine.add()
    config = bytearray((at / "config").read_bytes())
    config[Header.BAR0 + 16 : Header.BAR0 + 24] = bytes([0xC]) + bytes(7)
    (at / "config").write_bytes(config)
    problem = describe_locator(RNG).problems[0]
    assert problem.startswith("BAR 4 reads 0x0, but the kernel has placed it at 0x400000000")


def _with_vector(bus: EmulatedBus, vector: int) -> EmulatedBus:
    inner, at = bus.function.bar_read, COMMON["config_msix_vector"].offset
    bus.function.bar_read = lambda bar, offset, width: vector if offset == at else inner(bar, offset, width)  # type: ignore[method-assign]
    return bus


@pytest.mark.parametrize("kind", ["rng", "net", "console"])
def test_registers_that_their_structure_has_no_room_for_are_told(kind: str) -> None:
    short = capability(StructureType.COMMON, StructureCap.STRUCTURE_LENGTH, 4, 0x38)
    with tampered(f"emulated:{kind}?features=%2BNOTIF_CONFIG_DATA", short) as bus:
        problems = describe_open(bus).problems
    assert [problem.partition(" is offered")[0] for problem in problems] == ["NOTIF_CONFIG_DATA", "RING_RESET"]
    with _with_vector(tampered(f"emulated:{kind}"), 0x40) as bus:
        (problem,) = describe_open(bus).problems
    assert "config_msix_vector is 64, but MSI-X has" in problem


@pytest.mark.parametrize("kind", ["rng", "blk", "net"])
@pytest.mark.parametrize("ring", ["", ",-RING_PACKED"])
def test_features_whose_registers_do_not_exist_are_not_used(
    kind: str, ring: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    every_emulated(monkeypatch, capability(StructureType.COMMON, StructureCap.STRUCTURE_LENGTH, 4, 0x38))
    locator = f"emulated:{kind}?features=%2BNOTIF_CONFIG_DATA{ring}"
    assert main(["suspend", locator, "--hold", "0"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "feature 39 is left out: its register lies beyond the end of the COMMON structure" in said
    assert "feature 40 is left out" in said
