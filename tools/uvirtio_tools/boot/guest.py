"""One virtual machine from its start to its end: its console is read, its requests are carried out, its process is ended."""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from uvirtio.bus.child import Child
from uvirtio.foreign import printable

from .. import exits
from ..image.frames import MARK, Asked, Begun, Damaged, Ended, Line, Over, Reader, Ready, Result, Said
from .keyboard import END
from .outcome import Outcome

__all__ = ["Limits", "Wishes", "boot"]

#: Seconds that a machine has to go by itself after it has said that all is done, and that a program has to end when told.
_GOING, _ENDING = 10.0, 2.0
#: How many lines of its commands are kept.
_OUTPUT = 10_000
#: How often it is looked whether it is to be ended, in seconds.
_LOOK = 0.2


@dataclass(frozen=True, slots=True)
class Limits:
    """How long it may take, in seconds: all of it, and until the guest is up."""

    whole: float = 600.0
    ready: float = 120.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is done about what it says."""

    tell: Callable[[str, bool], None] = lambda _line, _step: None
    """Each line for people, and whether it is a step of the whole."""
    event: Callable[[str, str, int], tuple[int, str]] = lambda name, _arguments, _pid: (1, f"no --event {name}")
    """Carries out what the guest asks for: name, arguments as JSON, the VMM's process id; gives status and a line."""
    stop: Callable[[], bool] = lambda: False
    """Whether it is to be ended now, as its user has gone."""
    log: Path | None = None
    """Where all that the console says is kept."""
    keys: int = -1
    """A terminal whose keys go to the console, and which shows what it says; -1: none."""


@dataclass(slots=True)
class _Machine:
    outcome: Outcome
    wishes: Wishes
    child: Child
    console: socket.socket
    reader: Reader = field(default_factory=Reader)
    log: IO[bytes] | None = None

    def take(self, said: Said) -> None:
        """Whatever it says."""
        outcome = self.outcome
        match said:
            case Ready(text):
                outcome.ready = text
                self.wishes.tell(text, True)
            case Begun(number, words):
                outcome.commands.append((words, -1))
                self.wishes.tell(words, True)
            case Result(number, name, data):
                outcome.results[f"{number}.{name.rpartition('.')[2]}"] = data
            case Damaged(number, name, why):
                outcome.damaged.append(f"{name} of command {number}: {why}")
            case Ended(_, status):
                if outcome.commands:
                    outcome.commands[-1] = (outcome.commands[-1][0], status)
            case Asked(name, arguments):
                self.wishes.tell(f"asks for {name} {arguments}", True)
                status, text = self.wishes.event(name, arguments, self.child.pid)
                answer = f"{MARK}answer {name} {status} {' '.join(printable(text).split())}"[:200] + "\n"
                with contextlib.suppress(OSError):
                    self.console.sendall(answer.encode("ascii", "replace"))
            case Over(status):
                outcome.over = status
            case Line(text):
                if outcome.commands and outcome.commands[-1][1] < 0 and len(outcome.output) < _OUTPUT:
                    outcome.output.append(text)
                if text.strip():
                    outcome.lines.append(text)
                    self.wishes.tell(text, False)

    def read(self) -> bool:
        """What has come by now; False where nothing comes any more."""
        try:
            data = self.console.recv(1 << 16)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        self.outcome.spoke = True
        if self.log is not None:
            self.log.write(data)
        if self.wishes.keys >= 0:
            os.write(sys.stdout.fileno(), data)
        for said in self.reader.feed(data):
            self.take(said)
        return True

    def waits(self) -> bool:
        """Whether its console has said more, or has ended."""
        return bool(select.select([self.console], [], [], 0)[0])

    def type(self) -> bool:
        """Pass on what was typed; False where that ends it."""
        keys = os.read(self.wishes.keys, 1 << 10)
        if not keys or END in keys:
            return False
        with contextlib.suppress(OSError):
            self.console.sendall(keys)
        return True


