"""What a run as a whole has to show: stress (S1), and a device that is the same in the end (S2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from uvirtio.access.trace import Access
from uvirtio.spec.devices import device_spec

from ..judging import names
from ..judging.events import Drained, Portrayed, Read, Transitioned, Trouble
from ..judging.history import Window
from ..judging.observation import Evidence, Observation, broken, kept, moot, noted, told
from . import judges, register_factory
from .common import values

__all__: list[str] = []


class SurvivesStress:
    """S1: suspends at random points from a seed, one window each; everything comes back exactly once."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._sum: dict[str, Any] = {}
        self._cycles = 0
        self._completed = 0
        self._failure: tuple[int, dict[str, Any], str] | None = None

    def __call__(self, window: Window) -> Iterator[Observation]:
        """What is known after this window: nothing before the last one of the scenario."""
        if window.scenario != names.STRESS:
            return
        if window.setting.unmoved:
            yield moot(window.setting.unmoved)
            return
        if window.number == 1:
            self._begin()  # another run of the scenario
        for text in values(window, names.SUM):
            self._sum = _object(text)
        plans = values(window, names.PLAN)
        self._cycles += len(plans)
        self._completed += sum(event.completed for event in window.of(Drained))
        for trouble in window.of(Trouble):
            if trouble.doing == names.CYCLE:
                self._failure = self._cycles, _object(plans[-1]) if plans else {}, trouble.text
        yield from self._conclude(window)

    def _conclude(self, window: Window) -> Iterator[Observation]:
        count, seed = self._sum.get("cycles", 0), self._sum.get("seed", 0)
        for text in values(window, names.REFUSED_LATER):
            yield noted(f"after {self._cycles - 1} good cycles of {count} (seed {seed}) {text}", strict=False)
        if proves := values(window, names.PROVES):
            yield kept(
                f"{count} suspends at random points (seed {seed}), {self._completed} requests: {proves[0]}",
                cycles=count, seed=seed, requests=self._completed,
            )  # fmt: skip
        if self._failure is not None and not window.goes_on:
            yield self._failed(window, *self._failure)

    def _failed(self, window: Window, at: int, plan: dict[str, Any], what: str) -> Observation:
        count, seed = self._sum.get("cycles", 0), self._sum.get("seed", 0)
        evidence: Evidence = {"seed": seed, "cycle": at, "plan": plan}
        shortest = [found for text in values(window, names.SHORTEST) if isinstance(found := _parsed(text), list)]
        if shortest and shortest[0]:
            evidence["shortest"] = shortest[0]
            number = len(shortest[0])
            cycles = "1 cycle" if number == 1 else f"{number} cycles"
            remark = f"the shortest sequence found that still fails has {cycles}, which is in the evidence"
        else:
            remark = f"replaying the {at} cycles did not fail again"
        return broken(
            f"cycle {at} of {count} (seed {seed})", "everything comes back exactly once, in every cycle", what,
            remarks=(remark,), **evidence,
        )  # fmt: skip


def _parsed(text: str) -> Any:
    """JSON in a history; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _object(text: str) -> dict[str, Any]:
    found = _parsed(text)
    return found if isinstance(found, dict) else {}


@judges("S3")
def keeps_what_was_set_up(window: Window) -> Iterator[Observation]:
    """Registers and the writable field, read before a suspend and after the resume."""
    befores, afters = values(window, names.SET_UP_BEFORE), values(window, names.SET_UP_AFTER)
    if not befores or not afters:
        return
    before, after = _object(befores[0]), _object(afters[0])
    different = [
        f"{name}: {value} -> {after[name]}" for name, value in before.items() if after.get(name, value) != value
    ]
    evidence: Evidence = {"before": before, "after": after}
    if different:
        yield broken(
            "what was set up is not the same after the resume", "nothing has changed", "; ".join(different), **evidence
        )
    else:
        yield kept(f"{len(before)} registers and fields read the same after the resume", **evidence)


class SameDevice:
    """S2: ids, offered features, configuration, BARs and the queues' maxima, before the run and in the end."""

    def __init__(self) -> None:
        self._first: Portrayed | None = None
        self._slept = False
        self._told: bool | None = None
        #: Offsets of the configuration that the driver has written: no text says that a reset brings them back.
        self._written: set[int] = set()

    def __call__(self, window: Window) -> Iterator[Observation]:
        """What the portrait in the end shows, beside that from the beginning."""
        self._slept |= any(event.transition.done for event in window.of(Transitioned))
        self._notice(window)
        for portrait in window.of(Portrayed):
            if portrait.which in (names.BEFORE_EVENT, names.AFTER_EVENT):
                continue  # of a device that runs
            if self._first is None:
                self._first = portrait
            else:
                yield self._compare(window, self._first, portrait)

    def _notice(self, window: Window) -> None:
        """Whether the device has ever told of a change of its configuration, as far as it tells anything."""
        for read in window.of(Read):
            if read.what == names.ISR_SEEN:
                self._told = {"config": True, "used": False}.get(read.value, self._told)
        for access in window.of(Access):
            if access.space == "config" and access.kind == "write":
                self._written.update(range(access.offset, access.offset + access.width))

    def _compare(self, window: Window, before: Portrayed, after: Portrayed) -> Observation:
        evidence: Evidence = {"before": before.lasting, "after": after.lasting}
        known = dict.fromkeys([*before.lasting, *after.lasting])
        different = [
            f"{name}: {before.lasting.get(name, 'none')} -> {after.lasting.get(name, 'none')}"
            for name in known
            if before.lasting.get(name) != after.lasting.get(name)
        ]
        if different:
            return broken(
                "the device is not the same as before the run", "nothing has changed", "; ".join(different), **evidence
            )
        if not self._slept:
            return moot("the device is as it was, but was never suspended in this run")
        was, is_ = self._unwritten(before.config), self._unwritten(after.config)
        if was and is_ and was != is_:
            return self._configuration(window, was, is_, evidence)
        return kept(f"{len(before.lasting)} properties and the configuration are as they were", **evidence)

    def _unwritten(self, config: str) -> str:
        """A configuration in hex, with 0 for what the driver has written."""
        try:
            read = bytes.fromhex(config)
        except ValueError:
            return config
        return bytes(0 if at in self._written else byte for at, byte in enumerate(read)).hex()

    def _configuration(self, window: Window, before: str, after: str, evidence: Evidence) -> Observation:
        change = _changes(window.setting.device_type, before, after)
        if self._told is False:
            return broken(
                "the configuration changed and nobody was told", "the same configuration, or a notification", change,
                **evidence,
            )  # fmt: skip
        how = "and that was notified" if self._told else "and ISR shows nothing on this device, notified or not"
        return told(f"the configuration changed during the run, {how}: {change}", **evidence)


def _changes(device_type: int, before: str, after: str) -> str:
    """The fields that differ, by name where the specification has them."""
    whole = f"{before} -> {after}"
    try:
        old, new = bytes.fromhex(before), bytes.fromhex(after)
    except ValueError:
        return whole
    if len(old) != len(new):
        return f"{len(old)} -> {len(new)} bytes"
    named = []
    for field in device_spec(device_type).fields:
        where = slice(field.offset, field.offset + field.size)
        if old[where] != new[where]:
            named.append(f"{field.name} 0x{old[where][::-1].hex()} -> 0x{new[where][::-1].hex()}")
    return ", ".join(named) or whole


register_factory("S1", SurvivesStress)
register_factory("S2", SameDevice)
