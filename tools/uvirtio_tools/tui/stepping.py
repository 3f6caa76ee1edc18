"""A device driven step by step in a process of its own, for a view in another one.

``python -m uvirtio_tools.tui.stepping LOCATOR`` reads one JSON object a line (``{"do": "suspend"}``) and answers each with
lines of JSON: ``trace`` (register accesses since the last), and at the end ``state`` or ``error``. When the process
dies, whatever it drove is given back by its supervisor, and the view lives on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from uvirtio.access.trace import Access, Published
from uvirtio.bus.opening import open_function
from uvirtio.device import Device
from uvirtio.errors import DriverMisuse, UvirtioError
from uvirtio.queue import QueueState
from uvirtio.spec.dialects import AUTO
from uvirtio.spec.status import describe
from uvirtio.status import Phase
from uvirtio.suspend import Suspender
from uvirtio_drivers.workload import Workload, drain

from .. import exits
from ..codec import encode
from ..driving.bring_up import BringUp
from ..driving.options import INTERRUPTS, RunOptions
from ..driving.ways import set_interrupts
from ..inspect.build import ring_of
from ..inspect.model import Description
from ..inspect.sources import describe_open
from ..interruption import Raised
from ..judging.history import History
from ..judging.stage import Stage
from ..scenarios.cycling import Cycles
from ..supervision import supervised

__all__ = ["Session", "main"]

#: Register accesses of one step that are handed over; the rest is counted.
_TRACE = 400
#: Simulated seconds between two looks: what an emulated device takes for a request or two.
_MEANWHILE = 2e-4
#: Bytes of ring memory of a queue that are handed over.
_RING = 1 << 16


class Session:
    """One open device and what was done with it. Every verb raises :class:`UvirtioError` or does its step."""

    def __init__(self, locator: str, *, timeout: float = 10.0, force: bool = False, interrupts: str = AUTO) -> None:
        self._accesses: deque[Access | Published] = deque(maxlen=_TRACE)
        self._made = 0
        function = open_function(locator, force=force)
        try:
            self.device = Device(function, recorder=History(function.clock, self._note), timeout=timeout)
        except BaseException:
            function.close()
            raise
        self.timeout = timeout
        self.interrupts = interrupts
        self._bring_up: BringUp | None = None
        self._suspender: Suspender | None = None
        self._cycles: Cycles | None = None
        self._description: Description | None = None

    def _note(self, access: Access | Published) -> None:
        self._made += 1
        self._accesses.append(access)

    @property
    def workload(self) -> Workload | None:
        """The workload, None before the device has been initialised and where there is none."""
        return self._bring_up.workload if self._bring_up is not None else None

    def do(self, step: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Do one step by its name; what it has to say beyond the state."""
        verbs: dict[str, Callable[..., dict[str, Any]]] = {
            "look": self.look,
            "start": self.start,
            "submit": self.submit,
            "kick": self.kick,
            "reap": self.reap,
            "suspend": self.suspend,
            "resume": self.resume,
            "cycle": self.cycle,
            "reset": self.reset,
        }
        if step not in verbs:
            raise DriverMisuse(f"there is no step {step!r}")
        return verbs[step](**arguments)

    def start(self, dialect: str = "auto") -> dict[str, Any]:
        """Initialise: reset, negotiate with SUSPEND where it is offered, queues, DRIVER_OK."""
        self._forget()
        bring_up = self._bring_up = BringUp(
            self.device, RunOptions(dialect=dialect, timeout=self.timeout, interrupts=self.interrupts)
        )
        set_interrupts(bring_up)
        not_offered = bring_up.choose_if_offered()
        bring_up.proceed()
        if bring_up.dialect is not None:
            self._suspender = Suspender(self.device, bring_up.dialect, self.timeout)
        return {"notes": [*([not_offered] if not_offered else []), *bring_up.remarks]}

    def look(self) -> dict[str, Any]:
        """Nothing but time goes by, which a simulated clock has to be told: the device works on meanwhile."""
        if self.device.clock.simulated and self.device.phase is Phase.RUNNING:
            self.device.clock.sleep(_MEANWHILE)
        return {}

    def submit(self) -> dict[str, Any]:
        """Make requests available, without a notification."""
        return {"submitted": self._traffic().submit()}

    def kick(self) -> dict[str, Any]:
        """Notify."""
        self._traffic().kick()
        return {}

    def reap(self) -> dict[str, Any]:
        """Wait until everything that is owed has come back, and check it."""
        workload = self._traffic()
        completed = drain(self.device, workload, doing="waiting for what was submitted")
        workload.verify()
        return {"completed": completed}

    def suspend(self) -> dict[str, Any]:
        """Suspend."""
        return {"transition": self._suspending().suspend().to_json()}

    def resume(self) -> dict[str, Any]:
        """Resume."""
        return {"transition": self._suspending().resume().to_json()}

    def cycle(self, number: int = 1, hold: float = 0.2) -> dict[str, Any]:
        """One whole cycle under the workload, judged; before the first one, requests without a suspend."""
        self._suspending()
        if number == 1 or self._cycles is None:
            self._stop_cycles()
            assert self._bring_up is not None, "a device that can be suspended has been brought up"
            self._cycles = Cycles(Stage.of(self._bring_up))
            self._cycles.prove()
        return {"cycle": self._cycles.run(number, hold).to_json()}

    def reset(self) -> dict[str, Any]:
        """Reset the device; it can be started again."""
        self.device.reset()
        self._forget()
        return {}

    def _forget(self) -> None:
        self._stop_cycles()
        if self._bring_up is not None:
            self._bring_up.forget()
        self._bring_up = self._suspender = None

    def _stop_cycles(self) -> None:
        if self._cycles is not None:
            self._cycles.close()
            self._cycles = None

    def _traffic(self) -> Workload:
        if self.workload is None:
            raise DriverMisuse("there is no workload: initialise the device first (its type may have no driver here)")
        return self.workload

    def _suspending(self) -> Suspender:
        if self._suspender is None:
            raise DriverMisuse("initialise the device first; it has to offer SUSPEND")
        return self._suspender

    def trace(self) -> dict[str, Any]:
        """The register accesses since the last call, the newest ones where there are too many."""
        accesses, left_out = [access.to_json() for access in self._accesses], self._made - len(self._accesses)
        self._accesses.clear()
        self._made = 0
        return {"trace": accesses, "left_out": left_out}

    def state(self) -> dict[str, Any]:
        """Everything that there is to show now."""
        device = self.device
        rings = {index: queue.state() for index, queue in device.queues.items()}
        workload = self.workload
        dialect = self._suspender.dialect if self._suspender else None
        return {
            "phase": device.phase.value,
            "simulated": device.clock.simulated,
            "dialect": dialect.name if dialect else None,
            "device": encode(self._describe(rings)),
            "rings": {
                str(index): {"format": rings[index].format, "size": queue.size, "raw": queue.ring_bytes()[:_RING].hex()}
                for index, queue in device.queues.items()
            },
            "interrupts": device.notifications.interrupts(),
            "isr": {
                "queue": device.notifications.used,
                "config": device.notifications.config,
                "both": device.notifications.both,
            },
            "workload": None
            if workload is None
            else {
                "submitted": workload.submitted,
                "completed": workload.completed,
                "outstanding": workload.outstanding,
            },
        }

    def _describe(self, rings: dict[int, QueueState]) -> Description:
        """Look at the device. While it is suspended its selectors are left alone, and only the status is read."""
        device = self.device
        if device.phase is not Phase.SUSPENDED or self._description is None:
            self._description = describe_open(device.function, rings)
            return self._description
        rows = tuple(
            replace(row, ring=ring_of(rings[row.index])) if row.index in rings else row
            for row in self._description.queues
        )
        return replace(self._description, status=device.status.read(), queues=rows)

    def close(self) -> None:
        """Reset the device and leave it as it was found."""
        self.device.close()


