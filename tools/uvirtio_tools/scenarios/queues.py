"""Queues of a running device: reset by themselves, and notified of nothing."""

from __future__ import annotations

import json

from uvirtio.access.wait import YES, poll
from uvirtio.errors import DeviceTimeout
from uvirtio.spec.features import Feature

from ..judging import names
from ..judging.ends import Skip
from ..judging.stage import Stage
from . import scenario
from .pci import registers_of

__all__: list[str] = []

#: Notifications that announce nothing, for each queue.
_EMPTY = 16
_ROUNDS = 3


@scenario("fill the queues again and again", "Q3", "Q4", "Q5", "Q6", "Q7", "Q8", "Q10", dialects=())
def laps(stage: Stage) -> None:
    """As many requests at once as the queues take, and then singly: everything that comes back is looked at."""
    stage.start(suspend=False)
    workload = stage.traffic.need()
    for _ in range(_ROUNDS):
        stage.traffic.run(names.LAP)
    for _ in range(_ROUNDS):
        workload.submit(1)
        workload.kick()
        stage.traffic.drain(names.LAP)
    stage.sleeper.look("after the laps")


@scenario("notify a device of nothing", "Q9", dialects=())
def nothing(stage: Stage) -> None:
    """Every queue is notified again and again with nothing new in it; then there is traffic."""
    stage.start(suspend=False)
    stage.traffic.need()
    for _ in range(_EMPTY):
        for queue in stage.device.queues.values():
            queue.kick()
    stage.sleeper.sleep(stage.options.hold / 4)
    stage.read(names.EMPTY, _EMPTY)
    stage.traffic.try_run(names.AFTER_EMPTY)


@scenario("reset a queue of a running device", "Q1", "Q2", dialects=())
def queue_reset(stage: Stage) -> None:
    """A queue with nothing in it is reset and works again; then one with requests in process, which has to rest."""
    common = registers_of(stage)
    device = stage.device
    if Feature.RING_RESET not in device.offered:
        raise Skip("the device does not offer RING_RESET")
    stage.start(suspend=False)
    stage.traffic.need()
    assert device.negotiated is not None, "the device was started"
    if Feature.RING_RESET not in device.negotiated.accepted:
        raise Skip("RING_RESET was left out")
    empty = [index for index in stage.traffic.answering if not device.queues[index].outstanding]
    if not empty:
        raise Skip("there is no queue that is empty at times")
    index = empty[0]
    try:
        device.reset_queue(index)
    except DeviceTimeout:
        stage.read(names.QUEUE_RESET, json.dumps([index, 1, 1]))
        return
    stage.traffic.try_run(names.QUEUE_AGAIN)
    stage.traffic.load()
    queues = {index: stage.sleeper.watched_queues()[index]}
    common.put("queue_select", index)
    common.put("queue_reset", 1)
    poll(lambda: common.get("queue_reset") == 0, YES, device.clock, stage.deadline.limit())
    stage.read(names.QUEUE_RESET, json.dumps([index, common.get("queue_reset"), common.get("queue_enable")]))
    stage.sleeper.look("queue just reset", queues=queues)
    stage.sleeper.sleep(max(stage.options.hold, 2 * stage.sleeper.linger))
    stage.sleeper.look("queue reset for a while", queues=queues)
