"""What holds for all tests: those that cannot run here are left out visibly, with how to get what they lack."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.lab import IN_GUEST, NEEDS, missing

_MARKERS = (
    "needs(*what): what must be at hand outside Python, see tests/lab: " + ", ".join(NEEDS),
    "boot(name): the guest of tests/vm/boots.py that a guest test runs in",
)
_STRICT = "UVIRTIO_NOTHING_LEFT_OUT"
"""Set to 1, what is left out or skipped makes the run fail."""


class TimeSpent:
    """Tells at the end in which folders the time of all tests went; the slowest tests are told by ``--durations``."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.counts: dict[str, int] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        folder = report.nodeid.split("::", 1)[0].rpartition("/")[0]
        self.seconds[folder] = self.seconds.get(folder, 0.0) + report.duration
        self.counts[folder] = self.counts.get(folder, 0) + (report.when == "call")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if sum(self.seconds.values()) < 60:
            return
        terminalreporter.section("time by folder")
        for folder in sorted(self.seconds, key=self.seconds.__getitem__, reverse=True):
            terminalreporter.write_line(f"{self.seconds[folder]:8.1f} s  {self.counts[folder]:5} tests  {folder}")


class LeftOut:
    """Counts what was left out and what was skipped, tells, and fails the run where nothing may be."""

    def __init__(self) -> None:
        self.reasons: dict[str, int] = {}
        self.skipped = 0
        self.strict = os.environ.get(_STRICT, "0") not in ("", "0")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselects each test whose needs are not met; late, as other hooks may still add needs."""
        out = []
        for item in items:
            needs = [str(need) for marker in item.iter_markers("needs") for need in marker.args]
            lacking = missing(*needs) if needs else []
            if lacking:
                out.append(item)
                self.reasons[lacking[0]] = self.reasons.get(lacking[0], 0) + 1
        if out:
            config.hook.pytest_deselected(items=out)
            items[:] = [item for item in items if item not in out]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.skipped += report.skipped and not hasattr(report, "wasxfail")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["left_out"] = self.reasons
        elif self.strict and (self.reasons or self.skipped) and exitstatus in (0, 5):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """With pytest-xdist the workers collect, each of them everything, and the tests are counted there."""
        self.reasons |= getattr(node, "workeroutput", {}).get("left_out", {})

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for sentence, count in self.reasons.items():
            terminalreporter.write_line(f"left out: {count} tests; {sentence}", red=self.strict, yellow=True)
        if self.strict and self.skipped:
            terminalreporter.write_line(f"left out: {self.skipped} tests were skipped", red=True)


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts what it puts into the background with Ctrl-C ignored, and children would inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    if IN_GUEST not in os.environ:  # there the host has seen to it
        config.pluginmanager.register(LeftOut(), "left-out")
        if not hasattr(config, "workerinput"):
            config.pluginmanager.register(TimeSpent(), "time-spent")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``-n``: the guest tests all on one worker, as each would boot guests of its own; the others file by file.

    By hand, as pytest-xdist 3.8's ``--dist loadgroup`` has no effect under pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

    class GuestTestsTogether(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return "guest" if nodeid.startswith("tests/vm/guest/") else nodeid.split("::", 1)[0]

    return GuestTestsTogether(config, log)
