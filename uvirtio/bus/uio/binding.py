"""Taking a function for uio_pci_generic or vfio-pci for good, and giving functions back.

Only ``driver_override`` and ``drivers_probe`` are used: ``new_id`` would take every device with the same id. What is
changed is in the journal first. Whoever calls :func:`take` or :func:`undo` holds the function's lock.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ...errors import CannotRun, UvirtioError
from .given_back import rebind, undo
from .journal import Binding, Journal
from .lock import RUN, FunctionLock
from .sysfs import OURS, UIO_DRIVER, Sysfs
from .taking import require, take

__all__ = ["Bound", "Restored", "bind", "pending", "restore", "restore_all", "take", "undo"]


class Bound(NamedTuple):
    """What :func:`bind` did: the function, its file below ``/dev``, the driver before; ``already``: it was there already."""

    bdf: str
    node: str
    before: str | None
    already: bool
    driver: str = UIO_DRIVER


class Restored(NamedTuple):
    """What :func:`restore` did: the function, its driver now, and sentences about what did not work."""

    bdf: str
    driver: str | None
    notes: tuple[str, ...] = ()


def bind(
    bdf: str, *, force: bool = False, sysfs: Sysfs | None = None, run: Path = RUN, driver: str = UIO_DRIVER
) -> Bound:
    """Take a function for good, until :func:`restore`. ``force`` takes it from whoever uses it.

    Raises :class:`CannotRun` in its many forms; then nothing is changed, or it has been put back.
    """
    sysfs, journal = sysfs or Sysfs(), Journal(run)
    require(sysfs, bdf)

    def taken() -> Bound:
        before = sysfs.driver(bdf)
        node = take(sysfs, journal, bdf, force=force, keep=True, driver=driver)
        return Bound(bdf, node, before, before == driver, driver)

    if sysfs.dry_run:
        return taken()
    with FunctionLock(bdf, run):
        undo(sysfs, journal, bdf, kept=False)
        return taken()


def restore(bdf: str, *, sysfs: Sysfs | None = None, run: Path = RUN, kept: bool = True) -> Restored:
    """Give a function back to the driver that it had; without a journal, to the one that the kernel chooses.

    ``kept`` False leaves a function that was bound on purpose where it is, and undoes only what a run has changed.
    Raises :class:`DeviceBusy` while another process drives it, :class:`NoSuchDevice`.
    """
    sysfs, journal = sysfs or Sysfs(), Journal(run)
    with FunctionLock(bdf, run):
        entry = journal.read(bdf)
        if entry is None:
            require(sysfs, bdf)
            by = next((name for name in (sysfs.driver(bdf), sysfs.override(bdf)) if name in OURS), None)
            if not kept or by is None:
                return Restored(bdf, sysfs.driver(bdf))
            notes = [f"{bdf}: there is no journal, so the kernel chose the driver"]
            notes += rebind(sysfs, bdf, Binding(None, "", True, by), probe=True)
        else:
            notes = undo(sysfs, journal, bdf, kept=kept)
        return Restored(bdf, sysfs.driver(bdf), tuple(notes))


def restore_all(*, sysfs: Sysfs | None = None, run: Path = RUN) -> list[Restored | UvirtioError]:
    """Restore every function that has a journal; one that fails does not keep the others from it."""
    done: list[Restored | UvirtioError] = []
    for bdf in pending(run):
        try:
            done.append(restore(bdf, sysfs=sysfs, run=run))
        except UvirtioError as error:
            done.append(error)
        except Exception as error:
            # Whatever it is: the other devices are to be given back.
            done.append(CannotRun(f"{bdf} could not be given back: {type(error).__name__}: {error}"))
    return done


def pending(run: Path = RUN) -> list[str]:
    """The functions that :func:`restore_all` would restore."""
    return Journal(run).pending()
