"""Listing many devices: what is read, how often, and what that disturbs; and how the table is drawn."""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from tests.unit.uio.fake import MSIX_AT, RNG, FakeMachine
from uvirtio.bus.uio import discover
from uvirtio.errors import UvirtioError
from uvirtio.spec.pci import CapabilityId, StructureType
from uvirtio_tools.cli import main
from uvirtio_tools.inspect import sources
from uvirtio_tools.inspect.columns import Columns, empty_table
from uvirtio_tools.inspect.model import Description
from uvirtio_tools.inspect.sources import Look, describe_all, describe_locator

WINDOW_AT = 0x70
#: bar, id, padding, offset, length of a window that firmware has left on a byte of BAR 4.
LEFT_AT = bytes([4, 0, 0, 0]) + (0x2000).to_bytes(4, "little") + (1).to_bytes(4, "little")


def machine_of(folder: Path, count: int) -> FakeMachine:
    """A machine with so many functions: entropy devices, and every eighth a mounted disk."""
    machine = FakeMachine(folder / f"machine-{count}")
    mounts = []
    for number in range(count):
        address = f"0000:00:{0x10 + number // 8:02x}.{number % 8}"
        disk = number % 8 == 7
        at = machine.add(address, device=0x1042 if disk else 0x1044, number=number)
        (at / "msi_irqs").mkdir()
        child = machine.child(address, driver="virtio_blk" if disk else "virtio_rng")
        (child / "power").mkdir()
        if disk:
            (machine.class_device(child, "block", f"vd{number}", dev=f"254:{number}") / "queue").mkdir()
            mounts.append(f"{number} 1 254:{number} / /disk{number} rw - ext4 /dev/vd{number} rw")
    (machine.proc / "self/mountinfo").write_text("".join(f"{line}\n" for line in mounts))
    return machine


