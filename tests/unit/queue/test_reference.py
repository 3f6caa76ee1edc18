"""Any sequence of operations, on either ring format, does what a reference without rings does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .rig import FORMATS, Rig

SIZES = {"split": (1, 2, 4, 8), "packed": (1, 2, 3, 5, 8)}


def operations(size: int, ahead: int = 3) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    shape = st.tuples(st.integers(0, 3), st.integers(0, 3)).filter(lambda s: 0 < sum(s) <= size)
    add = st.tuples(st.just("add"), shape).map(lambda pair: ("add", *pair[1]))
    return st.lists(
        st.one_of(
            add,
            add,
            st.tuples(st.just("publish"), st.booleans()),
            st.just(("publish", True)),
            st.tuples(st.just("use"), st.integers(0, 7), st.integers(0, 4)),
            st.tuples(st.just("use"), st.integers(0, 7), st.integers(0, 4)),
            st.just(("reap",)),
            st.tuples(st.just("listen"), st.booleans()),
            st.tuples(st.just("want"), st.booleans(), st.integers(0, min(ahead, size - 1))),
        ),
        max_size=60,
    )


@pytest.mark.parametrize("event_idx", [False, True], ids=["flags", "event index"])
@pytest.mark.parametrize("indirect", [False, True], ids=["direct", "indirect"])
@pytest.mark.parametrize("in_order", [False, True], ids=["any order", "in order"])
@pytest.mark.parametrize("format_", FORMATS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_every_sequence_of_operations_matches_the_reference(
    format_: str, in_order: bool, indirect: bool, event_idx: bool, data: st.DataObject
) -> None:
    size = data.draw(st.sampled_from(SIZES[format_]))
    rig = Rig(format_, size, event_idx=event_idx, indirect=indirect, in_order=in_order)
    rig.run(data.draw(operations(size)))


@pytest.mark.parametrize("indirect", [False, True], ids=["direct", "indirect"])
@pytest.mark.parametrize("in_order", [False, True], ids=["any order", "in order"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_both_formats_show_the_same_to_their_user(in_order: bool, indirect: bool, data: st.DataObject) -> None:
    size = data.draw(st.sampled_from((1, 2, 4, 8)))
    sequence = data.draw(operations(size))
    split, packed = (Rig(format_, size, indirect=indirect, in_order=in_order).run(sequence) for format_ in FORMATS)
    assert split == packed
    # QEMU's packed rings never have VIRTQ_DESC_F_WRITE in what was used.
    flagless = Rig("packed", size, indirect=indirect, in_order=in_order)
    flagless.device.sets_write = False
    assert flagless.run(sequence) == packed


@pytest.mark.parametrize("event_idx", [False, True], ids=["flags", "event index"])
@pytest.mark.parametrize("format_", FORMATS)
def test_indices_and_wrap_counters_wrap_without_losing_a_buffer_or_a_notification(
    format_: str, event_idx: bool
) -> None:
    rig = Rig(format_, 4, event_idx=event_idx)
    for lap in range(65536 // 3 + 20):
        for _ in range(3):
            rig.add(0, 1)
        rig.want(lap % 2 == 0, lap % 3)
        rig.publish()
        for which in (2, 0, 0):
            rig.use(which, 4)
        rig.reap()
    rig.finish()


@pytest.mark.parametrize("format_", FORMATS)
@given(added=st.integers(1, 8), before=st.integers(0, 40), event=st.integers(0, 15))
@settings(max_examples=150, deadline=None)
def test_suppression_is_honoured_wherever_the_event_lies(format_: str, added: int, before: int, event: int) -> None:
    """``before`` buffers passed, then the device names an event up to two laps away, then ``added`` are exposed at once."""
    rig = Rig(format_, 8, event_idx=True)
    for _ in range(before):
        rig.add(1, 0)
        rig.publish()
        rig.use(0, 0)
        rig.reap()
    rig.want(True, event)
    for _ in range(added):
        rig.add(1, 0)
    rig.publish()
    assert rig.log[-1] == (event < added)
    rig.finish()
