"""How a device is driven: one record of options, for every command, the library and the tests."""

from __future__ import annotations

from dataclasses import dataclass, field

from uvirtio.device import Device
from uvirtio.errors import UsageError
from uvirtio.spec.dialects import AUTO
from uvirtio.spec.features import Feature, Features
from uvirtio_drivers.workload import Workload

__all__ = ["INTERRUPTS", "RunOptions", "feature_bits"]

#: How a device may notify its driver: whatever it has, ISR with INTx, messages of MSI-X, or ISR alone, which is polled.
INTERRUPTS = (AUTO, "intx", "msix", "none")

#: What devices each option of a workload is for.
_TYPES = {"scratch": "block devices", "peer": "network and console devices", "pairs": "network devices"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What a person can choose about a run. Times are in seconds.

    ``dialect``: a suspend dialect's name, or ``auto``. ``without``: features that are left out. ``traffic``: whether there
    is a workload; ``scratch`` (512-byte sectors that may be written), ``peer`` (``echo``) and ``pairs`` are for that.
    ``timeout`` bounds each step, ``hold`` is how long a device is watched while suspended. ``cycles``: suspends of a run,
    or of the stress (0: the default), ``seed`` starts its random sequence. ``provoke``: a device of the machine's own may be
    given a buffer at an address where no memory is. ``budget``: how long the judging may take before the rest is cut (0: as
    long as it takes). ``interrupts``: how the device is notified by, one of :data:`INTERRUPTS`.
    """

    dialect: str = AUTO
    interrupts: str = AUTO
    without: Features = field(default_factory=Features)
    traffic: bool = True
    scratch: range | None = None
    peer: str | None = None
    pairs: int | None = None
    timeout: float = 10.0
    hold: float = 0.2
    cycles: int = 0
    seed: int = 0
    strict: bool = False
    provoke: bool = False
    budget: float = 0.0

    def for_workload(self, workload: type[Workload] | None, device: Device) -> dict[str, object]:
        """What the workload is told. Raises :class:`UsageError` for an option that its type does not have."""
        given: dict[str, object] = {"scratch": self.scratch, "peer": self.peer, "pairs": self.pairs}
        options = {name: value for name, value in given.items() if value is not None}
        for name in options:
            if workload is None or name not in workload.OPTIONS:
                why = (
                    "there is no workload"
                    if workload is None
                    else f"this device is of type {device.identity.type_name}"
                )
                raise UsageError(f"--{name} is for the workloads of {_TYPES[name]}, but {why}")
        return options


def feature_bits(words: list[str]) -> Features:
    """The features named by bit number or by device-independent name. Raises :class:`UsageError`."""
    bits = []
    for word in words:
        name = word.upper().removeprefix("VIRTIO_").removeprefix("F_")
        if word.isdecimal() and int(word) < 128:
            bits.append(int(word))
        elif name in Feature.__members__:
            bits.append(Feature[name].value)
        else:
            known = ", ".join(Feature.__members__)
            raise UsageError(f"--without {word}: neither a bit number (0-127) nor one of {known}")
    return Features.of(*bits)
