"""The ``vfio-user:`` bus: the driver as the direct client of a vfio-user server, without any hypervisor.

``vfio-user:/run/x.sock`` takes whatever virtio-PCI device listens there: ours (``uvirtio serve``), libvfio-user's,
SPDK's. Parameters: ``control=PATH``, our server's control socket, for triggers; ``legacy=on``, the legacy interface of
a transitional device; ``timeout=SECONDS`` for one answer.
"""

from __future__ import annotations

import math

from ...errors import LocatorError
from ..control import ControlTriggers
from ..locator import Locator
from .client import VfioUserClient
from .function import VfioUserFunction

__all__ = ["VfioUserFunction", "open_vfio_user"]

_TIMEOUT = "5"


def open_vfio_user(locator: Locator) -> VfioUserFunction:
    """Connect to the server and open its function.

    Raises :class:`~uvirtio.errors.LocatorError`, :class:`~uvirtio.errors.NoSuchDevice` when nobody listens,
    :class:`~uvirtio.errors.CannotRun` when it is no vfio-user server, :class:`~uvirtio.errors.NotVirtio`.
    """
    locator.check_parameters("control", "legacy", "timeout")
    locator.flag("legacy")
    text = locator.parameters.get("timeout", _TIMEOUT)
    try:
        timeout = float(text)
    except ValueError:
        timeout = 0.0
    if not 0 < timeout < math.inf:
        raise LocatorError(f"{locator}: timeout={text} is no number of seconds above 0")
    client = VfioUserClient(locator.target, timeout)
    control: ControlTriggers | None = None
    try:
        if "control" in locator.parameters:
            control = ControlTriggers(locator.parameters["control"])
        return VfioUserFunction(locator, client, control)
    except BaseException:
        if control is not None:
            control.close()
        client.close()
        raise
