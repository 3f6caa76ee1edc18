"""Messages of MSI-X: by the vector that an event is mapped to, by none without one, and masked ones later."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from uvirtio.access.trace import Message
from uvirtio.access.wait import YES, poll
from uvirtio.errors import DeviceTimeout
from uvirtio.messages import Messages, Way
from uvirtio.spec.features import Feature
from uvirtio.spec.registers import NO_VECTOR

from ..driving.notified import NOTIFICATION_TIME, SETTLE
from ..judging import names
from ..judging.ends import NotWorking, Skip
from ..judging.looks import read_configuration
from ..judging.stage import Stage
from . import scenario
from .configuration import Changer

__all__: list[str] = []

#: How often an event is caused that has to send a message, and one that must not.
_TRIES = 3


@scenario("send messages by vector", "P19", "P20", "P21", "P22", "P23", dialects=(), each_way=True)
def by_vector(stage: Stage) -> None:
    """Queues and configuration are mapped to vectors in several ways, and each is caused to notify; one is masked for a while."""
    messages = stage.device.messages
    if messages is None:
        raise Skip("no messages of MSI-X were received")
    changer = Changer(stage)
    try:
        for plan in _plans(messages.size):
            messages.plan = plan
            _start(stage, changer)
            _cause(stage, messages, lambda: _request(stage), "queue")
            if changer.name:
                _cause(stage, messages, changer.change, "configuration")
            if plan is None and messages.way is Way.MEMORY:
                _mask(stage, messages)
            elif plan is None:
                stage.read(names.NOT_MASKED, messages.way.value)
        messages.plan = None
        if messages.size > 1:
            _start(stage, changer)
            _move(stage, messages, changer)
    finally:
        messages.plan = None


def _plans(size: int) -> Iterator[tuple[int, int] | None]:
    """Vectors for the configuration and for the queues: each its own, the last and the first, one for all, none for one."""
    yield None
    last = size - 1
    if last:
        yield last, 0
        if last > 1:
            yield 0, last
    yield 0, 0
    yield last, NO_VECTOR
    yield NO_VECTOR, 0


def _start(stage: Stage, changer: Changer) -> None:
    changer.restore()  # frames that a link drops which is still down would be waited for
    stage.start(suspend=False)
    stage.traffic.need()
    for queue in stage.device.queues.values():
        queue.interrupts(True)


def _request(stage: Stage) -> None:
    workload = stage.traffic.need()
    workload.submit(1)
    workload.kick()
    stage.traffic.drain("a request, for its message")


def _seen(stage: Stage, since: int) -> list[int]:
    """The vectors of the messages since a position in the window."""
    stage.device.notifications.collect()
    return sorted({event.vector for event in stage.history.window.events[since:] if type(event) is Message})


def _expected(messages: Messages, what: str, moved: list[int]) -> list[int]:
    if what == "configuration":
        return [messages.of_config()]
    return sorted({messages.of_queue(index) for index in moved})


def _move(stage: Stage, messages: Messages, changer: Changer) -> None:
    """Other vectors without a reset of the device: for the configuration as it runs, for a queue when that alone is reset.

    A queue's vector is not to be changed while the queue is enabled (4.1.4.3.2).
    """
    device, last = stage.device, messages.size - 1
    if changer.name:
        # A device may have settled on a vector only when it used it.
        _cause(stage, messages, changer.change, "configuration")
        messages.move_config(last)
        _cause(stage, messages, changer.change, "configuration", names.MESSAGES_OF_MOVED)
    accepted = device.negotiated.accepted if device.negotiated is not None else ()
    empty = [index for index in stage.traffic.answering if not device.queues[index].outstanding]
    if Feature.RING_RESET not in accepted or not empty:
        return
    index = empty[0]
    changer.restore()
    messages.move_queue(index, 0 if messages.of_queue(index) else last)
    try:
        device.reset_queue(index)
        device.queues[index].interrupts(True)
        _cause(stage, messages, lambda: _request(stage), "queue", names.MESSAGES_OF_RESET)
    except (DeviceTimeout, NotWorking):
        return  # how a queue is reset is Q1's


def _cause(stage: Stage, messages: Messages, cause: Callable[[], None], what: str, name: str = "") -> None:
    """Cause an event up to a few times, until it has shown by its vectors, and put into the history what was seen.

    ``name``: what to call that, where it is not one of the ordinary ones.
    """
    name = name or (names.MESSAGES_OF_QUEUES if what == "queue" else names.MESSAGES_OF_CHANGES)
    told, clock = stage.device.notifications, stage.device.clock
    silent = (messages.of_config() if what == "configuration" else messages.of_queue(0)) == NO_VECTOR
    # One that is to show, and shows, need not be tried again; but how ISR goes with messages takes two.
    enough = 2 if what == "configuration" and messages.plan is None else 1
    for number in range(1, _TRIES + 1):
        clock.sleep(SETTLE)
        told.collect()
        since, shown, missing = len(stage.history.window.events), told.shown, told.missing
        before, fields = _used(stage), _fields(stage, what)
        cause()
        moved = [index for index, used in _used(stage).items() if used != before[index]]
        expected = _expected(messages, what, moved)
        wanted = {vector for vector in expected if vector != NO_VECTOR}

        def came(since: int = since, wanted: set[int] = wanted) -> bool:
            return bool(wanted) and wanted <= set(_seen(stage, since))

        limit = NOTIFICATION_TIME if wanted else min(stage.options.hold / 4, NOTIFICATION_TIME)
        poll(came, YES, clock, limit)
        changed = int(what == "queue" or _fields(stage, what) != fields)
        record = [
            [messages.of_config(), messages.of_queue(0)], expected, _seen(stage, since), sorted(messages.bits),
            [int(bool(moved)), changed, told.shown - shown, told.missing - missing],
        ]  # fmt: skip
        stage.read(name, json.dumps(record))
        if not silent and wanted and wanted <= set(record[2]) and number >= enough:
            break


def _used(stage: Stage) -> dict[int, int]:
    return {index: queue.state().device_index for index, queue in stage.device.queues.items()}


def _fields(stage: Stage, what: str) -> bytes:
    return read_configuration(stage.device) if what == "configuration" and stage.device.configuration.length else b""


def _mask(stage: Stage, messages: Messages) -> None:
    """A request while the vectors are masked: its message has to wait."""
    told, clock = stage.device.notifications, stage.device.clock
    clock.sleep(SETTLE)
    told.collect()
    vectors = sorted(messages.bits)
    for vector in vectors:
        messages.table.mask(vector, True)
    try:
        since = len(stage.history.window.events)
        before = _used(stage)
        _request(stage)
        clock.sleep(NOTIFICATION_TIME)
        moved = int(_used(stage) != before)
        masked, pending = _seen(stage, since), messages.table.pending()
    finally:
        for vector in vectors:
            messages.table.mask(vector, False)
    poll(lambda: bool(_seen(stage, since)), YES, clock, NOTIFICATION_TIME)
    later = [vector for vector in _seen(stage, since) if vector not in masked]
    stage.read(names.MASKED_MESSAGES, json.dumps([[moved], masked, pending, later]))
