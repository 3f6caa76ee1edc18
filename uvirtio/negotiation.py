"""Feature negotiation (virtio 1.4, 2.2 and 3.1.1): what is offered, what is accepted, and why not the rest."""

from __future__ import annotations

from typing import NamedTuple

from .errors import NegotiationFailed
from .spec.features import COMMON_DEPENDENCIES, Feature, Features

__all__ = ["TRANSPORT_FEATURES", "Negotiated", "choose"]

#: Device-independent features that the library implements and accepts whenever they are offered.
TRANSPORT_FEATURES = Features.of(
    Feature.VERSION_1,
    Feature.ACCESS_PLATFORM,
    Feature.ORDER_PLATFORM,
    Feature.INDIRECT_DESC,
    Feature.EVENT_IDX,
    Feature.RING_PACKED,
    Feature.IN_ORDER,
    Feature.NOTIFICATION_DATA,
    Feature.NOTIF_CONFIG_DATA,
    Feature.RING_RESET,
)


class Negotiated(NamedTuple):
    """The result: what the device offered, what was accepted, and remarks for a report."""

    offered: Features
    accepted: Features
    remarks: tuple[str, ...]


def choose(
    offered: Features,
    wanted: Features,
    required: Features,
    dependencies: dict[int, tuple[int, ...]] | None = None,
    *,
    beyond: Features | None = None,
) -> Negotiated:
    """The subset of ``wanted`` to accept: only what is offered and what has its dependencies (2.2.1).

    ``dependencies`` are those of the device type, beside the device-independent ones. What is ``beyond`` has its registers
    beyond the end of their structure. Raises :class:`NegotiationFailed` when a ``required`` feature cannot be accepted.
    """
    requirements = COMMON_DEPENDENCIES | (dependencies or {})
    accepted = offered & wanted
    remarks: list[str] = []
    if beyond is not None:
        for bit in accepted & beyond:
            remarks.append(
                f"feature {bit} is left out: its register lies beyond the end of the COMMON structure (4.1.4.3)"
            )
        accepted = accepted - beyond
    changed = True
    while changed:
        changed = False
        for bit in accepted:
            missing = [need for need in requirements.get(bit, ()) if need not in accepted]
            if missing:
                accepted = accepted - Features.of(bit)
                remarks.append(
                    f"feature {bit} is left out: it requires {', '.join(map(str, missing))}, which is not accepted"
                )
                changed = True
    for bit in offered:
        missing = [need for need in requirements.get(bit, ()) if need not in offered]
        if missing:
            remarks.append(
                f"the device offers feature {bit} without {', '.join(map(str, missing))}, which it requires (2.2.2 forbids that)"
            )
    lacking = required - accepted
    if lacking:
        raise NegotiationFailed(
            f"the device does not give what is needed: bits {', '.join(map(str, lacking))} are required; "
            f"offered {offered}, wanted {wanted}",
            rule="VERSION_1" if Feature.VERSION_1 in lacking - offered else "",
        )
    return Negotiated(offered, accepted, tuple(remarks))
