"""Registers are touched one element at a time: a slice may become any accesses, and on arm64 under KVM the end of the VM."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from uvirtio.access.view import CallView, Region
from uvirtio.bus.opening import open_function

ROOT = Path(__file__).parents[3]
#: What reaches registers, and what their views are called there.
ROOMS = (
    "uvirtio/transport", "uvirtio/pci", "uvirtio/bus", "uvirtio/access", "uvirtio/device.py", "uvirtio/messages.py",
    "tools/uvirtio_tools/inspect", "tools/uvirtio_tools/judging", "tools/uvirtio_tools/driving", "tools/uvirtio_tools/scenarios",
)  # fmt: skip
VIEWS = {"u8", "u16", "u32", "view", "_isr", "status_view", "_common", "_header", "_notify", "registers", "resource"}
#: Where a view of a mapped BAR is made: a part of a memoryview touches nothing.
MAKERS = {("uvirtio/access/view.py", "memory"), ("uvirtio/bus/uio/bars.py", "memory")}


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _slices() -> list[str]:
    found = []
    for room in ROOMS:
        place = ROOT / room
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and _name(node.value) in VIEWS:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    return found


def test_no_code_takes_a_slice_of_registers() -> None:
    assert _slices() == []


def test_the_search_finds_such_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = tmp_path / "uvirtio"
    room.mkdir()
    (room / "a.py").write_text("def f(region):\n    return bytes(region.u8[0:4])\n")
    monkeypatch.setattr(__import__("sys").modules[__name__], "ROOT", tmp_path)
    monkeypatch.setattr(__import__("sys").modules[__name__], "ROOMS", ("uvirtio",))
    assert _slices() == ["uvirtio/a.py:2: region.u8[0:4]"]


def test_a_view_that_is_called_refuses_a_slice_so_all_that_runs_on_the_emulated_bus_takes_none() -> None:
    calls: list[object] = []
    view = CallView(lambda *words: calls.append(words) or 0, lambda *words: calls.append(words), 0, 4)  # type: ignore[func-returns-value]
    with pytest.raises(TypeError):
        view[0:2]  # type: ignore[index]
    with pytest.raises(TypeError):
        view[0:2] = 1  # type: ignore[index]
    assert calls == []
    with open_function("emulated:rng") as function:
        region = function.bar(4)
        assert isinstance(region, Region)
        for each in (region.u8, region.u16, region.u32):
            with pytest.raises(TypeError):
                each[0:2]  # type: ignore[index]
