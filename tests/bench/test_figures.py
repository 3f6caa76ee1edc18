"""What is made of the figures of a guest: ratios within a round, and how late the end of a suspend was seen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.figures import COMPARISONS, Figure, compare, show, suspends


def rounds(what: str, who: str, *per_second: float) -> list[Figure]:
    return [Figure(number, what, who, figure) for number, figure in enumerate(per_second)]


def test_ratios_are_taken_within_a_round_so_that_a_slow_moment_does_not_decide() -> None:
    ours = rounds("blk 4 KiB depth 32", "uvirtio", 200, 20, 210)
    theirs = rounds("blk 4 KiB depth 32", "fio io_uring", 100, 10, 300)
    (row,) = compare([*ours, *theirs])
    assert (row["ratio"], row["lowest"], row["highest"]) == (2.0, 0.7, 2.0)
    assert (row["uvirtio"], row["theirs"], row["rounds"]) == (200, 100, 3)
    assert row["holds"] is True


def test_a_ratio_below_its_target_does_not_hold_and_is_marked() -> None:
    (row,) = compare([*rounds("blk 1 MiB depth 4", "uvirtio", 89), *rounds("blk 1 MiB depth 4", "fio io_uring", 100)])
    assert row["holds"] is False
    assert "\n!" in show([row], {}, {})


def test_frames_are_held_against_what_ixy_would_reach_here() -> None:
    af_packet = rounds("net 60 bytes", "AF_PACKET", 66_373)
    for frames, target in (("prepared", 176_500), ("stamped", 105_900)):
        for short in (False, True):
            ours = rounds(f"net 60 bytes {frames}", "uvirtio", target - short)
            (row,) = compare([*ours, *af_packet])
            assert row["holds"] is not short


def test_what_only_one_side_measured_is_not_compared() -> None:
    assert compare(rounds("rng 64 bytes depth 32", "uvirtio", 1.0)) == []
    assert all(comparison.what for comparison in COMPARISONS)


def entry(time: float, event: str = "", register: str = "device_status") -> dict[str, Any]:
    if event:
        return {"time": time, "kind": "event", "event": event}
    return {"time": time, "kind": "read", "register": register}


def test_lateness_is_the_first_status_read_after_the_device_had_finished() -> None:
    row = suspends(
        [
            entry(0.0, "suspend requested"),
            entry(1.0),
            entry(2.0),
            entry(2.5, "suspend finished"),
            entry(2.6, register="config_generation"),
            entry(3.0),
            entry(9.0),
            entry(10.0, "resume requested"),
            entry(10.25, "resume finished"),
            entry(11.0),
        ]
    )
    assert (row["transitions"], row["us_late_most"]) == (2, 0.75e6)
    assert row["us_late"] == pytest.approx(0.625e6)
    # Nobody had looked before the resume was finished.
    assert row["us_step"] == row["us_step_most"] == 1e6
    assert row["reads"] == 2


def test_a_log_without_transitions_says_nothing() -> None:
    assert suspends([entry(1.0), entry(2.0, "reset")]) == {}
