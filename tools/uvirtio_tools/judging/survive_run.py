"""A run of ``uvirtio survive``: event by event and device by device. Text, JSON document and picture are made from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from uvirtio import __version__
from uvirtio.spec.features import Features

from .. import exits
from ..driving.machine import describe_machine
from .history_file import Recorded
from .result import CheckResult
from .verdict import Verdict

__all__ = ["SCHEMA", "DeviceRun", "Incident", "SurviveRun"]

SCHEMA = "uvirtio/survive"
VERSION = 1


@dataclass(slots=True)
class Incident:
    """One event, as one device came through it. ``at`` and ``seconds``: when it was, since the start, and how long it took.

    ``load``: what was out; ``out`` and ``lost``: how many buffers were, and how many never came back. ``reasons`` for a FAIL.
    ``again``: the device was brought up from nothing afterwards.
    """

    number: int
    name: str
    announced: bool
    at: float
    seconds: float
    load: str
    asleep: bool = False
    out: int = 0
    lost: int = 0
    noticed: str = ""
    again: bool = False
    verdict: Verdict = Verdict.PASS
    reasons: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return {
            "event": self.number, "name": self.name, "announced": self.announced, "noticed": self.noticed, "at": self.at,
            "seconds": self.seconds, "load": self.load, "suspended": self.asleep, "out": self.out, "lost": self.lost,
            "brought_up_again": self.again, "verdict": self.verdict.value, "reasons": self.reasons,
        }  # fmt: skip


@dataclass(slots=True)
class DeviceRun:
    """What one device made of it. ``stopped``: why there is no more of it; empty where there is."""

    locator: str
    device: dict[str, object] = field(default_factory=dict)
    offered: Features = field(default_factory=Features)
    accepted: Features = field(default_factory=Features)
    dialect: str = ""
    simulated: bool = False
    proves: str = ""
    interrupts: str = ""
    incidents: list[Incident] = field(default_factory=list)
    results: list[CheckResult] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    stopped: str = ""
    not_offered: str = ""

    @property
    def verdict(self) -> Verdict:
        """In one word: SKIP where nothing happened."""
        seen = {incident.verdict for incident in self.incidents} | {result.verdict for result in self.results}
        for word in (Verdict.FAIL, Verdict.ERROR):
            if word in seen:
                return word
        if self.stopped:
            return Verdict.ERROR
        happened = any(incident.verdict is Verdict.PASS for incident in self.incidents)
        return (Verdict.WARN if Verdict.WARN in seen else Verdict.PASS) if happened else Verdict.SKIP

    def recorded(self, started: str, machine: dict[str, str], seed: int) -> Recorded:
        """What a history of it ends with."""
        return Recorded(
            self.locator, started, machine, self.device, self.offered.mask, self.accepted.mask, self.simulated,
            self.proves, self.remarks, seed=seed, only=["U"], stopped=self.stopped,
        )  # fmt: skip

    def to_json(self) -> dict[str, object]:
        """As a JSON object."""
        return {
            "locator": self.locator,
            "verdict": self.verdict.value,
            "stopped": self.stopped or None,
            "device": self.device,
            "dialect": self.dialect or None,
            "features": {"offered": str(self.offered), "accepted": str(self.accepted)},
            "simulated_time": self.simulated,
            "workload": self.proves,
            "interrupts": self.interrupts,
            "remarks": self.remarks,
            "timeline": [incident.to_json() for incident in self.incidents],
            "results": [result.to_json() for result in self.results],
        }


@dataclass(slots=True)
class SurviveRun:
    """Everything that a run found out."""

    seed: int = 0
    asked: int = 0
    suspend: bool = False
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    machine: dict[str, str] = field(default_factory=describe_machine)
    devices: list[DeviceRun] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def verdict(self) -> Verdict:
        """The worst of the devices'."""
        seen = {device.verdict for device in self.devices}
        order = (Verdict.FAIL, Verdict.ERROR, Verdict.SKIP, Verdict.WARN, Verdict.PASS)
        return next((word for word in order if word in seen), Verdict.SKIP)

    @property
    def status(self) -> int:
        """The exit status. Where no event was had or noticed nothing was judged; Ctrl-C is how an open end ends."""
        if any(device.not_offered for device in self.devices):
            return exits.NOT_OFFERED
        if self.verdict.bad:
            return exits.FAILED
        return exits.CANNOT_RUN if self.verdict is Verdict.SKIP else exits.HOLDS

    @property
    def events(self) -> dict[str, int]:
        """How often each event was, over all devices."""
        return dict(Counter(incident.name for device in self.devices for incident in device.incidents))

    def to_json(self) -> dict[str, object]:
        """The document of ``--json``."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "release": __version__,
            "started": self.started,
            "seconds": self.seconds,
            "verdict": self.verdict.value,
            "exit_status": self.status,
            "interrupted": self.interrupted,
            "machine": self.machine,
            "options": {"seed": self.seed, "events": self.asked, "suspend": self.suspend},
            "events": self.events,
            "devices": [device.to_json() for device in self.devices],
        }