def boot(command: Sequence[str], run: str, limits: Limits, wishes: Wishes) -> Outcome:
    """Start it and follow it until it has gone, or is to go. Nothing of it is left afterwards, however this ends.

    Raises :class:`~uvirtio.errors.CannotRun` where the program cannot be started.
    """
    outcome = Outcome(run)
    ours, its = socket.socketpair()
    child = None
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        stack.callback(ours.close)
        stack.callback(its.close)
        log = stack.enter_context(open(wishes.log, "wb", buffering=0)) if wishes.log is not None else None
        child = Child(command, console=its.fileno())
        stack.callback(_gone, child)
        its.close()
        ours.setblocking(False)
        _follow(_Machine(outcome, wishes, child, ours, log=log), limits, started)
    outcome.seconds = time.monotonic() - started
    return outcome


def _gone(child: Child) -> None:
    child.end_all()
    child.close()


def _follow(machine: _Machine, limits: Limits, started: float) -> None:
    outcome = machine.outcome
    with selectors.DefaultSelector() as selector:
        selector.register(machine.console, selectors.EVENT_READ)
        if machine.wishes.keys >= 0:
            selector.register(machine.wishes.keys, selectors.EVENT_READ)
        going = 0.0
        while True:
            now = time.monotonic()
            if machine.wishes.stop():
                outcome.stopped, outcome.status = "interrupted", exits.INTERRUPTED
                return
            if outcome.over is not None:
                going = going or now + _GOING
                if now > going:
                    break  # it said that it is done, and cannot switch itself off
            elif now - started > limits.whole or (not outcome.ready and now - started > limits.ready):
                _late(outcome, now - started)
                return
            ready = [key.fd for key, _ in selector.select(_LOOK)]
            if machine.wishes.keys in ready and not machine.type():
                outcome.stopped, outcome.status = "ended by its user", exits.INTERRUPTED
                return
            if machine.console.fileno() in ready and not machine.read():
                break
            if machine.child.wait(0.0) is not None:
                while machine.waits() and machine.read():
                    pass
                break
    for said in machine.reader.finish():
        machine.take(said)
    _ended(machine)


def _late(outcome: Outcome, seconds: float) -> None:
    outcome.status = exits.FAILED
    if not outcome.spoke:
        outcome.stopped = (
            f"the console has said nothing in {seconds:.0f} s: the kernel was not started, hangs, or its serial console is not on "
            "the VMM's standard output"
        )
    elif not outcome.ready:
        outcome.stopped = f"the guest was not up after {seconds:.0f} s: it hangs, or needs a longer --ready"
    else:
        outcome.stopped = f"the VM hangs, or needs a longer --timeout: {_doing(outcome)} after {seconds:.0f} s"


def _doing(outcome: Outcome) -> str:
    words, status = outcome.commands[-1] if outcome.commands else ("", 0)
    return f"`{words}` had not ended" if words and status < 0 else "it was not switched off"


def _ended(machine: _Machine) -> None:
    """It has gone, or may go: what that means."""
    outcome, child = machine.outcome, machine.child
    if outcome.over is not None:
        outcome.status = outcome.over
        if outcome.damaged and outcome.status in (exits.HOLDS, exits.NOT_OFFERED):
            outcome.status = exits.CANNOT_RUN
        return
    status = child.wait(_ENDING)
    how = Child.how(status) if status is not None else "closed its console"
    words = [line for line in child.words().splitlines() if line.strip()]
    outcome.lines.extend(words[-8:])
    if outcome.ready:
        outcome.stopped = f"the VM died: the VMM {how} while {_doing(outcome)}"
    elif outcome.spoke:
        outcome.stopped = f"the VM died before its guest was up: the VMM {how}"
    elif status is not None and status < 0:
        outcome.stopped = f"the VMM {how} before its console said anything"
    else:
        # A command that cannot be understood, a file that it cannot open: nobody was judged.
        outcome.status = exits.CANNOT_RUN
        outcome.stopped = f"the VMM does not start this machine: it {how}"
        return
    outcome.status = exits.FAILED
