"""P19 to P23: messages of MSI-X by vector, of none, and masked."""

from __future__ import annotations

from uvirtio_tools.judging import names

from ..table import BROKEN, KEPT, MOOT, NOTED, TOLD
from .reads import reading

_NONE = 0xFFFF
_Read = tuple[str, list[list[int]]]


def queue(vector: int, *seen: int, config: int = 0, used: int = 1) -> _Read:
    """A buffer of a queue that is mapped to a vector was used, and these messages were seen."""
    mapped = sorted({config, vector} - {_NONE})
    return names.MESSAGES_OF_QUEUES, [[config, vector], [vector], list(seen), mapped, [used, 1, 0, 0]]


def change(vector: int, *seen: int, queue: int = 1, shown: int = 0, missing: int = 0, changed: int = 1) -> _Read:
    """The configuration, which is mapped to a vector, has changed; what ISR showed with its messages."""
    mapped = sorted({vector, queue} - {_NONE})
    return names.MESSAGES_OF_CHANGES, [[vector, queue], [vector], list(seen), mapped, [0, changed, shown, missing]]


def moved(vector: int, *seen: int) -> _Read:
    """The configuration has changed after it got another vector as the device ran."""
    return names.MESSAGES_OF_MOVED, change(vector, *seen)[1]


def again(vector: int, *seen: int) -> _Read:
    """A buffer was used of a queue that got another vector when it was reset."""
    return names.MESSAGES_OF_RESET, queue(vector, *seen, config=1)[1]


def masked(*while_masked: int, pending: tuple[int, ...] = (), later: tuple[int, ...] = (), used: int = 1) -> _Read:
    """A buffer was used while its vector was masked."""
    return names.MASKED_MESSAGES, [[used], list(while_masked), list(pending), list(later)]


reading("P19", KEPT, "in 3 mappings", queue(1, 1), queue(0, 0, config=1), change(0, 0))
reading("P19", KEPT, "in 1 mappings", queue(1), queue(1, 1))
reading("P19", BROKEN, "mapped to vector 0, and messages of 1 came", queue(1, 1), queue(0, 1, config=1))
reading("P19", KEPT, "in 1 more no message came at all", queue(1, 1), queue(2))
reading("P19", BROKEN, "a message came of a vector that nothing is mapped to", queue(1, 1, 3))
reading("P19", BROKEN, "a change is mapped to vector 0, and messages of 1 came", queue(1, 1), change(0, 1))
reading(
    "P19", BROKEN, "got another vector as the device ran, is mapped to vector 1, and messages of 0 came", moved(1, 0)
)
reading("P19", KEPT, "in 2 mappings", moved(1, 1), again(0, 0))
reading("P19", BROKEN, "when it was reset, is mapped to vector 0, and messages of 1 came", queue(1, 1), again(0, 1))
reading("P19", KEPT, "in 1 more no message came at all", queue(1, 1), moved(1))
reading("P19", MOOT, "no message came at all", queue(1), queue(0, config=1))
reading("P19", MOOT, "no message came at all", queue(1, 1, used=0))

reading("P20", KEPT, "2 times", queue(1, 1), queue(_NONE), queue(_NONE))
# What else is mapped may notify meanwhile.
reading("P20", KEPT, "1 times", queue(1, 1), queue(_NONE, 0), queue(_NONE))
reading("P20", MOOT, "what has one sent messages each time", queue(1, 1), queue(_NONE, 0), queue(_NONE, 0))
reading(
    "P20",
    BROKEN,
    "a queue had no vector, and messages of 1 came",
    queue(1, 1),
    queue(_NONE, 1),
    queue(_NONE),
    breaks="P20",
)
reading("P20", BROKEN, "messages of 0 came", queue(1, 1), queue(_NONE, 0, config=1))
reading("P20", MOOT, "no message with a vector either", queue(1), queue(_NONE))

reading("P21", KEPT, "1 times", change(0, 0), change(_NONE))
reading("P21", BROKEN, "the configuration had no vector", change(0, 0), change(_NONE, 0))
reading("P21", MOOT, "what has one sent messages each time", change(0, 0), change(_NONE, 1))
reading("P21", MOOT, "there was no occasion", change(0, 0), change(_NONE, 0, changed=0))

reading("P22", KEPT, "was pending meanwhile", masked(pending=(1,), later=(1,)))
reading("P22", KEPT, "no pending bit showed", masked(later=(1,)))
reading("P22", BROKEN, "messages of vector 1 came while", masked(1))
reading("P22", TOLD, "no message came", masked(pending=(1,)))
reading("P22", MOOT, "there was no occasion", masked(used=0))

reading("P23", KEPT, "with 2 messages", change(0, 0, shown=1), change(0, 0, shown=1))
reading("P23", NOTED, "2 messages of the configuration came", change(0, 0, missing=1), change(0, 0, missing=1))
reading("P23", MOOT, "there was no occasion", change(0, 0, missing=1))

for _id in ("P19", "P20", "P21", "P22", "P23"):
    for _text in ("{}", "[[1]]", '[[1],["a"],[],[],[]]', "[", "[[1],[1],[1],[1],[1]]"):
        reading(
            _id, MOOT, "" if _id == "P19" else "there was no occasion", (names.MESSAGES_OF_QUEUES, _text),
            (names.MESSAGES_OF_CHANGES, _text), (names.MASKED_MESSAGES, _text),
        )  # fmt: skip
