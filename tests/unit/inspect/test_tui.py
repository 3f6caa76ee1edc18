"""The interface, driven through Textual's pilot and looked at: each screen, with devices of every condition."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import DataTable, RichLog

from tests.emulated.served import served
from tests.unit.inspect.screens import compare_screen
from tests.unit.uio.fake import RNG, FakeMachine
from uvirtio_tools.inspect.live import LiveMachine
from uvirtio_tools.inspect.model import Ring
from uvirtio_tools.inspect.readiness import Fact
from uvirtio_tools.inspect.snapshot import device_document, load
from uvirtio_tools.inspect.sources import describe_locator
from uvirtio_tools.tui.app import Inspector
from uvirtio_tools.tui.device import DeviceView
from uvirtio_tools.tui.device_list import DeviceList
from uvirtio_tools.tui.dialogs import Confirm, Page, TooSmall
from uvirtio_tools.tui.export import export
from uvirtio_tools.tui.lifelines import drawn
from uvirtio_tools.tui.main_screen import MainScreen
from uvirtio_tools.tui.portrait import Portrait, lights
from uvirtio_tools.tui.ring_bar import slots

Play = Callable[[Inspector, Any], Awaitable[None]]
SPLIT = "emulated:rng?features=-RING_PACKED"


def _play(
    machine: LiveMachine, play: Play, size: tuple[int, int] = (80, 24), make: Callable[..., Inspector] = Inspector
) -> None:
    async def run() -> None:
        app = make(machine, interval=0)
        async with app.run_test(size=size) as pilot:
            await _until(pilot, lambda: isinstance(app.screen, MainScreen | TooSmall))
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


def _main(app: Inspector) -> MainScreen:
    return next(screen for screen in app.screen_stack if isinstance(screen, MainScreen))


def _view(app: Inspector) -> DeviceView:
    view = _main(app).view
    assert view is not None
    return view


def _drawn(app: Inspector) -> bool:
    view = _main(app).view
    return not _main(app).looking and (view is None or view.begun)


async def _listed(app: Inspector, pilot: Any) -> None:
    await _until(pilot, lambda: _drawn(app) and bool(_main(app).machine.rows or _main(app).machine.error is not None))


async def _measured(app: Inspector, pilot: Any) -> None:
    """Tables measure their columns when there is nothing else to do."""
    await _listed(app, pilot)
    for table in app.screen.query(DataTable):
        await _until(pilot, lambda table=table: not table._updated_cells and not table._require_update_dimensions)  # type: ignore[misc]
    await pilot.pause(0.1)


async def _opened(app: Inspector, pilot: Any) -> None:
    await _listed(app, pilot)
    await pilot.press("enter")
    await _until(pilot, lambda: _main(app).opened and _drawn(app))


async def _press(app: Inspector, pilot: Any, *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await pilot.pause()
        view = _view(app)
        await _until(pilot, lambda view=view: not view.portrait.busy and not view.checks.running)  # type: ignore[misc]


def _log(panel: Portrait) -> list[str]:
    return [line.text.rstrip() for line in panel.query_one("#log", RichLog).lines]


def _shown(app: Inspector) -> str:
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


def _quiet(app: Inspector) -> None:
    """No looks between the keys: the simulated clock shall stand in each picture where it stood before."""
    _view(app).portrait.glances.pause()


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_the_list_shows_each_device_with_the_dialect_that_it_offers(tmp_path: Path) -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _listed(app, pilot)
        await _measured(app, pilot)
        compare_screen(app, "list", tmp_path)

    _play(LiveMachine(named=["emulated:rng", "emulated:rng?profile=crosvm", "emulated:rng?profile=qemu-store"]), play)


def test_a_machine_without_devices_says_so_and_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def play(app: Inspector, pilot: Any) -> None:
        await _listed(app, pilot)
        compare_screen(app, "list-empty", tmp_path)
        await pilot.press("enter", "b", "g", "e")
        assert isinstance(app.screen, MainScreen)

    _play(LiveMachine(sysfs=FakeMachine(tmp_path / "machine")), play)


def test_a_device_that_cannot_be_reached_shows_its_error_and_the_others_go_on(tmp_path: Path) -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _listed(app, pilot)
        await pilot.press("j")
        compare_screen(app, "list-failing", tmp_path)
        await pilot.press("enter")
        await _until(pilot, lambda: _main(app).opened and _drawn(app))
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
    [("live", "1"), ("features", "2"), ("queues", "3"), ("about", "4"), ("config", "5"), ("checks", "6")],
)
def test_each_tab_of_a_snapshot_is_what_it_was(name: str, key: str, tmp_path: Path) -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await pilot.press(key)
        await pilot.pause()
        await _measured(app, pilot)
        compare_screen(app, f"device-{name}", tmp_path)

    _play(LiveMachine(fixed=load(str(Path(__file__).parent / "net.json")).devices), play)


def test_a_snapshot_is_not_driven(tmp_path: Path) -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await _press(app, pilot, "i", "t")
        assert not _view(app).portrait.active
        assert not _view(app).checks.results

    _play(LiveMachine(fixed=[describe_locator("emulated:rng")]), play)


def test_driving_shows_rings_that_fill_a_suspended_status_and_registers(tmp_path: Path) -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        _quiet(app)
        await _press(app, pilot, "i", "s", "p")
        compare_screen(app, "drive-suspended", tmp_path)
        await _press(app, pilot, "3")
        await _measured(app, pilot)
        compare_screen(app, "drive-rings", tmp_path)
        await _press(app, pilot, "7")
        compare_screen(app, "drive-trace", tmp_path)

    _play(LiveMachine(named=[SPLIT]), play)


def test_ten_cycles_are_judged_one_by_one() -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await _press(app, pilot, "f")
        panel = _view(app).portrait
        assert [line for line in _log(panel) if line.startswith("cycle")][-1].startswith("cycle 10: PASS")
        assert _log(panel)[-1] == "10 cycles: all passed"
        assert len(panel.transitions) == 20

    _play(LiveMachine(named=[SPLIT]), play, (100, 32))


def test_a_failing_device_fails_in_the_log_and_the_interface_goes_on() -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await _press(app, pilot, "f")
        panel = _view(app).portrait
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
        await _until(pilot, lambda: isinstance(app.screen, MainScreen))
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
        await _until(pilot, lambda: isinstance(app.screen, MainScreen))

    _play(LiveMachine(named=["emulated:rng"]), play, (40, 10))


def test_a_key_that_is_typed_right_after_the_tabs_goes_to_that_tab() -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await pilot.press("3")
        _view(app).action_tab("live")
        assert app.screen.focused is app.screen.query_one("#log")

    _play(LiveMachine(named=["emulated:rng"]), play)


def test_a_device_goes_on_being_driven_behind_the_list_and_is_given_back_as_the_interface_is_left() -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await _press(app, pilot, "i")
        client = _view(app).portrait.client
        assert client is not None
        process = client._process
        assert process is not None
        await pilot.press("escape")
        await _until(pilot, lambda: not _main(app).opened)
        assert process.returncode is None
        await pilot.press("q")
        await _until(pilot, lambda: process.returncode is not None)
        assert process.returncode == 0
        assert app.return_code == 0

    _play(LiveMachine(named=["emulated:rng"]), play)


def test_a_session_that_is_killed_is_told_and_the_interface_lives_on() -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await _press(app, pilot, "i")
        panel = _view(app).portrait
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
    monkeypatch.setattr("uvirtio_tools.tui.export.time.strftime", lambda *_: "-now")
    victim = tmp_path / "victim"
    for ending in ("svg", "json"):
        (tmp_path / f"uvirtio-emulated-rng-now.{ending}").symlink_to(victim)
    said: list[str] = []

    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        said.append(export(app, _view(app).found, "emulated:rng"))

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

    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        for key in "12345678":
            await pilot.press(key)
            await pilot.pause()
            assert all(sign.isprintable() or sign == "\n" for sign in _shown(app)), repr(_shown(app))
        await pilot.press("4")
        await pilot.pause()
        assert "[/] [bold]" in _shown(app)
        await pilot.press("e", "escape")
        await _until(pilot, lambda: not _main(app).opened)
        assert "[/] [bold]" in _shown(app)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        _play(LiveMachine(fixed=list(load(str(path)).devices)), play)


# -- the redesign ------------------------------------------------------------------------------------------------------

WIDE = (140, 40)


def test_a_wide_terminal_shows_the_list_and_the_chosen_device_side_by_side(tmp_path: Path) -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _listed(app, pilot)
        await _until(pilot, lambda: _main(app).view is not None and _drawn(app))
        await _measured(app, pilot)
        compare_screen(app, "wide-list", tmp_path)
        await pilot.press("down")
        await _until(pilot, lambda: _view(app).device.locator == "emulated:blk" and _drawn(app))
        assert app.screen.focused is app.screen.query_one(DeviceList).query_one("DataTable")
        await pilot.press("enter")
        _quiet(app)
        await _press(app, pilot, "i", "s", "k", "p", "u", "s", "p")
        await _measured(app, pilot)
        compare_screen(app, "wide-driven", tmp_path)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert not app.screen.query_one(DeviceList).display
        assert "suspended, dialect 1.4" in _shown(app)

    _play(LiveMachine(named=["emulated:rng", "emulated:blk"]), play, WIDE)


def test_keys_in_one_burst_open_the_row_that_they_went_to() -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _listed(app, pilot)
        await pilot.press("down", "down", "enter", "i", "s", "p")
        await _until(pilot, lambda: _main(app).opened and _drawn(app))
        assert _view(app).device.locator == "emulated:net"
        panel = _view(app).portrait
        await _until(pilot, lambda: any(line.startswith("suspend: done") for line in _log(panel)))
        assert [line.split(":")[0] for line in _log(panel)[1:4]] == ["start", "submit", "suspend"]

    _play(LiveMachine(named=["emulated:rng", "emulated:blk", "emulated:net"]), play, (100, 32))


def test_a_list_is_filtered_by_typing_and_put_in_order() -> None:
    names = ["emulated:rng", "emulated:blk", "emulated:net", "emulated:rng?profile=crosvm"]

    async def play(app: Inspector, pilot: Any) -> None:
        await _listed(app, pilot)
        devices = app.screen.query_one(DeviceList)
        await pilot.press("slash", *"rng")
        await pilot.pause()
        assert devices.query_one("FilterTable").keys == [names[0], names[3]]  # type: ignore[attr-defined]
        assert "2 left out" in _shown(app)
        await pilot.press("enter", "down")
        await pilot.pause()
        assert devices.key == names[3]
        await pilot.press("escape", "o")
        await pilot.pause()
        assert devices.query_one("FilterTable").keys == sorted(names)  # type: ignore[attr-defined]
        assert devices.key == names[3]
        assert "by address" in _shown(app)

    _play(LiveMachine(named=names), play)


def test_the_checks_fill_a_table_and_enter_tells_what_was_expected_seen_and_done_before(tmp_path: Path) -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await pilot.press("t")
        await _until(pilot, lambda: bool(_view(app).checks.results))
        assert _view(app).checks.running or len(_view(app).checks.results) > 80
        await _until(pilot, lambda: not _view(app).checks.running)
        await _measured(app, pilot)
        compare_screen(app, "checks", tmp_path)
        await pilot.press("slash", *"V4", "enter", "enter")
        await _until(pilot, lambda: isinstance(app.screen, Page))
        for words in ("expected: used rings", "observed: queue 0: used index", "accesses before"):
            assert words in _shown(app)

    _play(LiveMachine(named=["emulated:blk?fault=V4"]), play)


def test_a_device_whose_server_serves_one_connection_is_driven_and_looked_at_again(tmp_path: Path) -> None:
    with served(tmp_path, "rng"):

        async def play(app: Inspector, pilot: Any) -> None:
            await _opened(app, pilot)
            assert not _view(app).device.error
            await _press(app, pilot, "i", "p")
            panel = _view(app).portrait
            assert panel.active, _log(panel)
            assert any(line.startswith("suspend: done") for line in _log(panel))
            await _press(app, pilot, "z")
            assert _log(panel)[-1] == "the device has been reset"
            assert "given back" not in " ".join(_log(panel))
            await _until(pilot, lambda: not _main(app).looking)
            assert not _view(app).device.error
            await pilot.press("t")
            await _until(pilot, lambda: bool(_view(app).checks.results))
            await _press(app, pilot, "z")
            await _until(pilot, lambda: not _main(app).looking and not _view(app).device.error)

        _play(LiveMachine(named=[f"vfio-user:{tmp_path / 's'}"]), play)


def test_a_device_that_cannot_be_opened_is_not_said_to_be_given_back() -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await _press(app, pilot, "i")
        words = " ".join(_log(_view(app).portrait))
        assert "! " in words
        assert "given back" not in words
        assert "reset" not in words

    _play(LiveMachine(named=["vfio-user:/nonexistent/uvirtio.sock"]), play)


@pytest.mark.parametrize("keys", [[], ["enter"], ["enter", "3"], ["enter", "6"]])
def test_q_leaves_from_wherever_one_is(keys: list[str]) -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _listed(app, pilot)
        await pilot.press(*keys, "q")
        await _until(pilot, lambda: not app.is_running or app._exit)

    _play(LiveMachine(named=["emulated:rng"]), play)


@pytest.mark.parametrize("size", [(61, 17), (80, 24), (120, 30)])
def test_every_tab_has_its_number_and_name_and_no_line_is_cut(size: tuple[int, int]) -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        line = next(line for line in _shown(app).splitlines() if "1 live" in line)
        assert [word for word in line.split("|")[-1].split() if word.isdecimal()] == list("12345678")
        assert line.rstrip().endswith("8 events") or line.rstrip().endswith("8 event")
        assert "? help  q quit" in _shown(app).splitlines()[-1]

    _play(LiveMachine(named=["emulated:rng"]), play, size)


def test_help_is_about_the_place_where_one_is() -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _listed(app, pilot)
        await pilot.press("question_mark")
        await _until(pilot, lambda: isinstance(app.screen, Page))
        assert "keys: the list of devices" in _shown(app)
        await pilot.press("escape", "enter")
        await _until(pilot, lambda: _main(app).opened and _drawn(app))
        await pilot.press("question_mark")
        await _until(pilot, lambda: isinstance(app.screen, Page))
        assert "keys: the device" in _shown(app)

    _play(LiveMachine(named=["emulated:rng"]), play)


def test_the_palette_has_every_step_of_the_device_that_is_shown() -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        names = [command.title for command in app.get_system_commands(app.screen)]
        for step in ("Initialise", "Suspend", "Resume", "Reset", "Kick", "Judge"):
            assert f"{step}: emulated:rng" in names
        assert "Open emulated:rng" in names

    _play(LiveMachine(named=["emulated:rng"]), play)


def test_a_ring_shows_what_is_with_the_device_and_what_is_used() -> None:
    def ring(format: str, driver: int, device: int, seen: int) -> Ring:
        return Ring(format, driver, device, seen, 0, 0, False, False, "")

    assert slots(ring("split", 6, 4, 2), 8) == "..==##.."
    assert slots(ring("split", 1, 0xFFFF, 0xFFFE), 8) == "#.....=#"
    assert slots(ring("packed", 2, 0x8006, 0x8004), 8) == "##..==##"  # the driver has wrapped, the device has not
    assert slots(ring("packed", 0x8004, 0x8004, 0x8004), 8) == "........"


def test_one_transition_is_one_and_a_line_of_it_is_to_scale() -> None:
    way = {"kind": "suspend", "outcome": "done", "seconds": 0.002, "after": 0.001, "reads": 1}
    line = drawn([way, {**way, "seconds": 0.001, "after": 0.0}], 80).plain.splitlines()
    assert line[0].index("D") - line[0].index("W") == pytest.approx(
        2 * (line[1].index("D") - line[1].index("W")), abs=1
    )
    assert "1 read " in line[0]


@pytest.mark.parametrize(("variable", "term"), [("1", "vt220"), ("", "vt220"), ("1", "xterm-256color"), ("", "vt100")])
def test_without_colours_nothing_is_drawn_in_any_and_the_cursor_is_reversed(
    variable: str, term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.delenv("COLORTERM", raising=False)
    if variable:
        monkeypatch.setenv("NO_COLOR", variable)
    else:
        monkeypatch.delenv("NO_COLOR", raising=False)

    async def play(app: Inspector, pilot: Any) -> None:
        await _listed(app, pilot)
        filters = app.get_line_filters()
        styles = set()
        for strip in app.screen._compositor.render_strips():
            for line in [strip.apply_filter(filters[1], app.screen.background_colors[1])]:
                for segment in line:
                    assert segment.style is None or segment.style.color is None or segment.style.color.is_default
                    assert segment.style is None or segment.style.bgcolor is None or segment.style.bgcolor.is_default
                    if segment.style is not None and segment.style.reverse:
                        styles.add(segment.text.strip())
        assert any("emulated:rng" in text for text in styles)

    _play(LiveMachine(named=["emulated:rng"]), play)


def test_a_ring_moves_by_itself_once_the_device_was_notified() -> None:
    async def play(app: Inspector, pilot: Any) -> None:
        await _opened(app, pilot)
        await _press(app, pilot, "i", "s")
        panel = _view(app).portrait
        assert "16/0 16 in flight" in _shown(app)
        await _press(app, pilot, "k")
        await _until(pilot, lambda: "16/0" not in _shown(app) and "=" in _shown(app))
        assert panel.active

    _play(LiveMachine(named=[SPLIT]), play)
