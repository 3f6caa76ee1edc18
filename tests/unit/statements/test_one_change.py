"""One change to the whole life of a conforming device, or of its driver: exactly what that breaks is found, and nothing else."""

from __future__ import annotations

import pytest

from uvirtio.spec.statements import CHAPTERS, STATEMENTS
from uvirtio_tools.judging import names

from .scenes import (
    Scene,
    change_configuration,
    cycles,
    early,
    fails,
    idle,
    in_flight,
    last,
    live,
    look_around,
    loses,
    nothing_notified,
    prodded,
    quietly,
    reset_loaded,
    serves_nothing,
    staged,
    stress,
    under_load,
    write_configuration,
)
from .table import broken_by, judged
from .tale import HOLD, Tale, Twist


def test_a_conforming_life_breaks_nothing_and_keeps_everything_that_can_be_kept() -> None:
    tale = Tale()
    live(tale)
    judge = judged(tale)
    assert broken_by(judge) == set()
    assert {judge.result(id_).verdict.value for id_ in judge.tallies if id_[0] in "DVS"} == {"PASS"}
    assert {judge.result(id_).verdict.value for id_ in judge.tallies if id_[0] == "I"} == {"INFO"}


def deaf(inner: Scene, about: str) -> Scene:
    """A scene in which a notification is not heard."""

    def scene(tale: Tale) -> None:
        tale.unheard.add(about)
        inner(tale)
        tale.unheard.remove(about)

    return scene


def reading(inner: Scene, what: str, *values: str | None) -> Scene:
    """A scene in which something else is read."""

    def read(tale: Tale) -> None:
        tale.instead[what] = list(values)
        inner(tale)
        del tale.instead[what]

    return read


def answering(inner: Scene, **status: int) -> Scene:
    """A scene in which the status shows something else."""

    def answer(tale: Tale) -> None:
        tale.answers(**status)
        inner(tale)

    return answer


def gives_out(tale: Tale) -> None:
    """A cycle of the stress loses a request, and that does not happen again."""
    tale.goes_wrong(names.CYCLE, "1 request never came back", "DeviceTimeout")
    tale.goes_on()
    tale.reads(names.SHORTEST, "[]")
    tale.gives_up()


def forgetting(tale: Tale) -> None:
    """Everything is used on the way to sleep, and whether that is notified is waited for after the resume."""
    in_flight(tale, asked=lambda t: t.uses(16, notified=False), woken=lambda t: t.hears("used", names.AROUND, 16, HOLD))


def hasty(tale: Tale) -> None:
    """A driver that suspends before DRIVER_OK."""
    with tale.scenario("in haste"):
        tale.resets()
        tale.negotiates()
        tale.writes_status(0x1B)
        tale.reads_status(0x1B)


def waking(does: Twist) -> Twist:
    """Something is done before the device has shown itself running."""

    def asleep(tale: Tale) -> None:
        tale.writes_status(0x1F)
        does(tale)
        tale.reads_status(0x0F)
        tale.gives_up()

    return asleep


