"""A statement that there is no way to see says why, and nothing is written to what is not there."""

from __future__ import annotations

import pytest

from tests.emulated.checks.judging import judge, results
from uvirtio.bus.emulated import EmulatedBus


@pytest.mark.parametrize(
    ("locator", "reason"),
    [
        ("emulated:blk?size=1M&features=-CONFIG_WCE", "does not offer the feature that writeback needs"),
        ("emulated:rng", "a rng device has no configuration field that may be written"),
    ],
)
def test_a_field_that_does_not_exist_is_not_written(locator: str, reason: str) -> None:
    written: list[object] = []

    def watch(bus: EmulatedBus) -> None:
        bus.function.device.model.config_written = written.append  # type: ignore[method-assign, assignment]

    finding = results(judge(locator, only="V2", tamper=watch))["V2"].finding
    assert finding.verdict.value == "SKIP"
    assert reason in finding.summary
    assert written == []
