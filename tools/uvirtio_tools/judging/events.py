"""What a history is made of, beside the events of the recorder: what was looked at, waited for, and what came of it.

An event says what was done or seen, and never what that means. All of them can be written to a file and read again.
"""

from __future__ import annotations

from typing import NamedTuple

from uvirtio.access.trace import Access, Added, Asked, Event, Mark, Message, Published, Strayed, Used, Wrong
from uvirtio.queue import QueueState
from uvirtio.suspend import Transition

from .looks import Look

__all__ = [
    "KINDS", "Drained", "Ended", "Fired", "Happened", "HistoryEvent", "Left", "Listened", "Loaded", "Looked", "Portrayed", "Prodded", "Read",
    "Reaped", "Started", "Stood", "Traffic", "Transitioned", "Trouble",
]  # fmt: skip


class Started(NamedTuple):
    """The device was brought up to DRIVER_OK: accepted features as a mask, sizes of its queues, whether it has a workload."""

    time: float
    accepted: int
    queues: dict[int, int]
    workload: bool


class Traffic(NamedTuple):
    """Requests went through a running device, and what they showed: the positive control, or traffic after something.

    ``used``: ISR bit 0 was seen alone. ``config``: bit 1 came with ordinary traffic, so it tells nothing. ``sticky``: ISR
    showed a bit although it had just been read, with nothing left to be notified.
    """

    time: float
    doing: str
    completed: int
    used: bool
    config: bool
    sticky: bool

    @property
    def notified(self) -> bool:
        """Whether ISR showed anything at all."""
        return self.used or self.config

    def to_json(self) -> dict[str, object]:
        """As evidence."""
        return {"completed": self.completed, "isr_queue_bit": self.used, "isr_config_bit": self.config}


class Loaded(NamedTuple):
    """Requests were made available; ``notified`` of them a while ago. ``owed``: those that the device owes an answer now."""

    time: float
    submitted: int
    notified: int
    owed: int


class Looked(NamedTuple):
    """A look at rings, buffers, ISR and the interrupt count; ``name`` says at what moment."""

    time: float
    name: str
    look: Look


class Transitioned(NamedTuple):
    """A suspend or a resume was asked for, and this came of it.

    ``owed``: requests that the device owed an answer when SUSPEND was written, ``states`` its queues then; ``answering``:
    queues whose buffers are worked on as they come, which others keep until something comes in.
    """

    time: float
    transition: Transition
    owed: int
    states: dict[int, QueueState]
    answering: tuple[int, ...]


class Reaped(NamedTuple):
    """What the device had used was taken: how many requests, how many it owes still, and names of buffers left with it."""

    time: float
    taken: int
    owed: int
    left: tuple[str, ...]


class Listened(NamedTuple):
    """A notification was waited for. ``what``: ``used``, ``line`` or ``config``; ``about``: which one.

    ``expected``: buffers that it was due for (0: nobody knows). ``limit``: seconds that were waited at most.
    """

    time: float
    what: str
    about: str
    expected: int
    shown: bool
    limit: float


class Drained(NamedTuple):
    """Everything that was owed has come back, and was verified; ``proves`` is what the workload says that this means."""

    time: float
    doing: str
    completed: int
    proves: str


class Trouble(NamedTuple):
    """A driver or a workload found something wrong; ``kind`` is the name of the error, ``rule`` what it broke in a ring."""

    time: float
    doing: str
    kind: str
    text: str
    rule: str


class Fired(NamedTuple):
    """The host side was asked for something; ``trouble``: why it could not be had, empty when it was done."""

    time: float
    name: str
    trouble: str


class Prodded(NamedTuple):
    """Queues were notified while the device was suspended, in deliberate deviation; ``soon``: at the first "done" read."""

    time: float
    queues: tuple[int, ...]
    soon: bool


class Read(NamedTuple):
    """Something was read that statements rest on: ``what``, and its value as text."""

    time: float
    what: str
    value: str


class Portrayed(NamedTuple):
    """The device as it is in reset: properties by name, and its configuration in hex; ``which``: first or last."""

    time: float
    which: str
    lasting: dict[str, str]
    config: str


class Ended(NamedTuple):
    """The scenario ended before its end: ``how`` is one word, ``text`` the reason, ``blames`` the statement that it breaks."""

    time: float
    how: str
    text: str
    blames: str = ""


class Happened(NamedTuple):
    """Something befell the machine, or its host did it. ``announced``: it was asked for; else it was only noticed, and how.

    ``seconds``: how long it took, or how much time is missing. ``trouble``: why it could not be had, empty when it was.
    """

    time: float
    name: str
    announced: bool
    seconds: float
    trouble: str = ""
    noticed: str = ""


class Stood(NamedTuple):
    """Where queues stood at a moment, and what the status read. ``owed``: a notification that nobody had looked for was due.

    ``told``: the driver's index of each queue when the device was last notified of it.
    """

    time: float
    when: str
    status: int
    states: dict[int, QueueState]
    told: dict[int, int]
    owed: bool = False


class Left(NamedTuple):
    """Buffers that were still out at a moment after an event: of those notified before it, of those not, of fresh ones.

    ``overtaken``: how many of the first two are out although one that was made available later in the same queue is back.
    ``returned``: how many of all came back since the moment before.
    """

    time: float
    when: str
    notified: int
    waiting: int
    fresh: int
    overtaken: int
    returned: int

    @property
    def out(self) -> int:
        """All of them."""
        return self.notified + self.waiting + self.fresh


HistoryEvent = (
    Event | Started | Traffic | Loaded | Looked | Transitioned | Reaped | Listened | Drained | Trouble | Fired | Prodded | Read
    | Portrayed | Ended | Happened | Stood | Left
)  # fmt: skip

#: name in a file -> class.
KINDS: dict[str, type[HistoryEvent]] = {
    kind.__name__.lower(): kind
    for kind in (
        Access, Added, Asked, Published, Used, Wrong, Strayed, Message, Mark, Started, Traffic, Loaded, Looked, Transitioned, Reaped, Listened,
        Drained, Trouble, Fired, Prodded, Read, Portrayed, Ended, Happened, Stood, Left,
    )
}  # fmt: skip
