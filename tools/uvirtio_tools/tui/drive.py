"""Driving a device from the interface: step by step, whole cycles, the conformance checks; all in other processes."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import RichLog, Sparkline, Static

from uvirtio.bus.locator import parse
from uvirtio.errors import DeviceGone, UvirtioError
from uvirtio.spec.status import GONE, Status

from ..codec import decode
from ..inspect.model import Description
from .client import Client, run_command
from .dialogs import Confirm

__all__ = ["DrivePanel", "lights", "trace_line"]

#: Cycles of one whole run.
_CYCLES = 10
_KEYS = (
    "i initialise  s submit  k kick  w wait for all  p suspend  u resume  x reset\n"
    "f ten cycles  t the conformance checks  z stop and give the device back"
)
_LIGHTS = (
    ("ACKNOWLEDGE", Status.ACKNOWLEDGE, "green"),
    ("DRIVER", Status.DRIVER, "green"),
    ("FEATURES_OK", Status.FEATURES_OK, "green"),
    ("DRIVER_OK", Status.DRIVER_OK, "green"),
    ("SUSPEND", Status.SUSPEND, "yellow"),
    ("NEEDS_RESET", Status.DEVICE_NEEDS_RESET, "red"),
    ("FAILED", Status.FAILED, "red"),
)


def lights(status: int | None) -> Any:
    """The status bits as a row of lights: marked with a cross, and in colour as well."""
    from rich.text import Text

    text = Text()
    for name, bit, colour in _LIGHTS:
        on = status is not None and status != GONE and bool(status & bit)
        text.append(f"[{'x' if on else ' '}]{name} ", style=f"bold {colour}" if on else "dim")
    if status == GONE:
        text.append("reads 0xff: absent or busy", style="bold red")
    return text


def trace_line(record: dict[str, Any]) -> str:
    """One register access in one line."""
    arrow = {"read": "->", "write": "<-", "publish": "<<"}.get(record["kind"], "  ")
    if record["kind"] == "mark":
        return f"{record['time']:12.6f} -- {record['register']}"
    where = f"{record['space']}.{record['register']}"
    line = f"{record['time']:12.6f} {record['width']} {where:<30} {arrow} {record['value']}"
    return line + (f"  ({record['deviation']})" if record["deviation"] else "")


class DrivePanel(Vertical):
    """Keys, lights, latencies and a log."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "start", "init"),
        Binding("s", "step('submit')", "submit", show=False),
        Binding("k", "step('kick')", "kick", show=False),
        Binding("w", "step('reap')", "wait", show=False),
        Binding("p", "step('suspend')", "suspend"),
        Binding("u", "step('resume')", "resume"),
        Binding("x", "step('reset')", "reset", show=False),
        Binding("f", "cycles", "cycles"),
        Binding("t", "checks", "checks"),
        Binding("z", "stop", "stop", show=False),
    ]

    class State(Message):
        """A session looked at its device: the description, the rings' memory, the whole answer."""

        def __init__(self, found: Description, rings: dict[str, Any], interrupts: int) -> None:
            super().__init__()
            self.found = found
            self.rings = rings
            self.interrupts = interrupts

    class Trace(Message):
        """Register accesses of a session."""

        def __init__(self, lines: list[str]) -> None:
            super().__init__()
            self.lines = lines

    class Ended(Message):
        """There is no session any more."""

    def __init__(self, locator: str, *, available: bool = True) -> None:
        super().__init__()
        self.locator = locator
        self.client: Client | None = None
        self.latencies: list[float] = []
        self._available = available
        self.busy = False
        self._stop = False

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Static(_KEYS, id="drive-keys", markup=False)
        yield Static(lights(None), id="drive-lights", markup=False)
        yield Static("not driven from here", id="drive-state", markup=False)
        yield Static("", id="drive-latency", markup=False)
        yield Sparkline([], id="drive-spark")
        yield RichLog(id="drive-log", wrap=True, markup=False, highlight=False, min_width=20)

    @property
    def active(self) -> bool:
        """Whether a session holds the device."""
        return self.client is not None and self.client.running

    def say(self, text: str) -> None:
        """A line in the log."""
        self.query_one("#drive-log", RichLog).write(text)

    # -- keys ----------------------------------------------------------------------------------------------------

    def action_start(self) -> None:
        """Initialise the device, taking it first."""
        self._run(self._start())

    def action_step(self, step: str) -> None:
        """One step."""
        self._run(self._step(step))

    def action_cycles(self) -> None:
        """Several whole cycles."""
        self._run(self._cycles())

    def action_checks(self) -> None:
        """The conformance checks, by the command of that name."""
        self._run(self._checks())

    def action_stop(self) -> None:
        """Stop what runs; give the device back when nothing does."""
        if self.busy:
            self._stop = True
            self.say("stopping after this step")
        else:
            self._run(self.close_session())

    def _run(self, job: Coroutine[Any, Any, None]) -> None:
        if self.busy or not self._available:
            job.close()
            self.say("busy with the step before" if self.busy else "this is a snapshot: there is no device to drive")
            return
        self._work(job)

    @work(exclusive=True, group="drive")
    async def _work(self, job: Coroutine[Any, Any, None]) -> None:
        self.busy, self._stop = True, False
        try:
            await job
        except DeviceGone as error:
            self._lost(str(error))
        except UvirtioError as error:
            self.say(f"! {error}")
        finally:
            self.busy = False

    # -- jobs ----------------------------------------------------------------------------------------------------

    async def _open(self) -> bool:
        if self.active:
            return True
        force = False
        if parse(self.locator).of_this_machine:
            question = _question(self.locator)
            if question is not None:
                title, details, force = question
                if not await self.app.push_screen_wait(Confirm(title, details)):
                    self.say("left alone")
                    return False
        self.client = Client(self.locator, self._traced, interrupts=getattr(self.app, "interrupts", "auto"))
        self.say(f"opening {self.locator}")
        answer = await self.client.open(force=force)
        if "error" in answer:
            self.say(f"! {answer['error']}")
            await self.close_session()
            return False
        self._show(answer)
        self._mourn(self.client)
        return True

    @work(group="mourn", exclusive=True)
    async def _mourn(self, client: Client) -> None:
        """Tell when a session ends by itself, even when nothing is asked of it."""
        words = await client.ended()
        if words is not None and self.client is client:
            self._lost(words)

    def _lost(self, words: str) -> None:
        self.say(f"! {words}; what it drove has been given back")
        self.client = None
        self.query_one("#drive-lights", Static).update(lights(None))
        self.query_one("#drive-state", Static).update("not driven from here")
        self.post_message(self.Ended())

    async def _start(self) -> None:
        if await self._open():
            await self._do("start")

    async def _step(self, step: str) -> None:
        if not self.active:
            self.say("initialise the device first (i)")
            return
        await self._do(step)

    async def _do(self, step: str, **arguments: Any) -> dict[str, Any]:
        assert self.client is not None
        answer = await self.client.step(step, **arguments)
        self._show(answer)
        for line in _report(step, answer):
            self.say(line)
        self._latency(answer.get("said", {}))
        return answer

    async def _cycles(self) -> None:
        if not await self._open():
            return
        await self._do("start")
        failed = 0
        for number in range(1, _CYCLES + 1):
            if self._stop:
                self.say(f"stopped after {number - 1} cycles")
                return
            answer = await self._do("cycle", number=number)
            if answer.get("error"):
                return
            failed += answer["said"]["cycle"]["verdict"] != "PASS"
        self.say(f"{_CYCLES} cycles: {'all passed' if not failed else f'{failed} FAILED'}")

    async def _checks(self) -> None:
        await self.close_session()
        words = ["check", self.locator]
        if parse(self.locator).of_this_machine:
            question = _question(self.locator)
            if question is not None:
                title, details, force = question
                if not await self.app.push_screen_wait(Confirm(title, details)):
                    self.say("left alone")
                    return
                words += ["--force"] if force else []
        self.say(f"uvirtio {' '.join(words)}")
        status = await run_command(*words, on_line=self.say)
        self.say(f"ended with status {status}")

    async def close_session(self) -> None:
        """Give the device back, if a session holds it."""
        client, self.client = self.client, None
        if client is not None and client.running:
            await client.close()
            self.say("the device has been reset and given back")
        self.query_one("#drive-lights", Static).update(lights(None))
        self.query_one("#drive-state", Static).update("not driven from here")
        self.post_message(self.Ended())

    # -- drawing -------------------------------------------------------------------------------------------------

    def _traced(self, document: dict[str, Any]) -> None:
        lines = [trace_line(record) for record in document["trace"]]
        if document["left_out"]:
            lines.insert(0, f"({document['left_out']} earlier accesses are left out)")
        self.post_message(self.Trace(lines))

    def _show(self, answer: dict[str, Any]) -> None:
        state = answer.get("state")
        if not state:
            return
        found = decode(Description, state["device"], self.locator)
        self.query_one("#drive-lights", Static).update(lights(found.status))
        words = [state["phase"], f"dialect {state['dialect'] or 'none'}", f"{state['interrupts']} interrupts"]
        if state["simulated"]:
            words.append("simulated time")
        load = state["workload"]
        if load is not None:
            words.append(
                f"{load['submitted']} submitted, {load['completed']} completed, {load['outstanding']} outstanding"
            )
        self.query_one("#drive-state", Static).update(", ".join(words))
        self.post_message(self.State(found, state["rings"], state["interrupts"]))

    def _latency(self, said: dict[str, Any]) -> None:
        for way in (said.get("transition"), *((said.get("cycle") or {}).get(kind) for kind in ("suspend", "resume"))):
            if way and way["outcome"] == "done":
                self.latencies.append(way["seconds"])
        if not self.latencies:
            return
        ordered = sorted(self.latencies)
        self.query_one("#drive-latency", Static).update(
            f"latency of {len(ordered)} transitions: least {ordered[0] * 1e3:.3f}, median "
            f"{ordered[len(ordered) // 2] * 1e3:.3f}, most {ordered[-1] * 1e3:.3f} ms"
        )
        spark = self.query_one("#drive-spark", Sparkline)
        spark.data = self.latencies[-60:]
        spark.display = True


