"""Device types that are described only: all that can be seen of them is there, and nobody takes them for more."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from uvirtio.emulated.types import DESCRIBED, MODELLED, find_model
from uvirtio.errors import LocatorError
from uvirtio.spec.features import Feature
from uvirtio_tools.cli import main

from .raw import Raw

#: How many queues a type has when its row of queues, if there is one, has three (virtio 1.4, chapter 5).
QUEUES = {
    "can": 3, "crypto": 3 + 1, "fs": 2 + 3, "gpio": 2, "gpu": 2, "i2c_adapter": 1, "iommu": 2, "media": 2, "mem": 1,
    "pmem": 1, "rpmb": 1, "rtc": 2, "scmi": 2, "scsi": 2 + 3, "sound": 4, "spi": 1, "vsock": 3,
}  # fmt: skip
#: Bytes of the configuration structure of a type (the same places), 0 where it has none.
SIZES = {
    "can": 2, "crypto": 56, "fs": 44, "gpio": 8, "gpu": 20, "i2c_adapter": 0, "iommu": 37, "media": 40, "mem": 56,
    "pmem": 16, "rpmb": 3, "rtc": 0, "scmi": 0, "scsi": 36, "sound": 16, "spi": 32, "vsock": 8,
}  # fmt: skip


def _json(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    capsys.readouterr()
    status = main([*words, "--json"])
    return status, json.loads(capsys.readouterr().out)


def _chosen(type_name: str) -> dict[str, int | str]:
    """A value for each field of a type that no default and no other field has."""
    values: dict[str, int | str] = {}
    for number, field in enumerate(find_model(type_name).spec().fields):
        if field.kind == "text":
            values[field.name] = f"chosen {number}"
        elif field.name in ("num_request_queues", "max_dataqueues", "num_queues"):
            values[field.name] = 3
        else:
            # The highest byte is set too, so that a value that lost half of its bytes shows.
            values[field.name] = (0xA0 + number) << 8 * (field.size - 1) | number
    return values


def test_every_type_that_the_specification_describes_is_there_and_listed_here() -> None:
    assert set(QUEUES) == set(SIZES) == set(DESCRIBED)
    assert not set(DESCRIBED) & set(MODELLED)


@pytest.mark.parametrize("type_name", sorted(DESCRIBED))
def test_every_bit_queue_and_field_is_shown_by_name_and_as_it_was_set(
    type_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    values = _chosen(type_name)
    status, shown = _json(capsys, "show", f"emulated:{type_name}?{urlencode({'depth': 4} | values, quote_via=quote)}")
    assert status == 0
    assert shown["type_name"] == type_name
    assert shown["problems"] == []
    assert {field["name"]: field["value"] for field in shown["config"]} == values
    assert len(bytes.fromhex(shown["config_raw"])) == SIZES[type_name]
    assert len(shown["queues"]) == QUEUES[type_name]
    assert all(queue["name"] for queue in shown["queues"])
    offered = {row["name"] for row in shown["features"] if row["offered"]}
    own = [bit for bit in find_model(type_name).spec().features if bit.origin == "spec"]
    # The two ways in which an IOMMU says that it lets everything through are not offered together (5.13.3).
    assert offered >= {bit.name for bit in own} - {"IOMMU_F_BYPASS"}
    assert all(row["origin"] != "unknown" for row in shown["features"])
    assert any("described only" in fact for fact in shown["facts"].values())


@pytest.mark.parametrize("type_name", sorted(DESCRIBED))
def test_fields_that_nobody_set_can_be_told_apart(type_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, shown = _json(capsys, "show", f"emulated:{type_name}")
    assert shown["problems"] == []
    values = [field["value"] for field in shown["config"] if isinstance(field["value"], int) and field["value"] > 255]
    assert len(values) == len(set(values))


@pytest.mark.parametrize("type_name", ["vsock", "fs", "rtc"])
def test_its_queues_take_buffers_and_return_none_over_a_suspend_and_after_it(type_name: str) -> None:
    raw = Raw(f"emulated:{type_name}")
    raw.bring_up(Feature.SUSPEND, queues=QUEUES[type_name] if type_name != "fs" else 3)
    piece = raw.bus.dma.allocate(64, 16)
    for queue in raw.queues:
        queue.publish((piece.address, 32, False), (piece.address + 32, 32, True))
        queue.kick()
    before = [queue.bytes() for queue in raw.queues]
    raw.clock.sleep(5)
    raw.set_status(0x1F)
    raw.clock.sleep(5)
    assert raw.status() == 0x1B
    raw.set_status(0x1F)
    raw.clock.sleep(5)
    assert raw.status() == 0x0F
    assert [queue.bytes() for queue in raw.queues] == before
    assert raw.queues
    assert not raw.bus.log.events("request consumed")


def test_a_queue_whose_feature_is_left_out_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    _, shown = _json(capsys, "show", "emulated:fs?num_request_queues=2&features=-FS_F_NOTIFICATION")
    assert [queue["name"] for queue in shown["queues"]] == ["hiprio", "requestq1", "requestq2"]
    _, shown = _json(capsys, "show", "emulated:rtc?features=-RTC_F_ALARM")
    assert [queue["name"] for queue in shown["queues"]] == ["requestq"]


@pytest.mark.parametrize(
    ("locator", "says"),
    [
        ("emulated:vsock?guest_cid=here", "no whole number between 0 and 18446744073709551615"),
        ("emulated:vsock?guest_cid=0x10000000000000000", "no whole number"),
        ("emulated:vsock?tag=there", "knows no parameter 'tag'"),
        ("emulated:fs?tag=" + 37 * "x", "more than the field's 36 bytes"),
        ("emulated:fs?num_request_queues=0", "between 1 and 64"),
    ],
)
def test_a_value_that_does_not_fit_its_field_is_refused(locator: str, says: str) -> None:
    with pytest.raises(LocatorError, match=says):
        Raw(locator)


def test_suspending_one_is_no_pass_as_only_its_status_was_judged(capsys: pytest.CaptureFixture[str]) -> None:
    status, result = _json(capsys, "suspend", "emulated:vsock?fault=V4", "--cycles", "2")
    assert (status, result["verdict"], len(result["cycles"])) == (0, "WARN", 2)
    assert "by its status alone" in result["reason"]
    assert "nothing was moved: there is no driver for this device type" in result["reason"]
    assert any("only the status can be judged" in remark for remark in result["remarks"])
    assert main(["suspend", "emulated:vsock"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "WARN suspended and resumed once by its status alone; nothing was moved" in said
    # What the status shows is judged, and somebody who wants no traffic gets no more than that either.
    assert _json(capsys, "suspend", "emulated:vsock?profile=stuck")[1]["verdict"] == "FAIL"
    assert _json(capsys, "suspend", "emulated:rng", "--workload", "none")[1]["verdict"] == "WARN"


def test_checking_one_judges_what_shows_without_traffic_and_skips_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    status, result = _json(capsys, "check", "emulated:vsock?fault=V4")
    verdicts = {row["id"]: row["verdict"] for row in result["results"]}
    assert status == 0
    assert "FAIL" not in verdicts.values()
    assert (verdicts["V4"], verdicts["V16"], verdicts["S1"]) == ("SKIP", "SKIP", "SKIP")
    assert (verdicts["V8"], verdicts["D2"]) == ("PASS", "PASS")
