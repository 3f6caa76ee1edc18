"""A real device is driven in a worker process, and a supervisor gives the device back when that dies.

Python cannot catch SIGBUS, which a store to the registers of an unplugged device may end in, and nothing can catch
SIGKILL. The supervisor touches no device until the worker is gone: it forwards signals, waits, and then restores what
the worker's journal says. When the supervisor dies first the kernel tells the worker, which cleans up and ends.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from uvirtio.bus.uio import Sysfs, restore
from uvirtio.bus.uio.journal import Journal
from uvirtio.bus.uio.lock import RUN
from uvirtio.errors import UvirtioError
from uvirtio.programs import signal_name

from . import exits, standard_files
from .interruption import Raised, ending
from .telling import tell, tell_crash

__all__ = ["GRACE", "supervise"]

#: How long an interrupted worker may take to clean up, in seconds: more than a slow device's reset.
GRACE = 20.0
#: How long the kernel may take to end a killed worker, in seconds.
_KILL_TIME = 5.0
_PR_SET_PDEATHSIG = 1
#: ``si_code`` of a signal that the terminal sent, which the worker has received as well.
_SI_KERNEL = 0x80


def supervise(
    bdf: str,
    work: Callable[[], int] | Sequence[str],
    *,
    grace: float = GRACE,
    sysfs: Sysfs | None = None,
    run: Path = RUN,
) -> int:
    """Run ``work``, a function or a command, in a process of its own; returns the exit status.

    Standard input, output, errors and the terminal are the worker's too. A worker that ends by itself gives the status;
    one that dies is told of on stderr, the function is restored, and the status is 1 (130 when it was interrupted). Raises
    :class:`CannotRun` before anything is run when the function's journal cannot be read.
    """
    Journal(run).read(bdf)  # where this cannot be read now, the function could not be given back afterwards
    sys.stdout.flush()
    sys.stderr.flush()
    watched = {*_forwarded(), signal.SIGCHLD}
    # Blocked before the fork: no signal falls between the two processes.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    child_handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    prctl = _load_prctl()
    try:
        parent = os.getpid()
        worker = os.fork()
        if worker == 0:
            _be_worker(parent, work, before, prctl)
        ended, interrupted = _watch(worker, bdf, grace)
        return _conclude(bdf, ended, interrupted, sysfs or Sysfs(), run)
    finally:
        # What came since has nothing more to end.
        while signal.sigtimedwait(watched, 0) is not None:
            pass
        signal.signal(signal.SIGCHLD, child_handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _forwarded() -> tuple[int, ...]:
    return (*ending(), signal.SIGQUIT)


def _tell(sentence: str) -> None:
    # Whether anybody hears of it must not decide whether a device is given back.
    with suppress(OSError, ValueError):
        tell(sentence)


def _load_prctl() -> Callable[[int, int], int]:
    import ctypes

    function: Callable[[int, int], int] = ctypes.CDLL(None).prctl
    return function


# -- the worker --------------------------------------------------------------------------------------------------------


def _be_worker(
    parent: int,
    work: Callable[[], int] | Sequence[str],
    mask: set[signal.Signals | int],
    prctl: Callable[[int, int], int],
) -> NoReturn:
    status = exits.FAILED
    try:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(exits.INTERRUPTED)
        if callable(work):
            status = _work(work, mask)
        else:
            for number in _forwarded():
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.execvp(work[0], list(work))
    except KeyboardInterrupt:
        status = exits.INTERRUPTED  # what there was to tell is told
    except BaseException as error:
        _tell(f"{type(error).__name__}: {error}")
    finally:
        standard_files.end_process(status)


def _work(work: Callable[[], int], mask: set[signal.Signals | int]) -> int:
    # To the end of the process: the first signal ends the work through every `finally`, and no later one ends that.
    signals = Raised(_forwarded())
    signals.__enter__()
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)  # from here on one may come
        with standard_files.flushed():
            return work()
    except standard_files.OutputLost as lost:
        if lost.status != exits.INTERRUPTED:
            _tell(str(lost))
        return lost.status
    except UvirtioError as error:
        _tell(str(error))
        return exits.status_of(error)
    except KeyboardInterrupt:
        _tell("interrupted; everything has been given back")
        return exits.INTERRUPTED
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else exits.FAILED
    except Exception as error:
        if signals.number is not None:  # which came out as another error, as in the midst of making a class
            _tell("interrupted")
            return exits.INTERRUPTED
        tell_crash(error)
        return exits.FAILED


# -- the supervisor ----------------------------------------------------------------------------------------------------


def _watch(worker: int, bdf: str, grace: float) -> tuple[int | None, bool]:
    """Wait for the worker's end: its wait status (None: it cannot be killed), and whether it was interrupted."""
    watched = {*_forwarded(), signal.SIGCHLD}
    deadline: float | None = None
    killed = interrupted = False
    while True:
        pid, ended = os.waitpid(worker, os.WNOHANG)
        if pid:
            return ended, interrupted
        now = time.monotonic()
        if deadline is not None and now >= deadline:
            if killed:
                return None, interrupted
            _tell(f"the worker process did not clean up within {grace:g} s and is killed")
            os.kill(worker, signal.SIGKILL)
            killed, deadline = True, now + _KILL_TIME
        # Waking up once a second costs nothing, and then no signal is worth being lost.
        info = signal.sigtimedwait(watched, min(1.0, (deadline or now + 1.0) - now))
        if info is None or info.si_signo == signal.SIGCHLD:
            continue
        if interrupted:
            _tell(f"{bdf} is being given back; wait, please")
            continue
        interrupted = True
        deadline = time.monotonic() + grace
        if info.si_code != _SI_KERNEL:
            os.kill(worker, info.si_signo)


