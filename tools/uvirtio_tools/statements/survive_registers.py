"""What a device keeps over an event of its host: registers, what it does, and that it is suspended."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from uvirtio.spec.status import GONE, Status, describe

from ..judging import names
from ..judging.events import Happened, Looked, Portrayed, Traffic
from ..judging.history import Window
from ..judging.looks import changed, moved_indices
from ..judging.observation import Observation, broken, kept, moot, told
from . import judges
from .common import dialect_of, numbers
from .over_event import OTHERWISE, after_event, stood_at, text_of, troubles_of

__all__: list[str] = []


#: What is blamed on other statements than U15, of troubles: rules, and the kinds of errors.
_OTHERS = ("used id", "used index", "flags", "resume")
_FAILED = "DeviceNeedsReset"


def _portraits(window: Window) -> tuple[Portrayed, Portrayed] | None:
    found = {each.which: each for each in window.of(Portrayed)}
    if names.BEFORE_EVENT in found and names.AFTER_EVENT in found:
        return found[names.BEFORE_EVENT], found[names.AFTER_EVENT]
    return None


def _same(id_: str, window: Window, event: Happened, wanted: Callable[[str], bool]) -> Iterator[Observation]:
    """Registers of a kind read as before."""
    portraits = _portraits(window)
    if portraits is None:
        yield moot(OTHERWISE)
        return
    before, after = ({name: value for name, value in each.lasting.items() if wanted(name)} for each in portraits)
    other = [f"{name}: {value} -> {after.get(name)}" for name, value in before.items() if after.get(name) != value]
    if other:
        yield broken(f"registers read otherwise after {event.name}", text_of(id_), "; ".join(other))
    elif before:
        yield kept(f"{len(before)} registers read as before {event.name}")
    else:
        yield moot("there is no such register here")


def _is_vector(name: str) -> bool:
    return "msix_vector" in name or name == names.MSIX


def _is_queue(name: str) -> bool:
    return name.startswith("queue_") and not _is_vector(name)


@judges("U9")
@after_event
def vectors(window: Window, event: Happened) -> Iterator[Observation]:
    """The vectors read as before, where there are any."""
    portraits = _portraits(window)
    if portraits is not None and names.MSIX not in portraits[0].lasting:
        yield moot("MSI-X is not used")
    else:
        yield from _same("U9", window, event, _is_vector)


@judges("U10")
@after_event
def features(window: Window, event: Happened) -> Iterator[Observation]:
    """Offered and accepted features read as before, where the accepted ones can be read at all."""
    portraits, shown = _portraits(window), ["offered features"]
    if portraits is not None and portraits[0].lasting.get("driver_feature") != "0x0":
        shown.append("driver_feature")
    yield from _same("U10", window, event, lambda name: name in shown)


@judges("U11")
@after_event
def configuration(window: Window, event: Happened) -> Iterator[Observation]:
    """The configuration reads as before, or the driver was told."""
    portraits = _portraits(window)
    if portraits is None:
        yield moot(OTHERWISE)
    elif not portraits[0].config:
        yield moot("the device has no configuration, or one that never holds still")
    elif portraits[0].config == portraits[1].config:
        yield kept("the configuration reads as before")
    elif any(told_of := numbers(window, names.CONTROL_BIT)):
        yield kept(f"the configuration has changed over {event.name}, and that was notified")
    elif not told_of:
        yield moot("the configuration has changed, and whether that is notified was not waited for")
    else:
        yield broken(
            f"the configuration is another after {event.name}, and nothing told of it", text_of("U11"),
            f"{portraits[0].config} -> {portraits[1].config}",
        )  # fmt: skip


@judges("U12")
@after_event
def status(window: Window, event: Happened) -> Iterator[Observation]:
    """The status reads as before, and the device does not fail at what was out."""
    before, after = stood_at(window, names.BEFORE_EVENT), stood_at(window, names.AFTER_EVENT)
    failed = troubles_of(window, _FAILED)
    if before is None or after is None:
        yield moot(OTHERWISE)
    elif not before.status & Status.DRIVER_OK:
        yield moot("the device was suspended: see U16")
    elif after.status == GONE:
        yield moot("the device is gone")
    elif after.status != before.status:
        yield broken(
            f"the status is another after {event.name}", text_of("U12"),
            f"{describe(before.status)} -> {describe(after.status)}",
        )  # fmt: skip
    elif failed:
        yield broken(f"the device needs a reset after {event.name}", text_of("U12"), failed[0].text)
    else:
        yield kept(f"the status reads {describe(after.status)} as before")


@judges("U13")
@after_event
def queues(window: Window, event: Happened) -> Iterator[Observation]:
    """Size, addresses and enablement of queues read as before."""
    yield from _same("U13", window, event, _is_queue)


@judges("U14")
@after_event
def function(window: Window, event: Happened) -> Iterator[Observation]:
    """Ids, BARs, the driver's bits of the command register, and the number of queues read as before."""
    yield from _same("U14", window, event, lambda name: name in ("identity", "BARs", "command", "number of queues"))


@judges("U15")
@after_event
def contents(window: Window, event: Happened) -> Iterator[Observation]:
    """The workload has checked what came back."""
    wrong = [each for each in troubles_of(window) if each.rule not in _OTHERS and each.kind != _FAILED]
    if wrong:
        yield broken(f"requests are not carried out as before after {event.name}", text_of("U15"), wrong[0].text)
    elif served := [each for each in window.of(Traffic) if each.doing == names.WORKING]:
        yield kept(f"{served[0].completed} more requests were carried out, and what came back was right")
    else:
        yield moot(OTHERWISE)


# -- suspended ---------------------------------------------------------------------------------------------------------


@judges("U16")
@after_event
def asleep(window: Window, event: Happened) -> Iterator[Observation]:
    """A suspended device shows itself suspended, with rings and buffers as they were."""
    before, after = stood_at(window, names.BEFORE_EVENT), stood_at(window, names.AFTER_EVENT)
    dialect = dialect_of(window)
    if before is None or after is None or not dialect.is_suspended(before.status):
        yield moot("the device was not suspended at the event")
        return
    if after.status != before.status:
        yield broken(
            f"the device is not suspended any more after {event.name}", text_of("U16"),
            f"{describe(before.status)} -> {describe(after.status)}",
        )  # fmt: skip
        return
    if stuck := troubles_of(window, rule="resume"):
        yield broken(f"the device does not resume after {event.name}", text_of("U16"), stuck[0].text)
        return
    looks = window.of(Looked)
    settled = next((each.look for each in reversed(looks) if each.name == "settled"), None)
    later = next((each.look for each in looks if each.name == names.AFTER_EVENT), None)
    if settled is None or later is None:
        yield moot(OTHERWISE)
    elif touched := [*moved_indices(settled, later), *changed(settled, later)]:
        yield broken(f"a suspended device touched memory over {event.name}", text_of("U16"), "; ".join(touched))
    else:
        yield kept(
            f"suspended before {event.name} and after it, with {len(later.memory)} pieces of memory as they were"
        )


@judges("U17")
def stood_still(window: Window) -> Iterator[Observation]:
    """As long as the event took, or as is missing in the time."""
    for event in window.of(Happened)[:1]:
        if event.trouble:
            yield moot(f"{event.name} could not be had: {event.trouble}")
        else:
            how = "" if event.announced else f", noticed by {event.noticed}"
            yield told(f"{event.name}: {event.seconds:.3f} s{how}", seconds=event.seconds)
