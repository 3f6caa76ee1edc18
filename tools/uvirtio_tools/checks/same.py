"""The same device afterwards (S2): ids, offered features, configuration, BARs, and the queues' maxima in reset."""

from __future__ import annotations

from dataclasses import dataclass

from uvirtio.device import Device
from uvirtio.errors import ConfigurationUnstable
from uvirtio.pci.header import read_identity
from uvirtio.spec.devices import device_spec
from uvirtio.spec.pci import Command, Header

from ..judging.looks import read_configuration
from ..judging.verdict import Finding, Skip, Verdict, failed, passed
from .bench import Bench
from .registry import check

__all__ = ["Portrait", "portray"]

_BARS = range(0x10, 0x28, 4)


@dataclass(frozen=True, slots=True)
class Portrait:
    """A device as it is in reset; everything as text, by what it is. ``config`` is apart: a host may change it."""

    lasting: dict[str, str]
    config: str

    def differences(self, other: Portrait) -> list[str]:
        """What is not the same in ``other``, as ``name: before -> after``; configuration aside."""
        names = dict.fromkeys([*self.lasting, *other.lasting])
        return [
            f"{name}: {self.lasting.get(name, 'none')} -> {other.lasting.get(name, 'none')}"
            for name in names
            if self.lasting.get(name) != other.lasting.get(name)
        ]


def bars(device: Device) -> str:
    """The six BAR registers, as hex."""
    return " ".join(f"{device.function.config.u32[offset // 4]:#x}" for offset in _BARS)


def mastering(device: Device) -> bool:
    """Whether the device may reach memory, as its command register has it."""
    return bool(device.function.config.u16[Header.COMMAND // 2] & Command.BUS_MASTER)


def portray(device: Device) -> Portrait:
    """Look at a device that is reset for it."""
    identity = read_identity(device.function.config, device.function.locator)
    offered = device.begin()
    try:
        config = read_configuration(device).hex()
    except ConfigurationUnstable:
        config = ""  # it never holds still: there is nothing to compare
    device.reset()
    lasting = {"identity": str(identity), "offered features": str(offered), "BARs": bars(device)}
    lasting["number of queues"] = str(count := device.transport.queue_count())
    for index in range(min(count, 64)):
        lasting[f"largest size of queue {index}"] = str(device.transport.queue_maximum(index))
    return Portrait(lasting, config)


def _changes(device_type: int, before: bytes, after: bytes) -> str:
    """The fields that differ, by name where the specification has them."""
    if len(before) != len(after):
        return f"{len(before)} -> {len(after)} bytes"
    named = []
    for field in device_spec(device_type).fields:
        where = slice(field.offset, field.offset + field.size)
        if before[where] != after[where]:
            named.append(f"{field.name} 0x{before[where][::-1].hex()} -> 0x{after[where][::-1].hex()}")
    return ", ".join(named) or f"{before.hex()} -> {after.hex()}"


@check("S2")
def same_device(bench: Bench) -> Finding:
    """The portrait taken before the run and one taken now."""
    before = bench.portrait
    if before is None:
        raise Skip("no portrait of the device was taken before the run")
    if not any(transition.done for transition in bench.transitions):
        bench.start()
        bench.suspend()
        bench.resume()
    after = portray(bench.device)
    evidence: dict[str, object] = {"before": before.lasting, "after": after.lasting}
    if different := before.differences(after):
        return failed(
            "the device is not the same as before the run", "nothing has changed", "; ".join(different), **evidence
        )
    if before.config and after.config and before.config != after.config:
        isr = bench.device.notifications
        silent = not (isr.config or isr.used)
        told = "and that was notified" if isr.config else "and ISR shows nothing on this device, notified or not"
        change = _changes(bench.device.identity.type, bytes.fromhex(before.config), bytes.fromhex(after.config))
        if not (isr.config or silent):
            return failed(
                "the configuration changed and nobody was told",
                "the same configuration, or a notification",
                change,
                **evidence,
            )
        return Finding(
            Verdict.INFO,
            f"the configuration changed during the run, {told}: {change}",
            evidence=evidence,
        )
    return passed(f"{len(before.lasting)} properties and the configuration are as they were")