def _serve(locator: str, timeout: float, force: bool, interrupts: str) -> int:
    def say(document: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()

    try:
        session = Session(locator, timeout=timeout, force=force, interrupts=interrupts)
    except UvirtioError as error:
        say({"error": str(error), "fatal": True})
        return 1
    try:
        say({"state": session.state()})
        # Reading to the end of the pipe: when the view goes away, so does the session.
        for line in sys.stdin:
            request = json.loads(line)
            step = request.pop("do")
            if step == "quit":
                break
            said: dict[str, Any] = {}
            error_text = ""
            try:
                said = session.do(step, request)
            except UvirtioError as error:
                error_text = str(error)
            say(session.trace())
            answer: dict[str, Any] = {"step": step, "said": said, "error": error_text}
            try:
                answer["state"] = session.state()
            except UvirtioError as error:
                answer["error"] = (
                    answer["error"] or f"{error} (status {describe(session.device.status.written)} was written last)"
                )
            say(answer)
    finally:
        session.close()
    return 0


def main() -> int:
    """Serve one session on standard input and output."""
    parser = argparse.ArgumentParser(prog="uvirtio-session", description=__doc__)
    parser.add_argument("locator")
    parser.add_argument("--timeout", type=float, default=10.0)
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--interrupts", choices=INTERRUPTS, default=AUTO)
    args = parser.parse_args()
    # Whoever looks at its standard error is told why it ended, and an interrupt needs no words.
    with suppress(KeyboardInterrupt), Raised():
        return _run(args)
    return exits.INTERRUPTED


def _run(args: argparse.Namespace) -> int:
    return supervised([args.locator], lambda: _serve(args.locator, args.timeout, args.force, args.interrupts))


if __name__ == "__main__":
    sys.exit(main())
