"""On the host: runs the tests of ``tests/vm/guest`` in a guest and reports each of them by its own name.

pytest collects them here as usual, so that names, parameters, ``-k`` and node ids work; running one means waiting for
the reports that the guest's own pytest sends. A guest is booted when its first test is due.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest
from _pytest.reports import TestReport

from tests.vm.boots import BOOTS, DEFAULT
from tests.vm.machine import Guest, GuestError

__all__ = ["GuestRunner", "GuestSummary"]

_GUEST_TESTS = Path(__file__).parent / "guest"
_ABOUT = "guest"
_SLACK_SECONDS = 30.0

_node_id = pytest.StashKey[str]()
"""The name that the guest's pytest knows a test by, and the mark of a guest test."""
_guest_seconds = pytest.StashKey[float]()
"""When pytest-timeout ends the test in the guest."""


class GuestRunner:
    """Runs the guest tests of a session: one guest at a time, each kept until its last test has been reported."""

    def __init__(self) -> None:
        self._guest: Guest | None = None
        self._broken: dict[str, str] = {}

    def run(self, item: pytest.Item, nextitem: pytest.Item | None) -> list[TestReport]:
        """The reports of one test; made up, and failed, where the guest owes them."""
        name = _boot_of(item)
        try:
            guest = self._guest_for(name, item)
            rows = guest.reports(item.stash[_node_id], _seconds_for(item))
            reports = [_restore(item, row, guest.about) for row in rows]
        except GuestError as error:
            # one that ran gets a successor for the tests that remain; one that never did would fail again
            if self._guest is None or not self._guest.has_reported:
                self._broken.setdefault(name, str(error).splitlines()[0])
            self._close()
            reports = _failed(item, str(error))
        except Exception:  # whatever it is, it is this test's; raised here it would end the whole session
            self._close()
            reports = _failed(item, traceback.format_exc())
        if nextitem is None or not _in_guest(nextitem) or _boot_of(nextitem) != name:
            self.finish()
        return reports

    def _guest_for(self, name: str, item: pytest.Item) -> Guest:
        if name in self._broken:
            raise GuestError(f"not run, as this guest does not come up: {self._broken[name]}")
        if self._guest is None:
            due = item.session.items[item.session.items.index(item) :]
            tests = [other.stash[_node_id] for other in due if _in_guest(other) and _boot_of(other) == name]
            self._guest = Guest(name, BOOTS[name], tests)
        return self._guest

    def finish(self) -> None:
        """Lets the guest shut down."""
        if self._guest is not None:
            self._guest.finish()
            self._guest = None

    def _close(self) -> None:
        if self._guest is not None:
            self._guest.close()
            self._guest = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Brings the tests of each guest together, and keeps the host's timeouts out of their way."""
        mine = [number for number, item in enumerate(items) if _GUEST_TESTS in item.path.parents]
        for item in (items[number] for number in mine):
            if _boot_of(item) not in BOOTS:
                raise pytest.UsageError(f"{item.nodeid}: no boot {_boot_of(item)!r} in tests/vm/boots.py")
            limit = item.get_closest_marker("timeout")
            item.stash[_node_id] = item.nodeid
            item.stash[_guest_seconds] = float(
                limit.args[0] if limit and limit.args else config.getini("timeout") or 300
            )
            item.add_marker(pytest.mark.timeout(0), append=False)
            item.add_marker(pytest.mark.needs("guest"))
        together = sorted((items[number] for number in mine), key=lambda item: list(BOOTS).index(_boot_of(item)))
        for number, item in zip(mine, together, strict=True):
            items[number] = item

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        if not _in_guest(item):
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self.run(item, nextitem):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_sessionfinish(self) -> None:
        self._close()


class GuestSummary:
    """Says at the end which guests ran and how; by the reports, so that it works with pytest-xdist too."""

    def __init__(self) -> None:
        self._guests: dict[str, None] = {}

    def pytest_runtest_logreport(self, report: TestReport) -> None:
        self._guests.update((str(value), None) for key, value in report.user_properties if key == _ABOUT)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for about in self._guests:
            terminalreporter.write_line(f"guest {about}")


def _in_guest(item: pytest.Item) -> bool:
    return _node_id in item.stash


def _boot_of(item: pytest.Item) -> str:
    marker = item.get_closest_marker("boot")
    return str(marker.args[0]) if marker else DEFAULT


def _seconds_for(item: pytest.Item) -> float:
    """What the test may take in the guest, where pytest-timeout ends it, and a little more."""
    return float(item.stash[_guest_seconds]) + _SLACK_SECONDS


def _restore(item: pytest.Item, row: dict[str, object], about: str) -> TestReport:
    report = item.config.hook.pytest_report_from_serializable(config=item.config, data=row)
    assert isinstance(report, TestReport)
    report.nodeid, report.location = item.nodeid, item.location
    if isinstance(report.longrepr, list):  # JSON has no tuples, and a skip's reason is one
        path, line, reason = report.longrepr
        report.longrepr = (path, line, reason)
    report.user_properties = [*((key, value) for key, value in report.user_properties), (_ABOUT, about)]
    return report


def _failed(item: pytest.Item, why: str) -> list[TestReport]:
    keywords: Mapping[str, Literal[1]] = dict.fromkeys(item.keywords, 1)
    return [
        TestReport(item.nodeid, item.location, keywords, "passed", None, "setup"),
        TestReport(item.nodeid, item.location, keywords, "failed", why, "call"),
        TestReport(item.nodeid, item.location, keywords, "passed", None, "teardown"),
    ]
