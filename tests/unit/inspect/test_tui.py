"""The interface, driven through Textual's pilot and looked at: each screen, with devices of every condition."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import RichLog

from tests.unit.inspect.screens import compare_screen
from tests.unit.uio.fake import RNG, FakeMachine
from uvirtio_tools.inspect.live import LiveMachine
from uvirtio_tools.inspect.readiness import Fact
from uvirtio_tools.inspect.snapshot import device_document, load
from uvirtio_tools.inspect.sources import describe_locator
from uvirtio_tools.tui.app import Inspector, ListScreen
from uvirtio_tools.tui.device import DeviceScreen
from uvirtio_tools.tui.dialogs import Confirm, Page, TooSmall
from uvirtio_tools.tui.drive import DrivePanel
from uvirtio_tools.tui.export import export

Play = Callable[[Inspector, Any], Awaitable[None]]
SPLIT = "emulated:rng?features=-RING_PACKED"


def _play(machine: LiveMachine, play: Play, size: tuple[int, int] = (80, 24)) -> None:
    async def run() -> None:
        app = Inspector(machine, interval=0)
        async with app.run_test(size=size) as pilot:
            await _until(pilot, lambda: isinstance(app.screen, ListScreen | TooSmall))
            await play(app, pilot)

    try:
        asyncio.run(run())
    finally:
        machine.close()


async def _until(pilot: Any, condition: Callable[[], bool], patience: float = 30.0) -> None:
    """Let the application work until something holds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while not condition():
        assert loop.time() < deadline, "the interface did not get there"
        await pilot.pause(0.02)
    await pilot.pause()


async def _listed(app: Inspector, pilot: Any) -> None:
    await _until(pilot, lambda: not app.screen._looking)  # type: ignore[attr-defined]


async def _opened(app: Inspector, pilot: Any) -> None:
    await _listed(app, pilot)
    await pilot.press("enter")
    await _until(pilot, lambda: isinstance(app.screen, DeviceScreen) and not app.screen._looking)


async def _idle(app: Inspector, pilot: Any) -> None:
    panel = app.screen.query_one(DrivePanel)
    await _until(pilot, lambda: not panel.busy)