def _question(locator: str) -> tuple[str, str, bool] | None:
    """What taking a function would do to whom: title, text, whether it takes force. None: nobody has it."""
    from uvirtio.bus.uio import Sysfs, describe, resolve, uses
    from uvirtio.bus.uio.sysfs import UIO_DRIVER, VFIO_DRIVER

    sysfs, where = Sysfs(), parse(locator)
    taken = VFIO_DRIVER if where.bus == "vfio" else UIO_DRIVER
    bdf = resolve(where.target, sysfs)
    function = describe(sysfs, bdf)
    using = uses(sysfs, function)
    if function.driver in (None, taken) and not using:
        return None
    text = f"{bdf} ({function.identity.type_name}) is driven by {function.driver or 'nobody'}"
    text += f" and in use: {'; '.join(using)}. Taking it breaks that." if using else " and nothing uses it."
    return f"Take {bdf} for {taken}?", text + " It is given back at the end.", bool(using)


def _report(step: str, answer: dict[str, Any]) -> list[str]:
    """What a step did, in sentences."""
    if answer.get("error"):
        return [f"! {step}: {answer['error']}"]
    said = answer.get("said") or {}
    lines: list[str] = []
    if "transition" in said:
        lines += _transition(said["transition"])
    elif "cycle" in said:
        cycle = said["cycle"]
        moved = f"{cycle['completed']} requests, {cycle['in_flight_at_suspend']} in flight at the suspend"
        lines.append(f"cycle {cycle['cycle']}: {cycle['verdict']} ({moved})")
        lines += [f"  ! {reason}" for reason in cycle["reasons"]]
        lines += [f"  {remark}" for remark in cycle["remarks"]]
    elif said.get("notes"):
        lines += [f"{step}: done", *said["notes"]]
    else:
        lines.append(
            f"{step}: " + (", ".join(f"{value} {name}" for name, value in said.items() if value != []) or "done")
        )
    return lines


def _transition(way: dict[str, Any]) -> list[str]:
    written = ", ".join(way["written"])
    return [
        f"{way['kind']}: {way['outcome']} after {way['seconds'] * 1e3:.3f} ms and {way['reads']} reads; "
        f"status {way['status_before']}, wrote {written}, reads {way['status_names']}",
        *(f"  {remark}" for remark in way["remarks"]),
    ]
