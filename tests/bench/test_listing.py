"""What is made of the rounds that measure a listing, and what a process is charged with that lists nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.bench.listing import compare, show
from tests.bench.listing_inside import modules_of

_SNAPSHOT = Path(__file__).parents[1] / "unit/inspect/net.json"


def a_round(**seconds: float) -> dict[str, Any]:
    """64 virtio functions among 80: 10 ms for each of the first, 5 for each of all."""
    usual = {"list": 1.64, "list-base": 1.0, "json": 2.64, "json-base": 2.0, "lspci": 0.4, "bare": 0.2, "version": 0.25}
    return {"virtio": 64, "pci": 80, "seconds": usual | seconds}


def test_a_listing_is_charged_per_device_and_without_what_python_needs_to_start() -> None:
    listed, document, version = compare([a_round()])
    assert (listed["ratio"], listed["ms"], listed["ms_other"], listed["target"]) == (2.0, 10.0, 5.0, 5.0)
    assert document["ratio"] == 2.0
    assert (version["ratio"], version["target"]) == (1.25, 1.5)


def test_the_median_of_the_rounds_counts_so_that_a_slow_moment_does_not_decide() -> None:
    rounds = [a_round(list=1.64), a_round(list=9.0, lspci=0.4), a_round(list=1.96)]
    listed = compare(rounds)[0]
    assert (listed["ratio"], listed["lowest"], listed["highest"]) == (3.0, 2.0, 25.0)
    assert listed["holds"] is True


def test_what_misses_its_target_does_not_hold_and_is_marked() -> None:
    rounds = [a_round(list=1.0 + 64 * 0.0251, version=0.301)]
    rows = compare(rounds)
    assert [row["holds"] for row in rows] == [False, True, False]
    assert [line[0] for line in show(rows, rounds).splitlines()[1:4]] == ["!", " ", "!"]


def test_the_base_imports_what_a_listing_imports_and_what_a_bare_python_lacks() -> None:
    modules = modules_of("list", "--from", str(_SNAPSHOT))
    assert {"uvirtio_tools.commands.list", "uvirtio_tools.inspect.render", "rich.console", "argparse"} <= set(modules)
    assert not {"sys", "builtins", "__main__", "pyudev"} & set(modules)
