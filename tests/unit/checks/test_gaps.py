"""What of a stop of the machine shows in its clocks."""

from __future__ import annotations

import pytest

from uvirtio_tools.driving.gaps import Gap, Gaps


class Clocks:
    """All of a machine's."""

    def __init__(self, *, rtc: bool = True) -> None:
        self.monotonic, self.boot, self.wall, self.rtc = 100.0, 100.0, 1e9, 1e9
        self.has_rtc = rtc
        self.gaps = Gaps(
            lambda: self.monotonic,
            lambda: self.boot,
            lambda: self.wall,
            lambda: float(int(self.rtc)) if self.has_rtc else None,
        )

    def go_on(self, seconds: float, *, without: tuple[str, ...] = ()) -> None:
        for name in {"monotonic", "boot", "wall", "rtc"} - {*without}:
            setattr(self, name, getattr(self, name) + seconds)

    def look_for(self, seconds: float) -> list[Gap]:
        found = []
        for _ in range(round(seconds / 0.01)):
            self.go_on(0.01)
            if (gap := self.gaps.look()) is not None:
                found.append(gap)
        return found


@pytest.mark.parametrize(
    ("stopped", "how"),
    [
        ((), "the monotonic clock made a step"),
        (("monotonic",), "the machine slept"),
        (("monotonic", "boot"), "the wall clock was set"),
        (("monotonic", "boot", "wall"), "the real-time clock went on"),
    ],
)
def test_a_stop_is_noticed_by_a_clock_that_went_on_and_once(stopped: tuple[str, ...], how: str) -> None:
    clocks = Clocks()
    assert clocks.look_for(5.0) == []
    clocks.go_on(3.5, without=stopped)
    (gap,) = clocks.look_for(5.0)
    assert gap.how.startswith(how)
    assert gap.seconds == pytest.approx(3.5, abs=1.0)


def test_what_no_clock_has_seen_is_not_noticed() -> None:
    clocks = Clocks(rtc=False)
    clocks.go_on(3.5, without=("monotonic", "boot", "wall"))
    assert clocks.look_for(2.0) == []


def test_a_busy_caller_and_clocks_that_drift_apart_are_no_gap() -> None:
    clocks = Clocks()
    clocks.go_on(2.0)
    clocks.gaps.worked()
    assert clocks.look_for(1.0) == []
    for _ in range(40):
        clocks.wall += 0.4
        clocks.rtc += 0.2
        clocks.go_on(601.0)
        clocks.gaps.worked()
        assert clocks.look_for(1.0) == []
