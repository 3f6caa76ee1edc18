"""``uvirtio bench`` measures what it says, and its figures can be compared. How fast anything is, no test asserts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from uvirtio.bus.emulated import EmulatedBus
from uvirtio_tools.benches.baseline import SCHEMA, compare
from uvirtio_tools.benches.measure import Runner, interleave
from uvirtio_tools.benches.queue import QUEUES, SIZES, measure_endurance
from uvirtio_tools.benches.ring import BATCHES, FORMATS, VARIANTS
from uvirtio_tools.cli import main
from uvirtio_tools.commands.bench import BENCHES

BASELINE = Path(__file__).with_name("baseline.json")


def document(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["bench", *words, "--json"]) == status
    parsed: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (parsed["schema"], parsed["version"]) == (SCHEMA, 1)
    return parsed


def test_ring_gives_a_row_for_each_format_and_batch_as_the_baseline_has_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = document(capsys, "ring", "--turns", "1")["rows"]
    wanted = [(format_, batch) for format_ in (*FORMATS, *VARIANTS) for batch in BATCHES]
    assert [(f"{row['format']} {row['feature']}".strip(), row["batch"]) for row in rows] == wanted
    kept = json.loads(BASELINE.read_text())["rows"]
    assert [(f"{row['format']} {row['feature']}".strip(), row["batch"]) for row in kept] == wanted
    assert [list(row) for row in rows] == [list(row) for row in kept]
    for row in rows:
        assert all(row[name] > 0 for name in ("ns_per_buffer", "ns_single", "ns_naive", "ns_raw"))


def test_poll_compares_the_wait_with_a_bare_loop(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = document(capsys, "poll", "--turns", "3")["rows"]
    assert row["ns_more_per_read"] == pytest.approx(row["ns_per_read"] - row["ns_bare"], abs=50)


def test_poll_reads_the_status_of_a_device_and_nothing_else(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = []
    close = EmulatedBus.close

    def closing(self: EmulatedBus) -> None:
        logs.append(list(self.log.entries))
        close(self)

    monkeypatch.setattr(EmulatedBus, "close", closing)
    (row,) = document(capsys, "poll", "emulated:rng", "--turns", "1")["rows"]
    assert row["ns_bare"] > 0
    (entries,) = logs
    assert {entry.kind for entry in entries} == {"read"}
    assert {entry.name for entry in entries if entry.space != "pci"} == {"device_status"}


def test_queues_of_all_sizes_and_numbers_are_measured_in_either_format(capsys: pytest.CaptureFixture[str]) -> None:
    rows = document(capsys, "queue", "--turns", "1", "--buffers", "6400")["rows"]
    for format_ in FORMATS:
        mine = [row for row in rows if row["format"] == format_ and row.get("ns_per_buffer")]
        assert [row["size"] for row in mine if "queues" not in row and "order" not in row] == list(SIZES)
        assert [row["order"] for row in mine if "order" in row] == ["in order", "shuffled"]
        several = [row for row in mine if "queues" in row]
        assert [row["queues"] for row in several] == list(QUEUES)
        assert all(row["us_set_up_per_queue"] > 0 for row in several)


def test_rows_of_different_kinds_stand_in_tables_of_their_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["bench", "queue", "--turns", "1", "--buffers", "6400"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("bench queue") == 4
    assert "queues" in shown
    assert "split" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_many_buffers_leave_the_process_as_large_as_it_was() -> None:
    for row in measure_endurance(256_000):
        assert row["buffers"] == 256_000
        # A single object per thousand buffers would be 256.
        assert row["grown_objects"] < 200


@pytest.mark.parametrize("bench", ["rng", "blk", "net"])
@pytest.mark.parametrize(
    "without", [(), ("--without", "RING_PACKED"), ("--without", "INDIRECT_DESC", "--without", "IN_ORDER")]
)
def test_devices_are_driven_in_either_format(
    capsys: pytest.CaptureFixture[str], bench: str, without: tuple[str, ...]
) -> None:
    rows = document(capsys, bench, "--seconds", "0.01", *without)["rows"]
    assert {row["format"] for row in rows} == {"split" if "RING_PACKED" in without else "packed"}
    for row in rows:
        assert row["simulated_time"] is True
        assert row["buffers"] > 0
        assert row["bytes_per_second"] == pytest.approx(row["per_second"] * row["bytes"], rel=0.01)
        assert row["locator"].startswith(f"emulated:{bench}")


def test_requests_in_flight_overlap_in_the_device(capsys: pytest.CaptureFixture[str]) -> None:
    one, many = document(capsys, "rng", "--seconds", "0.02")["rows"]
    assert (one["batch"], many["batch"]) == (1, 32)
    assert many["per_second"] > 2 * one["per_second"]


def test_suspend_is_seen_no_earlier_than_the_device_finished_and_within_the_back_off(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = document(capsys, "suspend", "emulated:rng?delay=0.003")["rows"]
    assert [row["format"] for row in rows] == ["suspend", "resume"]
    for row in rows:
        assert row["us_seen"] >= 3000
        assert 0 <= row["us_seen_after_finish"] <= row["us_uncertainty"]


def test_a_device_that_does_not_offer_suspend_was_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "suspend", "emulated:rng?profile=qemu-store"]) == 4
    assert "does not offer SUSPEND" in capsys.readouterr().err


def test_a_device_of_another_type_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "blk", "emulated:rng"]) == 3
    assert "bench blk needs a blk device" in capsys.readouterr().err


def test_what_measures_no_device_takes_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "ring", "emulated:rng"]) == 2
    assert "takes no device" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", '{"schema": "uvirtio/bench", "version": 2, "rows": []}',
        '{"schema": "uvirtio/bench", "version": 1}', '{"schema": "uvirtio/bench", "version": 1, "rows": [1]}',
    ],
)  # fmt: skip
def test_a_baseline_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(content)
    assert main(["bench", "poll", "--baseline", str(file)]) == 2
    assert "--baseline" in capsys.readouterr().err


def test_a_ratio_that_is_clearly_worse_than_the_baseline_is_told() -> None:
    then = [{"bench": "ring", "format": "split", "batch": 64, "ratio_to_raw": 1.0, "ns_per_buffer": 70.0}]
    assert compare([{**then[0], "ratio_to_raw": 1.4, "ns_per_buffer": 700.0}], then) == [], (
        "nanoseconds are not compared"
    )
    assert compare([{**then[0], "batch": 32, "ratio_to_raw": 9.0}], then) == [], "another row is no measure"
    (sentence,) = compare([{**then[0], "ratio_to_raw": 1.6}], then)
    assert sentence == "bench ring format split batch 64: ratio_to_raw is 1.6, and was 1"


def test_a_run_that_got_worse_ends_with_status_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    kept = document(capsys, "poll", "--turns", "3")
    kept["rows"][0]["ratio_to_bare"] = 0.01
    file = tmp_path / "baseline.json"
    file.write_text(json.dumps(kept))
    worse = document(capsys, "poll", "--turns", "3", "--baseline", str(file), status=1)["worse"]
    assert worse[0].startswith("bench poll: ratio_to_bare is")


@pytest.mark.parametrize("bench", BENCHES)
def test_every_bench_shows_a_table(capsys: pytest.CaptureFixture[str], bench: str) -> None:
    if bench == "queue":
        words = ["--turns", "1", "--buffers", "64000"]
    else:
        words = ["--turns", "1", "--seconds", "0.01"]
    assert main(["bench", bench, *words]) == 0
    assert f"bench {bench}" in capsys.readouterr().out


def test_runners_take_turns_and_what_is_not_theirs_is_taken_off() -> None:
    order: list[str] = []

    def work(name: str) -> Runner:
        return Runner(lambda _times: order.append(name), 2, 5, lambda _times: order.append(f"{name}'s device"))

    timing = interleave({"one": work("one"), "other": work("other")}, 3)
    assert order == ["one", "one's device", "other", "other's device"] * 4, "one turn more, to warm up"
    assert len(timing.turns["one"]) == 3
