"""Every verdict is seen both ways: it passes on a conforming device, and fails on one that breaks exactly its statement."""

from __future__ import annotations

import os

import pytest

from tests.emulated.checks import proof
from tests.emulated.checks.judging import judge, results, with_verdict, words
from tests.emulated.checks.where import suspend
from uvirtio.emulated.faults import statement_of
from uvirtio.spec.ids import DeviceType
from uvirtio.spec.statements import APART, STATEMENTS


def test_on_a_conforming_disk_nothing_fails_nothing_warns_and_nothing_is_left_out() -> None:
    verdicts = proof.column("profile=virtio-1.4")
    assert {id_ for id_, word in verdicts.items() if word not in ("PASS", "INFO")} == set()
    assert {id_ for id_, word in verdicts.items() if word == "PASS"} >= {f"V{n}" for n in range(1, 17)}


def test_on_a_conforming_entropy_device_only_what_it_cannot_show_is_left_out() -> None:
    run = judge("emulated:rng", strict=True)
    assert with_verdict(run, "FAIL", "WARN", "ERROR") == set()
    # No configuration: nothing to read, to write, to change, or to notify.
    without_configuration = {"V2", "V5", "V6", "V7", "B7", "B14", "N3", "N4"}
    # No regions, no vendor data; no readable parts, packed rings, not IN_ORDER.
    without_more = {"P9", "P10", "P11", "P12", "P21", "P23", "Q3", "Q8", "Q10"}
    assert with_verdict(run, "SKIP") == without_configuration | without_more


@pytest.mark.parametrize("fault", proof.SUSPEND)
def test_each_single_fault_breaks_its_own_statement_and_only_what_that_implies(fault: str) -> None:
    failed, id_ = proof.broken(proof.column(f"fault={fault}")), statement_of(fault)
    assert id_ in failed
    assert failed - {id_} <= set(STATEMENTS[id_].implies)


@pytest.mark.parametrize("fault", proof.WAYS)
def test_each_further_way_to_break_suspend_is_seen_by_the_statement_that_it_breaks(fault: str) -> None:
    id_ = statement_of(fault)
    assert proof.broken(proof.whole(proof.WAYS[fault])) == set()
    failed = proof.broken(proof.whole(proof.WAYS[fault], fault))
    assert id_ in failed
    assert failed - {id_} <= set(STATEMENTS[id_].implies) | suspend.MORE.get(fault, set())


@pytest.mark.parametrize("fault", ["V1", "V3", "V4", "V8", "V9", "V10", "V11", "V12", "V13", "V14", "V15", "V16"])
def test_an_entropy_device_shows_each_fault_that_needs_no_configuration(fault: str) -> None:
    failed = proof.broken(proof.column(f"fault={fault}", "rng?"))
    assert fault in failed
    assert failed - {fault} <= set(STATEMENTS[fault].implies)


@pytest.mark.parametrize("fault", ["", "V4", "V11", "V12", "V16"])
@pytest.mark.parametrize(
    "ring",
    [
        "features=-RING_PACKED,-EVENT_IDX,-INDIRECT_DESC",
        "features=-RING_PACKED",
        "features=-EVENT_IDX",
        "features=+IN_ORDER",
        "queues=3",
    ],
)
def test_it_is_the_same_whatever_the_ring_looks_like(ring: str, fault: str) -> None:
    run = judge(
        f"emulated:blk?size=1M&{ring}" + (f"&fault={fault}" if fault else ""), only="V3,V4,V8,V9,V10,V11,V12,V16,S1"
    )
    failed = with_verdict(run, "FAIL", "WARN", "ERROR")
    assert failed - {fault} <= set(STATEMENTS[fault].implies if fault else ())
    assert not fault or fault in failed


def test_strict_turns_a_warning_into_a_failure_and_the_status_with_it() -> None:
    assert judge("emulated:rng?fault=V12", only="V12").status == 0
    strict = judge("emulated:rng?fault=V12", only="V12", strict=True)
    assert words(strict) == {"V12": "FAIL"}
    assert strict.status == 1


def test_a_device_that_stores_every_byte_is_judged_by_what_is_demanded_of_every_device_alone() -> None:
    run = judge("emulated:blk?profile=qemu-store")
    assert run.status == 0
    assert set(words(run)) == {
        id_
        for id_, row in STATEMENTS.items()
        if not row.dialects and (not row.types or DeviceType.BLK in row.types) and proof.chapter_of(id_) not in APART
    }


def test_crosvm_keeps_its_own_dialect_and_differs_from_virtio_1_4_where_it_does() -> None:
    run = judge("emulated:blk?profile=crosvm")
    found = results(run)
    assert {words(run)[id_] for id_ in ("C1", "C2", "C3")} == {"PASS"}
    assert with_verdict(run, "FAIL", "WARN", "ERROR") == set()
    differing = {id_ for id_, result in found.items() if result.finding.summary.startswith("differs from 1.4")}
    assert {"V2", "V4", "V8", "V10"} <= differing
    assert {words(run)[id_] for id_ in differing} == {"INFO"}


def test_one_that_resumes_only_by_clearing_suspend_fails_that_and_is_judged_on() -> None:
    run = judge("emulated:blk?profile=qemu-rfc-2025-fixed")
    assert words(run)["V9"] == "FAIL"
    assert "0x0f" in results(run)["V9"].finding.observed
    assert {words(run)[id_] for id_ in ("V3", "V4", "V8", "V11", "V15", "V16", "S1")} == {"PASS"}


def test_a_slow_device_passes_everything() -> None:
    verdicts = proof.column("profile=slow")
    assert {id_ for id_, word in verdicts.items() if word not in ("PASS", "INFO")} == set()


def test_refusing_is_conforming_and_gives_status_0() -> None:
    run = judge("emulated:blk?profile=refuses")
    assert run.status == 0
    assert words(run)["V8"] == words(run)["V14"] == "PASS"
    assert "refused" in results(run)["V8"].finding.summary
    again = judge("emulated:blk?profile=refuses-resume")
    assert again.status == 0
    assert words(again)["V9"] == "PASS"


@pytest.mark.parametrize(("profile", "failing"), [("stuck", "V8"), ("stuck-resume", "V9"), ("qemu-rfc-2025", "V8")])
def test_a_failure_for_time_says_within_how_long(profile: str, failing: str) -> None:
    run = judge(f"emulated:blk?profile={profile}")
    assert with_verdict(run, "FAIL") == {failing}
    assert results(run)[failing].finding.summary == "not within 10 s"
    assert run.status == 1


def test_the_document_has_the_table_that_this_code_generates() -> None:
    table = proof.generate()
    text = proof.DOCUMENT.read_text(encoding="utf-8")
    if os.environ.get("UVIRTIO_WRITE_DOCS"):
        text = proof.put_into(text, table)
        proof.DOCUMENT.write_text(text, encoding="utf-8")
    assert proof.in_document(text) == table.strip()
