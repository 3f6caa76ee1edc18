"""The library in short: ``uvirtio.open(LOCATOR)`` gives a device that is driven, suspended and judged by a word each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from uvirtio.device import Device
from uvirtio.errors import CannotRun, DriverMisuse
from uvirtio.pci.header import Identity
from uvirtio.spec.features import Features
from uvirtio.suspend import Suspender, Transition
from uvirtio_drivers.workload import Driver, Workload

from .driving.bring_up import BringUp
from .driving.opening import open_device
from .driving.options import RunOptions, feature_bits
from .judging.history import History
from .judging.result import CheckRun
from .scenarios.running import run_checks
from .statements import select

__all__ = ["OpenDevice", "open_locator"]


class OpenDevice:
    """An open virtio device. ``device`` is the :class:`~uvirtio.device.Device` below, with registers, queues and status.

    What a person can choose is in ``options``: the keywords of :class:`~uvirtio_tools.driving.options.RunOptions`, such as
    ``dialect``, ``timeout`` (seconds), ``scratch`` (sectors), ``peer``, ``interrupts``.
    """

    def __init__(self, device: Device, options: RunOptions) -> None:
        self.device = device
        self.options = options
        self._bring_up: BringUp | None = None
        self._offered: Features | None = None

    @property
    def identity(self) -> Identity:
        """What the device says that it is."""
        return self.device.identity

    @property
    def offered(self) -> Features:
        """The features that the device offers. Before :meth:`start` the device is reset to read them."""
        if self._offered is None:
            self._offered = self.device.begin()
        return self._offered

    @property
    def driver(self) -> Driver:
        """The driver of a device that was started. Raises :class:`~uvirtio.errors.CannotRun` where there is none."""
        bring_up = self._started()
        if bring_up.driver is None:
            raise CannotRun(
                f"{self.device.function.locator} has no driver here: {bring_up.unmoved or 'nothing is known of it'}"
            )
        return bring_up.driver

    @property
    def workload(self) -> Workload:
        """The traffic of a device that was started. Raises :class:`~uvirtio.errors.CannotRun` where there is none."""
        bring_up = self._started()
        if bring_up.workload is None:
            raise CannotRun(f"no data can be moved on {self.device.function.locator}: {bring_up.unmoved}")
        return bring_up.workload

    def start(self) -> OpenDevice:
        """Reset the device and bring it up, with SUSPEND where it is offered. Returns itself.

        Raises a :class:`~uvirtio.errors.DeviceError`, :class:`~uvirtio.errors.CannotRun` or :class:`~uvirtio.errors.UsageError`.
        """
        self._forget()
        bring_up = BringUp(self.device, self.options)
        suspend = not bring_up.choose_if_offered()
        self._offered = self.device.offered
        bring_up.proceed(suspend=suspend)
        self._bring_up = bring_up
        return self

    def move(self) -> int:
        """Submit as many requests as there is room for, wait until all are back, and check them; how many that was.

        Raises :class:`~uvirtio.errors.DeviceTimeout`, :class:`~uvirtio.errors.WorkloadFailed`.
        """
        workload, before = self.workload, self.workload.completed

        def back() -> bool:
            workload.reap()
            return not workload.outstanding

        workload.submit()
        workload.kick()
        self.device.wait_for(back, doing="moving data")
        workload.verify()
        return workload.completed - before

    def suspend(self) -> Transition:
        """Suspend the device (3.4). Raises :class:`~uvirtio.errors.DeviceNeedsReset`, ``DeviceTimeout``, ``DeviceGone``."""
        return self._suspender().suspend()

    def resume(self) -> Transition:
        """Resume it, and notify queues that have buffers outstanding. Raises like :meth:`suspend`."""
        return self._suspender().resume()

    def check(self, only: str | Iterable[str] = (), skip: str | Iterable[str] = ()) -> CheckRun:
        """Judge the device; the result has ``verdict``, ``status`` and ``results``. The device is reset before and after.

        ``only`` and ``skip`` name statements, families or chapters, as for ``uvirtio check``.
        """
        self._forget()
        options = self.options
        run = CheckRun(
            self.device.function.locator, strict=options.strict, timeout=options.timeout, hold=options.hold,
            cycles=options.cycles, seed=options.seed, only=select(_words(only), _words(skip)),
        )  # fmt: skip
        run_checks(run, self.device, options)
        self._offered = run.offered
        return run

    def _started(self) -> BringUp:
        if self._bring_up is None:
            raise DriverMisuse("the device has not been started: call start() first")
        return self._bring_up

    def _suspender(self) -> Suspender:
        dialect = self._started().dialect
        if dialect is None:
            raise CannotRun(f"{self.device.function.locator} does not offer SUSPEND; it offers {self.offered}")
        return Suspender(self.device, dialect, self.options.timeout)

    def _forget(self) -> None:
        """The device is about to be reset: the buffers of the traffic are given back after that."""
        bring_up, self._bring_up = self._bring_up, None
        if bring_up is not None:
            self.device.reset()
            bring_up.forget()


def _words(words: str | Iterable[str]) -> list[str]:
    return [word for word in words.split(",") if word.strip()] if isinstance(words, str) else list(words)


@contextmanager
def open_locator(
    locator: str, *, force: bool = False, without: Iterable[str] = (), **options: object
) -> Iterator[OpenDevice]:
    """Open the device that a locator names, for a ``with`` statement; at its end device and machine are as they were.

    ``force`` takes a device of this machine although something uses it, ``without`` leaves features out, ``options`` are those
    of :class:`~uvirtio_tools.driving.options.RunOptions`. Raises :class:`~uvirtio.errors.LocatorError` and
    :class:`~uvirtio.errors.CannotRun`.
    """
    chosen = RunOptions(without=feature_bits(list(without)), **options)  # type: ignore[arg-type]
    with open_device(locator, timeout=chosen.timeout, recorder=History, force=force) as device:
        opened = OpenDevice(device, chosen)
        try:
            yield opened
        finally:
            if opened._bring_up is not None:
                opened._forget()
