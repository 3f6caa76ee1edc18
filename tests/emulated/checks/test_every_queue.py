"""Queues that the traffic of a type leaves out are not left out by the judge: one that is dead after a resume is found."""

from __future__ import annotations

import pytest

from tests.emulated.checks.judging import judge, words
from uvirtio.emulated.behaviour import Behaviour

#: Device -> the queue that its traffic does not use and the device owes an answer on: control of a network device, transmission
#: of the second port of a console.
LEFT_OUT = {"net": 2, "net?features=-RING_PACKED": 2, "console": 5, "console?features=-RING_PACKED": 5}


def dead_after_resume(queue: int) -> type[Behaviour]:
    """A device that looks at this queue no more once it was suspended."""

    class Dead(Behaviour):
        def finish_resume(self) -> None:
            self.device.queues[queue].service = lambda: None  # type: ignore[method-assign]
            super().finish_resume()

        def reset(self) -> None:
            vars(self.device.queues[queue]).pop("service", None)
            super().reset()

    return Dead


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_a_queue_that_is_dead_after_a_resume_is_found(kind: str) -> None:
    run = judge(f"emulated:{kind}", behaviour=dead_after_resume(LEFT_OUT[kind]), only="V9,V16")
    assert words(run)["V9"] == "FAIL"


#: Device -> its receive queue.
RECEIVE = {"net": 0, "net?features=-RING_PACKED": 0, "console": 0, "console?features=-RING_PACKED": 0}


def loses_a_buffer_per_resume(queue: int) -> type[Behaviour]:
    """A device that takes a receive buffer at each resume, and never gives it back."""

    class Loses(Behaviour):
        def finish_resume(self) -> None:
            super().finish_resume()
            self.device.queues[queue].take()

    return Loses


@pytest.mark.parametrize("kind", RECEIVE)
def test_a_receive_buffer_that_is_lost_at_each_resume_is_found(kind: str) -> None:
    run = judge(f"emulated:{kind}", behaviour=loses_a_buffer_per_resume(RECEIVE[kind]), only="V9,V16,S1")
    assert "FAIL" in words(run).values()


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_one_that_is_not_is_none_of_it(kind: str) -> None:
    assert set(words(judge(f"emulated:{kind}", only="V9,V16")).values()) == {"PASS"}
