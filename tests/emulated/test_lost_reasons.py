"""What keeps a device from being used reaches whoever asked, from every command and in every format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from junitparser import Error, JUnitXml

from tests.emulated.tampered import Tamper, capability, every_emulated, tampered, unlink
from uvirtio.access.view import Region
from uvirtio.bus.emulated import EmulatedBus
from uvirtio.bus.locator import parse
from uvirtio.device import Device
from uvirtio.emulated.function import EmulatedFunction
from uvirtio.errors import CannotRun, DeviceMisbehaved, NotVirtio
from uvirtio.spec.pci import StructureCap, StructureType
from uvirtio.spec.status import Status
from uvirtio_drivers.rng import Rng
from uvirtio_tools.cli import main
from uvirtio_tools.inspect.sources import describe_open

#: What can be wrong with the DEVICE structure, and the words for it.
BROKEN: dict[str, tuple[Tamper, str]] = {
    "unaligned": (
        capability(StructureType.DEVICE, StructureCap.STRUCTURE_OFFSET, 4, 0x2002),
        "offset 0x2002 is not a multiple of 4",
    ),
    "beyond its BAR": (
        capability(StructureType.DEVICE, StructureCap.STRUCTURE_LENGTH, 4, 1 << 20),
        "offset 0x2000 + length 0x100000 is beyond BAR 4 of 0x4000 bytes",
    ),
    "in a missing BAR": (capability(StructureType.DEVICE, StructureCap.BAR, 1, 2), "BAR 2 is not there"),
    "in a reserved BAR": (capability(StructureType.DEVICE, StructureCap.BAR, 1, 7), "bar 7 is reserved"),
    "missing": (unlink(StructureType.DEVICE), "none of this type is in the capability list"),
}
WAYS = pytest.mark.parametrize("way", BROKEN)
DEVICES = pytest.mark.parametrize(
    "locator",
    [f"emulated:{kind}{ring}" for kind in ("blk", "net", "console") for ring in ("", "?features=-RING_PACKED")],
)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """Everything that was printed, whatever the width of the terminal made of it."""
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())


@WAYS
@DEVICES
@pytest.mark.parametrize("words", [["suspend", "--hold", "0"], ["check"], ["show"]])
def test_why_the_device_configuration_cannot_be_used_reaches_the_user_of(
    words: list[str], way: str, locator: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tamper, why = BROKEN[way]
    every_emulated(monkeypatch, tamper)
    status = main([words[0], locator, *words[1:]])
    text = said(capsys)
    assert why in text
    assert "which has only 0" not in text
    assert "no usable DEVICE structure" in text
    assert status == (0 if words == ["show"] else 1)


@WAYS
def test_a_benchmark_says_why_it_cannot_read_the_capacity(
    way: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tamper, why = BROKEN[way]
    every_emulated(monkeypatch, tamper)
    assert main(["bench", "blk", "emulated:blk", "--seconds", "0.01"]) == 1
    assert why in said(capsys)


@pytest.mark.parametrize("kind", ["vsock", "fs", "scsi"])
@pytest.mark.parametrize("command", ["suspend", "check"])
def test_where_nothing_of_the_configuration_is_needed_it_is_a_remark(
    kind: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tamper, why = BROKEN["unaligned"]
    every_emulated(monkeypatch, tamper)
    # check says what that breaks, too.
    assert main([command, f"emulated:{kind}", "--json"]) == (command == "check")
    document = json.loads(capsys.readouterr().out)
    failed = [result["id"] for result in document.get("results", ()) if result["verdict"] in ("FAIL", "ERROR")]
    assert failed == (["P7"] if command == "check" else [])
    remarks = document["remarks"]
    assert any(re.search(rf"capability at 0x[0-9a-f]+ \(DEVICE\): {why}", remark) for remark in remarks)


def test_a_bar_that_cannot_be_reached_is_not_said_to_be_missing() -> None:
    bus = tampered("emulated:rng")
    why = "BAR 4 of 0000:00:05.0 cannot be mapped (EPERM): the kernel is locked down"

    def unreachable(number: int) -> Region:
        raise CannotRun(why) if number == 4 else DeviceMisbehaved("there is none")

    bus.bar = unreachable  # type: ignore[method-assign]
    with pytest.raises(NotVirtio, match=r"no usable COMMON structure .*BAR 4 cannot be reached: .*\(EPERM\)"):
        Device(bus)
    assert any(why in problem for problem in describe_open(bus).problems)
    assert not any("is not there" in problem for problem in describe_open(bus).problems)


# -- a queue that nobody uses ------------------------------------------------------------------------------------------


def with_size(function: EmulatedFunction, index: int, size: int) -> None:
    """Lets a queue say that it has a size."""
    queue = function.device.queues[index]
    queue.maximum = queue.size = size
    reset = queue.reset

    def with_that_size() -> None:
        reset()
        queue.size = size

    queue.reset = with_that_size  # type: ignore[method-assign]


def _unused(function: EmulatedFunction) -> None:
    from uvirtio.emulated.queue import DeviceQueue

    device = function.device
    device.queues.append(DeviceQueue(device, len(device.queues), 256, waits=True))
    with_size(function, len(device.queues) - 1, 0xFFFF)


@pytest.mark.parametrize("kind", ["rng", "blk", "input"])
@pytest.mark.parametrize("ring", ["", "?features=-RING_PACKED"])
@pytest.mark.parametrize("command", ["suspend", "check"])
def test_an_impossible_size_of_a_queue_that_the_driver_does_not_use_stops_nothing_and_is_told(
    command: str, kind: str, ring: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    every_emulated(monkeypatch, _unused)
    assert main([command, f"emulated:{kind}{ring}", "--json"]) == (command == "check")
    document = json.loads(capsys.readouterr().out)
    failed = [result["id"] for result in document.get("results", ()) if result["verdict"] in ("FAIL", "ERROR")]
    assert failed == (["B12"] if command == "check" else [])
    assert any("has size 0xffff; at most 32768 is possible" in remark for remark in document["remarks"])


@pytest.mark.parametrize("command", ["suspend", "check"])
def test_an_impossible_size_of_a_queue_that_the_driver_uses_is_the_reason(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    every_emulated(monkeypatch, lambda function: with_size(function, 0, 0xFFFF))
    assert main([command, "emulated:rng"]) == 1
    assert "emulated:rng: queue 0 has size 0xffff; at most 32768 is possible (virtio 1.4, 2.7)" in said(capsys)


@pytest.mark.parametrize(
    ("index", "size", "ring"), [(0, 0xFFFF, ""), (0, 100, "?features=-RING_PACKED"), (0, 0, ""), (7, 256, "")]
)
def test_a_driver_that_cannot_set_up_a_queue_says_failed(index: int, size: int, ring: str) -> None:
    bus = EmulatedBus(parse(f"emulated:rng{ring}"))
    if index == 0:
        with_size(bus.function, 0, size)
    with Device(bus) as device:
        with pytest.raises(DeviceMisbehaved, match=rf"queue {index} "):
            device.initialise(Rng.FEATURES, (index,))
        assert bus.function.device.status & Status.FAILED
        device.reset()
        assert bus.function.device.status == 0


# -- a run that is cut off ---------------------------------------------------------------------------------------------


def does_not_reset(function: EmulatedFunction) -> None:
    behaviour = function.device.behaviour
    behaviour.reset_written = lambda: None  # type: ignore[method-assign]
    function.device.status = 0x0F


STOPPED = "the device does not reset"
#: Format -> what a reader of it sees of a run that stopped before its first scenario.
FORMATS: dict[str, Callable[[str], bool]] = {
    "rich": lambda text: STOPPED in " ".join(text.split()),
    "json": lambda text: STOPPED in json.loads(text)["stopped"],
    "junit": lambda text: (
        [
            [type(result), STOPPED in result.message]
            for suite in JUnitXml.fromstring(text.encode())
            for case in suite
            for result in case.result
        ]
        == [[Error, True]]
    ),
    "tap": lambda text: "1..1\n" in text and "not ok 1 run # ERROR" in text and STOPPED in text,
    "markdown": lambda text: STOPPED in text,
    "html": lambda text: STOPPED in text,
}


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("kind", ["rng", "net"])
def test_each_format_says_what_stopped_a_run_before_its_first_scenario(
    format_: str, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    every_emulated(monkeypatch, does_not_reset)
    assert main(["check", f"emulated:{kind}", "--format", format_]) == 1
    assert FORMATS[format_](capsys.readouterr().out)


@pytest.mark.parametrize("format_", ["rich", "json", "junit", "tap", "markdown", "html"])
def test_beside_another_result_a_stopped_run_is_no_column_of_dashes(
    format_: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    good, bad = f"{tmp_path}/good", f"{tmp_path}/bad"
    assert main(["check", "emulated:rng", "--only", "V8", "--format", "json", "-o", good]) == 0
    every_emulated(monkeypatch, does_not_reset)
    assert main(["check", "emulated:rng", "--only", "V8", "--format", "json", "-o", bad]) == 1
    capsys.readouterr()
    assert main(["report", good, bad, "--format", format_]) == 1
    text = capsys.readouterr().out
    assert "ERROR" in text or "<error" in text
    if format_ == "tap":
        assert [line for line in text.splitlines() if line.startswith(("ok", "not ok"))][1].startswith("not ok 2")


def test_an_interrupted_run_is_an_error_in_what_a_ci_system_reads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_self: EmulatedBus) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(EmulatedBus, "enable_bus_mastering", interrupt)
    assert main(["check", "emulated:rng", "--format", "tap"]) == 130
    assert "not ok 1 run # ERROR" in capsys.readouterr().out
