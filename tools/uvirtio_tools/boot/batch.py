"""Several virtual machines, some of them at once; what died beside others is tried again alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

from .. import exits
from .outcome import Outcome

__all__ = ["run_all"]

#: Runs number N, again or for the first time, and gives what became of it.
Start = Callable[[int, bool], Outcome]


def run_all(
    runs: Sequence[str], jobs: int, start: Start, stop: Event, tell: Callable[[int, Outcome], None]
) -> list[Outcome]:
    """Run each in a machine of its own, ``jobs`` of them at once; what became of each, in their order.

    One that died beside others is run again afterwards, alone, and that counts: what a loaded host did to it is no verdict.
    """
    lock = Lock()

    def one(number: int) -> Outcome:
        if stop.is_set():
            return Outcome(runs[number], stopped="not run", status=exits.INTERRUPTED)
        outcome = start(number, False)
        with lock:
            tell(number, outcome)
        return outcome

    with ThreadPoolExecutor(min(jobs, len(runs)), thread_name_prefix="uvirtio-vm") as pool:
        try:
            outcomes = list(pool.map(one, range(len(runs))))
        except BaseException:
            stop.set()  # the machines see it and go, before anybody waits for them
            raise
    if jobs > 1 and len(runs) > 1:
        for number, outcome in enumerate(outcomes):
            if outcome.died and outcome.status == exits.FAILED and not stop.is_set():
                outcomes[number] = start(number, True)
                outcomes[number].again = True
                tell(number, outcomes[number])
    return outcomes
