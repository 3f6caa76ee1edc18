"""Changes our own code (all but the emulated device) and has the tests nearest to it look: which one fails?"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from .changes import ROOT, Mutant, mutants
from .loaded import install
from .reached import Reached
from .running import SURVIVED, arguments, run

__all__ = ["all_mutants"]

_FOLDERS = ("uvirtio", "drivers", "tools")
#: Tests that look at one change, and the seconds of computing after which no further one is begun.
_MOST, _SECONDS = 200, 40.0


def all_mutants() -> Iterator[Mutant]:
    """Every change of our own code."""
    for folder in _FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            file = str(path.relative_to(ROOT))
            if not file.startswith("uvirtio/emulated/") and path.name != "__init__.py":
                yield from mutants(file)


class _Nearest:
    """A plugin of pytest that leaves these tests alone, in this order, and notes the first that fails."""

    def __init__(self, tests: list[str]) -> None:
        self._place = {test: place for place, test in enumerate(tests)}
        self._end = time.process_time() + _SECONDS
        self.failed = ""
        self.ran = 0

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """See pytest."""
        if any("::" in test for test in self._place):
            items[:] = sorted(
                (item for item in items if item.nodeid in self._place), key=lambda item: self._place[item.nodeid]
            )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """See pytest."""
        self.ran += report.when == "call"
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """See pytest: a module of tests that cannot even be imported has noticed."""
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """See pytest."""
        if time.process_time() > self._end:
            item.session.shouldstop = "enough"


def _seen_by(mutant: Mutant, tests: list[str]) -> dict[str, object]:
    """The first of these tests that fails with the change; in a process in which nothing of ours was imported yet."""
    if not tests:
        return {"detail": "(no test runs it)"}
    install(mutant)
    nearest = _Nearest(tests)
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    options = ["-q", "-x", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]
    try:
        pytest.main([*options, *files], plugins=[nearest])
    except BaseException as error:
        return {"by": [f"pytest, with {type(error).__name__}"]}
    return {"by": [nearest.failed] if nearest.failed else [], "detail": f"({nearest.ran} of {len(tests)} tests ran)"}


def main(argv: list[str] | None = None) -> int:
    """The command: 0 where no change survives."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--tests", nargs="+", default=[], metavar="PATH", help="have these look (default: the nearest)")
    args = parser.parse_args(argv)
    nearest = Reached().nearest if not args.tests else None
    if args.tests and subprocess.run([sys.executable, "-m", "pytest", "-q", *args.tests], check=False).returncode:
        parser.error("these tests fail without any change")
    outcomes = run(
        args, all_mutants(), lambda mutant: _seen_by(mutant, nearest(mutant, _MOST) if nearest else args.tests)
    )
    return int(any(outcome.what == SURVIVED for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
