"""``python -m uvirtio_tools.tui.checking LOCATOR``: the checks as lines of JSON, a verdict each as it is told, then the result.

Lines are ``{"result": …}``, as in the document, then ``{"document": …}``, or ``{"error": …}``. A device of this machine is
driven under a supervisor.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress

from uvirtio.errors import UvirtioError
from uvirtio.spec.dialects import AUTO

from .. import exits
from ..driving.opening import open_device
from ..driving.options import INTERRUPTS, RunOptions
from ..interruption import Raised
from ..judging.history import History
from ..judging.result import CheckResult, CheckRun
from ..scenarios.running import run_checks
from ..supervision import supervised

__all__ = ["main"]


def _say(name: str, what: object) -> None:
    sys.stdout.write(json.dumps({name: what}) + "\n")
    sys.stdout.flush()


def _check(locator: str, *, force: bool, interrupts: str) -> int:
    run = CheckRun(locator)

    def told(result: CheckResult) -> None:
        _say("result", result.to_json())

    try:
        with open_device(locator, timeout=run.timeout, recorder=History, force=force) as device:
            run_checks(run, device, RunOptions(timeout=run.timeout, interrupts=interrupts), progress=told)
    except UvirtioError as error:
        if not run.results:
            _say("error", str(error))
            return exits.status_of(error)
        run.stopped = run.stopped or str(error)
    _say("document", run.to_json())
    return run.status


def main() -> int:
    """Check one device."""
    parser = argparse.ArgumentParser(prog="uvirtio-checking", description=__doc__)
    parser.add_argument("locator")
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--interrupts", choices=INTERRUPTS, default=AUTO)
    args = parser.parse_args()

    def work() -> int:
        return _check(args.locator, force=args.force, interrupts=args.interrupts)

    with suppress(KeyboardInterrupt), Raised():
        return supervised([args.locator], work)
    return exits.INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