#: What is changed -> the scenes that are not as in a conforming life, and the statements that this breaks.
CHANGES: dict[str, tuple[dict[str, Scene], str]] = {
    "it stores SUSPEND before it is initialised": (
        {"staged": reading(staged, f"{names.POKED}after FEATURES_OK", str(0x1B))}, "V1"),
    "a write of its configuration takes effect on the resume": (
        {"write_configuration": reading(write_configuration, names.AFTERWARDS, "0")}, "V2"),
    "it notifies a used buffer while it sleeps": (
        {"under_load": lambda t: under_load(t, asleep=lambda t: t.isr(1))}, "V3"),
    "it notifies a used buffer when it is asked to change its configuration": (
        {"change_configuration": lambda t: change_configuration(t, changed=lambda t: t.isr(1))}, "V3"),
    "it serves while it sleeps": (
        {"in_flight": lambda t: in_flight(t, asleep=quietly)}, "V4 V10 V11"),
    "it serves and notifies while it sleeps": (
        {"nothing_notified": lambda t: nothing_notified(t, asleep=lambda t: t.uses(4))}, "V3 V4 V10 V11"),
    "it serves when it is kicked while it sleeps": (
        {"prodded": lambda t: prodded(t, kicked=quietly)}, "V4"),
    "it scribbles into a ring while it sleeps": (
        {"under_load": lambda t: under_load(t, asleep=lambda t: t.scribbles("queue 0 rings"))}, "V4"),
    "its configuration changes while it sleeps": (
        {"change_configuration": reading(change_configuration, names.SUSPENDED, "00fe")}, "V5"),
    "it notifies a change of its configuration while it sleeps": (
        {"change_configuration": lambda t: change_configuration(t, changed=lambda t: t.isr(2))}, "V6"),
    "it notifies a change that nobody has asked for": (
        {"idle": lambda t: idle(t, asleep=lambda t: t.isr(2))}, "V6"),
    "both bits come while it sleeps": (
        {"in_flight": lambda t: in_flight(t, asleep=lambda t: t.isr(3))}, "V3 V6"),
    "a change of its configuration is not notified on the resume": (
        {"change_configuration": deaf(change_configuration, names.RESUMED_BIT)}, "V7"),
    "it does not suspend": (
        {"idle": answering(idle, suspend=0x0F)}, "V8"),
    "it falls out of suspend": (
        {"under_load": lambda t: under_load(t, rested=lambda t: t.shows(0x0F))}, "V8"),
    "it does not resume": (
        {"idle": answering(idle, resume=0x1B)}, "V9"),
    "it resumes by the other byte alone": (
        {"under_load": answering(under_load, resume=0x1B, fallback=0x0F)}, "V9"),
    "it serves nothing after an idle suspend": (
        {"idle": lambda t: idle(t, woken=serves_nothing)}, "V9"),
    "it notifies nothing any more after an idle suspend": (
        {"idle": deaf(idle, names.WOKEN)}, "V9"),
    "it falls back to suspended": (
        {"idle": lambda t: idle(t, served=lambda t: t.shows(0x1B))}, "V9"),
    "it consumes what waits when it is asked to suspend": (
        {"nothing_notified": lambda t: nothing_notified(t, using=4)}, "V10"),
    "it leaves a request half done": (
        {"in_flight": lambda t: in_flight(t, asked=lambda t: t.scribbles("queue 0 buffer 20"))}, "V11"),
    "it does not notify what it used on the way to sleep before it slept": (
        {"in_flight": lambda t: in_flight(t, asked=quietly)}, "V12"),
    "it notifies what it used on the way to sleep while it sleeps": (
        {"in_flight": lambda t: in_flight(t, asked=quietly, asleep=lambda t: t.isr(1))}, "V12 V3"),
    "it never notifies what it used on the way to sleep": (
        {"in_flight": deaf(forgetting, names.AROUND)}, "V12 V9 V16"),
    "it serves before DRIVER_OK": (
        {"early": lambda t: early(t, published=quietly)}, "V13"),
    "it does not notify its failure": (
        {"fails": deaf(fails, names.TOLD)}, "V14"),
    "a queue stays enabled over a reset": (
        {"reset": reading(reset_loaded, f"{names.ENABLED}0", "1")}, "V15"),
    "it serves after a reset": (
        {"reset": lambda t: reset_loaded(t, reset=quietly)}, "V15"),
    "it loses a request over a suspend": (
        {"under_load": lambda t: under_load(t, woken=loses)}, "V16"),
    "it loses a request that was in process at a suspend": (
        {"in_flight": lambda t: in_flight(t, woken=loses)}, "V16 V11"),
    "it does not notify what had waited": (
        {"under_load": deaf(under_load, names.WAITED)}, "V16"),
    "it hangs in the second suspend": (
        {"under_load": answering(answering(under_load, suspend=0x0F), suspend=0x1B)}, "V8 V16"),
    "it loses a request under stress": (
        {"stress": lambda t: stress(t, cycled=gives_out)}, "S1"),
    "it has another queue size after a resume": (
        {"look_around": lambda t: look_around(t, after='{"queue_size of queue 0": "0x100"}')}, "S3"),
    "it has other BARs in the end": (
        {"last": lambda t: last(t, BARs="0x0")}, "S2"),
    # -- its driver
    "SUSPEND is written before DRIVER_OK": (
        {"twice": hasty}, "D1"),
    "DRIVER_OK is written before the status has shown SUSPEND": (
        {"twice": lambda t: cycles(t, asked=lambda t: t.writes_status(0x1F))}, "D2"),
    "buffers are made available while it sleeps": (
        {"idle": lambda t: idle(t, asleep=lambda t: t.publishes())}, "D3"),
    "it is notified while it sleeps": (
        {"idle": lambda t: idle(t, asleep=lambda t: t.notifies())}, "D4"),
    "its configuration is written while it sleeps": (
        {"idle": lambda t: idle(t, asleep=lambda t: t.writes_configuration())}, "D5"),
    "buffers are made available before it runs": (
        {"idle": lambda t: idle(t, asleep=waking(lambda t: t.publishes()))}, "D6"),
    "it is resumed by a byte that clears SUSPEND": (
        {"idle": lambda t: idle(t, asleep=lambda t: t.writes_status(0x0F))}, "D7"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_one_change_breaks_what_it_breaks_and_nothing_else(change: str) -> None:
    scenes, broken = CHANGES[change]
    tale = Tale()
    live(tale, **scenes)
    judge = judged(tale)
    assert broken_by(judge) == set(broken.split())
    for id_ in broken.split():
        finding = judge.result(id_).finding
        also = [remark for remark in finding.remarks if remark.startswith("this breaks ")]
        assert finding.verdict.value == ("WARN" if STATEMENTS[id_].level.advised and not also else "FAIL")


def test_every_statement_about_a_device_of_virtio_1_4_is_broken_by_some_change() -> None:
    asked = {id_ for id_ in CHAPTERS["suspend"] if id_[0] in "DVS"}
    assert {id_ for _, broken in CHANGES.values() for id_ in broken.split()} == asked
