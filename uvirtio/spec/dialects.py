"""The dialects of device suspend: virtio 1.4 (2.1 and 3.4) and the two drafts that exist in the field.

=========  ===  ==================================  ===========================  =====================
dialect    bit  suspended reads                     resume is written            said by
=========  ===  ==================================  ===========================  =====================
``1.4``    43   SUSPEND=1 and DRIVER_OK=0           ``| DRIVER_OK``              virtio 1.4
``rfc``    41   SUSPEND=1, DRIVER_OK unspecified    ``| DRIVER_OK``              RFC of August 2023
chromium   42   SUSPEND=1 and DRIVER_OK=1           ``& ~SUSPEND``               Linux patches of 2024
=========  ===  ==================================  ===========================  =====================
"""

from __future__ import annotations

from typing import NamedTuple

from .status import Status

__all__ = ["AUTO", "CHROMIUM", "DIALECTS", "RFC", "V1_4", "Dialect"]


class Dialect(NamedTuple):
    """One way to suspend a device.

    ``suspended`` and ``running`` are (mask, value) pairs on the status byte: the state is reached when
    ``status & mask == value``. ``odd`` names a suspended state that is accepted and reported.
    """

    name: str
    feature: int
    origin: str
    suspended: tuple[int, int]
    running: tuple[int, int]
    expected: int
    #: Resume sets DRIVER_OK (True) or clears SUSPEND (False).
    resume_sets_driver_ok: bool
    #: A byte that some devices need when the first resume write does nothing, tried after its deadline and reported.
    fallback: bool

    def is_suspended(self, status: int) -> bool:
        """Whether a status byte shows the suspended state of this dialect."""
        return status & self.suspended[0] == self.suspended[1]

    def is_running(self, status: int) -> bool:
        """Whether a status byte shows the running state of this dialect."""
        return status & self.running[0] == self.running[1]

    def suspend_write(self, status: int) -> int:
        """The byte that asks a device with this status to suspend: one bit is added."""
        return status | Status.SUSPEND

    def resume_write(self, status: int) -> int:
        """The byte that asks a suspended device with this status to resume."""
        if self.resume_sets_driver_ok:
            return status | Status.DRIVER_OK
        return status & ~Status.SUSPEND


_BOTH = int(Status.SUSPEND | Status.DRIVER_OK)
_SUSPEND = int(Status.SUSPEND)
_OK = int(Status.DRIVER_OK)
_ALIVE = int(Status.ACKNOWLEDGE | Status.DRIVER | Status.FEATURES_OK)

V1_4 = Dialect("1.4", 43, "virtio 1.4, 3.4", (_BOTH, _SUSPEND), (_BOTH, _OK), _ALIVE | _SUSPEND, True, True)
CHROMIUM = Dialect(
    "chromium", 42, "Linux patches of April 2024, crosvm", (_BOTH, _BOTH), (_BOTH, _OK), _ALIVE | _BOTH, False, False
)
RFC = Dialect("rfc", 41, "RFC PATCH of August 2023", (_SUSPEND, _SUSPEND), (_BOTH, _OK), _ALIVE | _BOTH, True, True)

#: The word that lets the offered features choose.
AUTO = "auto"
DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (V1_4, CHROMIUM, RFC)}