def _conclude(bdf: str, ended: int | None, interrupted: bool, sysfs: Sysfs, run: Path) -> int:
    if ended is None:
        _tell(
            f"the worker process that drives {bdf} does not end, the kernel holds it; when it has ended, "
            f"`uvirtio restore {bdf}` gives the device back"
        )
        return exits.FAILED
    # The device first: nothing that goes wrong with telling may keep it from being given back.
    given_back, sentences = _restore(bdf, sysfs, run)
    if os.WIFEXITED(ended):
        status = os.WEXITSTATUS(ended)
    else:
        number = os.WTERMSIG(ended)
        status = exits.INTERRUPTED if interrupted or number in _forwarded() else exits.FAILED
        _tell(_obituary(bdf, number, sysfs))
    for sentence in sentences:
        _tell(sentence)
    return status if given_back else status or exits.FAILED


def _obituary(bdf: str, number: int, sysfs: Sysfs) -> str:
    name = signal_name(number)
    if not sysfs.exists(bdf):
        return f"{bdf} was removed from the machine while it was driven; its worker process ended by {name}"
    if number == signal.SIGBUS:
        return (
            f"the registers of {bdf} were taken away while it was driven (SIGBUS): unplugged, or disabled by the host"
        )
    return f"the worker process that drove {bdf} was ended by {name}, so there is no result"


def _restore(bdf: str, sysfs: Sysfs, run: Path) -> tuple[bool, list[str]]:
    """Undo what the worker left behind: whether that worked, and what is to be said about it."""
    try:
        entry = Journal(run).read(bdf)
        if entry is None or not (entry.opened or entry.hugepages or (entry.binding and not entry.binding.kept)):
            return True, []
        restored = restore(bdf, sysfs=sysfs, run=run, kept=False)
    except Exception as error:
        return False, [f"{bdf} could not be given back: {error}. `uvirtio restore {bdf}` tries it again"]
    sentences = list(restored.notes)
    if sysfs.exists(bdf):
        sentences.append(f"{bdf} has been stopped and left as it was found (driver: {restored.driver or 'none'})")
    return True, sentences
