"""Driving a device from the interface, step by step and in whole cycles, in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from textual import work
from textual.containers import Vertical
from textual.message import Message

from uvirtio.bus.locator import parse
from uvirtio.errors import DeviceGone, UvirtioError

from ..codec import decode
from ..inspect.live import LiveDevice
from ..inspect.model import Description
from ..wording import counted
from .client import Client
from .dialogs import Confirm

__all__ = ["Driver", "trace_line"]

#: Cycles of one whole run.
_CYCLES = 10
#: Seconds between two looks at a device that is driven: its rings move by themselves.
_LOOK = 0.5


def trace_line(record: dict[str, Any]) -> str:
    """One register access in one line."""
    arrow = {"read": "->", "write": "<-", "publish": "<<"}.get(record["kind"], "  ")
    if record["kind"] == "mark":
        return f"{record['time']:12.6f} -- {record['register']}"
    where = f"{record['space']}.{record['register']}"
    line = f"{record['time']:12.6f} {record['width']} {where:<30} {arrow} {record['value']}"
    return line + (f"  ({record['deviation']})" if record["deviation"] else "")


class Driver(Vertical):
    """A device and the session that drives it, if there is one. What is to be seen of it draws who inherits from it."""

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

    def __init__(self, device: LiveDevice, *, available: bool = True) -> None:
        super().__init__()
        self.device = device
        self.client: Client | None = None
        self.transitions: list[dict[str, Any]] = []
        self.busy = False
        self._turn = asyncio.Lock()
        self._available = available
        self._stop = False

    @property
    def active(self) -> bool:
        """Whether a session holds the device."""
        return self.client is not None and self.client.running

    @property
    def locator(self) -> str:
        """The device."""
        return self.device.locator

    def say(self, text: str) -> None:
        """A line in the log."""
        raise NotImplementedError

    def show_state(self, state: dict[str, Any], found: Description) -> None:
        """What a session saw."""
        raise NotImplementedError

    def show_idle(self) -> None:
        """There is no session."""
        raise NotImplementedError

    def show_transitions(self) -> None:
        """There is one more of them."""
        raise NotImplementedError

    # -- what can be done ----------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Look at what is driven now and then."""
        self.glances = self.set_interval(_LOOK, self._glance)

    def _glance(self) -> None:
        if self.active and not self.busy:
            self._work(self._do("look"))

    def start(self) -> None:
        """Initialise the device, taking it first."""
        self._run(self._start())

    def step(self, step: str) -> None:
        """One step."""
        self._run(self._step(step))

    def cycles(self) -> None:
        """Several whole cycles."""
        self._run(self._cycles())

    def stop(self) -> None:
        """Stop what runs after its step, and give the device back."""
        if self.busy:
            self._stop = True
        self._run(self.close_session())

    def _run(self, job: Coroutine[Any, Any, Any]) -> None:
        if not self._available:
            job.close()
            self.say("this is a snapshot: there is no device to drive")
            return
        self._work(job)

    @work(group="drive")
    async def _work(self, job: Coroutine[Any, Any, Any]) -> None:
        # One after the other: keys that come in one burst are steps in their order.
        async with self._turn:
            await self._job(job)

    async def _job(self, job: Coroutine[Any, Any, Any]) -> None:
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
        allowed, force = await self.permission()
        if not allowed:
            return False
        # A server may serve one connection only, which the look has.
        self.device.lend()
        self.client = Client(self.locator, self._traced, interrupts=getattr(self.app, "interrupts", "auto"))
        self.say(f"opening {self.locator}")
        answer = await self.client.open(force=force)
        if "error" in answer:
            self.say(f"! {answer['error']}")
            client, self.client = self.client, None
            await client.close()
            self._over()
            return False
        self._show(answer)
        self._mourn(self.client)
        return True

    async def permission(self) -> tuple[bool, bool]:
        """Whether the device may be taken, and by force; asks where somebody has it."""
        if not parse(self.locator).of_this_machine or (question := _question(self.locator)) is None:
            return True, False
        title, details, force = question
        if not await self.app.push_screen_wait(Confirm(title, details)):
            self.say("left alone")
            return False, False
        return True, force

    def _over(self) -> None:
        self.device.take_back()
        self.show_idle()
        self.post_message(self.Ended())

    @work(group="mourn", exclusive=True)
    async def _mourn(self, client: Client) -> None:
        """Tell when a session ends by itself, even when nothing is asked of it."""
        words = await client.ended()
        if words is not None and self.client is client:
            self._lost(words)

    def _lost(self, words: str) -> None:
        given = "; what it drove has been given back" if parse(self.locator).of_this_machine else ""
        self.say(f"! {words}{given}")
        self.client = None
        self._over()

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
        if step != "look":
            for line in _report(step, answer):
                self.say(line)
        said = answer.get("said") or {}
        ways = (said.get("transition"), *((said.get("cycle") or {}).get(kind) for kind in ("suspend", "resume")))
        if new := [way for way in ways if way]:
            self.transitions += new
            self.show_transitions()
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

    async def close_session(self) -> None:
        """Give the device back, if a session holds it."""
        client, self.client = self.client, None
        if client is not None and client.running:
            await client.close()
            given = " and given back" if parse(self.locator).of_this_machine else ""
            self.say(f"the device has been reset{given}")
            self._over()

    # -- what it says --------------------------------------------------------------------------------------------

    def _traced(self, document: dict[str, Any]) -> None:
        lines = [trace_line(record) for record in document["trace"]]
        if document["left_out"]:
            lines.insert(0, f"({document['left_out']} earlier accesses are left out)")
        self.post_message(self.Trace(lines))

    def _show(self, answer: dict[str, Any]) -> None:
        if not (state := answer.get("state")) or not self.is_attached:
            return
        found = decode(Description, state["device"], self.locator)
        self.show_state(state, found)
        self.post_message(self.State(found, state["rings"], state["interrupts"]))


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
        f"{way['kind']}: {way['outcome']} after {way['seconds'] * 1e3:.3f} ms and {counted(way['reads'], 'read')}; "
        f"status {way['status_before']}, wrote {written}, reads {way['status_names']}",
        *(f"  {remark}" for remark in way["remarks"]),
    ]
