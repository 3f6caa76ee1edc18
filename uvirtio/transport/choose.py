"""Which interface of a function to drive: modern wherever there is one, legacy where there is none or it is asked for."""

from __future__ import annotations

from ..access.trace import Recorder
from ..bus import Function
from ..errors import CannotRun
from ..pci.capabilities import Capability
from ..pci.header import Identity
from ..spec.pci import StructureType
from . import Transport
from .legacy import LegacyTransport
from .modern import ModernTransport

__all__ = ["choose_transport"]


def choose_transport(
    function: Function, identity: Identity, capabilities: list[Capability], recorder: Recorder | None = None
) -> Transport:
    """The transport of a function: the modern one, unless there is only the legacy one, or its surroundings ask for that.

    Raises :class:`~uvirtio.errors.CannotRun` when that is asked of a device without a legacy interface, and
    :class:`~uvirtio.errors.NotVirtio` when there is no interface at all.
    """
    if function.surroundings.legacy:
        if not identity.transitional_id:
            raise CannotRun(
                f"{function.locator}: {identity.vendor:04x}:{identity.device:04x} is a modern device without a legacy "
                "interface (transitional ones are 1af4:1000-103f); leave legacy=on out"
            )
        return LegacyTransport(function, capabilities, recorder)
    # A modern interface that is there but broken must show as that: it is no reason to drive the legacy one.
    modern = any(found.structure and found.structure.type == StructureType.COMMON for found in capabilities)
    if identity.transitional_id and not modern:
        return LegacyTransport(function, capabilities, recorder)
    return ModernTransport(function, capabilities, recorder)
