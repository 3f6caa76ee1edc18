"""Which tests run which functions of ours, found out once and kept in a file: ``python -m tests.mutation.reached``.

The tests that need neither QEMU nor a guest run with a tracer that sees calls alone. What a test leaves to a process of its
own is not seen.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType

import pytest

from .changes import MODULE, ROOT, Mutant

__all__ = ["KEPT", "Reached", "function_of"]

#: Where it is kept; not part of the tree.
KEPT = ROOT / ".mutation/reached.json"
_FOLDERS = ("tests/unit", "tests/emulated")
_OURS = tuple(f"{ROOT / folder}/" for folder in ("uvirtio", "drivers", "tools"))


def function_of(code: CodeType) -> str:
    """The function that a piece of code belongs to, as :class:`Mutant` names it."""
    parts = [part for part in code.co_qualname.split(".") if part != "<locals>"]
    named = []
    for part in parts:
        if part.startswith("<"):
            break
        named.append(part)
    return ".".join(named) or MODULE


class Tracer:
    """A plugin of pytest that notes the functions of ours that each test calls, and how long it takes."""

    def __init__(self) -> None:
        self.called: defaultdict[str, set[CodeType]] = defaultdict(set)
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._now: set[CodeType] = set()
        self._failed: set[str] = set()

    def _call(self, frame: FrameType, event: str, argument: object) -> None:
        self._now.add(frame.f_code)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """See pytest."""
        self._now = self.called[item.nodeid]
        threading.settrace(self._call)
        sys.settrace(self._call)
        yield
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """See pytest."""
        self.seconds[report.nodeid] += report.duration
        if not report.passed:
            self._failed.add(report.nodeid)

    def write(self, path: Path) -> None:
        """Keep what was found: test -> seconds and its functions, as ``FILE:FUNCTION``."""
        found = {
            test: [round(self.seconds[test], 3), sorted({name for code in codes if (name := _name(code))})]
            for test, codes in self.called.items()
            if test not in self._failed  # it would fail with any change
        }
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(found))


def _name(code: CodeType) -> str:
    if not code.co_filename.startswith(_OURS):
        return ""
    return f"{Path(code.co_filename).relative_to(ROOT)}:{function_of(code)}"


class Reached:
    """What was kept. Raises FileNotFoundError where nothing was."""

    def __init__(self) -> None:
        self._tests: defaultdict[str, list[str]] = defaultdict(list)
        self._size: dict[str, int] = {}
        for test, (_, functions) in json.loads(KEPT.read_text()).items():
            self._size[test] = len(functions)
            for function in functions:
                self._tests[function].append(test)

    def nearest(self, mutant: Mutant, most: int) -> list[str]:
        """The tests that run the changed function, those that run least beside it first.

        Where none runs it (it is the module's, or a class's), those that run any function of the file.
        """
        name = mutant.function
        while name and f"{mutant.file}:{name}" not in self._tests:
            name = name.rpartition(".")[0]
        tests = self._tests.get(f"{mutant.file}:{name}") or {
            test for function, tests in self._tests.items() if function.startswith(f"{mutant.file}:") for test in tests
        }
        return sorted(tests, key=lambda test: (self._size[test], test))[:most]


def main() -> int:
    """The command."""
    tracer = Tracer()
    status = pytest.main(["-q", "-p", "no:cacheprovider", "-m", "not needs", *_FOLDERS], plugins=[tracer])
    tracer.write(KEPT)
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
