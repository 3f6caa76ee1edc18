"""A finding gets the weight of its statement; the catalogue and the checks belong together."""

from __future__ import annotations

import pytest

from uvirtio.errors import UsageError
from uvirtio.spec.dialects import CHROMIUM, DIALECTS, V1_4
from uvirtio.spec.ids import DeviceType
from uvirtio.spec.statements import CHAPTERS, STATEMENTS, Level
from uvirtio_tools.judging.history import Setting, Window
from uvirtio_tools.judging.judge import Judge
from uvirtio_tools.judging.observation import kept, told
from uvirtio_tools.judging.verdict import VERDICTS, Finding, Verdict, applies, skipped, weigh
from uvirtio_tools.scenarios import DANGEROUS, every_scenario, scenarios_for
from uvirtio_tools.statements import every_judgement, select


def failed(summary: str = "") -> Finding:
    return Finding(Verdict.FAIL, summary)


def weighed(id_: str, finding: Finding, *, strict: bool = False, chromium: bool = False) -> Verdict:
    return weigh(finding, STATEMENTS[id_], CHROMIUM if chromium else V1_4, strict=strict).verdict


def test_a_broken_must_fails_and_a_broken_should_warns_unless_strict() -> None:
    assert weighed("V4", failed()) is Verdict.FAIL
    assert weighed("V10", failed()) is Verdict.WARN
    assert weighed("V10", failed(), strict=True) is Verdict.FAIL
    assert weighed("V15", Finding(Verdict.WARN, ""), strict=True) is Verdict.FAIL


def test_what_the_specification_leaves_open_is_information_even_when_strict() -> None:
    assert weighed("I2", failed(), strict=True) is Verdict.INFO
    assert weighed("I2", skipped("")) is Verdict.SKIP


def test_virtio_1_4_is_information_for_a_device_of_the_chromium_draft() -> None:
    finding = failed("queues run on")
    assert weighed("V4", finding, strict=True, chromium=True) is Verdict.INFO
    assert finding.summary == "differs from 1.4: queues run on"
    assert weighed("V4", Finding(Verdict.PASS, ""), chromium=True) is Verdict.INFO
    assert weighed("C2", failed(), chromium=True) is Verdict.FAIL


def test_what_was_kept_once_is_a_pass_whatever_else_is_worth_knowing() -> None:
    setting = Setting(4, "rng", "1.4", 1.0, 0.1)
    seen = iter(([told("something")], [kept("it held")], [told("something else")]))
    judge = Judge({"V4": lambda: lambda window: next(seen)}, setting, strict=False)
    for run in (1, 2, 3):
        judge.hear(Window("a scenario", ("V4",), setting, run))
    (result,) = judge.results(["V4"])
    assert (result.verdict, result.finding.summary) == (Verdict.PASS, "it held")


def test_every_statement_has_a_judgement_and_in_each_of_its_dialects_a_scenario_that_is_for_it() -> None:
    assert set(every_judgement()) == set(STATEMENTS)
    for dialect in DIALECTS.values():
        judged = {id_ for id_, row in STATEMENTS.items() if applies(row, dialect, DeviceType.BLK)}
        assert judged >= {id_ for id_, row in STATEMENTS.items() if dialect.name in row.dialects}
        served = {id_ for each in scenarios_for(judged, dialect) for id_ in (*each.shows, *each.also)}
        assert judged <= served


def test_every_scenario_says_what_it_is_for_and_speaks_of_statements_that_there_are() -> None:
    for each in every_scenario():
        assert each.shows or each.name == "read what the device offers", each.name
        assert {*each.shows, *each.also} <= set(STATEMENTS), each.name


def test_the_catalogue_is_complete_and_speaks_of_what_there_is() -> None:
    families = {"D": 7, "V": 16, "R": 7, "C": 3, "B": 14, "P": 18, "Q": 10, "N": 6}
    for letter, count in families.items():
        assert {f"{letter}{number}" for number in range(1, count + 1)} <= set(STATEMENTS)
    for row in STATEMENTS.values():
        assert set(row.implies) <= set(STATEMENTS), row.id
        assert row.text.endswith(".")
        assert row.section
    assert {id_ for id_ in CHAPTERS["suspend"] if STATEMENTS[id_].level in (Level.SHOULD, Level.SHOULD_NOT)} == {
        "D1",
        "V2",
        "V10",
        "V11",
        "V12",
    }


def test_whether_the_device_suspends_is_seen_first_and_what_may_do_harm_last() -> None:
    scenarios = scenarios_for(select([]), V1_4)
    of_suspend = [each for each in scenarios if set(each.shows) & set(CHAPTERS["suspend"]) - {"V13"}]
    assert "V8" in of_suspend[0].shows
    assert "V9" in of_suspend[1].shows
    order = [each.order for each in scenarios]
    assert order == sorted(order)
    assert {each.shows[0] for each in scenarios if each.order == DANGEROUS} == {"V14", "I4", "I8", "B8", "P15"}
    assert scenarios[-1].shows == ("S2", "N1")


def test_ids_are_chosen_by_name_and_by_family_and_unknown_ones_are_refused() -> None:
    assert select(["v4", " V1 "]) == ["V1", "V4"]
    assert select(["C"]) == ["C1", "C2", "C3"]
    assert select([]) == [id_ for id_ in STATEMENTS if id_ not in CHAPTERS["survive"]]
    assert select(["survive"]) == CHAPTERS["survive"]
    with pytest.raises(UsageError, match="V17"):
        select(["V17"])


def test_every_verdict_has_a_word_in_every_other_format() -> None:
    assert set(VERDICTS) == {verdict.value for verdict in Verdict}
    assert {word for word, (ok, _, _) in VERDICTS.items() if not ok} == {
        verdict.value for verdict in Verdict if verdict.bad
    }