@contextmanager
def watching(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Counts what is opened or looked up, by path."""
    seen: Counter[str] = Counter()
    link = os.readlink

    def noting(call: Callable[..., object], what: str) -> Callable[..., object]:
        def noted(path: object = ".", *rest: object, dir_fd: int | None = None, **more: object) -> object:
            named = link(f"/proc/self/fd/{path}") if isinstance(path, int) else os.fspath(path)  # type: ignore[call-overload]
            if dir_fd is not None and dir_fd >= 0:
                named = os.path.join(link(f"/proc/self/fd/{dir_fd}"), named)
                more["dir_fd"] = dir_fd
            seen[f"{what} {named}"] += 1
            return call(path, *rest, **more)

        return noted

    with monkeypatch.context() as patch:
        for name in ("open", "listdir", "scandir", "readlink"):
            patch.setattr(os, name, noting(getattr(os, name), name))
        patch.setattr(io, "open", noting(io.open, "open"))
        yield seen


def list_all(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, *, used: bool) -> Counter[str]:
    with watching(monkeypatch) as seen:
        found = list(describe_all(machine, Look(raw=False, used=used)))
    assert all(isinstance(item, Description) for item in found)
    return seen


def test_no_file_is_read_twice_however_many_devices_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = machine_of(tmp_path, 64)
    seen = list_all(machine, monkeypatch, used=True)
    assert seen[f"open {machine.proc / 'self/mountinfo'}"] == 1
    assert {path: times for path, times in seen.items() if times > 1} == {}
    assert not any(path.endswith(("/power", "/queue")) for path in seen)


def test_the_work_per_device_is_bounded_and_does_not_grow_with_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = {count: sum(list_all(machine_of(tmp_path, count), monkeypatch, used=True).values()) for count in (8, 16, 64)}
    assert (work[64] - work[16]) / 48 == (work[16] - work[8]) / 8 <= 30


def test_what_uses_a_device_is_not_looked_for_where_it_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = machine_of(tmp_path, 8)
    monkeypatch.setattr(sources, "Sysfs", lambda: machine)
    monkeypatch.setenv("COLUMNS", "80")
    for words, shown in ((["list"], False), (["list", "-v"], True), (["list", "--json"], True)):
        with watching(monkeypatch) as seen:
            assert main(words) == 0
        assert any(str(machine.proc) in path for path in seen) == shown
        assert ("/disk7" in capsys.readouterr().out) == shown


class _Vanishing(FakeMachine):
    """Three entropy devices, the second of which goes after so many files and directories have been opened."""

    GONE = "0000:00:06.0"

    def __init__(self, root: Path, after: int) -> None:
        super().__init__(root)
        self.left = after
        self._open = os.open
        for number, address in enumerate((RNG, self.GONE, "0000:00:07.0")):
            self.add(address, number=number)
            self.child(address)

    def open(self, *words: Any, **more: Any) -> int:
        handle = self._open(*words, **more)
        if self.left >= 0 and os.readlink(f"/proc/self/fd/{handle}").startswith(str(self.root)):
            self.left -= 1
            if self.left < 0:
                self.remove(self.GONE)
        return handle


def test_a_device_may_vanish_at_any_moment_and_the_others_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for steps in range(200):
        machine = _Vanishing(tmp_path / f"step-{steps}", steps)
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", machine.open)
            found = list(describe_all(machine))
        told = [item.locator for item in found if isinstance(item, Description)]
        assert [address for address in told if address != machine.GONE] == [RNG, "0000:00:07.0"]
        assert all(machine.GONE in str(item) for item in found if isinstance(item, UvirtioError))
        if machine.left >= 0:
            break  # it was all read before its turn came
    assert 40 < steps < 199


# -- configuration space -------------------------------------------------------------------------------------------------


def with_window(machine: FakeMachine) -> Path:
    """Adds a function whose PCI_CFG window was left somewhere; returns its ``config``."""
    path = machine.add() / "config"
    config = bytearray(path.read_bytes())
    config[MSIX_AT + 1] = WINDOW_AT
    config[WINDOW_AT : WINDOW_AT + 20] = (
        bytes([CapabilityId.VENDOR, 0, 20, StructureType.PCI_CFG]) + LEFT_AT + b"\xaa" * 4
    )
    config[0xF0] = 0x55
    path.write_bytes(config)
    return path


@pytest.mark.parametrize("intrusive", [False, True])
def test_the_data_field_of_the_window_is_left_alone_where_nothing_is_read_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, intrusive: bool
) -> None:
    machine = FakeMachine(tmp_path / "machine")
    config = with_window(machine)
    reading, aimed = os.pread, []

    def noted(handle: int, length: int, offset: int) -> bytes:
        if offset < WINDOW_AT + 20 and offset + length > WINDOW_AT + 16:
            aimed.append(config.read_bytes()[WINDOW_AT + 4 : WINDOW_AT + 16])
        return reading(handle, length, offset)

    monkeypatch.setattr(os, "pread", noted)
    device = describe_locator(RNG, sysfs=machine, intrusive=intrusive)
    raw = bytes.fromhex(device.pci_raw)
    assert (raw[WINDOW_AT + 16 : WINDOW_AT + 20], raw[0xF0], len(raw)) == (bytes(4), 0x55, 256)
    assert LEFT_AT not in aimed
    assert bool(aimed) == intrusive
    assert [entry.structure for entry in device.capabilities] == ["COMMON", None, "PCI_CFG"]


def test_the_window_is_aimed_again_at_what_it_was_aimed_at(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path / "machine")
    config = with_window(machine)
    before = config.read_bytes()
    device = describe_locator(RNG, sysfs=machine, intrusive=True)
    assert device.source == "PCI_CFG window"
    assert machine.writes != []
    assert config.read_bytes() == before


def test_a_virtual_function_which_has_no_ids_in_configuration_space_is_told(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path / "machine")
    machine.add()
    (virtual,) = machine.enable_virtual(count=1)
    path = machine.function(virtual) / "config"
    assert path.read_bytes()[:4] == b"\xff" * 4
    assert describe_locator(virtual, sysfs=machine).type_name == "rng"
    path.write_bytes(b"\xff" * 256)
    with pytest.raises(UvirtioError, match="all-ones"):
        describe_locator(virtual, sysfs=machine)


def test_a_list_that_leads_astray_is_read_no_further(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path / "machine")
    path = machine.add() / "config"
    config = bytearray(path.read_bytes())
    config[MSIX_AT + 1] = 0x40
    path.write_bytes(config)
    (device,) = describe_all(machine)
    assert isinstance(device, Description)
    assert any("loop" in problem for problem in device.problems)
    assert len(discover(machine)[0].config) == 256


# -- the table -----------------------------------------------------------------------------------------------------------


def drawn(table: object, width: int) -> list[str]:
    screen = Console(file=StringIO(), width=width, highlight=False, markup=False, emoji=False)
    screen.print(table)
    assert isinstance(screen.file, StringIO)
    return [line.rstrip() for line in screen.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [20, 33, 34, 35, 80])
def test_rows_look_as_rich_would_draw_them(width: int) -> None:
    headings, rows = ("名前", "address", "is"), [("日本", "0000:00:05.0", "virtio3 eth0"), ("x", "", "名前が長い")]
    table = empty_table(*headings)
    for row in rows:
        table.add_row(*row)
    assert drawn(Columns(headings, rows), width) == drawn(table, width)


def test_a_cell_stays_on_its_line() -> None:
    lines = drawn(Columns(("used by",), [("mounted on /a\nb\x1b[2J",)]), 80)
    assert lines[2:] == ["mounted on /a\\nb\\x1b[2J"]


def test_a_device_is_one_line_where_nobody_looks_at_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = machine_of(tmp_path, 16)
    monkeypatch.setattr(sources, "Sysfs", lambda: machine)
    monkeypatch.setenv("COLUMNS", "30")
    for words in (["list"], ["list", "-v"]):
        assert main(words) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines[2:]] == [f"0000:00:1{n // 8}.{n % 8}" for n in range(16)]
        assert lines[1] == "─" * 30
        assert max(map(len, lines)) > 60


def test_on_a_terminal_cells_are_folded_unless_all_of_them_are_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = machine_of(tmp_path, 2)
    monkeypatch.setattr(sources, "Sysfs", lambda: machine)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 5
    assert all(cell_len(Text.from_ansi(line).plain) <= 40 for line in lines)
    assert main(["list", "-v"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_the_document_has_its_members_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sources, "Sysfs", lambda: machine_of(tmp_path, 8))
    assert main(["list", "--json"]) == 0
    devices = json.loads(capsys.readouterr().out)["devices"]
    assert next(iter(devices[0].items())) == ("locator", "0000:00:10.0")
    assert devices[7]["used_by"] == ["vd7 is mounted on /disk7"]
    assert (devices[7]["vendor"], devices[7]["accepted"]) == ("0x1af4", hex(1 << 32))
