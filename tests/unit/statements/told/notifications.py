"""N: notifications of used buffers and of the configuration, ISR, the interrupt line."""

from __future__ import annotations

from uvirtio_tools.judging import names

from ..table import BROKEN, KEPT, MOOT, NOTED, tells
from ..tale import Tale
from .reads import reading


def traffic(tale: Tale, *, used: bool, seen: int) -> None:
    """A run with some traffic, to its end."""
    with tale.scenario("traffic"):
        tale.started()
        tale.traffic(names.LAP, used=used)
    with tale.scenario("the device in the end", "N1"):
        tale.reads(names.USED_SEEN, seen)


@tells("N1", KEPT, "traffic on the running device showed in ISR")
def traffic_is_notified(tale: Tale) -> None:
    traffic(tale, used=True, seen=1)


@tells("N1", NOTED, "ISR never showed bit 0")
def traffic_is_never_notified(tale: Tale) -> None:
    traffic(tale, used=False, seen=0)


@tells("N1", MOOT, "there was no occasion to see it")
def there_is_no_traffic(tale: Tale) -> None:
    with tale.scenario("the device in the end", "N1"):
        tale.reads(names.USED_SEEN, 0)


def unwanted(tale: Tale, *, wanted: bool = True, heard: bool = False, sticky: bool = False) -> None:
    """A request whose notification is not wanted, after one whose is."""
    with tale.scenario("use buffers that are not to be notified", "N2"):
        tale.started()
        tale.sticky = sticky
        if sticky:
            tale.isr(1)
        tale.control()
        for about, shown in ((names.WANTED, wanted), (names.UNWANTED, heard), (names.WANTED, wanted)):
            if not shown:
                tale.unheard.add(about)
            tale.hears("used", about, 1)
            tale.unheard.discard(about)
        tale.sticky = False


@tells("N2", KEPT, "a request that was not to be notified was not")
def it_keeps_quiet(tale: Tale) -> None:
    unwanted(tale)


@tells("N2", BROKEN, "ISR bit 0 was set")
def it_notifies_what_is_not_wanted(tale: Tale) -> None:
    unwanted(tale, heard=True)


@tells("N2", MOOT, "wanted notifications did not show")
def it_never_notifies(tale: Tale) -> None:
    unwanted(tale, wanted=False)


@tells("N2", MOOT, "reading ISR does not clear it", breaks="N6")
def its_isr_is_not_cleared(tale: Tale) -> None:
    unwanted(tale, heard=True, sticky=True)


def change(moved: int = 1, old: int = 1, new: int = 2, came: int = 1) -> tuple[str, list[int]]:
    """A change was asked for: whether it shows, the generation before and after, whether it was notified."""
    return names.CHANGE, [moved, old, new, came]


reading("N3", KEPT, "each of 2 changes set ISR bit 1", change(), change())
reading("N3", BROKEN, "1 of 2 changes that show in the fields", change(), change(came=0))
reading("N3", MOOT, "did not change the configuration", change(moved=0, came=0))
reading("N4", KEPT, "config_generation moved with each of 2 changes", change(), change())
reading("N4", BROKEN, "config_generation is 1, as before the change", change(), change(new=1))
reading("N4", MOOT, "there was no occasion to see it", change(moved=0, new=1))


def interrupt(quiet: int = 0, during: int = 1, bits: int = 1, after: int = 0, left: int = 0) -> tuple[str, list[int]]:
    """Interrupt Status with nothing to be told, then with something; ISR; and both again."""
    return names.LINE_STATUS, [quiet, during, bits, after, left]


reading("N5", KEPT, "Interrupt Status was 1 before ISR was read and 0 after it, 2 times", interrupt(), interrupt())
reading("N5", BROKEN, "ISR showed 0x1, and Interrupt Status was 0 right before", interrupt(during=0))
reading("N5", BROKEN, "ISR showed 0, and Interrupt Status was 1 right before", interrupt(bits=0))
reading("N5", BROKEN, "Interrupt Status was still 1 after it had been read", interrupt(after=1))
reading("N5", BROKEN, "Interrupt Status was 1 with nothing to be notified", interrupt(quiet=1))
reading("N5", MOOT, "ISR showed nothing", interrupt(during=0, bits=0))
reading("N6", KEPT, "ISR showed bits 2 times", interrupt(), interrupt())
reading("N6", BROKEN, "showed 0x1 again right after", interrupt(after=1, left=1), interrupt(quiet=1, after=1, left=1))
reading("N6", MOOT, "there was no occasion to see it", interrupt(during=0, bits=0))


@tells("N6", BROKEN, "several reads in a row")
def traffic_leaves_its_isr_as_it_is(tale: Tale) -> None:
    tale.sticky = True
    traffic(tale, used=True, seen=1)


@tells("N6", KEPT, "ISR showed bits with traffic")
def traffic_is_followed_by_an_empty_isr(tale: Tale) -> None:
    traffic(tale, used=True, seen=1)


def line(tale: Tale, *, buffer: bool = True, change: bool | None = None) -> None:
    """The interrupt for a request, and for a configuration change where one was asked for; it ``shows`` in ISR."""
    with tale.scenario("watch the interrupt status", "N7"):
        tale.started()
        tale.control()
        for about, shown in ((names.ON_THE_LINE, buffer), (names.CHANGE, change)):
            if shown is None:
                continue
            if not shown:
                tale.unheard.add(about)
            tale.hears("line", about, 1)
            tale.unheard.discard(about)


@tells("N7", KEPT, "came for used buffers and for a configuration change")
def both_interrupt(tale: Tale) -> None:
    line(tale, change=True)


@tells("N7", BROKEN, "a change that set ISR bit 1 did not")
def a_change_does_not_interrupt(tale: Tale) -> None:
    line(tale, change=False)


@tells("N7", NOTED, "nothing arrived")
def nothing_interrupts(tale: Tale) -> None:
    line(tale, buffer=False)


@tells("N7", MOOT, "there was no occasion to see it")
def there_is_no_line(tale: Tale) -> None:
    with tale.scenario("watch the interrupt status", "N7"):
        tale.started()


@tells("N7", MOOT, "reading ISR does not clear it", breaks="N6")
def nothing_interrupts_and_its_isr_is_not_cleared(tale: Tale) -> None:
    tale.sticky = True
    tale.isr(1)
    line(tale, buffer=False)
