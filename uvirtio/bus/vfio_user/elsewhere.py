"""What the host side of a served device can be asked for: what its control socket knows, and to go on in another process."""

from __future__ import annotations

import time

from ..away import time_away
from ..control import ControlTriggers
from .client import VfioUserClient

__all__ = ["ServedTriggers"]

#: How a server is asked to go on in another process, and how long that may take to come up (s).
_RESPAWN, _PATIENCE = "respawn", 30.0


class ServedTriggers:
    """See :class:`~uvirtio.bus.Triggers`. ``migrate``: the device is saved, and another process serves it from there.

    The memory is this process's, and is given to the new server, with the interrupts.
    """

    def __init__(self, control: ControlTriggers, client: VfioUserClient) -> None:
        self._control = control
        self._client = client

    def available(self) -> frozenset[str]:
        """See :class:`~uvirtio.bus.Triggers`."""
        names = self._control.available()
        return names - {_RESPAWN} | ({"migrate"} if _RESPAWN in names else set())

    def fire(self, name: str, **arguments: object) -> None:
        """See :class:`~uvirtio.bus.Triggers`."""
        if name not in ("migrate", "restore"):
            self._control.fire(name, **arguments)
            return
        away = time_away(arguments.get("seconds", 0.0))
        if name == "restore":
            self._control.fire(name)
        else:
            self._control.fire(_RESPAWN)
            time.sleep(away)
            self._client.reconnect(_PATIENCE)
            self._control.reopen(_PATIENCE)
