"""The latencies in a result are those of the transition that they are named after."""

from __future__ import annotations

from typing import Any, cast

from .judging import judge


def test_suspend_and_resume_are_counted_and_timed_apart() -> None:
    run = judge("emulated:rng", only="V9")
    suspend = next(each for each in run.transitions if each.kind == "suspend")
    resume = suspend._replace(kind="resume", seconds=0.25)
    run.transitions[:] = [suspend._replace(seconds=0.5), suspend._replace(seconds=0.5), resume]
    latency = cast("Any", run.to_json()["latency"])
    assert (latency["suspend"]["count"], latency["resume"]["count"]) == (2, 1)
    assert "0.5" in str(latency["suspend"])
    assert "0.25" not in str(latency["suspend"])
    assert "0.25" in str(latency["resume"])