async def _press(app: Inspector, pilot: Any, *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await pilot.pause()
        await _idle(app, pilot)


def _log(panel: DrivePanel) -> list[str]:
    return [line.text.rstrip() for line in panel.query_one("#drive-log", RichLog).lines]


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_the_list_shows_each_device_with_the_dialect_that_it_offers(tmp_path: Path) -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _listed(app, pilot)
        compare_screen(app, "list", tmp_path)

    _play(LiveMachine(named=["emulated:rng", "emulated:rng?profile=crosvm", "emulated:rng?profile=qemu-store"]), play)


def test_a_machine_without_devices_says_so_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def play(app: Inspector, pilot: Any) -> None:
        await _listed(app, pilot)
        compare_screen(app, "list-empty", tmp_path)
        await pilot.press("enter", "b", "g", "e")
        assert isinstance(app.screen, ListScreen)

    _play(LiveMachine(sysfs=FakeMachine(tmp_path / "machine")), play)


def test_a_device_that_cannot_be_reached_shows_its_error_and_the_others_go_on(tmp_path: Path) -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _listed(app, pilot)
        await pilot.press("j")
        compare_screen(app, "list-failing", tmp_path)
        await pilot.press("enter")
        await _until(pilot, lambda: isinstance(app.screen, DeviceScreen) and not app.screen._looking)
        compare_screen(app, "device-failing", tmp_path)

    _play(LiveMachine(named=["emulated:rng", "vfio-user:/nonexistent/uvirtio.sock"]), play)


def test_a_device_that_is_unplugged_keeps_its_row_which_says_gone(tmp_path: Path) -> None:
    fake = FakeMachine(tmp_path / "machine")
    fake.add()

    async def play(app: Inspector, pilot: Any) -> None:
        await _listed(app, pilot)
        fake.remove(RNG)
        await pilot.press("r")
        await _listed(app, pilot)
        compare_screen(app, "list-gone", tmp_path)

    _play(LiveMachine(sysfs=fake), play)


@pytest.mark.parametrize(
    ("name", "key"),
    [("overview", "1"), ("features", "2"), ("caps", "3"), ("queues", "4"), ("config", "5"), ("drive", "7")],
)
def test_each_tab_of_a_snapshot_is_what_it_was(name: str, key: str, tmp_path: Path) -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await pilot.press(key)
        await pilot.pause()
        compare_screen(app, f"device-{name}", tmp_path)

    _play(LiveMachine(fixed=load(str(Path(__file__).parent / "net.json")).devices), play)


def test_a_snapshot_is_not_driven(tmp_path: Path) -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await _press(app, pilot, "7", "i")
        assert not app.screen.query_one(DrivePanel).active

    _play(LiveMachine(fixed=[describe_locator("emulated:rng")]), play)


def test_driving_shows_rings_that_fill_a_suspended_status_and_registers(tmp_path: Path) -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await _press(app, pilot, "7", "i", "s", "p")
        compare_screen(app, "drive-suspended", tmp_path)
        await _press(app, pilot, "4")
        compare_screen(app, "drive-rings", tmp_path)
        await _press(app, pilot, "8")
        compare_screen(app, "drive-trace", tmp_path)

    _play(LiveMachine(named=[SPLIT]), play)


def test_ten_cycles_are_judged_one_by_one() -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await _press(app, pilot, "7", "f")
        panel = app.screen.query_one(DrivePanel)
        assert [line for line in _log(panel) if line.startswith("cycle")][-1].startswith("cycle 10: PASS")
        assert _log(panel)[-1] == "10 cycles: all passed"
        assert len(panel.latencies) == 20

    _play(LiveMachine(named=[SPLIT]), play, (100, 32))


def test_a_failing_device_fails_in_the_log_and_the_interface_goes_on() -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await _press(app, pilot, "7", "f")
        panel = app.screen.query_one(DrivePanel)
        assert any(line.startswith("cycle 1: FAIL") for line in _log(panel))
        assert any("suspended" in line for line in _log(panel))
        await _press(app, pilot, "x", "i")
        assert panel.active

    _play(LiveMachine(named=[f"{SPLIT}&fault=V4"]), play, (100, 32))


def test_help_question_and_doctor_stand_on_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = [Fact("privilege", "ok", "root"), Fact("kernel module", "missing", "there is none", "apt install it")]
    monkeypatch.setattr("uvirtio_tools.inspect.readiness.examine", lambda: facts)

    async def play(app: Inspector, pilot: Any) -> None:
        await _listed(app, pilot)
        await pilot.press("question_mark")
        await _until(pilot, lambda: isinstance(app.screen, Page))
        compare_screen(app, "help", tmp_path)
        await pilot.press("escape", "b")
        await _until(pilot, lambda: isinstance(app.screen, Confirm))
        compare_screen(app, "confirm", tmp_path)
        await pilot.press("enter")  # no is what one gets by accident
        await _until(pilot, lambda: isinstance(app.screen, ListScreen))
        assert fake.writes == []
        await pilot.press("d")
        await _until(pilot, lambda: isinstance(app.screen, Page))
        compare_screen(app, "doctor", tmp_path)

    fake = FakeMachine(tmp_path / "machine")
    fake.add()
    _play(LiveMachine(sysfs=fake), play)


# -- behaviour ---------------------------------------------------------------------------------------------------------


def test_a_terminal_that_is_too_small_is_told_and_recovers(tmp_path: Path) -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _until(pilot, lambda: isinstance(app.screen, TooSmall))
        compare_screen(app, "too-small", tmp_path)
        await pilot.resize_terminal(80, 24)
        await _until(pilot, lambda: isinstance(app.screen, ListScreen))

    _play(LiveMachine(named=["emulated:rng"]), play, (40, 10))


def test_a_key_that_is_typed_right_after_the_tabs_goes_to_that_tab() -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await pilot.press("4")
        app.screen.action_tab("drive")  # type: ignore[attr-defined]
        assert app.screen.focused is app.screen.query_one("#drive-log")

    _play(LiveMachine(named=["emulated:rng"]), play)


def test_leaving_the_device_gives_it_back() -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await _press(app, pilot, "7", "i")
        client = app.screen.query_one(DrivePanel).client
        assert client is not None
        process = client._process
        await pilot.press("escape")
        await _until(pilot, lambda: isinstance(app.screen, ListScreen))
        assert process is not None
        assert process.returncode == 0

    _play(LiveMachine(named=["emulated:rng"]), play)


def test_a_session_that_is_killed_is_told_and_the_interface_lives_on() -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await _press(app, pilot, "7", "i")
        panel = app.screen.query_one(DrivePanel)
        assert panel.client is not None
        assert panel.client._process is not None
        panel.client._process.kill()
        await _until(pilot, lambda: "ended by SIGKILL" in " ".join(_log(panel)))
        assert not panel.active
        await _press(app, pilot, "s")
        assert " ".join(_log(panel)).count("SIGKILL") == 1
        await _press(app, pilot, "i")
        assert panel.active

    _play(LiveMachine(named=["emulated:rng"]), play)


def test_export_writes_the_screen_and_a_snapshot_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await pilot.press("e")
        await _until(pilot, lambda: bool(list(tmp_path.glob("*.json"))))

    _play(LiveMachine(named=["emulated:rng"]), play)
    (snapshot,) = tmp_path.glob("uvirtio-emulated-rng-*.json")
    assert load(str(snapshot)).devices[0].type_name == "rng"
    assert json.loads(snapshot.read_text())["schema"] == "uvirtio/device"
    assert list(tmp_path.glob("uvirtio-emulated-rng-*.svg"))


def test_export_follows_no_link_that_somebody_has_put_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("uvirtio_tools.tui.export.time.strftime", lambda _form: "-now")
    victim = tmp_path / "victim"
    for ending in ("svg", "json"):
        (tmp_path / f"uvirtio-emulated-rng-now.{ending}").symlink_to(victim)
    said: list[str] = []

    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        screen = app.screen
        assert isinstance(screen, DeviceScreen)
        said.append(export(app, screen.found, "emulated:rng"))

    _play(LiveMachine(named=["emulated:rng"]), play)
    assert said == ["cannot write uvirtio-emulated-rng-now: File exists"]
    assert not victim.exists()


def test_what_misses_its_widgets_as_the_interface_leaves_is_no_mistake(tmp_path: Path) -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _listed(app, pilot)
        app.interrupt()
        await pilot.pause()
        assert app.interrupted
        app._handle_exception(LookupError("a widget that has gone"))  # which the test framework raises again

    _play(LiveMachine(named=["emulated:rng"]), play)


def test_state_is_told_by_more_than_colour() -> None:
    from uvirtio_tools.tui.drive import lights

    on, off = lights(0x1B).plain, lights(0x00).plain
    assert "[x]SUSPEND" in on
    assert "[ ]SUSPEND" in off
    assert "absent or busy" in lights(0xFF).plain


def test_words_of_others_steer_no_terminal_and_are_no_markup(tmp_path: Path) -> None:
    words = "[/] [bold]\x1b]0;own\x07\x1b[2J\x9b\u202e[@click=app.bell]x[/]"
    path = tmp_path / "snapshot.json"
    document = device_document(describe_locator("emulated:rng"))
    document |= dict.fromkeys(("name", "driver", "interface", "type_name", "locator", "title"), words)
    document |= {name: [words] for name in ("kernel_names", "used_by", "problems", "notes")} | {"facts": {words: words}}
    for name in ("features", "queues", "capabilities"):
        for row in document[name]:
            row |= {"name": words, "problems": [words]}
    path.write_text(json.dumps(document))

    def shown(app: Inspector) -> str:
        strips = app.screen._compositor.render_strips()
        return "\n".join(segment.text for strip in strips for segment in strip)

    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        for key in "12345678":
            await pilot.press(key)
            await pilot.pause()
            assert all(sign.isprintable() or sign == "\n" for sign in shown(app)), repr(shown(app))
        await pilot.press("1")
        await pilot.pause()
        assert "[/] [bold]" in shown(app)
        await pilot.press("e", "escape")
        await _until(pilot, lambda: isinstance(app.screen, ListScreen))
        assert "[/] [bold]" in shown(app)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        _play(LiveMachine(fixed=list(load(str(path)).devices)), play)
