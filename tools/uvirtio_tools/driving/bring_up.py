"""Bringing a device up: features, queues, DRIVER_OK, driver and workload, put together in this one place."""

from __future__ import annotations

from collections.abc import Mapping

from uvirtio.device import Device
from uvirtio.errors import CannotRun, NotOffered, UsageError
from uvirtio.negotiation import Negotiated
from uvirtio.spec.devices import device_spec
from uvirtio.spec.dialects import Dialect
from uvirtio.spec.features import Feature, Features
from uvirtio.suspend import choose_dialect
from uvirtio_drivers import find_driver, find_workload
from uvirtio_drivers.workload import Driver, Workload

from .options import RunOptions

__all__ = ["BringUp"]


class BringUp:
    """One device, its driver and its workload, brought up as the options say: :meth:`start`, or in steps.

    ``dialect`` is the one that was chosen, None before :meth:`choose` or where none is offered. ``remarks`` are for a report,
    whose list may be handed in. ``queues`` (index -> most entries, None for the library's default) takes the place of the
    driver's, for traffic that needs no driver.
    """

    def __init__(
        self,
        device: Device,
        options: RunOptions,
        *,
        queues: Mapping[int, int | None] | None = None,
        remarks: list[str] | None = None,
    ) -> None:
        """Find the driver. Raises :class:`UsageError` for options that its workload does not have."""
        self.device = device
        self.options = options
        self.dialect: Dialect | None = None
        self.remarks: list[str] = [] if remarks is None else remarks
        self.remarks += device.problems
        self.driver: Driver | None = None
        self.workload: Workload | None = None
        self._queues = queues
        self.driver_class: type[Driver] | None = None
        self.workload_class: type[Workload] | None = None
        if options.traffic and queues is None:
            try:
                driver_class = find_driver(device.identity.type)
                self.workload_class = find_workload(device.identity.type)
                self.driver_class = driver_class  # one without a workload moves nothing
            except CannotRun as error:
                self.remarks.append(f"{error}; without traffic only the status can be judged")
        self._workload_options = options.for_workload(self.workload_class, device)
        #: Why no data can be moved; empty where it can.
        self.unmoved = ""
        if not options.traffic:
            self.unmoved = "nothing is moved, as asked for"
        elif self.driver_class is None:
            self.unmoved = f"no driver for device type {device.identity.type_name}, so nothing can be moved"

    def choose(self) -> Dialect:
        """Reset, read what is offered, and choose the suspend dialect.

        Raises :class:`NotOffered`, a :class:`DeviceError`, and :class:`UsageError` for a feature that it cannot do without.
        """
        device = self.device
        offered = device.begin()
        legacy = device.transport.kind == "legacy"
        dialect, remarks = choose_dialect(self.options.dialect, offered, device.identity.type, legacy=legacy)
        if clash := self.options.without & Features.of(Feature.VERSION_1, dialect.feature):
            raise UsageError(
                f"feature {', '.join(map(str, clash))} cannot be left out: a suspend is not judged without it"
            )
        self.dialect = dialect
        self.remarks += remarks
        return dialect

    def choose_if_offered(self) -> str:
        """As :meth:`choose`; why there is no dialect, empty where there is one."""
        try:
            self.choose()
        except NotOffered as error:
            return str(error)
        return ""

    def accept(
        self, *, suspend: bool = True, extra: Features | None = None, without: Features | None = None
    ) -> Negotiated:
        """Negotiate on a device that is at DRIVER, with ``extra`` features and ``without`` some.

        Without ``suspend`` the dialect's feature is left out.
        """
        feature = Features.of(self.dialect.feature) if self.dialect is not None else Features()
        wanted = (self.driver_class.FEATURES if self.driver_class else Features()) | feature | (extra or Features())
        if self.driver_class is not None:
            dependencies = self.driver_class.DEPENDENCIES
        else:
            dependencies = device_spec(self.device.identity.type).dependencies
        return self.device.negotiate(
            wanted if suspend else wanted - feature,
            required=feature if suspend else None,
            without=self.options.without | (without or Features()) | (Features() if suspend else feature),
            dependencies=dependencies,
        )

    def set_up_queues(self) -> None:
        """Make and enable the queues."""
        queues = self._queues
        if queues is None:
            queues = self.driver_class.queues(self.device) if self.driver_class is not None else {}
        for index, limit in queues.items():
            self.device.set_up_queue(index, limit)

    def go(self) -> None:
        """After DRIVER_OK: the driver starts, and there is a workload."""
        if self.driver_class is None or self.workload_class is None or self.unmoved:
            return
        self.driver = self.driver_class(self.device)
        self.driver.start()
        try:
            self.workload = self.workload_class.of(self.driver, **self._workload_options)
        except CannotRun as error:
            # A disk without sectors, a console without a port: what it has said once it need not be asked again.
            self.unmoved = f"{error}, so nothing can be moved"
            self.remarks.append(f"{error}; without traffic only the status can be judged")

    def start(
        self,
        *,
        suspend: bool = True,
        extra: Features | None = None,
        without: Features | None = None,
        reset: bool = True,
    ) -> Negotiated:
        """All of it. ``reset=False`` is for a device that has just been reset, to see what that very reset left behind.

        Raises a :class:`DeviceError`, :class:`CannotRun` or :class:`UsageError`.
        """
        if reset:
            self.device.begin()
        else:
            self.device.acknowledge()
        self.forget()
        return self.proceed(suspend=suspend, extra=extra, without=without)

    def proceed(
        self, *, suspend: bool = True, extra: Features | None = None, without: Features | None = None
    ) -> Negotiated:
        """What is left of :meth:`start` on a device that is at DRIVER, as :meth:`choose` leaves it."""
        negotiated = self.accept(suspend=suspend, extra=extra, without=without)
        self.set_up_queues()
        self.device.driver_ok()
        self.go()
        return negotiated

    def forget(self) -> None:
        """The device has been reset: give the buffers of the workload back."""
        workload, self.workload, self.driver = self.workload, None, None
        if workload is not None:
            workload.close()
