"""A pytest plugin: the conformance checks as tests, one each, for every ``--uvirtio-device LOCATOR``.

Without that option it does nothing. A broken MUST fails; a SHOULD that is broken is a warning of the test (a failure with
``--uvirtio-strict``); what cannot be shown is skipped with what was missing. Each test opens its device anew and
leaves it as it was found, so ``-k``, ``--junitxml`` and pytest-xdist work as for any other test.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from .commands.arguments import positive_integer, seconds, sectors

if TYPE_CHECKING:
    from .facade import OpenDevice
    from .judging.result import CheckRun

__all__ = [
    "CheckFailed",
    "CheckWarning",
    "DeviceNode",
    "StatementItem",
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_generate_tests",
    "uvirtio_device",
]

#: How long a test waits for another process (a worker of pytest-xdist) to give the device back, in seconds.
BUSY = 60.0


class CheckFailed(Exception):
    """A statement is broken; the message is the report."""


class CheckWarning(UserWarning):
    """A SHOULD is broken, or something is worth knowing."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("uvirtio", "conformance of virtio devices' suspend and resume")
    group.addoption(
        "--uvirtio-device", metavar="LOCATOR", action="append", default=[],
        help="judge this device: 00:05.0, emulated:rng, qemu:rng, vfio-user:PATH (repeatable)",
    )  # fmt: skip
    group.addoption(
        "--uvirtio-only", metavar="IDS", action="append", default=[], help="only these statements: V1,V4 or V"
    )
    group.addoption(
        "--uvirtio-dialect", default="auto", choices=("auto", "1.4", "chromium", "rfc"), help="which SUSPEND"
    )
    group.addoption(
        "--uvirtio-interrupts", default="auto", choices=("auto", "intx", "msix", "none"), help="how devices notify"
    )
    group.addoption(
        "--uvirtio-timeout",
        metavar="SECONDS",
        type=seconds(zero=False),
        default=10.0,
        help="longest time for one step (10)",
    )
    group.addoption(
        "--uvirtio-hold", metavar="SECONDS", type=seconds(zero=True), default=0.2, help="time suspended (0.2)"
    )
    group.addoption("--uvirtio-strict", action="store_true", help="a SHOULD that is broken fails")
    group.addoption("--uvirtio-trigger-command", metavar="CMD", help="how the host side is asked for something")
    group.addoption(
        "--uvirtio-scratch",
        metavar="FIRST-LAST",
        type=sectors,
        help="sectors of a block device that may be overwritten",
    )
    group.addoption(
        "--uvirtio-peer", choices=("echo", "none"), help="what is at a network or console device's other end"
    )
    group.addoption(
        "--uvirtio-pairs",
        metavar="N",
        type=positive_integer,
        help="how many queue pairs of a network device carry the traffic",
    )
    group.addoption(
        "--uvirtio-provoke",
        action="store_true",
        help="make a device of this machine fail by an impossible address (V14)",
    )
    group.addoption("--uvirtio-force", action="store_true", help="take a device although something uses it")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """The marker."""
    config.addinivalue_line(
        "markers", "uvirtio(*locators, **options): devices for the fixture uvirtio_device, and how they are opened"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for ``uvirtio_device`` once for each device that its marker or the command line names."""
    if "uvirtio_device" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("uvirtio")
    locators = marker.args if marker is not None and marker.args else metafunc.config.getoption("--uvirtio-device")
    metafunc.parametrize("uvirtio_device", locators, indirect=True, ids=list(map(str, locators)))


@pytest.fixture
def uvirtio_device(request: pytest.FixtureRequest) -> Iterator[OpenDevice]:
    """An open device, see :class:`uvirtio.OpenDevice`; at the end of the test device and machine are as they were."""
    from .facade import open_locator

    marker = request.node.get_closest_marker("uvirtio")
    options = {
        "timeout": request.config.getoption("--uvirtio-timeout"),
        **(marker.kwargs if marker is not None else {}),
    }
    with open_locator(request.param, **options) as device:
        yield device


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the checks of every device that was named; before ``-k`` and ``-m`` choose among the tests."""
    for locator in config.getoption("--uvirtio-device"):
        node = DeviceNode.from_parent(
            session, name=f"uvirtio[{locator}]", nodeid=f"uvirtio[{locator}]", locator=locator
        )
        items.extend(node.collect())


class DeviceNode(pytest.Collector):
    """One device."""

    def __init__(self, *, locator: str, **rest: object) -> None:
        super().__init__(**rest)  # type: ignore[arg-type]  # pytest's own constructor arguments
        self.locator = locator

    def collect(self) -> Iterator[pytest.Item]:
        """One item per statement."""
        from uvirtio.bus.locator import parse
        from uvirtio.errors import UsageError

        from .driving.triggers import CommandTriggers
        from .statements import select

        words = [word for words in self.config.getoption("--uvirtio-only") for word in words.split(",")]
        try:
            if (command := self.config.getoption("--uvirtio-trigger-command")) is not None:
                CommandTriggers(command)
            parse(self.locator)
            ids = select(word for word in words if word.strip())
        except UsageError as error:
            raise pytest.UsageError(str(error)) from error
        for id_ in ids:
            item = StatementItem.from_parent(self, name=id_)
            if self.config.pluginmanager.hasplugin("xdist"):
                # With --dist loadgroup all tests of a device run in one worker.
                item.add_marker(pytest.mark.xdist_group(self.locator))
            yield item


class StatementItem(pytest.Item):
    """One statement, judged on one device."""

    def runtest(self) -> None:
        """Open the device, judge, give it back. Raises :class:`CheckFailed`, or skips."""
        from uvirtio.errors import CannotRun, UvirtioError
        from uvirtio.foreign import printable

        try:
            run = self._run()
        except CannotRun as error:
            # From none: pytest would tell what is behind it in its own words.
            raise pytest.fail.Exception(printable(f"cannot run here: {error}", lines=True), pytrace=False) from None
        except UvirtioError as error:
            raise CheckFailed(printable(error, lines=True)) from error
        if not run.results:
            if run.stopped:
                raise CheckFailed(printable(run.stopped, lines=True))
            dialect = run.dialect.name if run.dialect else "unknown"
            pytest.skip(printable(run.not_offered) or f"{self.name} is not a statement about the {dialect} dialect")
        result = run.results[0]
        finding = result.finding
        report = "\n".join(
            printable(line, lines=True)
            for line in [
                f"{result.statement.id} {finding.verdict.value}: {finding.summary}",
                f"{result.statement.text} ({result.statement.level.value}, {result.statement.section})",
                *([f"expected: {finding.expected}"] if finding.expected else []),
                *([f"observed: {finding.observed}"] if finding.observed else []),
                *finding.remarks,
                *(f"the driver deviated on purpose: {text}" for text in result.deviations),
            ]
        )
        self.add_report_section("call", "uvirtio", report)
        self.user_properties += [("verdict", finding.verdict.value), ("summary", printable(finding.summary))]
        if finding.verdict.bad or run.stopped:
            raise CheckFailed(f"{report}\n{printable(run.stopped, lines=True)}".rstrip())
        if finding.verdict.value == "SKIP":
            pytest.skip(printable(finding.summary))
        if finding.verdict.value == "WARN":
            warnings.warn(CheckWarning(report), stacklevel=1)

    def _run(self) -> CheckRun:
        from uvirtio.errors import DeviceBusy

        from .driving.opening import open_device
        from .driving.options import RunOptions
        from .judging.history import History
        from .judging.result import CheckRun
        from .scenarios.running import run_checks

        option = self.config.getoption
        parent = self.parent
        assert isinstance(parent, DeviceNode)
        triggers = None
        if (command := option("--uvirtio-trigger-command")) is not None:
            from .driving.triggers import CommandTriggers

            triggers = CommandTriggers(command)
        run = CheckRun(
            parent.locator, strict=option("--uvirtio-strict"), timeout=option("--uvirtio-timeout"),
            hold=option("--uvirtio-hold"), only=[self.name],
        )  # fmt: skip
        options = RunOptions(
            dialect=option("--uvirtio-dialect"), scratch=option("--uvirtio-scratch"), peer=option("--uvirtio-peer"),
            pairs=option("--uvirtio-pairs"), timeout=run.timeout, hold=run.hold, strict=run.strict,
            provoke=option("--uvirtio-provoke"), interrupts=option("--uvirtio-interrupts"),
        )  # fmt: skip
        deadline = time.monotonic() + BUSY
        while True:
            try:
                with open_device(
                    parent.locator, timeout=run.timeout, recorder=History, force=option("--uvirtio-force")
                ) as device:
                    run_checks(run, device, options, triggers=triggers)
                return run
            except DeviceBusy:
                # Another worker judges it just now.
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.1)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        """The report instead of a traceback."""
        if isinstance(excinfo.value, CheckFailed):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[str, int | None, str]:
        """Where the test is said to be: at its device."""
        parent = self.parent
        assert isinstance(parent, DeviceNode)
        return parent.locator, None, f"{parent.locator}: {self.name}"
