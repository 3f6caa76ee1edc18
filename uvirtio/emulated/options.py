"""What can be chosen about an emulated device: the parameters of a locator and of ``uvirtio serve``, parsed once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..errors import LocatorError
from ..spec.features import COMMON_DEPENDENCIES, Feature
from ..spec.ids import type_name
from ..spec.virtqueues import MAX_SIZE
from .model import DeviceModel
from .parameters import field_value, flag, number, seconds
from .parts import Parts
from .profiles import profile_of
from .types import find_model

__all__ = ["COMMON_PARAMETERS", "Options", "parameters_of", "parse_options"]

#: Parameters that every type understands, with what they mean.
COMMON_PARAMETERS = {
    "profile": "how it suspends: virtio-1.4, rfc, crosvm, qemu-store, ...",
    "fault": "the duties that it breaks, comma-separated: V4, R6, C2 ...",
    "latency": "seconds that a request stays in process (default 0.0001)",
    "depth": "requests of a queue that are in process at once (default 4)",
    "delay": "seconds that suspend and resume take at least",
    "queue_size": "largest queue, a power of 2 (default 256)",
    "features": "+NAME, -NAME, +MASK, -MASK, comma-separated: offered bits to add or to leave out",
    "intx": "off: no interrupt pin",
    "shm": "shared memory regions, up to 2 (default none); they read as zeros",
    "vendor_data": "on: a capability of vendor data",
    "both_isr": "on: a configuration change sets both ISR bits",
    "insist": "off: features without VERSION_1 are accepted too; nothing else changes",
    "instant": "on: requests are completed within the kick",
}

_DEFAULT_FEATURES = (
    Feature.VERSION_1,
    Feature.INDIRECT_DESC,
    Feature.EVENT_IDX,
    Feature.RING_PACKED,
    Feature.RING_RESET,
)


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that was chosen. ``make_model`` makes the device type; ``parts`` are its classes, with its faults."""

    type_name: str
    make_model: Callable[[], DeviceModel]
    parts: Parts
    latency: float = 1e-4
    depth: int = 4
    delay: float = 0.0
    queue_size: int = 256
    intx: bool = True
    both_isr: bool = False
    insist: bool = True
    regions: int = 0
    vendor_data: bool = False
    add_features: int = 0
    drop_features: int = 0
    given: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> str:
        """The choice in words, for a report."""
        words = [f"profile {self.parts.behaviour.profile}"]
        if self.given.get("fault"):
            words.append(f"fault {self.given['fault']}")
        words.append(f"latency {self.latency:g} s" if self.latency else "completes within the kick")
        if note := find_model(self.type_name).NOTE:
            words[-1] = note
        return ", ".join(words)

    def offered(self, model: DeviceModel) -> int:
        """The feature bits that the device offers."""
        suspend = () if self.parts.behaviour.feature is None else (self.parts.behaviour.feature,)
        mask = 0
        for bit in (*_DEFAULT_FEATURES, *model.features, *suspend):
            mask |= 1 << bit
        mask = (mask | self.add_features) & ~self.drop_features
        dependencies = COMMON_DEPENDENCIES | model.spec().dependencies
        while True:
            # What lost the feature that it needs must not be offered (2.2.2), unless somebody asked for it by name.
            lost = [b for b, needs in dependencies.items() if mask >> b & 1 and not all(mask >> n & 1 for n in needs)]
            lost = [bit for bit in lost if not self.add_features >> bit & 1]
            if not lost:
                return mask
            mask &= ~sum(1 << bit for bit in lost)


def parameters_of(name: str) -> dict[str, str]:
    """The parameters that a type understands, each with its meaning. Raises :class:`LocatorError`."""
    return COMMON_PARAMETERS | dict(find_model(name).PARAMETERS)


def parse_options(type_name: str, parameters: Mapping[str, str]) -> Options:
    """Check all parameters. Raises :class:`LocatorError` with what would be right."""
    known, model = parameters_of(type_name), find_model(type_name)
    fields = {field.name: field for field in model.spec().fields if field.name not in known}
    for name in parameters:
        if name not in known and name not in fields:
            raise LocatorError(
                f"emulated:{type_name} knows no parameter {name!r}; it knows {', '.join(sorted(known))}"
                + (f", and its configuration fields {', '.join(fields)}" if fields else "")
            )
    values = {name: field_value(parameters, field) for name, field in fields.items() if name in parameters}
    own = {name: value for name, value in parameters.items() if name in model.PARAMETERS}
    model.check(own)
    policy, faults = profile_of(parameters.get("profile", ""), parameters.get("fault", ""))
    parts = Parts(model, policy).breaking(faults)
    instant = flag(parameters, "instant", False)
    add, drop = _features(parameters.get("features", ""), model)
    entries = number(parameters, "queue_size", 256, 2, MAX_SIZE)
    if entries & (entries - 1):
        raise LocatorError(f"queue_size={entries} is not a power of 2")
    return Options(
        type_name=type_name,
        make_model=lambda: parts.model.make(own).with_fields(values),
        parts=parts,
        latency=0.0 if instant else seconds(parameters, "latency", 1e-4),
        depth=number(parameters, "depth", 4, 1, MAX_SIZE),
        delay=seconds(parameters, "delay", policy.default_delay),
        queue_size=entries,
        intx=flag(parameters, "intx", True),
        both_isr=flag(parameters, "both_isr", False),
        insist=flag(parameters, "insist", True),
        regions=number(parameters, "shm", 0, 0, 2),
        vendor_data=flag(parameters, "vendor_data", False),
        add_features=add,
        drop_features=drop,
        given=dict(parameters),
    )


def _features(text: str, model: type[DeviceModel]) -> tuple[int, int]:
    masks = {"+": 0, "-": 0}
    for item in filter(None, re.split(r"[,\s]+", text)):
        sign, name = item[0], item[1:]
        if sign not in masks:
            raise LocatorError(f"features={text}: {item!r} does not start with + or -")
        masks[sign] |= _feature_mask(name, model, text)
    return masks["+"], masks["-"]


def _feature_mask(name: str, model: type[DeviceModel], text: str) -> int:
    names = {bit.name: 1 << bit for bit in Feature} | {bit.name: 1 << bit.number for bit in model.spec().features}
    for prefix in ("", "F_", type_name(model.TYPE).upper() + "_F_"):
        plain = name.removeprefix("VIRTIO_")
        for known in (plain, plain.removeprefix("F_"), prefix + plain):
            if known in names:
                return names[known]
    try:
        return int(name, 16) if name.startswith("0x") else 1 << int(name)
    except ValueError:
        raise LocatorError(f"features={text}: no feature {name!r}; there are {', '.join(sorted(names))}") from None
