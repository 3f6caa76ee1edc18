"""``uvirtio survive`` on emulated devices: saved to a file and restored into a fresh one, under load and suspended."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from uvirtio.bus.emulated import EmulatedBus
from uvirtio.bus.locator import parse
from uvirtio.device import Device
from uvirtio.emulated.saved import from_text, load, save, to_text
from uvirtio.errors import SnapshotError
from uvirtio_tools.cli import main
from uvirtio_tools.driving.options import RunOptions
from uvirtio_tools.judging.history import History
from uvirtio_tools.judging.survive_run import DeviceRun, SurviveRun
from uvirtio_tools.judging.verdict import Verdict
from uvirtio_tools.scenarios.enduring import Plan, Survivor, endure

KINDS = ("rng", "blk?size=128K", "net", "console")
RINGS = {"split": "features=-RING_PACKED", "packed": "queue_size=64"}
#: What was reported of hypervisors -> the fault that has the symptom, and what a person has to read.
REPORTED = {
    "a request that was pending at a snapshot is never served again": ("U1", "U1", "never came back"),
    "an interrupt is lost over a pause": (
        "U8-pending",
        "U8",
        "the notification that was due at the event did not come",
    ),
    "a stale available event is restored, so that every kick is suppressed": (
        "U6",
        "U6",
        "notifications were suppressed",
    ),
    "ring indices are reset by a migration": ("U4", "U4", "the used index jumped"),
    "ring indices are reset, and old requests are carried out again": ("U3-replay", "U3", "used twice"),
    "features are lost by a migration": ("U10", "U10", "driver_feature"),
    "ids read 0 after a restore": ("U14", "U14", "identity"),
}


def _with(locator: str, more: str) -> str:
    return f"emulated:{locator}{'&' if '?' in locator else '?'}{more}"


def survive(locator: str, plan: Plan, *, interrupts: str = "auto") -> DeviceRun:
    """A whole run on one device."""
    run = DeviceRun(locator)
    bus = EmulatedBus(parse(locator))
    with Device(bus, recorder=History(bus.clock)) as device:
        endure(SurviveRun(), [Survivor(run, device, RunOptions(interrupts=interrupts))], plan)
    return run


def failed(run: DeviceRun) -> set[str]:
    """Ids that speak against the device."""
    return {result.statement.id for result in run.results if result.verdict.against}


@pytest.mark.parametrize("interrupts", ["intx", "msix"])
@pytest.mark.parametrize("ring", RINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_suspended_saved_and_restored_fifty_times_a_device_loses_nothing(kind: str, ring: str, interrupts: str) -> None:
    run = survive(_with(kind, RINGS[ring]), Plan(50, asleep=True), interrupts=interrupts)
    assert (len(run.incidents), run.verdict, failed(run)) == (50, Verdict.PASS, set())
    passed = {result.statement.id for result in run.results if result.verdict is Verdict.PASS}
    assert passed >= {"U2", "U3", "U8", "U16"}


@pytest.mark.parametrize("ring", RINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_restored_under_load_it_loses_nothing(kind: str, ring: str) -> None:
    run = survive(_with(kind, RINGS[ring]), Plan(12, seed=3))
    assert (len(run.incidents), run.verdict, failed(run)) == (12, Verdict.PASS, set())
    passed = {result.statement.id for result in run.results if result.verdict is Verdict.PASS}
    assert passed >= {"U1", "U2", "U3", "U6", "U7", "U8", "U10", "U12", "U13", "U14", "U15"}


@pytest.mark.parametrize("report", REPORTED)
def test_what_was_reported_of_hypervisors_is_named_by_the_verdict(report: str) -> None:
    fault, id_, words = REPORTED[report]
    run = survive(f"emulated:rng?features=-RING_PACKED&queue_size=1024&fault={fault}", Plan(12))
    assert run.verdict is Verdict.FAIL
    assert failed(run) == {id_}
    assert any(words in reason for incident in run.incidents for reason in incident.reasons)


def test_after_a_loss_the_device_is_brought_up_again_and_the_next_event_is_judged() -> None:
    run = survive("emulated:rng?fault=U1", Plan(12))
    lost = [incident for incident in run.incidents if incident.lost]
    assert lost
    assert all(incident.again for incident in lost)
    assert {incident.verdict for incident in run.incidents} == {Verdict.PASS, Verdict.FAIL}


def test_the_seed_says_what_happens_and_when() -> None:
    one, same, other = (survive("emulated:rng", Plan(8, seed=seed)).to_json()["timeline"] for seed in (1, 1, 2))
    assert one == same != other


def test_the_state_in_a_file_is_that_of_the_device_and_of_no_other() -> None:
    with EmulatedBus(parse("emulated:blk?size=128K")) as disk, EmulatedBus(parse("emulated:rng")) as other:
        text = to_text(save(disk.function))
        load(disk.function, from_text(text))
        assert to_text(save(disk.function)) == text
        for wrong in (
            text[:-9],
            "{}",
            "[]",
            text.replace('"version":1', '"version":2'),
            text.replace('"status"', '"state"'),
        ):
            with pytest.raises(SnapshotError):
                load(disk.function, from_text(wrong))
        with pytest.raises(SnapshotError, match="of type 'blk'"):
            load(other.function, from_text(text))


def test_the_command_writes_text_a_document_and_a_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "timeline.svg"
    words = ["survive", "emulated:rng", "emulated:net", "--events", "4", "--seed", "5"]
    assert main([*words, "--picture", str(picture)]) == 0
    text = capsys.readouterr().out
    assert "PASS  8 restore" in text
    assert "emulated:net: virtio net" in text
    bars = [each for each in ElementTree.parse(picture).iter() if each.tag.endswith("title")]
    assert len(bars) == 8
    assert main([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["verdict"], document["events"]) == ("uvirtio/survive", "PASS", {"restore": 8})
    assert [len(device["timeline"]) for device in document["devices"]] == [4, 4]


def test_a_loss_ends_with_status_1_and_says_what_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["survive", "emulated:rng?fault=U2", "--events", "8"]) == 1
    text = capsys.readouterr().out
    assert "passed over 4 buffers after restore" in text
    assert "FAIL" in text


def test_a_history_of_it_is_judged_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    history = str(tmp_path / "h")
    assert (
        main(["survive", "emulated:rng?features=-RING_PACKED&fault=U8-pending", "--events", "6", "--history", history])
        == 1
    )
    capsys.readouterr()
    assert main(["judge", history, "--json"]) == 1
    results = json.loads(capsys.readouterr().out)["results"]
    assert {result["id"] for result in results if result["verdict"] == "FAIL"} == {"U8"}


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 2, "survive needs a LOCATOR"),
        (["emulated:rng", "--event", "earthquake"], 2, "any other name needs =COMMAND"),
        (["emulated:rng", "--event", "migrate"], 3, "nobody here can be asked for it, only for restore"),
        (["emulated:rng", "emulated:net", "--history", "h"], 2, "name one device"),
        (["emulated:rng?features=-SUSPEND", "--suspend"], 4, "SUSPEND"),
        (["emulated:can", "--events", "1"], 3, "nothing can be lost"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["survive", *words]) == status
    assert said in capsys.readouterr().err


def test_an_event_can_be_a_command_of_the_shell(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert main(["survive", "emulated:rng", "--event", f"touched=echo x >> {mark}", "--events", "3"]) == 0
    assert mark.read_text() == "x\n" * 3
    assert "3 touched" in capsys.readouterr().out
    assert main(["survive", "emulated:rng", "--event", "never=exit 7", "--events", "1"]) == 3
    assert "status 7" in capsys.readouterr().out
